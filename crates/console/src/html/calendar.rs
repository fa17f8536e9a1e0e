//! The days of a source as a calendar: a week a line, Monday first.

use api::registry::{Day, DayStatus};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use maud::{Markup, html};

use super::text::count;
use super::words::day_status;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The weeks that hold `days` (newest first, each once); each day leads to `link` with its date behind.
pub(crate) fn calendar(days: &[Day], link: &str) -> Markup {
    let dated: Vec<(Date, &Day)> =
        days.iter().rev().filter_map(|day| Some((day.date.parse().ok()?, day))).collect();
    let (Some((first, _)), Some((last, _))) = (dated.first(), dated.last()) else { return html! {} };
    let monday = first.saturating_sub(i64::from(first.weekday().to_monday_zero_offset()).days());
    let weeks = monday.series(7.days()).take_while(|week| week <= last);
    html! {
        table .calendar {
            thead { tr { @for day in WEEKDAYS { th scope="col" { abbr title=(day) { (&day[..2]) } } } } }
            tbody {
                @for week in weeks {
                    tr {
                        @for date in week.series(1.day()).take(7) {
                            @match dated.binary_search_by_key(&date, |(date, _)| *date) {
                                Ok(found) => (cell(date, dated[found].1, link)),
                                Err(_) => td .none {},
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(date: Date, day: &Day, link: &str) -> Markup {
    let kind = match day.status() {
        DayStatus::OnTime => "good",
        DayStatus::Late => "warn",
        DayStatus::Missing => "bad",
        DayStatus::Expected => "busy",
        DayStatus::Unspecified | DayStatus::Unscheduled if day.objects > 0 => "good",
        DayStatus::Unspecified | DayStatus::Unscheduled => "quiet",
    };
    let word = match day.status() {
        DayStatus::Unspecified | DayStatus::Unscheduled if day.objects > 0 => "Arrived",
        DayStatus::Unspecified | DayStatus::Unscheduled => "Nothing",
        status => day_status(status),
    };
    let shown = if date.day() == 1 || date.weekday() == Weekday::Monday {
        date.strftime("%-d %b").to_string()
    } else {
        date.day().to_string()
    };
    html! {
        td class=(kind) {
            a href={ (link) (date) } {
                span .day { (shown) }
                span .status { (word) }
                span .rows { @if day.rows > 0 { (short(day.rows)) span .unseen { " rows" } } }
                span .unseen { " on " (date) @if day.rejected > 0 { ", " (count(day.rejected)) " rejected" } }
            }
        }
    }
}

/// `1.2 k`, `34 M`
fn short(rows: u64) -> String {
    match rows {
        0..1_000 => rows.to_string(),
        1_000..10_000 => format!("{:.1} k", rows as f64 / 1e3),
        10_000..1_000_000 => format!("{} k", rows / 1_000),
        1_000_000..10_000_000 => format!("{:.1} M", rows as f64 / 1e6),
        _ => format!("{} M", rows / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_stands_under_its_weekday() {
        let day = |date: &str, status: DayStatus| Day {
            date: date.into(),
            status: status as i32,
            ..Day::default()
        };
        // 2026-11-24 is a Tuesday.
        let days = [day("2026-11-24", DayStatus::Missing), day("2026-11-23", DayStatus::Late)];
        let shown = calendar(&days, "/d/").into_string();
        assert_eq!(shown.matches("<tr>").count(), 2, "a head and one week");
        assert_eq!(shown.matches("<td class=\"none\">").count(), 5);
        let (late, missing) = (shown.find("Late").unwrap(), shown.find("Missing").unwrap());
        assert!(late < missing && shown.contains("/d/2026-11-24"), "{shown}");
        assert!(calendar(&[], "/d/").into_string().is_empty());
    }

    #[test]
    fn rows_are_shortened() {
        assert_eq!([7, 1_234, 56_789, 2_500_000].map(short), ["7", "1.2 k", "56 k", "2.5 M"]);
    }
}
