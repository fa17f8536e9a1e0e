//! Errors by which a file ends because its source cannot be read, not for anything in the file: it is read again once
//! the source can be.

/// Their codes: those of refused credentials, of refused access to the bucket or its objects, of a bucket that is not there
/// or not its owner's, and of an outage that outlasted the reader's tries.
pub const CODES: [&str; 9] = [
    "role_not_assumable",
    "keys_not_opened",
    "credentials_refused",
    "access_denied",
    "kms_denied",
    "no_such_bucket",
    "wrong_region",
    "owner_mismatch",
    "unavailable",
];

/// True for one of [`CODES`].
#[must_use]
pub fn is_access(code: &str) -> bool {
    CODES.contains(&code)
}
