//! Errors by which a file ends because its source cannot be read, not for anything in the file: it is read again once
//! access returns.

/// Their codes: those of refused credentials, of refused access to the bucket or its objects, and of a bucket that is not
/// there or not its owner's.
pub const CODES: [&str; 8] = [
    "role_not_assumable",
    "keys_not_opened",
    "credentials_refused",
    "access_denied",
    "kms_denied",
    "no_such_bucket",
    "wrong_region",
    "owner_mismatch",
];

/// True for one of [`CODES`].
#[must_use]
pub fn is_access(code: &str) -> bool {
    CODES.contains(&code)
}
