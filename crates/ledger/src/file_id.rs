//! The identity of an object of a source.

use std::fmt;

use sha2::{Digest, Sha256};

/// Identity of (source, object key): the first 16 bytes of the SHA-256 of both, so that whoever knows the two knows the
/// id, without asking anyone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId([u8; 16]);

/// Bytes that are no file id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file id has 16 bytes, this has {0}")]
pub struct FileIdError(usize);

impl FileId {
    /// Of an object of a source.
    ///
    /// ```
    /// use ledger::FileId;
    /// assert_eq!(FileId::of("s1", "events/2026-11-23/a.csv"), FileId::of("s1", "events/2026-11-23/a.csv"));
    /// assert_ne!(FileId::of("s1", "a"), FileId::of("s", "1a"));
    /// ```
    pub fn of(source_id: &str, object_key: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(source_id.as_bytes());
        hash.update([0]); // a source id holds no NUL, so the two cannot run into each other
        hash.update(object_key.as_bytes());
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl TryFrom<&[u8]> for FileId {
    type Error = FileIdError;

    fn try_from(bytes: &[u8]) -> Result<Self, FileIdError> {
        bytes.try_into().map(Self).map_err(|_| FileIdError(bytes.len()))
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileId({self})")
    }
}
