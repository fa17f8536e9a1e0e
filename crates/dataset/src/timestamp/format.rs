//! A column's own format, of strftime's directives.

use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::{Instant, TimestampFault, TimestampReader};
use crate::shown::cut;

/// 2001-02-03T16:05:06.123456789Z: every part of it differs from every other, and it is in the afternoon.
const SAMPLE: Instant = Instant { seconds: 981_216_306, nanos: 123_456_789 };

impl TimestampReader {
    /// The zone that the text names comes first, then the column's. A leap second is read as the second before it.
    pub(super) fn by_format(&self, format: &str, text: &str) -> Result<Instant, TimestampFault> {
        let parsed = BrokenDownTime::parse(format, text).map_err(|_| TimestampFault::Form)?;
        if let Some(at) = parsed.timestamp() {
            return Ok(Instant { seconds: at.as_second(), nanos: parsed.subsec_nanosecond().unwrap_or(0) });
        }
        let civil = parsed.to_datetime().map_err(|_| TimestampFault::Form)?;
        if parsed.iana_time_zone().is_none() && parsed.offset().is_none() {
            return self.in_zone(civil);
        }
        let at = match parsed.iana_time_zone() {
            Some(_) => parsed.to_zoned_datetime().map_err(|_| TimestampFault::Form)?.timestamp(),
            None => parsed.to_timestamp().map_err(|_| TimestampFault::Range)?,
        };
        Ok(Instant { seconds: at.as_second(), nanos: at.subsec_nanosecond() })
    }
}

/// Whether a format can be read: some directives are for writing alone (`%Z`, `%c`), and without a whole date there is no
/// instant. What the format writes of a sample has to be read as that again.
pub(crate) fn check(format: &str) -> Result<(), String> {
    let sample = zoned(SAMPLE)?;
    let written = strtime::format(format, &sample).map_err(|error| error.to_string())?;
    BrokenDownTime::parse(format, written.trim_ascii()).map_err(|error| error.to_string())?;
    let unread = |what: &str| {
        let written = cut(&written);
        format!("it writes 2001-02-03T16:05:06Z as {written:?}, {what}")
    };
    let reader = TimestampReader::new(Some(format), "UTC");
    let read = reader.read(&written).map_err(|_| unread("which holds no whole date"))?.0;
    let hour = read.seconds.rem_euclid(super::DAY) / 3_600;
    if hour != 16 && hour != 0 {
        return Err(unread("which does not tell morning from afternoon: add %p"));
    }
    let again = strtime::format(format, &zoned(read)?).map_err(|error| error.to_string())?;
    if again != written {
        return Err(unread(&format!("which is read as {:?}", cut(&again))));
    }
    Ok(())
}

fn zoned(at: Instant) -> Result<ZonedDateTime, String> {
    let at = Timestamp::new(at.seconds, at.nanos).map_err(|error| error.to_string())?;
    Ok(ZonedDateTime::new(at, TimeZone::UTC))
}
