//! By when a source's files of a day are due, told from when they came before. Pure: arrivals in, a time out.
//!
//! A source has a **daily** rhythm where files came on six of the seven days before, and a **weekly** one for a day of the
//! week where they came on three of its last four, or all three where there were only three. What came more than a day
//! before its date or more than a week behind it was filled in by hand, and says nothing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Days before a day that its rhythm is told from.
pub(crate) const LOOKED_AT: i64 = 28;
/// Files may be this much later than they were at their latest.
const GRACE: SignedDuration = SignedDuration::from_hours(2);
const EARLIEST: SignedDuration = SignedDuration::from_hours(-24);
const LATEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// When the first file of each day came; and the day before which nothing is known of the source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals {
    days: BTreeMap<Date, SignedDuration>,
}

impl Arrivals {
    /// From the first arrival of each day on which files came.
    pub(crate) fn new(first_arrivals: impl IntoIterator<Item = (Date, Timestamp)>) -> Self {
        let offset = |(date, at): (Date, Timestamp)| {
            let offset = at.duration_since(midnight(date)?);
            (EARLIEST..=LATEST).contains(&offset).then_some((date, offset))
        };
        Self { days: first_arrivals.into_iter().filter_map(offset).collect() }
    }

    /// By when files of the day are due; `None` where the rhythm has no such day.
    pub(crate) fn due(&self, date: Date) -> Option<Timestamp> {
        let came = |days: &[i64]| -> Vec<SignedDuration> {
            let before = |days: &i64| date.checked_sub(days.days()).ok();
            days.iter().filter_map(before).filter_map(|day| self.days.get(&day).copied()).collect()
        };
        let daily = came(&[1, 2, 3, 4, 5, 6, 7]);
        let weekly = came(&[7, 14, 21, 28]);
        let offsets = if daily.len() >= 6 {
            daily
        } else if weekly.len() >= 3 {
            weekly
        } else {
            return None;
        };
        let latest = offsets.into_iter().max()?;
        midnight(date)?.checked_add(latest.checked_add(GRACE)?).ok()
    }

    /// The days from `first` to `last` whose files are overdue at `now`, and by when they were due.
    pub(crate) fn missing(&self, first: Date, last: Date, now: Timestamp) -> Vec<(Date, Timestamp)> {
        first
            .series(1.day())
            .take_while(|day| *day <= last)
            .filter(|day| !self.days.contains_key(day))
            .filter_map(|day| Some((day, self.due(day)?)))
            .filter(|(_, due)| *due < now)
            .collect()
    }
}

fn midnight(date: Date) -> Option<Timestamp> {
    date.to_zoned_datetime(TimeZone::UTC).ok().map(|midnight| midnight.timestamp())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn at(day: Date, hour: i64) -> (Date, Timestamp) {
        (day, midnight(day).unwrap() + SignedDuration::from_hours(hour))
    }

    fn days_before(day: Date, days: impl IntoIterator<Item = i64>, hour: i64) -> Vec<(Date, Timestamp)> {
        days.into_iter().map(|before| at(day - before.days(), hour)).collect()
    }

    #[test]
    fn a_daily_source_is_due_at_its_latest_hour_and_some_grace() {
        let today = date(2026, 11, 25);
        let mut came = days_before(today, 1..=7, 6);
        came[2].1 += SignedDuration::from_hours(1);
        let due = Arrivals::new(came).due(today).unwrap();
        assert_eq!(due, at(today, 9).1);
    }

    #[test]
    fn one_day_off_does_not_end_a_rhythm_and_two_do() {
        let today = date(2026, 11, 25);
        assert!(Arrivals::new(days_before(today, [1, 2, 4, 5, 6, 7], 6)).due(today).is_some());
        assert!(Arrivals::new(days_before(today, [1, 2, 5, 6, 7], 6)).due(today).is_none());
    }

    #[test]
    fn a_weekly_source_is_due_on_its_day_alone() {
        let wednesday = date(2026, 11, 25);
        let arrivals = Arrivals::new(days_before(wednesday, [7, 14, 21], 30));
        assert_eq!(arrivals.due(wednesday).unwrap(), at(wednesday, 32).1);
        assert!(arrivals.due(wednesday - 1.day()).is_none());
        assert!(Arrivals::new(days_before(wednesday, [7, 14], 30)).due(wednesday).is_none());
    }

    #[test]
    fn what_was_filled_in_says_nothing() {
        let today = date(2026, 11, 25);
        // All of a week, uploaded at once ten days behind the first of its dates.
        let filled: Vec<_> =
            (1..=7).map(|before| (today - before.days(), at(today + 10.days(), 0).1)).collect();
        assert!(Arrivals::new(filled).due(today).is_none());
    }

    #[test]
    fn a_day_is_missing_once_it_is_overdue() {
        let today = date(2026, 11, 25);
        let arrivals = Arrivals::new(days_before(today, 1..=8, 6));
        let missing = |now: Timestamp| arrivals.missing(today - 2.days(), today, now);
        assert!(missing(at(today, 7).1).is_empty());
        assert_eq!(missing(at(today, 9).1), [(today, at(today, 8).1)]);
    }
}
