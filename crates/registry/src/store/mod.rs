//! The registry's database: accounts, sources, scan leases and the ledger of files, on PostgreSQL or SQLite.
//!
//! One [`Store`] speaks to both; the statements are the same but for the few words that `dialect.rs` names. One
//! conformance suite (`tests/store_conformance`) runs on both.
//!
//! **Invariants.** What a customer may ask is asked with the account's id in every `WHERE`. A write under a lease is
//! refused in its own transaction where the fence is old. A generation belongs to one queue message for ever. A
//! chunk of progress moves the ledger once, together with the reader's position.
//!
//! **Plans.** Every query is read off an index that the migrations name it at, in the partitions of the sources that it
//! names and no others; `tests/plans.rs` looks at the plans of the calls themselves.
//!
//! **Locks** are taken in one order, so that no two calls wait for each other: the source, its scan, its generations
//! (by file id), its days, its samples. Should PostgreSQL find a deadlock all the same, the call ends as
//! [`StoreError::Unavailable`], with nothing done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::histogram;
use sqlx::{
    Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor as _, Transaction,
    any::AnyPoolOptions,
};

mod accounts;
mod attention;
mod audit;
mod backlog;
mod claims;
mod columns;
mod counted;
mod days;
mod deletions;
mod dialect;
mod error;
mod events;
mod files;
mod filter;
mod generations;
mod ids;
mod marks;
mod objects;
mod page;
mod progress;
mod purge;
mod ranges;
mod reprocess;
mod retention;
mod row;
mod samples;
mod scans;
mod schema;
mod sealed;
mod sources;
mod tokens;

pub use accounts::Account;
pub use attention::{Attention, AttentionKind};
pub use audit::AuditEntry;
pub use backlog::Backlog;
pub use claims::{Claim, Claimed};
pub use days::Day;
pub use deletions::SubjectHash;
pub use error::{Result, StoreError};
pub use files::{File, FileState, RowError, Unfinished, Warning};
pub use filter::Filter;
pub use generations::FileGeneration;
pub use ids::{AccountId, SourceId};
pub use marks::{FolderMark, ListedFolder};
pub use objects::{ListedObject, Recorded, Unpublished, UnpublishedFile};
pub use page::{Page, PageRequest};
pub use progress::{Applied, ProgressBatch};
pub use reprocess::Reprocessed;
pub use samples::Sample;
pub use scans::{LeaseToken, ScanCompletion, ScanLease};
pub use schema::{Migration, Schema, SchemaError};
pub use sources::{
    Discovery, FormatSeen, InvalidRows, NewSource, OverwritePolicy, Problem, SchemaVersion, SealedKeys,
    Source, SourceSettings, SourceState,
};

pub use tokens::{AccountToken, Principal, Scope, TokenHash};

use counted::Named;
use dialect::Dialect;

/// Connections of one process to PostgreSQL, whose default is to serve 100 in all.
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a call waits for one of them before it is [`StoreError::Unavailable`].
const POSTGRES_WAIT: Duration = Duration::from_secs(10);
/// How long a call waits for SQLite's one connection: a laptop's disk may well stall for longer than a server's, and no
/// other process could answer instead.
const SQLITE_WAIT: Duration = Duration::from_secs(30);

/// The registry's database. Cheap to clone: clones share one pool of connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    named: Arc<Named>,
}

type Tx = Transaction<'static, Any>;

impl Store {
    /// Opens the database at `url` (`postgres://user:password@host/database` or `sqlite:///path/file.db?mode=rwc`) as it is: what
    /// its tables lack is for [`schema`](Self::schema) to tell and for [`migrate`](Self::migrate) to add.
    pub async fn connect(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = match url.split(':').next() {
            Some("postgres" | "postgresql") => Dialect::Postgres,
            Some("sqlite") => Dialect::Sqlite,
            _ => {
                return Err(StoreError::Unusable(
                    "its URL begins with neither postgres:// nor sqlite://; set one of the two".to_owned(),
                ));
            }
        };
        Ok(Self { pool: pool_options(dialect).connect(url).await?, dialect, named: Arc::default() })
    }

    /// Opens the database and brings its tables up to this version. Several processes may do so at once on PostgreSQL.
    pub async fn open(url: &str) -> Result<Self> {
        let store = Self::connect(url).await?;
        for migration in store.migrate().await? {
            tracing::info!(%migration, "a migration was applied");
        }
        store.must_know_ids().await?;
        Ok(store)
    }

    /// Opens the database, whose tables must be those of this version already, or of a newer one beside which it works.
    pub async fn open_migrated(url: &str) -> Result<Self> {
        let store = Self::connect(url).await?;
        store.must_be_migrated().await?;
        store.must_know_ids().await?;
        Ok(store)
    }

    /// True where the database answers. How long it waits for a connection is a sample of what calls wait.
    pub async fn ready(&self) -> bool {
        let begun = Instant::now();
        let Ok(mut connection) = self.pool.acquire().await else { return false };
        histogram!("cortex_ledger_acquire_duration_seconds").record(begun.elapsed());
        sqlx::query("SELECT 1").execute(&mut *connection).await.is_ok()
    }

    /// Connections that are in use, and that are open and idle.
    pub fn connections(&self) -> (u32, u32) {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        (self.pool.size().saturating_sub(idle), idle)
    }

    /// Closes all connections, after the calls that are under way.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn begin(&self) -> Result<Tx> {
        Ok(self.pool.begin_with(self.dialect.begin()).await?)
    }
}

/// PostgreSQL is told to look up by indexes, in their order. It prices a look-up as if each partition were searched, and not
/// the source's alone, so that beside it reading whole tables, or all that is of a kind, seems cheap; and it keeps a plan that
/// was made while a table was small.
const BY_INDEX: &str = "SELECT set_config(name, value, false) FROM (VALUES ('enable_seqscan', 'off'), \
    ('enable_bitmapscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_material', 'off'), \
    ('max_parallel_workers_per_gather', '0'), ('jit', 'off')) AS settings (name, value)";

/// SQLite gets one connection that is kept for good: it has one writer at a time anyway, and calls in this process then
/// wait for each other in order rather than for a lock.
fn pool_options(dialect: Dialect) -> AnyPoolOptions {
    let options = AnyPoolOptions::new();
    match dialect {
        Dialect::Postgres => options
            .acquire_timeout(POSTGRES_WAIT)
            .max_connections(POSTGRES_CONNECTIONS)
            .after_connect(|connection, _| Box::pin(async { connection.execute(BY_INDEX).await.map(drop) })),
        Dialect::Sqlite => options
            .acquire_timeout(SQLITE_WAIT)
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .after_connect(|connection, _| Box::pin(set_up_sqlite(connection)))
            .after_release(|connection, _| Box::pin(is_clean(connection))),
    }
}

/// False for a connection whose transaction failed so that it could not be rolled back either, as on a full disk: it would
/// refuse every later one, and is closed.
async fn is_clean(connection: &mut AnyConnection) -> std::result::Result<bool, sqlx::Error> {
    // A rollback that is under way is through by then.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// WAL lets other processes read meanwhile; `FULL` makes a commit outlive a power cut.
async fn set_up_sqlite(connection: &mut AnyConnection) -> std::result::Result<(), sqlx::Error> {
    for pragma in [
        "PRAGMA busy_timeout = 10000",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
    ] {
        connection.execute(pragma).await?;
    }
    Ok(())
}

/// A statement put together from this crate's own constants; values are always bound.
fn sql(statement: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(statement)
}
