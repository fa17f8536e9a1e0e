//! How far the folders of the look-back window are known, so that a scan lists what is new and not all there is.
//!
//! **Invariant.** A mark moves only with a completion: everything up to it is in the ledger by then. A folder without a
//! mark is listed in full.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// Marks that a source keeps, those of its newest folders: they travel with every lease.
const MOST_MARKS: usize = 100;
/// Where something has come out of order, the pause between two full listings of the folder is the time since, by this: it
/// is listed in full at every scan to begin with, then less and less often.
const CALM: u32 = 8;

/// How far one folder is known. Times are in microseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderMark {
    /// YYYY-MM-DD
    pub date: String,
    /// The key behind which a scan may begin; empty where one page holds the folder.
    pub after: String,
    /// Objects up to that key, itself included.
    pub objects: u64,
    /// When the folder was last listed from its first key.
    pub in_full_at: i64,
    /// When a full listing last found what a scan from the mark would have missed, in this folder or, before it was first
    /// listed, in another of the source; `None` where none ever did.
    pub out_of_order_at: Option<i64>,
}

/// What a scan says of a folder that it listed to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFolder {
    /// The folder.
    pub date: Date,
    /// From its first key.
    pub in_full: bool,
    /// The key behind which the next scan may begin; empty for none.
    pub after: String,
    /// Objects up to that key, itself included.
    pub objects: u64,
    /// Generations that it opened before the mark.
    pub out_of_order: u64,
}

impl FolderMark {
    /// Whether the folder is due to be listed in full, for what has come or changed before its mark: after `interval`, and
    /// the sooner the more recently something was found there.
    pub fn is_due_in_full(&self, interval: Duration, now: Timestamp) -> bool {
        // A clock that was set back makes it due, rather than never.
        let Some(listed) = since(self.in_full_at, now) else { return true };
        let pause = match self.out_of_order_at {
            Some(found) => since(found, now).unwrap_or_default() / CALM,
            None => interval,
        };
        listed >= pause.min(interval)
    }
}

fn since(microsecond: i64, now: Timestamp) -> Option<Duration> {
    u64::try_from(now.as_microsecond() - microsecond).ok().map(Duration::from_micros)
}

/// The marks after a scan, oldest folder first; none of folders before `from`.
pub(super) fn merged(
    before: Vec<FolderMark>,
    listed: &[ListedFolder],
    from: Date,
    now: Timestamp,
) -> Vec<FolderMark> {
    let now = now.as_microsecond();
    // The names in all folders of a source are of one making: a new folder begins with what the others have shown.
    let shown = before.iter().filter_map(|mark| mark.out_of_order_at).max();
    let mut marks: BTreeMap<String, FolderMark> =
        before.into_iter().map(|mark| (mark.date.clone(), mark)).collect();
    for folder in listed {
        let date = folder.date.to_string();
        let known = marks.get(&date);
        let out_of_order_at = match folder.out_of_order {
            0 => known.map_or(shown, |mark| mark.out_of_order_at),
            _ => Some(now),
        };
        let in_full_at = known.filter(|_| !folder.in_full).map_or(now, |mark| mark.in_full_at);
        let (after, objects) = (folder.after.clone(), folder.objects);
        let mark = FolderMark { date: date.clone(), after, objects, in_full_at, out_of_order_at };
        marks.insert(date, mark);
    }
    let from = from.to_string();
    let kept: Vec<_> = marks.into_values().filter(|mark| mark.date >= from).collect();
    let too_many = kept.len().saturating_sub(MOST_MARKS);
    kept.into_iter().skip(too_many).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const INTERVAL: Duration = Duration::from_secs(900);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn listed(day: i8, in_full: bool, out_of_order: u64) -> ListedFolder {
        let date = date(2026, 11, day);
        ListedFolder { date, in_full, after: format!("e/{date}/5"), objects: 500, out_of_order }
    }

    #[test]
    fn a_folder_in_order_is_listed_in_full_by_the_interval_alone() {
        let marks = merged(vec![], &[listed(3, true, 0)], date(2026, 11, 1), at(1000));
        assert!(!marks[0].is_due_in_full(INTERVAL, at(1899)));
        assert!(marks[0].is_due_in_full(INTERVAL, at(1900)));
        let marks = merged(marks, &[listed(3, false, 0)], date(2026, 11, 1), at(1500));
        assert!(marks[0].is_due_in_full(INTERVAL, at(1900)), "a scan from the mark is no full listing");
        assert!(marks[0].is_due_in_full(INTERVAL, at(999)), "the clock was set back");
    }

    #[test]
    fn a_folder_out_of_order_is_listed_in_full_at_once_and_less_and_less_often() {
        let found = merged(vec![], &[listed(3, true, 1)], date(2026, 11, 1), at(1000));
        assert!(found[0].is_due_in_full(INTERVAL, at(1000)));
        let later = |in_full: i64| {
            merged(found.clone(), &[listed(3, true, 0)], date(2026, 11, 1), at(in_full)).remove(0)
        };
        assert!(!later(1800).is_due_in_full(INTERVAL, at(1860)), "900 seconds on, pauses are two minutes");
        assert!(later(1800).is_due_in_full(INTERVAL, at(1920)));
        assert!(!later(100_000).is_due_in_full(INTERVAL, at(100_899)), "and never longer than the interval");
        assert!(later(100_000).is_due_in_full(INTERVAL, at(100_900)));
    }

    #[test]
    fn a_new_folder_begins_with_what_the_others_have_shown() {
        let marks = merged(vec![], &[listed(3, true, 1)], date(2026, 11, 1), at(1000));
        let marks = merged(marks, &[listed(4, true, 0)], date(2026, 11, 1), at(2000));
        assert_eq!(marks[1].out_of_order_at, Some(1_000_000_000));
    }

    #[test]
    fn folders_that_were_not_listed_keep_their_marks_until_they_leave_the_window() {
        let marks = merged(vec![], &[listed(3, true, 0), listed(4, true, 0)], date(2026, 11, 1), at(1000));
        let marks = merged(marks, &[listed(4, false, 0)], date(2026, 11, 3), at(2000));
        assert_eq!(marks.len(), 2);
        let marks = merged(marks, &[], date(2026, 11, 4), at(3000));
        assert_eq!(marks[0].date, "2026-11-04");
        assert_eq!(marks.len(), 1);
    }

    #[test]
    fn of_a_long_window_the_newest_folders_keep_their_marks() {
        let days: Vec<_> = date(2020, 1, 1).series(jiff::Span::new().days(1)).take(MOST_MARKS + 5).collect();
        let listed: Vec<_> = days.iter().map(|&date| ListedFolder { date, ..listed(1, true, 0) }).collect();
        let marks = merged(vec![], &listed, date(2020, 1, 1), at(1000));
        assert_eq!(marks.len(), MOST_MARKS);
        assert_eq!(marks[0].date, "2020-01-06");
    }
}
