//! Has a chunk's progress been applied already?

/// What is to be done with a progress message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Newer than what is known: its totals replace the ledger's.
    Apply,
    /// Known, or older than what is known.
    AlreadyApplied,
}

/// Decides on a progress message with chunk number `chunk`, where the ledger has applied all up to `applied` (0 for
/// none).
///
/// Messages carry totals, not differences, so one that is missing in between loses nothing: the later one holds it.
///
/// ```
/// use ledger::progress::{decide, Decision};
/// assert_eq!(decide(0, 1), Decision::Apply);
/// assert_eq!(decide(1, 1), Decision::AlreadyApplied);
/// assert_eq!(decide(3, 2), Decision::AlreadyApplied);
/// ```
pub fn decide(applied: u32, chunk: u32) -> Decision {
    if chunk > applied { Decision::Apply } else { Decision::AlreadyApplied }
}
