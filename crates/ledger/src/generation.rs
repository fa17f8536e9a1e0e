//! Is a listed object new, changed or known?

/// A generation of the object that the ledger knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<'a> {
    /// Counted from 1.
    pub generation: u32,
    /// Without quotes.
    pub etag: &'a str,
}

/// What a listed object means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Its ETag was never seen for it: this generation is opened.
    Opens(u32),
    /// Its ETag is that of this generation.
    Known(u32),
}

/// Decides what an object listed with `etag` means, given all generations of it in the ledger.
///
/// An ETag that was seen before opens nothing, even if another came between: a listing may lag behind.
///
/// ```
/// use ledger::generation::{decide, Known, Listed};
/// assert_eq!(decide(&[], "a"), Listed::Opens(1));
/// let known = [Known { generation: 1, etag: "a" }, Known { generation: 2, etag: "b" }];
/// assert_eq!(decide(&known, "a"), Listed::Known(1));
/// assert_eq!(decide(&known, "c"), Listed::Opens(3));
/// ```
pub fn decide(known: &[Known<'_>], etag: &str) -> Listed {
    match known.iter().rev().find(|one| one.etag == etag) {
        Some(one) => Listed::Known(one.generation),
        None => Listed::Opens(known.iter().map(|one| one.generation).max().unwrap_or(0) + 1),
    }
}
