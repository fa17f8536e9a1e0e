//! Values as people read them. Names, rows and reasons come from customers' files and may be hostile: they are escaped, what
//! would reorder or hide text is shown as what it is, and what is long is folded.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// Characters of a value that are shown before it is folded.
const SHOWN: usize = 120;
/// Characters of a folded value that can be unfolded.
const UNFOLDED: usize = 20_000;

/// `1,234,567`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.2 MB`, in thousands as S3 shows it.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut size = number as f64;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1_000.0;
        unit += 1;
    }
    match unit {
        0 if number == 1 => "1 byte".to_owned(),
        0 => format!("{number} bytes"),
        _ if size < 9.95 => format!("{size:.1} {}", UNITS[unit]),
        _ => format!("{size:.0} {}", UNITS[unit]),
    }
}

/// `2.5 %`; empty where there is no whole.
pub(crate) fn share(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => String::new(),
        (0, _) => "0 %".to_owned(),
        (part, whole) => {
            let percent = part as f64 * 100.0 / whole as f64;
            if percent < 0.1 { "under 0.1 %".to_owned() } else { format!("{percent:.1} %") }
        }
    }
}

/// From protobuf.
pub(crate) fn at(time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok())
}

/// A point in time: in UTC as it is served, in the viewer's own zone where scripts run.
pub(crate) fn local_time(time: Option<&prost_types::Timestamp>) -> Markup {
    match at(time) {
        None => html! {},
        Some(time) => {
            let utc = time.to_zoned_datetime(TimeZone::UTC);
            html! {
                time datetime=(utc.strftime("%Y-%m-%dT%H:%M:%SZ")) { (utc.strftime("%Y-%m-%d %H:%M UTC")) }
            }
        }
    }
}

/// A date as the world over reads it.
pub(crate) fn date_of(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::UTC).date().to_string()
}

/// A value of a customer's, as it stands: isolated, so that its direction reorders nothing around it, and with what cannot
/// be seen shown as its code.
pub(crate) fn value(text: &str) -> Markup {
    html! { bdi .value { (visible(text)) } }
}

/// The same where it may be long: the rest unfolds.
pub(crate) fn cell(text: &str) -> Markup {
    let total = text.chars().count();
    if total <= SHOWN {
        return value(text);
    }
    let head: String = text.chars().take(SHOWN).collect();
    let all: String = text.chars().take(UNFOLDED).collect();
    let more = total.saturating_sub(UNFOLDED);
    html! {
        details .long {
            summary { (value(&head)) "… " span .more { (count(total as u64)) " characters" } }
            p .whole tabindex="0" { (value(&all)) @if more > 0 { " … and " (count(more as u64)) " more" } }
        }
    }
}

/// The same in a line that has no room for more, such as a link: the middle of what is long is left out.
pub(crate) fn brief(text: &str) -> Markup {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= SHOWN {
        return value(text);
    }
    let head: String = chars.iter().take(SHOWN - 40).collect();
    let tail: String = chars.iter().skip(chars.len() - 30).collect();
    value(&format!("{head} … {tail}"))
}

/// A value where no markup can be, such as in an attribute.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        if is_hidden(c) {
            shown.push_str(&code(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn code(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// Runs of what can be seen, and the codes of what cannot.
fn visible(text: &str) -> Markup {
    let mut parts: Vec<Result<String, char>> = Vec::new();
    for c in text.chars() {
        match (is_hidden(c), parts.last_mut()) {
            (true, _) => parts.push(Err(c)),
            (false, Some(Ok(run))) => run.push(c),
            (false, _) => parts.push(Ok(c.to_string())),
        }
    }
    html! {
        @for part in parts {
            @match part {
                Ok(run) => (run),
                Err(c) => span .hidden-character { (code(c)) },
            }
        }
    }
}

/// Control characters, and those of Unicode that steer direction or take no room.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00ad}'
                | '\u{061c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        let sizes = [1, 999, 1_500, 12_345_678, 999_999].map(bytes);
        assert_eq!(sizes, ["1 byte", "999 bytes", "1.5 kB", "12 MB", "1.0 MB"]);
        assert_eq!([share(0, 0), share(1, 3), share(1, 1_000_000)], ["", "33.3 %", "under 0.1 %"]);
    }

    #[test]
    fn hostile_text_is_escaped_and_its_marks_are_shown() {
        let shown = value("<script>alert('x')</script>\u{202e}gpj.exe\0").into_string();
        assert!(!shown.contains("<script"), "{shown}");
        assert!(!shown.contains(['\u{202e}', '\0']), "{shown}");
        assert!(shown.contains("U+202E") && shown.contains("U+0000"), "{shown}");
        assert!(value("שלום café 🙂").into_string().contains("שלום café 🙂"));
    }

    #[test]
    fn what_is_long_is_folded_and_cut() {
        let shown = cell(&"x".repeat(10_000)).into_string();
        assert!(shown.contains("<details") && shown.contains("10,000 characters"), "{}", &shown[..300]);
        assert!(cell(&"x".repeat(1_000_000)).into_string().len() < 25_000);
        let brief = brief(&format!("{}.csv", "x".repeat(1_000))).into_string();
        assert!(brief.len() < 200 && brief.contains("x.csv") && !brief.contains("details"), "{brief}");
        assert!(!cell("short").into_string().contains("details"));
    }
}
