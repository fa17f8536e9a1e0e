//! The health of a source: what keeps its files from coming in, and what follows when that is over.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ledger::access::is_access;
use records::queue::{FileProgress, Outcome};
use serde_json::json;

use super::{
    FileGeneration, Problem, Result, SourceId, Store, Tx,
    dialect::Kind,
    reprocess::open_next,
    row::{Columns, to_json},
    sql,
};

/// Generations that ended unread and are opened again by one scan.
const REOPENED_A_SCAN: i64 = 1_000;
/// How many seconds a file waits that was opened again before, so that one which alone cannot be read is not opened at every
/// scan for ever.
const PATIENCE: &str = "CASE requested WHEN 0 THEN 0 WHEN 1 THEN 120 WHEN 2 THEN 240 WHEN 3 THEN 480 WHEN 4 THEN 960 \
    WHEN 5 THEN 1920 ELSE 3600 END";
/// Scans in a row that may fail for a passing reason before the customer is told.
const PASSING_FAILURES: u32 = 5;
/// Between two tries of a source that cannot be read.
const SHORTEST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// What keeps a source's files from coming in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// Its path cannot be listed.
    List,
    /// Its path can be listed, and its objects cannot be read.
    Read,
    /// Its event queue cannot be read; scans go on.
    Events,
    /// What was due by its own rhythm has not come.
    Data,
}

/// Why a source needs attention.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attention {
    /// What it is about.
    pub kind: AttentionKind,
    /// What, and what to do about it.
    pub problem: Problem,
    /// Microseconds since the Unix epoch.
    pub since: i64,
    /// Tries that failed since.
    pub retries: u32,
    /// When the next try is made; microseconds since the Unix epoch.
    pub retry_at: Option<i64>,
}

impl Attention {
    fn new(kind: AttentionKind, problem: Problem, now: Timestamp) -> Self {
        Self { kind, problem, since: now.as_microsecond(), retries: 0, retry_at: None }
    }

    /// Another try has failed.
    fn again(&mut self, problem: Problem, now: Timestamp) {
        self.problem = problem;
        self.retries = self.retries.saturating_add(1);
        self.retry_at =
            Some(later(now, backoff(SHORTEST_RETRY, self.retries, LONGEST_RETRY)).as_microsecond());
    }

    /// True where what matters more may take its place.
    fn gives_way(&self) -> bool {
        matches!(self.kind, AttentionKind::Events | AttentionKind::Data)
    }
}

/// `first`, doubled with every failure behind the first, up to `longest`.
pub(super) fn backoff(first: Duration, failures: u32, longest: Duration) -> Duration {
    let doubled = first.saturating_mul(1_u32 << failures.saturating_sub(1).min(16));
    doubled.min(longest.max(first))
}

pub(super) fn later(now: Timestamp, pause: Duration) -> Timestamp {
    SignedDuration::try_from(pause)
        .ok()
        .and_then(|pause| now.checked_add(pause).ok())
        .unwrap_or(Timestamp::MAX)
}

/// What the end of a scan makes of a source's health.
pub(super) fn after_scan(
    before: Option<Attention>,
    failures: u32,
    error: Option<&Problem>,
    now: Timestamp,
) -> Option<Attention> {
    match (error, before) {
        (None, Some(attention)) if attention.kind == AttentionKind::List => None,
        (None, before) => before,
        (Some(problem), Some(mut attention)) if attention.kind == AttentionKind::List => {
            attention.again(problem.clone(), now);
            Some(attention)
        }
        (Some(problem), before) => {
            let matters = is_access(&problem.code) || failures >= PASSING_FAILURES;
            let free = before.as_ref().is_none_or(Attention::gives_way);
            if matters && free {
                Some(Attention::new(AttentionKind::List, problem.clone(), now))
            } else {
                before
            }
        }
    }
}

/// What is to be done about generations that ended unread, once a scan has gone well.
pub(super) fn to_reopen(attention: Option<&Attention>, now: Timestamp) -> i64 {
    match attention {
        None => REOPENED_A_SCAN,
        Some(attention) => match attention.kind {
            AttentionKind::Events | AttentionKind::Data => REOPENED_A_SCAN,
            // One file tells whether the others can be read again.
            AttentionKind::Read if attention.retry_at.is_none_or(|at| at <= now.as_microsecond()) => 1,
            AttentionKind::Read | AttentionKind::List => 0,
        },
    }
}

impl Store {
    /// Notes on the sources that files of theirs could not be read for want of access, or could be read again. Locks
    /// their scans, so it comes before their generations are.
    pub(super) async fn note_reading(
        &self,
        tx: &mut Tx,
        messages: &[FileProgress],
        now: Timestamp,
    ) -> Result<()> {
        let ended = ended_files(messages);
        if ended.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = ended
            .iter()
            .map(|(id, problem)| json!({ "id": id, "failed": i32::from(problem.is_some()) }))
            .collect();
        let found = sqlx::query(sql(format!(
            "SELECT scans.source_id, scans.attention FROM {} JOIN scans ON scans.source_id = batch.id \
             WHERE batch.failed = 1 OR scans.attention IS NOT NULL ORDER BY scans.source_id {}",
            self.dialect.batch("$1", &[("id", Kind::Text), ("failed", Kind::Int)]),
            self.dialect.lock("scans")
        )))
        .bind(to_json(&rows)?)
        .fetch_all(&mut **tx)
        .await?;
        for row in found.iter().map(Columns) {
            let id = row.text("source_id")?;
            let before: Option<Attention> = row.json_or_none("attention")?;
            let after = after_reading(before.clone(), ended.get(id.as_str()).copied().flatten(), now);
            if after != before {
                set_attention(tx, &SourceId::from(id), after.as_ref()).await?;
            }
        }
        Ok(())
    }

    /// Opens generations again that ended unread, oldest date first; gives how many.
    pub(super) async fn reopen_unread(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        limit: i64,
        now: Timestamp,
    ) -> Result<usize> {
        if limit == 0 {
            return Ok(0);
        }
        let rows = sqlx::query(sql(format!(
            "SELECT file_id, generation FROM generations WHERE source_id = $1 AND reopen = 1 \
             AND finished_at <= $2 - 1000000 * {PATIENCE} ORDER BY date, file_id, generation LIMIT $3"
        )))
        .bind(source.as_str())
        .bind(now.as_microsecond())
        .bind(limit)
        .fetch_all(&mut **tx)
        .await?;
        for row in rows.iter().map(Columns) {
            let name =
                FileGeneration { file_id: row.file_id("file_id")?, generation: row.small("generation")? };
            open_next(tx, source, name, i64::MAX, now).await?;
            sqlx::query(
                "UPDATE generations SET reopen = 0 WHERE source_id = $1 AND file_id = $2 AND generation = $3",
            )
            .bind(source.as_str())
            .bind(name.file_id.as_bytes().to_vec())
            .bind(i64::from(name.generation))
            .execute(&mut **tx)
            .await?;
        }
        Ok(rows.len())
    }

    /// How many active sources need attention.
    pub async fn count_attention(&self) -> Result<u64> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS sources FROM scans WHERE attention IS NOT NULL AND next_scan_at IS NOT NULL",
        )
        .fetch_one(&self.pool)
        .await?;
        Columns(&row).count("sources")
    }

    /// Notes that what was due has not come, on an active source that needs no attention otherwise. True where noted.
    pub async fn miss_data(&self, source: &SourceId, problem: Problem, now: Timestamp) -> Result<bool> {
        let attention = Attention::new(AttentionKind::Data, problem, now);
        let done = sqlx::query(
            "UPDATE scans SET attention = $2 \
             WHERE source_id = $1 AND attention IS NULL AND next_scan_at IS NOT NULL",
        )
        .bind(source.as_str())
        .bind(to_json(&attention)?)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends an attention of this kind, where the source has it; under the lock of its scan.
    pub(super) async fn end_attention(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        kind: AttentionKind,
    ) -> Result<()> {
        let before = attention(tx, source).await?;
        if before.is_some_and(|before| before.kind == kind) {
            set_attention(tx, source, None).await?;
        }
        Ok(())
    }

    /// Notes why the source's event queue cannot be read; under the lock of its scan.
    pub(super) async fn miss_events(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        problem: Problem,
        now: Timestamp,
    ) -> Result<()> {
        let after = match attention(tx, source).await? {
            Some(mut before) if before.kind == AttentionKind::Events => {
                before.again(problem, now);
                before
            }
            Some(before) if !before.gives_way() => return Ok(()),
            _ => Attention::new(AttentionKind::Events, problem, now),
        };
        set_attention(tx, source, Some(&after)).await
    }
}

/// The last file of each source that ended in these messages: why it could not be read, where that was for want of access.
fn ended_files(messages: &[FileProgress]) -> BTreeMap<&str, Option<&records::queue::FileError>> {
    let mut ended = BTreeMap::new();
    // PostgreSQL has no text with a NUL in it; no source is called so.
    for message in messages.iter().filter(|message| !message.source_id.contains('\0')) {
        let access = message.error.as_ref().filter(|error| is_access(&error.code));
        // A file that changed while it was read says nothing of access.
        if access.is_some() || !matches!(message.outcome(), Outcome::Unspecified | Outcome::Superseded) {
            ended.insert(message.source_id.as_str(), access);
        }
    }
    ended
}

fn after_reading(
    before: Option<Attention>,
    error: Option<&records::queue::FileError>,
    now: Timestamp,
) -> Option<Attention> {
    let problem = error.map(|error| Problem {
        code: error.code.clone(),
        reason: error.reason.clone(),
        advice: error.advice.clone(),
        position: 0,
    });
    match (problem, before) {
        (None, Some(attention)) if attention.kind == AttentionKind::Read => None,
        (None, before) => before,
        (Some(problem), Some(mut attention)) if attention.kind == AttentionKind::Read => {
            // Files that were on the queue beside it fail alike, and are no other try.
            if attention.retry_at.is_none_or(|at| at <= now.as_microsecond()) {
                attention.again(problem, now);
            }
            Some(attention)
        }
        (Some(problem), before) if before.as_ref().is_none_or(Attention::gives_way) => {
            let mut attention = Attention::new(AttentionKind::Read, problem, now);
            attention.retry_at = Some(later(now, SHORTEST_RETRY).as_microsecond());
            Some(attention)
        }
        (Some(_), before) => before,
    }
}

pub(super) async fn attention(tx: &mut Tx, source: &SourceId) -> Result<Option<Attention>> {
    let row = sqlx::query("SELECT attention FROM scans WHERE source_id = $1")
        .bind(source.as_str())
        .fetch_one(&mut **tx)
        .await?;
    Columns(&row).json_or_none("attention")
}

async fn set_attention(tx: &mut Tx, source: &SourceId, attention: Option<&Attention>) -> Result<()> {
    sqlx::query("UPDATE scans SET attention = $2 WHERE source_id = $1")
        .bind(source.as_str())
        .bind(attention.map(to_json).transpose()?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
