//! Timestamps in every form that is taken: ISO 8601 and RFC 3339, Unix digits, or a column's own format.

mod format;
mod iso;
mod unix;

use std::ops::RangeInclusive;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

pub(crate) use format::check as check_format;
pub(crate) use unix::UnixUnit;

/// 2200-01-01T00:00:00Z, the last instant that is accepted.
const LAST_SECOND: i64 = 7_258_118_400;
/// Years that an accepted instant may have in any zone.
const YEARS: RangeInclusive<i64> = 1969..=2200;
const DAY: i64 = 86_400;

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
            // A year, then a dash: no digits alone, which are told from all bytes.
            None if text.as_bytes().get(4) == Some(&b'-') => (self.iso(text)?, None),
            None if unix::is_unix(text) => {
                let (instant, unit) = unix::read(text)?;
                (instant, Some(unit))
            }
            None => (self.iso(text)?, None),
        };
        if (0..LAST_SECOND).contains(&instant.seconds) || (instant.seconds, instant.nanos) == (LAST_SECOND, 0)
        {
            Ok((instant, unit))
        } else {
            Err(TimestampFault::Range)
        }
    }

    /// As ISO 8601. A leap second, which Unix time does not count, is the start of the second behind it; where UTC has none
    /// (it has them at 23:59:60 alone), second 60 is none.
    fn iso(&self, text: &str) -> Result<Instant, TimestampFault> {
        let written = iso::parse(text.as_bytes()).ok_or_else(|| misunderstood(text))?;
        let mut instant = match written.offset {
            Some(offset) => Instant { seconds: written.seconds() - offset, nanos: written.nanos },
            None => self.local(&written)?,
        };
        if written.leap {
            instant.seconds += 1;
            if instant.seconds.rem_euclid(DAY) != 0 {
                return Err(TimestampFault::Form);
            }
        }
        Ok(instant)
    }

    /// A time without an offset.
    fn local(&self, written: &iso::Written) -> Result<Instant, TimestampFault> {
        if self.utc {
            return Ok(Instant { seconds: written.seconds(), nanos: written.nanos });
        }
        let part = |value: i64| i8::try_from(value).unwrap_or(-1);
        let of_day = written.of_day;
        let year = i16::try_from(written.year).map_err(|_| TimestampFault::Range)?;
        let date = Date::new(year, part(written.month), part(written.day));
        let time = Time::new(part(of_day / 3_600), part(of_day / 60 % 60), part(of_day % 60), written.nanos);
        match (date, time) {
            (Ok(date), Ok(time)) => self.in_zone(date.to_datetime(time)),
            _ => Err(TimestampFault::Form),
        }
    }

    /// A time that the zone's clocks show twice is the first one; one that they pass over is as much later as they are put
    /// forward. Years out of range are not looked up: no zone's rules reach up to 9999-12-31.
    fn in_zone(&self, civil: DateTime) -> Result<Instant, TimestampFault> {
        if !YEARS.contains(&i64::from(civil.year())) {
            return Err(TimestampFault::Range);
        }
        let zoned = self.zone.to_ambiguous_zoned_datetime(civil).compatible();
        let at = zoned.map_err(|_| TimestampFault::Range)?.timestamp();
        Ok(Instant { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
    }
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

#[cfg(test)]
mod tests;
