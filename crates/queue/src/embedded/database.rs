//! The SQLite file: topics, messages, and what groups have committed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, QueryBuilder, Row, Sqlite, SqlitePool, SqliteTransaction};
use tokio::runtime::Runtime;

use crate::partitioner::partition;
use crate::{Incoming, Outgoing, QueueError, Result, TopicSpec};

/// Rows of one INSERT: SQLite takes 32,766 parameters a statement, a row has six.
const ROWS_AN_INSERT: usize = 1_000;
/// Another process may hold the file for as long as a large chunk takes.
const BUSY: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS topics (
    topic_id   INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    partitions INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS ends (
    topic_id     INTEGER NOT NULL,
    partition_id INTEGER NOT NULL,
    next_offset  INTEGER NOT NULL,
    PRIMARY KEY (topic_id, partition_id)
);
CREATE TABLE IF NOT EXISTS messages (
    topic_id       INTEGER NOT NULL,
    partition_id   INTEGER NOT NULL,
    message_offset INTEGER NOT NULL,
    message_key    BLOB NOT NULL,
    value          BLOB NOT NULL,
    headers        BLOB NOT NULL,
    PRIMARY KEY (topic_id, partition_id, message_offset)
);
CREATE TABLE IF NOT EXISTS commits (
    group_name   TEXT NOT NULL,
    topic        TEXT NOT NULL,
    partition_id INTEGER NOT NULL,
    next_offset  INTEGER NOT NULL,
    checkpoint   BLOB NOT NULL,
    epoch        INTEGER NOT NULL,
    PRIMARY KEY (group_name, topic, partition_id)
);";

/// A message that waits for its commit.
#[derive(Debug, Clone)]
pub(super) struct Message {
    topic: String,
    /// None where the key tells it.
    partition: Option<i32>,
    key: Vec<u8>,
    value: Vec<u8>,
    headers: Vec<u8>,
}

impl Message {
    /// On this partition.
    pub(super) fn to(partition: i32, message: &Outgoing<'_>) -> Self {
        Self { partition: Some(partition), ..Self::from(message) }
    }
}

impl From<&Outgoing<'_>> for Message {
    fn from(message: &Outgoing<'_>) -> Self {
        Self {
            topic: message.topic.to_owned(),
            partition: None,
            key: message.key.to_vec(),
            value: message.value.to_vec(),
            headers: encode_headers(message.headers),
        }
    }
}

/// What a group has committed of a partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Committed {
    pub(super) next_offset: i64,
    pub(super) checkpoint: Vec<u8>,
    pub(super) epoch: i64,
}

/// An offset that is committed with messages, by the holder of an epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct OffsetCommit<'a> {
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) epoch: i64,
    pub(super) next_offset: i64,
    pub(super) checkpoint: &'a [u8],
}

/// The file, and the runtime that its asynchronous driver needs.
#[derive(Debug)]
pub(super) struct Database {
    pool: SqlitePool,
    runtime: Option<Runtime>,
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Drop for Database {
    fn drop(&mut self) {
        // A runtime may not be dropped on an async thread, where the last handle may well be.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Database {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("embedded-queue")
            .enable_all()
            .build()
            .map_err(|error| QueueError::Unavailable(error.to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // The ledger's database trusts what this one has acknowledged, so it must outlive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let opened = runtime.block_on(async {
            let pool = SqlitePoolOptions::new()
                .max_connections(8)
                .acquire_timeout(BUSY)
                // One whose transaction could neither be committed nor rolled back, as on a full disk, is closed.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
                .connect_with(options)
                .await?;
            sqlx::raw_sql(SCHEMA).execute(&pool).await?;
            Ok::<_, sqlx::Error>(pool)
        });
        let pool = opened.map_err(|error| match failed(error) {
            QueueError::Unavailable(reason) => {
                QueueError::Unavailable(format!("{}: {reason}", path.display()))
            }
            other => other,
        })?;
        Ok(Self { pool, runtime: Some(runtime), changes: Mutex::new(0), changed: Condvar::new() })
    }

    fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match &self.runtime {
            Some(runtime) => runtime.handle().block_on(work),
            None => Err(QueueError::Unavailable("the queue is closed".to_owned())),
        }
    }

    pub(super) fn answers(&self) -> bool {
        let query = async { sqlx::query("SELECT 1").execute(&self.pool).await.map_err(failed) };
        self.block_on(query).is_ok()
    }

    /// Waits until something was committed by this process, or for `timeout`; what other processes commit is found by
    /// looking again.
    pub(super) fn wait(&self, timeout: Duration) {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = *changes;
        let _unused = self
            .changed
            .wait_timeout_while(changes, timeout, |changes| *changes == seen)
            .unwrap_or_else(PoisonError::into_inner);
    }

    fn notify(&self) {
        *self.changes.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    pub(super) fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        self.block_on(async {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            for topic in topics {
                sqlx::query(
                    "INSERT INTO topics (name, partitions) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
                )
                .bind(&topic.name)
                .bind(topic.partitions.max(1))
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
            }
            tx.commit().await.map_err(failed)
        })
    }

    /// Number of partitions; refused where there is no such topic.
    pub(super) fn partitions(&self, topic: &str) -> Result<i32> {
        self.block_on(async {
            let row = sqlx::query("SELECT partitions FROM topics WHERE name = $1")
                .bind(topic)
                .fetch_optional(&self.pool)
                .await
                .map_err(failed)?;
            row.map(|row| row.get(0)).ok_or_else(|| no_topic(topic))
        })
    }

    /// The offset behind the newest message of each partition.
    pub(super) fn ends(&self, topic: &str) -> Result<BTreeMap<i32, i64>> {
        let partitions = self.partitions(topic)?;
        self.block_on(async {
            let rows = sqlx::query(
                "SELECT e.partition_id, e.next_offset FROM ends e JOIN topics t USING (topic_id) WHERE t.name = $1",
            )
            .bind(topic)
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
            let mut ends: BTreeMap<i32, i64> = (0..partitions).map(|partition| (partition, 0)).collect();
            ends.extend(rows.iter().map(|row| (row.get::<i32, _>(0), row.get::<i64, _>(1))));
            Ok(ends)
        })
    }

    /// Messages of a partition from `offset` on, at most `limit`.
    pub(super) fn read(&self, topic: &str, partition: i32, offset: i64, limit: i64) -> Result<Vec<Incoming>> {
        self.block_on(async {
            let rows = sqlx::query(
                "SELECT message_offset, message_key, value, headers FROM messages \
                 WHERE topic_id = (SELECT topic_id FROM topics WHERE name = $1) AND partition_id = $2 \
                 AND message_offset >= $3 ORDER BY message_offset LIMIT $4",
            )
            .bind(topic)
            .bind(partition)
            .bind(offset)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
            let incoming = |row: &sqlx::sqlite::SqliteRow| Incoming {
                partition,
                offset: row.get(0),
                key: row.get(1),
                value: row.get(2),
                headers: decode_headers(row.get(3)),
            };
            Ok(rows.iter().map(incoming).collect())
        })
    }

    /// What the group has committed of the partition.
    pub(super) fn committed(&self, group: &str, topic: &str, partition: i32) -> Result<Committed> {
        self.block_on(async {
            let row = sqlx::query(
                "SELECT next_offset, checkpoint, epoch FROM commits \
                 WHERE group_name = $1 AND topic = $2 AND partition_id = $3",
            )
            .bind(group)
            .bind(topic)
            .bind(partition)
            .fetch_optional(&self.pool)
            .await
            .map_err(failed)?;
            Ok(row.map_or_else(Committed::default, |row| Committed {
                next_offset: row.get(0),
                checkpoint: row.get(1),
                epoch: row.get(2),
            }))
        })
    }

    /// Takes a partition for a new holder: whoever held it can no longer commit. Gives the new epoch.
    pub(super) fn take(&self, group: &str, topic: &str, partition: i32) -> Result<i64> {
        self.block_on(async {
            let row = sqlx::query(
                "INSERT INTO commits (group_name, topic, partition_id, next_offset, checkpoint, epoch) \
                 VALUES ($1, $2, $3, 0, x'', 1) \
                 ON CONFLICT (group_name, topic, partition_id) DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
            )
            .bind(group)
            .bind(topic)
            .bind(partition)
            .fetch_one(&self.pool)
            .await
            .map_err(failed)?;
            Ok(row.get(0))
        })
    }

    /// Appends the messages, and moves the offset where one is given: all of it or nothing.
    pub(super) fn append(&self, messages: &[Message], offset: Option<OffsetCommit<'_>>) -> Result<()> {
        self.block_on(async {
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
            if let Some(offset) = offset {
                move_offset(&mut tx, offset).await?;
            }
            insert(&mut tx, messages).await?;
            tx.commit().await.map_err(failed)
        })?;
        self.notify();
        Ok(())
    }
}

async fn move_offset(tx: &mut SqliteTransaction<'_>, offset: OffsetCommit<'_>) -> Result<()> {
    let moved = sqlx::query(
        "UPDATE commits SET next_offset = $1, checkpoint = $2 \
         WHERE group_name = $3 AND topic = $4 AND partition_id = $5 AND epoch = $6",
    )
    .bind(offset.next_offset)
    .bind(offset.checkpoint)
    .bind(offset.group)
    .bind(offset.topic)
    .bind(offset.partition)
    .bind(offset.epoch)
    .execute(&mut **tx)
    .await
    .map_err(failed)?;
    if moved.rows_affected() == 1 {
        return Ok(());
    }
    Err(QueueError::Fenced {
        topic: offset.topic.to_owned(),
        partition: offset.partition,
        reason: format!("epoch {} was followed by another", offset.epoch),
    })
}

/// Messages by topic and partition, in their order; offsets are given out by the row of the partition's end.
async fn insert(tx: &mut SqliteTransaction<'_>, messages: &[Message]) -> Result<()> {
    let mut topics: BTreeMap<&str, (i64, i32)> = BTreeMap::new();
    let mut groups: BTreeMap<(i64, i32), Vec<&Message>> = BTreeMap::new();
    for message in messages {
        let (topic_id, partitions) = match topics.get(message.topic.as_str()) {
            Some(known) => *known,
            None => {
                let found = topic(tx, &message.topic).await?;
                topics.insert(&message.topic, found);
                found
            }
        };
        let partition = match message.partition {
            None => partition(&message.key, partitions),
            Some(one) if (0..partitions).contains(&one) => one,
            Some(one) => {
                let reason = format!("topic {} has {partitions} partitions, and no {one}", message.topic);
                return Err(QueueError::Permanent(reason));
            }
        };
        groups.entry((topic_id, partition)).or_default().push(message);
    }
    for ((topic_id, partition_id), messages) in groups {
        let count = i64::try_from(messages.len()).unwrap_or(i64::MAX);
        let end = sqlx::query(
            "INSERT INTO ends (topic_id, partition_id, next_offset) VALUES ($1, $2, $3) \
             ON CONFLICT (topic_id, partition_id) DO UPDATE SET next_offset = next_offset + excluded.next_offset \
             RETURNING next_offset",
        )
        .bind(topic_id)
        .bind(partition_id)
        .bind(count)
        .fetch_one(&mut **tx)
        .await
        .map_err(failed)?
        .get::<i64, _>(0);
        let mut offsets = end - count..end;
        for rows in messages.chunks(ROWS_AN_INSERT) {
            let mut query = QueryBuilder::<Sqlite>::new(
                "INSERT INTO messages (topic_id, partition_id, message_offset, message_key, value, headers) ",
            );
            query.push_values(rows.iter().zip(&mut offsets), |mut row, (message, offset)| {
                row.push_bind(topic_id)
                    .push_bind(partition_id)
                    .push_bind(offset)
                    .push_bind(message.key.as_slice())
                    .push_bind(message.value.as_slice())
                    .push_bind(message.headers.as_slice());
            });
            query.build().execute(&mut **tx).await.map_err(failed)?;
        }
    }
    Ok(())
}

async fn topic(tx: &mut SqliteTransaction<'_>, name: &str) -> Result<(i64, i32)> {
    let row = sqlx::query("SELECT topic_id, partitions FROM topics WHERE name = $1")
        .bind(name)
        .fetch_optional(&mut **tx)
        .await
        .map_err(failed)?;
    row.map(|row| (row.get(0), row.get(1))).ok_or_else(|| no_topic(name))
}

fn no_topic(topic: &str) -> QueueError {
    QueueError::Permanent(format!("there is no topic {topic:?}; it is made by ensure_topics"))
}

/// Everything that SQLite says may pass (the file is locked, the disk full), but for what is wrong with the file itself.
fn failed(error: sqlx::Error) -> QueueError {
    // SQLITE_CORRUPT and SQLITE_NOTADB, https://www.sqlite.org/rescode.html
    let permanent = matches!(&error, sqlx::Error::Database(inner) if matches!(inner.code().as_deref(), Some("11" | "26")));
    if permanent {
        QueueError::Permanent(error.to_string())
    } else {
        QueueError::Unavailable(error.to_string())
    }
}

/// Each header as two lengths (4 bytes, little endian), name and value.
fn encode_headers(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        for part in [name.as_bytes(), value] {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    bytes
}

fn decode_headers(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut part = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(part.to_vec())
    };
    let mut headers = Vec::new();
    while let (Some(name), Some(value)) = (part(), part()) {
        headers.push((String::from_utf8_lossy(&name).into_owned(), value));
    }
    headers
}
