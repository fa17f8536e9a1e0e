//! The registry's database: accounts, sources, scan leases and the ledger of files, on PostgreSQL or SQLite.
//!
//! One [`Store`] speaks to both; the statements are the same but for the few that [`Dialect`] names. One conformance
//! suite (`tests/store_conformance.rs`) runs on both.
//!
//! **Invariants.** What a customer may ask is asked with the account's id in every `WHERE`. A write under a lease is
//! refused in its own transaction where the fence is old. A generation belongs to one queue message for ever. A
//! chunk of progress moves the ledger once, together with the reader's position.

mod accounts;
mod audit;
mod claims;
mod error;
mod files;
mod ids;
mod objects;
mod page;
mod progress;
mod scans;
mod sources;

pub use accounts::{Account, Principal, TokenHash};
pub use audit::AuditEntry;
pub use claims::{Claim, Claimed};
pub use error::{Result, StoreError};
pub use files::{DayStatistics, File, FileState, Sample};
pub use ids::{AccountId, SourceId};
pub use objects::{FileGeneration, ListedObject, Recorded, Unpublished, UnpublishedFile};
pub use page::{Page, PageRequest};
pub use progress::{Applied, ProgressBatch};
pub use scans::{LeaseToken, ScanCompletion, ScanLease};
pub use sources::{
    Discovery, NewSource, Problem, SchemaVersion, SealedKeys, Source, SourceSettings, SourceState,
};

/// The registry's database. Cheap to clone: clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: sqlx::AnyPool,
}

impl Store {
    /// Opens the database at `url` (`postgres://user:password@host/database` or `sqlite:///path/file.db?mode=rwc`) and
    /// brings its tables up to this version.
    pub async fn open(url: &str) -> Result<Self> {
        unwritten(url)
    }

    /// True where the database answers.
    pub async fn ready(&self) -> bool {
        !self.pool.is_closed()
    }

    /// Closes all connections, after the calls that are under way.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Holds the place of statements that are being written.
fn unwritten<A, T>(_arguments: A) -> Result<T> {
    Err(StoreError::Unusable("this version of the store cannot do it".to_owned()))
}
