//! The subjects that an account wants forgotten, known by their hashes alone.

use std::fmt;

use sha2::{Digest, Sha256};

/// What is known of a deleted subject: the first 16 bytes of SHA-256 over the account id, a NUL byte and the subject id.
pub type SubjectHash = [u8; 16];

/// An account's deletion list.
///
/// ```
/// use dataset::{DeletedSubjects, subject_hash};
/// let deleted = DeletedSubjects::new("acme", vec![subject_hash("acme", b"u-1")]);
/// assert!(deleted.contains(b"u-1"));
/// assert!(!deleted.contains(b"u-2"));
/// // A hash says nothing of another account's subject of the same id.
/// assert_ne!(subject_hash("acme", b"u-1"), subject_hash("other", b"u-1"));
/// ```
#[derive(Clone)]
pub struct DeletedSubjects {
    /// Fed with the account.
    account: Sha256,
    /// In order.
    hashes: Vec<SubjectHash>,
}

/// A subject's hash on the list of its account.
pub fn subject_hash(account_id: &str, subject: &[u8]) -> SubjectHash {
    hash(begin(account_id), subject)
}

fn begin(account_id: &str) -> Sha256 {
    let mut account = Sha256::new();
    account.update(account_id.as_bytes());
    account.update([0]); // an account id holds no NUL, so the two cannot run into each other
    account
}

fn hash(mut account: Sha256, subject: &[u8]) -> SubjectHash {
    account.update(subject);
    let mut hash = SubjectHash::default();
    hash.copy_from_slice(&account.finalize()[..16]);
    hash
}

impl DeletedSubjects {
    /// From hashes in any order.
    pub fn new(account_id: &str, mut hashes: Vec<SubjectHash>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        Self { account: begin(account_id), hashes }
    }

    /// How many there are; each takes 16 bytes.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether the subject of that id is on the list.
    pub fn contains(&self, subject: &[u8]) -> bool {
        !self.hashes.is_empty() && self.hashes.binary_search(&hash(self.account.clone(), subject)).is_ok()
    }
}

impl fmt::Debug for DeletedSubjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeletedSubjects").field("len", &self.hashes.len()).finish_non_exhaustive()
    }
}
