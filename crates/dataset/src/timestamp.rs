//! Timestamps in every form that is taken: ISO 8601 and RFC 3339, Unix digits, or a column's own format.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

/// 2200-01-01T00:00:00Z, the last instant that is accepted.
const LAST_SECOND: i64 = 7_258_118_400;
const NANOS_A_SECOND: i128 = 1_000_000_000;

/// Seconds since the Unix epoch, and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant {
    pub(crate) seconds: i64,
    pub(crate) nanos: i32,
}

/// Why a value is no timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampFault {
    /// Not of any form that is taken.
    Form,
    /// It could mean more than one instant.
    Ambiguous,
    /// Before 1970 or after 2200.
    Range,
}

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

/// How a column's timestamps are read.
#[derive(Debug, Clone)]
pub(crate) struct TimestampReader {
    format: Option<String>,
    zone: TimeZone,
    utc: bool,
}

impl TimestampReader {
    /// A zone that does not exist counts as UTC; schemas and sources are checked before.
    pub(crate) fn new(format: Option<&str>, zone: &str) -> Self {
        let found = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let utc = found == TimeZone::UTC || zone.eq_ignore_ascii_case("utc");
        Self { format: format.map(str::to_owned), zone: found, utc }
    }

    /// The instant, and the unit where it was written in Unix digits.
    pub(crate) fn read(&self, text: &str) -> Result<(Instant, Option<UnixUnit>), TimestampFault> {
        let text = text.trim_ascii();
        let (instant, unit) = match &self.format {
            Some(format) => (self.by_format(format, text)?, None),
            None if is_unix(text) => {
                let (instant, unit) = unix(text)?;
                (instant, Some(unit))
            }
            None => (self.iso(text.as_bytes()).ok_or_else(|| misunderstood(text))?, None),
        };
        if (0..LAST_SECOND).contains(&instant.seconds) || (instant.seconds, instant.nanos) == (LAST_SECOND, 0)
        {
            Ok((instant, unit))
        } else {
            Err(TimestampFault::Range)
        }
    }

    fn by_format(&self, format: &str, text: &str) -> Result<Instant, TimestampFault> {
        let parsed = BrokenDownTime::parse(format, text).map_err(|_| TimestampFault::Form)?;
        if let Ok(at) = parsed.to_timestamp() {
            return Ok(Instant { seconds: at.as_second(), nanos: at.subsec_nanosecond() });
        }
        let civil =
            parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.to_datetime(Time::midnight())));
        self.in_zone(civil.map_err(|_| TimestampFault::Form)?).ok_or(TimestampFault::Range)
    }

    /// `YYYY-MM-DD`, then `T` or a space and `hh:mm[:ss[.fraction]]`, then `Z`, `±hh:mm`, `±hhmm` or nothing.
    fn iso(&self, text: &[u8]) -> Option<Instant> {
        let (year, rest) = digits(text, 4)?;
        let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
        let (day, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
        let day_seconds = days(year, month, day)? * 86_400;
        if rest.is_empty() {
            return self.local(day_seconds, 0, (year, month, day));
        }
        let rest = rest
            .strip_prefix(b"T")
            .or_else(|| rest.strip_prefix(b"t"))
            .or_else(|| rest.strip_prefix(b" "))?;
        let (hour, rest) = digits(rest, 2)?;
        let (minute, mut rest) = digits(rest.strip_prefix(b":")?, 2)?;
        let (mut second, mut nanos) = (0, 0);
        if let Some(after) = rest.strip_prefix(b":") {
            (second, rest) = digits(after, 2)?;
            if let Some(after) = rest.strip_prefix(b".") {
                (nanos, rest) = fraction(after)?;
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = day_seconds + hour * 3_600 + minute * 60 + second;
        match rest.trim_ascii_start() {
            b"" => self.local(seconds, nanos, (year, month, day)),
            b"Z" | b"z" => Some(Instant { seconds, nanos }),
            zone => Some(Instant { seconds: seconds - offset(zone)?, nanos }),
        }
    }

    /// A time without an offset, counted as if it were UTC, in the column's zone.
    fn local(&self, seconds: i64, nanos: i32, (year, month, day): (i64, i64, i64)) -> Option<Instant> {
        if self.utc {
            return Some(Instant { seconds, nanos });
        }
        let of_day = seconds.rem_euclid(86_400);
        let date = Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()?;
        let part = |value: i64| i8::try_from(value).ok();
        let time =
            Time::new(part(of_day / 3_600)?, part(of_day / 60 % 60)?, part(of_day % 60)?, nanos).ok()?;
        self.in_zone(date.to_datetime(time))
    }

    fn in_zone(&self, civil: DateTime) -> Option<Instant> {
        let at = self.zone.to_ambiguous_zoned_datetime(civil).compatible().ok()?.timestamp();
        Some(Instant { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
    }
}

/// Digits with at most one point: with two they are a date of points.
fn is_unix(text: &str) -> bool {
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    points < 2 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Unix seconds (also with a fraction), milliseconds, microseconds or nanoseconds.
fn unix(text: &str) -> Result<(Instant, UnixUnit), TimestampFault> {
    if let Some((whole, part)) = text.split_once('.') {
        let seconds = whole.parse::<i64>().map_err(|_| beyond(whole))?;
        let (nanos, rest) = fraction(part.as_bytes()).ok_or(TimestampFault::Form)?;
        if !rest.is_empty() {
            return Err(TimestampFault::Form);
        }
        return Ok((Instant { seconds, nanos }, UnixUnit::Seconds));
    }
    let value: i128 = text.parse().map_err(|_| beyond(text))?;
    if text.len() == 8 && looks_like_a_date(value) {
        return Err(TimestampFault::Ambiguous);
    }
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

/// `YYYYMMDD`
fn looks_like_a_date(value: i128) -> bool {
    let part = |value: i128| i64::try_from(value).unwrap_or(0);
    let (year, month, day) = (part(value / 10_000), part(value / 100 % 100), part(value % 100));
    (1900..=2200).contains(&year) && days(year, month, day).is_some()
}

/// What a value is that is not of the ISO form: one that two readers would read differently, or none at all.
fn misunderstood(text: &str) -> TimestampFault {
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split(['/', '.', '-']).collect();
    let numeric = parts.len() == 3
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let iso = parts.first().is_some_and(|year| year.len() == 4);
    if numeric && !iso {
        return TimestampFault::Ambiguous;
    }
    match text.strip_prefix('-') {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') => {
            TimestampFault::Range
        }
        _ => TimestampFault::Form,
    }
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
fn fraction(text: &[u8]) -> Option<(i32, &[u8])> {
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

/// Days since the Unix epoch; none where there is no such date. Years count from March, so that the leap day is a year's
/// last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=length).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Instant, TimestampFault> {
        instant(&TimestampReader::new(None, "UTC"), text)
    }

    fn instant(reader: &TimestampReader, text: &str) -> Result<Instant, TimestampFault> {
        reader.read(text).map(|(at, _)| at)
    }

    fn at(text: &str) -> Instant {
        let at: jiff::Timestamp = text.parse().unwrap();
        Instant { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
    }

    #[test]
    fn every_listed_form_is_taken() {
        let instant = at("2026-11-23T10:05:07Z");
        for text in [
            "2026-11-23T10:05:07Z",
            "2026-11-23 10:05:07Z",
            "2026-11-23T10:05:07",
            "2026-11-23T12:05:07+02:00",
            "2026-11-23T12:05:07+0200",
            "2026-11-23 05:05:07 -05",
            "1795428307",
            "1795428307000",
            "1795428307000000",
            "1795428307000000000",
            "1795428307.0",
            " 2026-11-23t10:05:07z ",
        ] {
            assert_eq!(read(text), Ok(instant), "{text}");
        }
        assert_eq!(read("2026-11-23"), Ok(at("2026-11-23T00:00:00Z")));
        assert_eq!(read("2026-11-23T10:05"), Ok(at("2026-11-23T10:05:00Z")));
        assert_eq!(read("2026-11-23T10:05:07.123456789Z"), Ok(at("2026-11-23T10:05:07.123456789Z")));
        assert_eq!(read("1795428307.5"), Ok(at("2026-11-23T10:05:07.5Z")));
        assert_eq!(read("1795428307123"), Ok(at("2026-11-23T10:05:07.123Z")));
    }

    #[test]
    fn what_is_not_sure_is_refused() {
        use TimestampFault::{Ambiguous, Form, Range};
        for (text, fault) in [
            ("03/04/2021", Ambiguous),
            ("03-04-21", Ambiguous),
            ("20261123", Ambiguous),
            ("3.4.2021 10:00", Ambiguous),
            ("3.4.2021", Ambiguous),
            ("23.11.26", Ambiguous),
            ("1969-12-31T23:59:59Z", Range),
            ("2200-01-01T00:00:01Z", Range),
            ("-5", Range),
            ("99999999999999999999999999", Range),
            (&"9".repeat(500), Range),
            ("99999999999999999999.5", Range),
            (".5", Form),
            ("5.", Form),
            ("soon", Form),
            ("2026-02-30", Form),
            ("2026-13-01", Form),
            ("2026-11-23T24:00:00Z", Form),
            ("2026-11-23T10:05:07+2:00", Form),
            ("2026-11-23T10:05:07Zulu", Form),
            ("1.2.3.4", Form),
            (".", Form),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
        assert_eq!(read("2200-01-01"), Ok(Instant { seconds: LAST_SECOND, nanos: 0 }));
    }

    #[test]
    fn times_without_an_offset_are_in_the_zone() {
        let paris = TimestampReader::new(None, "Europe/Paris");
        assert_eq!(instant(&paris, "2026-07-01 12:00:00"), Ok(at("2026-07-01T10:00:00Z")));
        assert_eq!(instant(&paris, "2026-12-01"), Ok(at("2026-11-30T23:00:00Z")));
        assert_eq!(instant(&paris, "2026-07-01T12:00:00Z"), Ok(at("2026-07-01T12:00:00Z")));
    }

    #[test]
    fn a_columns_format_makes_sure_what_was_not() {
        let reader = TimestampReader::new(Some("%d/%m/%Y %H:%M"), "Europe/Paris");
        assert_eq!(instant(&reader, "03/04/2021 12:30"), Ok(at("2021-04-03T10:30:00Z")));
        assert_eq!(instant(&reader, "2021-04-03"), Err(TimestampFault::Form));
        assert_eq!(
            instant(&TimestampReader::new(Some("%m/%d/%y"), "UTC"), "04/03/21"),
            Ok(at("2021-04-03T00:00:00Z"))
        );
    }

    proptest! {
        #[test]
        fn what_jiff_writes_is_read_back(seconds in 0..LAST_SECOND, nanos in 0..1_000_000_000) {
            let at = jiff::Timestamp::new(seconds, nanos).unwrap();
            prop_assert_eq!(read(&at.to_string()), Ok(Instant { seconds, nanos }));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = read(&text);
            let _ = TimestampReader::new(Some("%d/%m/%Y"), "Europe/Paris").read(&text);
        }
    }
}
