//! Is a listed object new, changed or known?

/// A generation of the object that the ledger knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Counted from 1.
    pub generation: u32,
    /// Without quotes.
    pub etag: &'a str,
}

/// What an object that was changed does, as its source has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// It is read as the next generation, which takes the place of those before.
    #[default]
    Replace,
    /// It is read as the next generation, which stands beside those before.
    IngestAgain,
    /// It is left alone.
    Ignore,
}

/// What a listed object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Its ETag was never seen for it: this generation is opened.
    Opens(u32),
    /// Its ETag is that of this generation.
    Known(u32),
    /// Its ETag was never seen for it, and it is left alone, as this generation of it is known.
    Ignored(u32),
}

/// Decides what an object listed with `etag` means, given all generations of it in the ledger.
///
/// An ETag that was seen before opens nothing, even if another came between: a listing may lag behind.
///
/// ```
/// use ledger::generation::{decide, Known, Listed, Policy};
/// assert_eq!(decide(Policy::Replace, &[], "a"), Listed::Opens(1));
/// let known = [Known { generation: 1, etag: "a" }, Known { generation: 2, etag: "b" }];
/// assert_eq!(decide(Policy::Replace, &known, "a"), Listed::Known(1));
/// assert_eq!(decide(Policy::Replace, &known, "c"), Listed::Opens(3));
/// assert_eq!(decide(Policy::Ignore, &known, "c"), Listed::Ignored(2));
/// ```
pub fn decide(policy: Policy, known: &[Known<'_>], etag: &str) -> Listed {
    if let Some(one) = known.iter().rev().find(|one| one.etag == etag) {
        return Listed::Known(one.generation);
    }
    match (policy, known.iter().map(|one| one.generation).max()) {
        (_, None) => Listed::Opens(1),
        (Policy::Ignore, Some(last)) => Listed::Ignored(last),
        (Policy::Replace | Policy::IngestAgain, Some(last)) => Listed::Opens(last + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICIES: [Policy; 3] = [Policy::Replace, Policy::IngestAgain, Policy::Ignore];

    #[test]
    fn an_object_that_is_new_or_known_is_so_by_every_policy() {
        let known = [Known { generation: 3, etag: "c" }, Known { generation: 1, etag: "a" }];
        for policy in POLICIES {
            assert_eq!(decide(policy, &[], "a"), Listed::Opens(1), "{policy:?}");
            assert_eq!(decide(policy, &known, "c"), Listed::Known(3), "{policy:?}");
            assert_eq!(decide(policy, &known, "a"), Listed::Known(1), "{policy:?}");
        }
    }

    #[test]
    fn an_object_that_changed_opens_a_generation_unless_that_is_ignored() {
        let known = [Known { generation: 3, etag: "c" }, Known { generation: 1, etag: "a" }];
        let decisions = POLICIES.map(|policy| decide(policy, &known, "d"));
        assert_eq!(decisions, [Listed::Opens(4), Listed::Opens(4), Listed::Ignored(3)]);
    }
}
