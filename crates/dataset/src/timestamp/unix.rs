//! Unix time in digits, and the digits that could as well be a date.

use super::iso::{days, fraction};
use super::{Instant, TimestampFault};

const NANOS_A_SECOND: i128 = 1_000_000_000;

/// The unit of Unix digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnixUnit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl UnixUnit {
    /// Told by magnitude: seconds up to the year 5138, where milliseconds are still in 1973.
    fn of(value: i128) -> Self {
        if value < 100_000_000_000 {
            Self::Seconds
        } else if value < 100_000_000_000_000 {
            Self::Milliseconds
        } else if value < 100_000_000_000_000_000 {
            Self::Microseconds
        } else {
            Self::Nanoseconds
        }
    }

    fn nanos(self) -> i128 {
        match self {
            Self::Seconds => NANOS_A_SECOND,
            Self::Milliseconds => 1_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}

/// Digits with at most one point: with two they are a date of points.
pub(super) fn is_unix(text: &str) -> bool {
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    points < 2 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Unix seconds (also with a fraction), milliseconds, microseconds or nanoseconds. Digits that read as a date too are
/// refused, see [`is_compact_date`] and [`is_date_of_two`]; the column's own format (`%s`, `%Y%m%d`) says which they are.
pub(super) fn read(text: &str) -> Result<(Instant, UnixUnit), TimestampFault> {
    let (whole, part) = match text.split_once('.') {
        Some((whole, part)) => (whole, Some(part)),
        None => (text, None),
    };
    if is_compact_date(whole.as_bytes()) || part.is_some_and(|part| is_date_of_two(whole, part)) {
        return Err(TimestampFault::Ambiguous);
    }
    if let Some(part) = part {
        let seconds = whole.parse::<i64>().map_err(|_| beyond(whole))?;
        let (nanos, rest) = fraction(part.as_bytes()).ok_or(TimestampFault::Form)?;
        if !rest.is_empty() {
            return Err(TimestampFault::Form);
        }
        return Ok((Instant { seconds, nanos }, UnixUnit::Seconds));
    }
    let value: i128 = text.parse().map_err(|_| beyond(text))?;
    let unit = UnixUnit::of(value);
    let nanos = value.checked_mul(unit.nanos()).ok_or(TimestampFault::Range)?;
    let seconds = i64::try_from(nanos / NANOS_A_SECOND).map_err(|_| TimestampFault::Range)?;
    // A remainder below 10^9 fits.
    Ok((Instant { seconds, nanos: (nanos % NANOS_A_SECOND) as i32 }, unit))
}

/// Why digits are no number: there are too many, or none.
fn beyond(digits: &str) -> TimestampFault {
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        TimestampFault::Range
    } else {
        TimestampFault::Form
    }
}

/// Digits that read as a date without separators: `YYYY`, `YYYYMM`, `YYYYMMDD`, and with the hour, the minute and the
/// second behind it. Up to eight digits any year from 1900 to 2200 counts; beyond, those of the accepted range, 1970 to
/// 2199, as Unix seconds have ten digits: less than one in a hundred of those from mid-2032 to 2039 reads as a date too.
fn is_compact_date(digits: &[u8]) -> bool {
    if !matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) {
        return false;
    }
    let number = |digits: &[u8]| digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    let two = |at: usize, otherwise: i64| digits.get(at..at + 2).map_or(otherwise, number);
    let year = number(&digits[..4]);
    let years = if digits.len() <= 8 { 1900..=2200 } else { 1970..=2199 };
    years.contains(&year)
        && days(year, two(4, 1), two(6, 1)).is_some()
        && two(8, 0) <= 23
        && two(10, 0) <= 59
        && two(12, 0) <= 60
}

/// Numbers of a point that read as day and month, in either order, or as month and year: `03.04`, `3.4`, `11.2026`. As
/// seconds they would be in the first minute of 1970.
fn is_date_of_two(whole: &str, part: &str) -> bool {
    let (Ok(first), Ok(second)) = (whole.parse::<u16>(), part.parse::<u16>()) else { return false };
    match (whole.len(), part.len()) {
        (1..=2, 1..=2) => {
            let (low, high) = (first.min(second), first.max(second));
            (1..=12).contains(&low) && (1..=31).contains(&high)
        }
        (1..=2, 4) => (1..=12).contains(&first) && (1900..=2200).contains(&second),
        _ => false,
    }
}
