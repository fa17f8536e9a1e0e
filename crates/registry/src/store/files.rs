use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use ledger::FileId;

use super::{AccountId, Page, PageRequest, Problem, Result, SourceId, Store, unwritten};

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// In the ledger, not yet on the queue.
    Discovered,
    /// On the queue.
    Published,
    /// Being read.
    Claimed,
    /// Read to its end, every row accepted.
    Accepted,
    /// Read to its end, some rows refused.
    AcceptedWithRejections,
    /// Nothing was published.
    Rejected,
    /// Published up to a row, then unreadable.
    Incomplete,
    /// Changed in S3 while being read.
    Superseded,
}

/// One generation of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Key in the bucket.
    pub object_key: String,
    /// Which version of the object, from 1.
    pub generation: u32,
    /// Without quotes.
    pub etag: String,
    /// Bytes, as listed.
    pub size: u64,
    /// As S3 says.
    pub last_modified: Timestamp,
    /// Its dated folder.
    pub date: Date,
    /// Where it stands.
    pub state: FileState,
    /// Data rows seen: accepted and rejected.
    pub rows: u64,
    /// Rows published.
    pub accepted: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Refused rows by code.
    pub rejections: BTreeMap<String, u64>,
    /// Byte, after decompression, up to which rows are published.
    pub position: u64,
    /// The last chunk that the ledger knows of; 0 before the first.
    pub chunk: u32,
    /// As found in the file; empty before the first chunk.
    pub format: String,
    /// As found in the file; empty before the first chunk.
    pub compression: String,
    /// Why it was not read to its end.
    pub error: Option<Problem>,
    /// When a scan first saw it.
    pub discovered_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// When it came to rest.
    pub finished_at: Option<Timestamp>,
}

/// A record recently received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Key of the object that it stood in.
    pub object_key: String,
    /// Which version of the object.
    pub generation: u32,
    /// When its chunk was committed.
    pub received_at: Timestamp,
    /// Full protobuf message name.
    pub message: String,
    /// The record as it was published.
    pub record: Vec<u8>,
}

/// Counts of a source's files of one date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayStatistics {
    /// The dated folder.
    pub date: Date,
    /// Generations that came to rest.
    pub files: u64,
    /// Data rows seen.
    pub rows: u64,
    /// Rows published.
    pub accepted: u64,
    /// Rows refused.
    pub rejected: u64,
}

impl Store {
    /// The files of the account's source: newest date first, within a date the newest discovered first.
    pub async fn list_files(
        &self,
        account: &AccountId,
        source: &SourceId,
        page: &PageRequest,
    ) -> Result<Page<File>> {
        unwritten((account, source, page))
    }

    /// The records most recently received from the account's source, newest first; at most `limit`, of the 100 that are
    /// kept.
    pub async fn list_samples(
        &self,
        account: &AccountId,
        source: &SourceId,
        limit: u32,
    ) -> Result<Vec<Sample>> {
        unwritten((account, source, limit))
    }

    /// Counts by date of the account's source, newest date first; at most `limit` dates.
    pub async fn list_days(
        &self,
        account: &AccountId,
        source: &SourceId,
        limit: u32,
    ) -> Result<Vec<DayStatistics>> {
        unwritten((account, source, limit))
    }
}
