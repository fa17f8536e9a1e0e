//! ISO 8601, as far as it is taken.

/// A time as it is written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Of the date, since the Unix epoch.
    days: i64,
    /// Seconds since the date's midnight; of a leap second, those of the second before it.
    pub(super) of_day: i64,
    pub(super) nanos: i32,
    /// It is second 60.
    pub(super) leap: bool,
    /// In seconds east of UTC; none where it is not written.
    pub(super) offset: Option<i64>,
}

impl Written {
    /// Seconds since the Unix epoch, as if it were UTC.
    pub(super) fn seconds(&self) -> i64 {
        self.days * super::DAY + self.of_day
    }
}

/// `YYYY-MM-DD`, then `T` or a space and `hh:mm[:ss[.fraction]]` (or `,fraction`), then `Z`, `±hh:mm`, `±hhmm`, `±hh` or
/// nothing.
pub(super) fn parse(text: &[u8]) -> Option<Written> {
    utc_second(text).or_else(|| any(text))
}

/// `YYYY-MM-DDThh:mm:ssZ`, as most files write it, without a look at what could be left out; none for any other form, and
/// for a second that is none or a leap one.
#[inline]
fn utc_second(text: &[u8]) -> Option<Written> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1, b'Z'] = *text
    else {
        return None;
    };
    let digits = [y0, y1, y2, y3, m0, m1, d0, d1, h0, h1, n0, n1, s0, s1].map(|byte| byte.wrapping_sub(b'0'));
    if digits.iter().fold(0, |most, digit| digit.max(&most).to_owned()) > 9 {
        return None;
    }
    let two = |at: usize| i64::from(digits[at]) * 10 + i64::from(digits[at + 1]);
    let (year, month, day) = (two(0) * 100 + two(2), two(4), two(6));
    let (hour, minute, second) = (two(8), two(10), two(12));
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let of_day = hour * 3_600 + minute * 60 + second;
    Some(Written {
        year,
        month,
        day,
        days: days(year, month, day)?,
        of_day,
        nanos: 0,
        leap: false,
        offset: Some(0),
    })
}

fn any(text: &[u8]) -> Option<Written> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let days = days(year, month, day)?;
    let date = Written { year, month, day, days, of_day: 0, nanos: 0, leap: false, offset: None };
    if rest.is_empty() {
        return Some(date);
    }
    let rest =
        rest.strip_prefix(b"T").or_else(|| rest.strip_prefix(b"t")).or_else(|| rest.strip_prefix(b" "))?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(b":")?, 2)?;
    let (mut second, mut nanos) = (0, 0);
    if let Some(after) = rest.strip_prefix(b":") {
        (second, rest) = digits(after, 2)?;
        if let Some(after) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")) {
            (nanos, rest) = fraction(after)?;
        }
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let offset = match rest.trim_ascii_start() {
        b"" => None,
        b"Z" | b"z" => Some(0),
        zone => Some(offset(zone)?),
    };
    let of_day = hour * 3_600 + minute * 60 + second.min(59);
    Some(Written { of_day, nanos, leap: second == 60, offset, ..date })
}

/// The number in the first `count` bytes, and what follows.
fn digits(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = text.split_at_checked(count)?;
    let mut value = 0;
    for byte in number {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    Some((value, rest))
}

/// A fraction of a second in nanoseconds, and what follows; digits beyond the ninth are cut.
pub(super) fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let padded = text[..count].iter().copied().chain(std::iter::repeat(b'0'));
    let nanos = padded.take(9).fold(0, |nanos, digit| nanos * 10 + i32::from(digit - b'0'));
    Some((nanos, &text[count..]))
}

/// Seconds of `±hh:mm`, `±hhmm` or `±hh`.
fn offset(text: &[u8]) -> Option<i64> {
    let (sign, rest) = text.split_first()?;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2)?;
    let minutes = match rest.strip_prefix(b":").unwrap_or(rest) {
        b"" if rest.is_empty() => 0,
        minutes => {
            let (minutes, rest) = digits(minutes, 2)?;
            if !rest.is_empty() {
                return None;
            }
            minutes
        }
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since the Unix epoch, of a year up to 9999; none where there is no such date. Years count from March, so that the
/// leap day is a year's last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    const LENGTHS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    /// Of a cycle of the calendar: one is added, so that January of the year 0 is no year before it.
    const CYCLE: (u32, i64) = (400, 146_097);
    let [year, month, day] = [year, month, day].map(|part| u32::try_from(part).unwrap_or(u32::MAX));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = LENGTHS.get(month.wrapping_sub(1) as usize)? + u32::from(leap && month == 2);
    if day == 0 || day > length || year > 9_999 {
        return None;
    }
    let year = year + CYCLE.0 - u32::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    Some(i64::from(days) - CYCLE.1 - 719_468)
}
