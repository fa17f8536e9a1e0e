use jiff::{Timestamp, civil::Date};
use ledger::FileId;

use super::{LeaseToken, Result, Store, unwritten};

/// An object as a LIST showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Key in the bucket.
    pub object_key: String,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// As S3 says.
    pub last_modified: Timestamp,
    /// Its dated folder.
    pub date: Date,
}

/// What [`Store::record_objects`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Generations that were opened.
    pub opened: u32,
    /// Objects that were known as they are.
    pub known: u32,
}

/// A generation that is due on the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpublishedFile {
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Which version of the object.
    pub generation: u32,
    /// Key in the bucket.
    pub object_key: String,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// As S3 says.
    pub last_modified: Timestamp,
    /// Its dated folder.
    pub date: Date,
}

/// What [`Store::list_unpublished`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// Oldest date first.
    pub files: Vec<UnpublishedFile>,
    /// Generations that wait because the source has its limit of unfinished files on the queue.
    pub held_back: u64,
}

/// Names one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileGeneration {
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Which version of the object.
    pub generation: u32,
}

impl Store {
    /// Writes listed objects into the ledger: an ETag never seen for its object opens the object's next generation,
    /// every other is known. Of a key listed twice in one call the last counts, and the rest are known. All of the call or
    /// nothing; [`super::StoreError::FenceLost`] where the lease is lost.
    pub async fn record_objects(
        &self,
        token: &LeaseToken,
        objects: &[ListedObject],
        now: Timestamp,
    ) -> Result<Recorded> {
        unwritten((token, objects, now))
    }

    /// At most `limit` generations that are due on the queue, oldest date first, and only as many as keep the source's
    /// unfinished files (on the queue or being read) within `max_unfinished`. The same come again until
    /// [`Store::mark_published`].
    pub async fn list_unpublished(
        &self,
        token: &LeaseToken,
        limit: u32,
        max_unfinished: u64,
    ) -> Result<Unpublished> {
        unwritten((token, limit, max_unfinished))
    }

    /// Marks generations of the lease's source as being on the queue. One that a parser has claimed already stays so.
    pub async fn mark_published(
        &self,
        token: &LeaseToken,
        files: &[FileGeneration],
        now: Timestamp,
    ) -> Result<()> {
        unwritten((token, files, now))
    }
}
