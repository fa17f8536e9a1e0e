use jiff::Timestamp;
use std::fmt;

use super::{AccountId, Page, PageRequest, Result, SourceId, Store, unwritten};

/// What a source is allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Made, never scanned.
    Draft,
    /// Scanned when due.
    Active,
    /// Not scanned; what is on the queue is still read.
    Paused,
    /// Gone for the customer; its rows stay for the ledger.
    Deleted,
}

/// One version of a source's schema, as the service writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaVersion {
    /// From 1, greater with every change.
    pub version: u32,
    /// JSON text; the store does not look inside.
    pub json: String,
}

/// Static keys, sealed by the caller. `Debug` shows their length only.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKeys(pub Vec<u8>);

impl fmt::Debug for SealedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKeys({} bytes)", self.0.len())
    }
}

/// Where a source reads, and as what: the part that its customer sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// For people.
    pub display_name: String,
    /// Which dataset its files are; kept as given (the service's name of it).
    pub dataset: String,
    /// Bucket.
    pub bucket: String,
    /// Folder path in the bucket, without slashes at its ends; empty for the bucket's root.
    pub path: String,
    /// The customer's role; empty with static keys.
    pub role_arn: String,
    /// Region.
    pub region: String,
    /// Empty for Amazon's own in the region.
    pub endpoint_url: String,
    /// Empty where not known.
    pub expected_bucket_owner: String,
    /// IANA zone of timestamps without an offset; empty for UTC.
    pub time_zone: String,
    /// The schema in force.
    pub schema: SchemaVersion,
}

/// A source to be made.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Its id: a fresh UUID.
    pub id: SourceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it reads.
    pub settings: SourceSettings,
    /// Static keys, where the source has them.
    pub sealed_keys: Option<SealedKeys>,
    /// Makes a repeated create harmless; `None` where the caller gave none.
    pub request_id: Option<String>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it reads.
    pub settings: SourceSettings,
    /// What it is allowed to do.
    pub state: SourceState,
    /// Grows with every change by the customer (not with scans): what the API shows as its etag.
    pub revision: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When the customer last changed it.
    pub updated: Timestamp,
    /// What the last scan found.
    pub discovery: Discovery,
}

/// What the last completed scan of a source found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// When it ended; `None` before the first.
    pub last_scan_at: Option<Timestamp>,
    /// When the next is due; `None` where none is planned.
    pub next_scan_at: Option<Timestamp>,
    /// Dated folders listed.
    pub folders: u64,
    /// Objects in them.
    pub objects: u64,
    /// LIST requests made.
    pub list_requests: u64,
    /// Objects and folders outside dated folders.
    pub outside: u64,
    /// A few of them.
    pub outside_examples: Vec<String>,
    /// Markers, `_SUCCESS` and dot files.
    pub left_alone: u64,
    /// Why it failed; `None` where it did not.
    pub error: Option<Problem>,
}

/// What went wrong, for the customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// As in the documentation.
    pub code: String,
    /// In plain words.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
    /// The byte, after decompression, where it happened; 0 where that says nothing.
    pub position: u64,
}

impl Store {
    /// Makes a draft. With a `request_id` that the account used before, gives the source made then, as it stands now
    /// (it may have been deleted since). [`super::StoreError::NotFound`] where there is no such account.
    pub async fn create_source(&self, source: &NewSource, now: Timestamp) -> Result<Source> {
        unwritten((source, now))
    }

    /// The account's source; [`super::StoreError::NotFound`] where it is another's, or deleted.
    pub async fn get_source(&self, account: &AccountId, id: &SourceId) -> Result<Source> {
        unwritten((account, id))
    }

    /// The account's sources that are not deleted, oldest first.
    pub async fn list_sources(&self, account: &AccountId, page: &PageRequest) -> Result<Page<Source>> {
        unwritten((account, page))
    }

    /// Sets the state of a source that the caller read at `revision` (whether the step is allowed is the caller's to
    /// decide); [`super::StoreError::Conflict`] where it changed since. `Active` makes it due at once; any other
    /// state ends a running scan (its lease is lost); `Deleted` is for good.
    pub async fn set_source_state(
        &self,
        account: &AccountId,
        id: &SourceId,
        revision: u64,
        state: SourceState,
        now: Timestamp,
    ) -> Result<Source> {
        unwritten((account, id, revision, state, now))
    }

    /// Puts a new version of the schema in force and keeps it in the history; [`super::StoreError::Conflict`] where
    /// the source changed since `revision`.
    pub async fn set_source_schema(
        &self,
        account: &AccountId,
        id: &SourceId,
        revision: u64,
        schema: &SchemaVersion,
        now: Timestamp,
    ) -> Result<Source> {
        unwritten((account, id, revision, schema, now))
    }

    /// For workers, who serve every account: the source, unless it is deleted.
    pub async fn source_for_worker(&self, id: &SourceId) -> Result<Source> {
        unwritten(id)
    }

    /// The source's static keys, where it has them and is not deleted. For the issue of credentials only.
    pub async fn sealed_keys(&self, id: &SourceId) -> Result<Option<SealedKeys>> {
        unwritten(id)
    }
}
