//! How did a file end?

use records::queue::{Counters, Outcome};

/// What stopped the reading of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its last byte was read.
    Whole,
    /// It cannot be read, or not further.
    Unreadable,
    /// It changed in S3 while it was read.
    Changed,
}

/// The outcome of a generation, from what stopped it and its counts.
///
/// ```
/// use ledger::outcome::{decide, End};
/// use records::queue::{Counters, Outcome};
/// let counts = |accepted, rejected| Counters { accepted, rejected, ..Default::default() };
/// assert_eq!(decide(End::Whole, &counts(5, 0)), Outcome::Accepted);
/// assert_eq!(decide(End::Whole, &counts(5, 1)), Outcome::AcceptedWithRejections);
/// assert_eq!(decide(End::Whole, &counts(0, 6)), Outcome::Rejected);
/// assert_eq!(decide(End::Unreadable, &counts(0, 0)), Outcome::Rejected);
/// assert_eq!(decide(End::Unreadable, &counts(5, 0)), Outcome::Incomplete);
/// assert_eq!(decide(End::Changed, &counts(5, 0)), Outcome::Superseded);
/// ```
pub fn decide(end: End, totals: &Counters) -> Outcome {
    match end {
        End::Changed => Outcome::Superseded,
        _ if totals.accepted == 0 => Outcome::Rejected,
        End::Unreadable => Outcome::Incomplete,
        End::Whole if totals.rejected > 0 => Outcome::AcceptedWithRejections,
        End::Whole => Outcome::Accepted,
    }
}
