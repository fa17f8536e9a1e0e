//! A large object that is read in ranges: where it is cut, and what its ranges come to together.

use records::queue::{Counters, FileError, FileProgress, ObjectRange, Outcome};

use crate::outcome::{self, End};
use crate::progress;
use crate::tolerance::Tolerance;

/// Into ranges of about which size an object of `size` bytes is to be cut; none where it is to be read as a whole, being
/// no larger than `over`, or because it would make one range. All of them are of about the same size, at most
/// `range_bytes` and a row.
///
/// ```
/// use ledger::split::range_size;
/// assert_eq!(range_size(100, 100, 40), None);
/// assert_eq!(range_size(101, 100, 40), Some(34)); // three of 34, 34 and 33
/// assert_eq!(range_size(101, 100, 200), None);
/// ```
pub fn range_size(size: u64, over: u64, range_bytes: u64) -> Option<u64> {
    let ranges = size.div_ceil(range_bytes.max(1));
    (size > over && ranges > 1).then(|| size.div_ceil(ranges))
}

/// Puts the ranges of an object together from the beginnings of its rows, which come in their order.
///
/// ```
/// use ledger::split::Cuts;
/// let mut cuts = Cuts::new(10);
/// for (begins, rows_before) in [(0, 0), (4, 0), (9, 1), (13, 2), (18, 3), (22, 4)] {
///     cuts.row(begins, rows_before);
/// }
/// let ranges: Vec<_> = cuts.end(25).iter().map(|one| (one.number, one.begins, one.ends, one.rows_before)).collect();
/// assert_eq!(ranges, [(1, 0, 13, 0), (2, 13, 22, 2), (3, 22, 25, 4)]);
/// ```
#[derive(Debug)]
pub struct Cuts {
    size: u64,
    ranges: Vec<ObjectRange>,
}

impl Cuts {
    /// Of ranges of this many bytes, and up to the end of a row.
    pub fn new(size: u64) -> Self {
        Self { size: size.max(1), ranges: vec![ObjectRange { number: 1, ..ObjectRange::default() }] }
    }

    /// A row begins at the byte `begins`, behind `rows_before` data rows.
    pub fn row(&mut self, begins: u64, rows_before: u64) {
        let number = self.ranges.len() as u64;
        if begins < number * self.size {
            return;
        }
        if let Some(last) = self.ranges.last_mut() {
            last.ends = begins;
        }
        self.ranges.push(ObjectRange { number: number as u32 + 1, begins, ends: 0, rows_before });
        // A row may reach over the beginning of several ranges: they are then one.
        self.size = self.size.max(begins.div_ceil(number + 1));
    }

    /// The ranges, where the object ends at the byte `ends`.
    pub fn end(mut self, ends: u64) -> Vec<ObjectRange> {
        if let Some(last) = self.ranges.last_mut() {
            last.ends = ends;
        }
        self.ranges
    }
}

/// What a generation that is read in ranges has come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Whole {
    /// How many ranges it has; 0 as long as that is not known.
    pub ranges: u32,
    /// How many of them are at rest.
    pub ended: u32,
    /// What stopped the reading of those, the worst of it.
    pub end: Option<End>,
    /// The first error of a range.
    pub error: Option<FileError>,
    /// Counts of all ranges.
    pub totals: Counters,
    /// Bytes that have been read, of all ranges.
    pub position: u64,
}

/// What one range has come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Range {
    /// The last chunk that was applied; 0 before the first.
    pub chunk: u32,
    /// Its counts.
    pub totals: Counters,
    /// The byte of the object up to which it is read.
    pub position: u64,
    /// Nothing of it will be read any more.
    pub is_ended: bool,
}

/// What a message about a split generation does.
#[derive(Debug, Clone, PartialEq)]
pub enum Applied {
    /// It was applied before.
    Nothing,
    /// The generation moved on.
    Moved,
    /// The generation came to rest.
    Ended(Outcome, Option<FileError>),
}

impl Whole {
    /// The plan was made: the generation has so many ranges. It comes once, before or after what is said of the ranges.
    pub fn planned(&mut self, ranges: u32) -> Applied {
        if self.ranges != 0 {
            return Applied::Nothing;
        }
        self.ranges = ranges;
        self.rest()
    }

    /// Applies what `message` says of one of its ranges, of which `range` was known.
    pub fn apply(&mut self, range: &mut Range, at: &ObjectRange, message: &FileProgress) -> Applied {
        if range.is_ended
            || progress::decide(range.chunk, message.chunk) == progress::Decision::AlreadyApplied
        {
            return Applied::Nothing;
        }
        let totals = message.totals.clone().unwrap_or_default();
        let before = if range.chunk == 0 { at.begins } else { range.position };
        add_growth(&mut self.totals, &range.totals, &totals);
        self.position += message.position.saturating_sub(before);
        *range = Range { chunk: message.chunk, totals, position: message.position, is_ended: false };
        if message.outcome() == Outcome::Unspecified {
            return Applied::Moved;
        }
        range.is_ended = true;
        self.ended += 1;
        let end = match (message.outcome(), &message.error) {
            (Outcome::Superseded, _) => End::Changed,
            (_, Some(_)) => End::Unreadable,
            (_, None) => End::Whole,
        };
        self.end = Some(self.end.map_or(end, |known| worse(known, end)));
        if let Some(error) = &message.error {
            // An object that changed is told by it, whatever else befell another range.
            if self.error.is_none() || end == End::Changed {
                self.error = Some(error.clone());
            }
        }
        self.rest()
    }

    fn rest(&self) -> Applied {
        if self.ranges == 0 || self.ended < self.ranges {
            return Applied::Moved;
        }
        let outcome = outcome::decide(self.end.unwrap_or(End::Whole), &self.totals);
        // What has a limit of invalid rows is not split.
        let nothing = || outcome::nothing_accepted(&self.totals, Tolerance::Any);
        Applied::Ended(outcome, self.error.clone().or_else(nothing))
    }
}

fn worse(one: End, other: End) -> End {
    match (one, other) {
        (End::Changed, _) | (_, End::Changed) => End::Changed,
        (End::Unreadable, _) | (_, End::Unreadable) => End::Unreadable,
        (End::Whole, End::Whole) => End::Whole,
    }
}

/// Totals of a range replace each other; those of the whole grow by the difference.
fn add_growth(all: &mut Counters, before: &Counters, now: &Counters) {
    all.rows += now.rows.saturating_sub(before.rows);
    all.accepted += now.accepted.saturating_sub(before.accepted);
    all.rejected += now.rejected.saturating_sub(before.rejected);
    for (code, count) in &now.rejections {
        let before = before.rejections.get(code).copied().unwrap_or_default();
        *all.rejections.entry(code.clone()).or_default() += count.saturating_sub(before);
    }
    for (code, count) in &now.warnings {
        let before = before.warnings.get(code).copied().unwrap_or_default();
        *all.warnings.entry(code.clone()).or_default() += count.saturating_sub(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(accepted: u64, rejected: u64) -> Counters {
        let rejections = if rejected > 0 { [("bad".to_owned(), rejected)].into() } else { [].into() };
        Counters { rows: accepted + rejected, accepted, rejected, rejections, ..Counters::default() }
    }

    fn at(number: u32) -> ObjectRange {
        let begins = u64::from(number - 1) * 100;
        ObjectRange { number, begins, ends: begins + 100, rows_before: 0 }
    }

    fn chunk(chunk: u32, position: u64, totals: Counters, outcome: Outcome) -> FileProgress {
        FileProgress { chunk, position, totals: Some(totals), outcome: outcome as i32, ..Default::default() }
    }

    #[test]
    fn the_ranges_of_an_object_lie_one_behind_the_other_whatever_its_rows_are() {
        for rows in [vec![1; 500], vec![7, 300, 1, 1, 1, 90, 2000, 5], vec![1000], vec![]] {
            let size = 1 + rows.iter().sum::<u64>();
            let mut cuts = Cuts::new(64);
            let mut begins = 1;
            for (index, length) in rows.iter().enumerate() {
                cuts.row(begins, index as u64);
                begins += length;
            }
            let ranges = cuts.end(size);
            assert_eq!(ranges[0].begins, 0);
            assert_eq!(ranges.last().unwrap().ends, size);
            for (index, pair) in ranges.windows(2).enumerate() {
                assert_eq!(pair[0].ends, pair[1].begins);
                assert!(pair[0].begins < pair[0].ends);
                assert_eq!(pair[0].number as usize, index + 1);
            }
        }
    }

    #[test]
    fn a_row_that_reaches_over_several_ranges_begins_one() {
        let mut cuts = Cuts::new(10);
        for (index, begins) in [0, 5, 95, 96, 97, 98, 99].into_iter().enumerate() {
            cuts.row(begins, index as u64);
        }
        assert!(cuts.end(100).len() <= 3);
    }

    #[test]
    fn ranges_in_any_order_and_with_repetitions_come_to_the_same() {
        let messages = [
            (1, chunk(1, 40, counts(4, 0), Outcome::Unspecified)),
            (1, chunk(2, 100, counts(9, 1), Outcome::AcceptedWithRejections)),
            (2, chunk(1, 200, counts(10, 0), Outcome::Accepted)),
            (3, chunk(1, 300, counts(0, 10), Outcome::Rejected)),
        ];
        for order in [[0, 1, 2, 3], [2, 0, 1, 3], [3, 2, 0, 1], [0, 3, 1, 2]] {
            for planned_at in 0..=4 {
                let mut whole = Whole::default();
                let mut ranges: [Range; 3] = Default::default();
                let mut last = Applied::Nothing;
                for step in 0..=4 {
                    if step == planned_at {
                        last = whole.planned(3);
                        assert_eq!(whole.planned(3), Applied::Nothing);
                    }
                    let Some((number, message)) = order.get(step).map(|&index| &messages[index]) else {
                        break;
                    };
                    let range = &mut ranges[*number as usize - 1];
                    last = whole.apply(range, &at(*number), message);
                    assert_eq!(whole.apply(range, &at(*number), message), Applied::Nothing);
                }
                assert_eq!(last, Applied::Ended(Outcome::AcceptedWithRejections, None), "{order:?}");
                assert_eq!((whole.totals.clone(), whole.position), (counts(19, 11), 300));
            }
        }
    }

    #[test]
    fn one_unreadable_range_leaves_the_file_incomplete_and_a_change_supersedes_it() {
        let error = |code: &str| Some(FileError { code: code.into(), ..Default::default() });
        let ended = |outcomes: [(Outcome, Option<FileError>); 2]| {
            let mut whole = Whole::default();
            assert_eq!(whole.planned(2), Applied::Moved);
            let mut last = Applied::Nothing;
            for (number, (outcome, error)) in (1..).zip(outcomes) {
                let message = FileProgress { error, ..chunk(1, 100, counts(1, 0), outcome) };
                last = whole.apply(&mut Range::default(), &at(number), &message);
            }
            last
        };
        let unreadable = (Outcome::Incomplete, error("unavailable"));
        let changed = (Outcome::Superseded, error("changed"));
        assert_eq!(
            ended([unreadable.clone(), (Outcome::Accepted, None)]),
            Applied::Ended(Outcome::Incomplete, error("unavailable"))
        );
        assert_eq!(ended([unreadable, changed]), Applied::Ended(Outcome::Superseded, error("changed")));
    }

    #[test]
    fn a_file_of_which_no_range_has_a_valid_row_is_rejected_with_the_reason() {
        let mut whole = Whole::default();
        whole.planned(1);
        let message = chunk(1, 100, counts(0, 3), Outcome::Rejected);
        let Applied::Ended(outcome, Some(error)) = whole.apply(&mut Range::default(), &at(1), &message)
        else {
            panic!("it is at rest");
        };
        assert_eq!((outcome, error.code.as_str()), (Outcome::Rejected, "no_valid_rows"));
    }
}
