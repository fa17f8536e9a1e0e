//! The identity of an object of a source.

use std::fmt;

use sha2::{Digest, Sha256};

/// Bytes that objects of one folder have in common.
const OF_FOLDER: usize = 4;

/// Identity of (source, object key), which whoever knows the two can make without asking anyone: the first 4 bytes of the
/// SHA-256 of source and folder (the key up to its last `/`, none where it has none), and the first 12 of that of source and
/// key; a NUL stands between the two. Files of a folder are listed together, and so they stand together in every index.
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
    /// // Of one folder.
    /// let (one, other) = (FileId::of("s1", "e/2026-11-23/a.csv"), FileId::of("s1", "e/2026-11-23/b.csv"));
    /// assert_eq!(one.as_bytes()[..4], other.as_bytes()[..4]);
    /// assert_ne!(one, other);
    /// ```
    pub fn of(source_id: &str, object_key: &str) -> Self {
        let folder = object_key.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut id = [0; 16];
        let (of_folder, of_key) = id.split_at_mut(OF_FOLDER);
        of_folder.copy_from_slice(&digest(source_id, folder)[..OF_FOLDER]);
        of_key.copy_from_slice(&digest(source_id, object_key)[..16 - OF_FOLDER]);
        Self(id)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// SHA-256 of the two. A source id holds no NUL, so they cannot run into each other.
fn digest(source_id: &str, text: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(source_id.as_bytes());
    hash.update([0]);
    hash.update(text.as_bytes());
    hash.finalize().into()
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
