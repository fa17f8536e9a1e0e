//! How many invalid rows may a file have before it is rejected whole?

use std::fmt;

use records::queue::Counters;

/// The code of a row of a deleted subject: it is refused, and not invalid.
pub const SUBJECT_DELETED: &str = "subject_deleted";

/// A hundred percent, in basis points.
const WHOLE: u128 = 10_000;

/// What a source bears of invalid rows in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Any number of them: they alone are refused.
    Any,
    /// At most such a share of the file's rows.
    Share(BasisPoints),
    /// Not one.
    None,
}

/// Hundredths of a percent. Shown as a percentage, such as `2.50 %`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasisPoints(u32);

impl BasisPoints {
    /// From 1 to 10,000; none for any other number.
    pub fn new(points: u32) -> Option<Self> {
        (1..=10_000).contains(&points).then_some(Self(points))
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

impl Tolerance {
    /// As a source has it: `max_rejected_basis_points` is no limit where it is 0, or more than a hundred percent.
    pub fn new(reject_file: bool, max_rejected_basis_points: u32) -> Self {
        match BasisPoints::new(max_rejected_basis_points) {
            _ if reject_file => Self::None,
            Some(share) => Self::Share(share),
            None => Self::Any,
        }
    }

    /// True where a file with these counts has more invalid rows.
    ///
    /// ```
    /// use ledger::tolerance::Tolerance;
    /// use records::queue::Counters;
    /// let totals = Counters { rows: 1_000, accepted: 990, rejected: 10, ..Default::default() };
    /// assert!(!Tolerance::new(false, 0).is_exceeded_by(&totals));
    /// assert!(!Tolerance::new(false, 100).is_exceeded_by(&totals));
    /// assert!(Tolerance::new(false, 99).is_exceeded_by(&totals));
    /// assert!(Tolerance::new(true, 100).is_exceeded_by(&totals));
    /// ```
    pub fn is_exceeded_by(self, totals: &Counters) -> bool {
        let invalid = invalid(totals);
        match self {
            Self::Any => false,
            Self::None => invalid > 0,
            Self::Share(share) => u128::from(invalid) * WHOLE > u128::from(share.0) * u128::from(totals.rows),
        }
    }
}

/// The rejected rows, but for those of deleted subjects.
pub fn invalid(totals: &Counters) -> u64 {
    let deleted = totals.rejections.get(SUBJECT_DELETED).copied().unwrap_or_default();
    totals.rejected.saturating_sub(deleted)
}

/// The share of invalid rows as a percentage of all rows, rounded up: what is more than a limit never looks as if it kept it.
pub(crate) fn share(totals: &Counters) -> String {
    let points = (u128::from(invalid(totals)) * WHOLE).div_ceil(u128::from(totals.rows.max(1)));
    BasisPoints(u32::try_from(points).unwrap_or(u32::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: u64, rejected: u64, deleted: u64) -> Counters {
        let rejections = [(SUBJECT_DELETED.to_owned(), deleted)].into();
        Counters { rows, rejected, rejections, accepted: rows - rejected, ..Counters::default() }
    }

    #[test]
    fn rows_of_deleted_subjects_are_not_invalid() {
        for tolerance in [Tolerance::new(true, 0), Tolerance::new(false, 1)] {
            assert!(!tolerance.is_exceeded_by(&totals(10, 9, 9)));
            assert!(tolerance.is_exceeded_by(&totals(10, 9, 8)));
        }
    }

    #[test]
    fn a_share_is_exact_however_many_rows_there_are() {
        let one = Tolerance::new(false, 1);
        assert!(!one.is_exceeded_by(&totals(10_000, 1, 0)));
        assert!(one.is_exceeded_by(&totals(9_999, 1, 0)));
        assert!(!one.is_exceeded_by(&totals(u64::MAX, u64::MAX / 10_000, 0)));
        assert!(one.is_exceeded_by(&totals(u64::MAX, u64::MAX / 10_000 + 1, 0)));
        assert!(!Tolerance::new(false, 10_000).is_exceeded_by(&totals(3, 3, 0)));
        assert_eq!(Tolerance::new(false, 10_001), Tolerance::Any);
        assert!(!one.is_exceeded_by(&totals(0, 0, 0)));
    }

    #[test]
    fn a_share_is_shown_as_no_less_than_it_is() {
        assert_eq!(share(&totals(9_999, 1, 0)), "0.02 %");
        assert_eq!(share(&totals(10_000, 1, 0)), "0.01 %");
        assert_eq!(share(&totals(4, 3, 0)), "75.00 %");
    }
}
