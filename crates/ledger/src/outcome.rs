//! How did a file end?

use records::queue::{Counters, FileError, Outcome};

use crate::tolerance::{self, Tolerance};

/// The code of a file that did not come as its object is stored, and of which rows were published: the generation is
/// superseded by the next, which reads the object again.
pub const OBJECT_ALTERED: &str = "object_altered";

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
/// use records::queue::{Counters, FileError, Outcome};
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

/// Why a file that was read has no record on its topic; none where it has one. The file as a whole is
/// meant, so the error has no position.
///
/// ```
/// use ledger::outcome::nothing_accepted;
/// use ledger::tolerance::Tolerance;
/// use records::queue::Counters;
/// let code = |rows, accepted, rejected, tolerance| {
///     let totals = Counters { rows, accepted, rejected, ..Default::default() };
///     nothing_accepted(&totals, tolerance).map(|error| error.code)
/// };
/// assert_eq!(code(5, 4, 1, Tolerance::Any), None);
/// assert_eq!(code(5, 0, 5, Tolerance::Any).as_deref(), Some("no_valid_rows"));
/// // Valid rows that are withheld: the source rejects such files whole.
/// assert_eq!(code(5, 0, 1, Tolerance::None).as_deref(), Some("invalid_rows"));
/// assert_eq!(code(5, 0, 1, Tolerance::new(false, 1_000)).as_deref(), Some("too_many_rejected"));
/// ```
pub fn nothing_accepted(totals: &Counters, tolerance: Tolerance) -> Option<FileError> {
    if totals.accepted > 0 {
        return None;
    }
    let invalid = tolerance::invalid(totals);
    let counts = format!("{invalid} of {} rows are invalid", totals.rows);
    let (code, reason) = match tolerance {
        _ if totals.rows == 0 => ("no_valid_rows", "the file has columns, but no row".to_owned()),
        _ if invalid == 0 && totals.rejected == totals.rows => {
            ("no_valid_rows", "every row of the file is of a deleted subject".to_owned())
        }
        _ if totals.rejected == totals.rows => ("no_valid_rows", "no row of the file is valid".to_owned()),
        // The source may have changed since the file began.
        Tolerance::Share(most) if tolerance.is_exceeded_by(totals) => {
            let share = tolerance::share(totals);
            ("too_many_rejected", format!("{counts} ({share}); the source takes at most {most}"))
        }
        _ => ("invalid_rows", format!("{counts}, and the source rejects such files whole")),
    };
    let advice = if invalid == 0 && totals.rows > 0 {
        "nothing, if the deletions are meant"
    } else {
        "look at the rejected rows' reasons, mend the file and upload it again under the same key"
    };
    Some(FileError { code: code.into(), reason, advice: advice.into(), position: 0 })
}
