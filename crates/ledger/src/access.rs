//! Did a generation end because the source could not be read for want of access?
//!
//! Such an end says nothing of the file: once the customer or the operator gives access back, it can be read again.

/// Every code of a [`FileError`](records::queue::FileError) that says so.
pub const CODES: [&str; 7] = [
    "access_denied",
    "kms_denied",
    "credentials_refused",
    "role_not_assumable",
    "keys_not_opened",
    "no_such_bucket",
    "wrong_region",
];

/// True for one of [`CODES`].
///
/// ```
/// assert!(ledger::access::is_access("role_not_assumable"));
/// assert!(!ledger::access::is_access("truncated"));
/// ```
pub fn is_access(code: &str) -> bool {
    CODES.contains(&code)
}
