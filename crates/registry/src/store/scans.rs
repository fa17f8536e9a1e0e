use std::time::Duration;

use jiff::{Timestamp, civil::Date};

use super::{
    Problem, Result, Source, SourceId, Store, StoreError, Tx,
    attention::{after_scan, attention, backoff, later, to_reopen},
    dialect::int,
    marks::{FolderMark, ListedFolder, merged},
    row::{Columns, to_json},
    sources::{SELECT_SOURCE, source},
    sql,
};

/// A source whose scans fail is due again after at most this, or its own interval where that is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);
/// Where generations are still to be published, the source is due after this.
const SOON: Duration = Duration::from_secs(1);

/// Proves that a scan holds its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseToken {
    /// The source.
    pub source: SourceId,
    /// Grows with every lease of the source; an older one is refused.
    pub fence: u64,
}

/// A source lent to one scanner.
#[derive(Debug, Clone)]
pub struct ScanLease {
    /// The source.
    pub source: Source,
    /// To be shown with every write.
    pub token: LeaseToken,
    /// After this another scanner may take the source.
    pub expires_at: Timestamp,
    /// When the next full sweep is due; `None` before the first one has ended: due now.
    pub next_sweep_at: Option<Timestamp>,
    /// Where an interrupted sweep goes on; empty where none runs.
    pub sweep_cursor: String,
    /// How far folders of the look-back window are known.
    pub marks: Vec<FolderMark>,
    /// Folders up to this date open no generation, as files of theirs may have been forgotten; `None` where none were.
    pub forgotten_until: Option<Date>,
}

/// How a scan ended.
#[derive(Debug, Clone, Default)]
pub struct ScanCompletion {
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
    /// Where an interrupted sweep goes on; empty where none runs.
    pub sweep_cursor: String,
    /// When the next full sweep is due, where this scan finished one; `None` leaves it as it was.
    pub next_sweep_at: Option<Timestamp>,
    /// When the source is due again, where the scan did not fail.
    pub next_scan_at: Timestamp,
    /// Folders that were listed to their end.
    pub listed: Vec<ListedFolder>,
    /// Of older folders no mark is kept.
    pub marks_from: Date,
}

impl Store {
    /// Lends the active source whose scan is longest due and that no one holds (or whose lease expired), with a new
    /// fence; `None` where nothing is due.
    pub async fn lease_due_scan(
        &self,
        worker_id: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Option<ScanLease>> {
        let mut tx = self.begin().await?;
        let expires_at = after(now, ttl)?;
        let taken = sqlx::query(sql(format!(
            "UPDATE scans SET fence = fence + 1, lease_worker = $1, lease_expires_at = $2 WHERE source_id = ( \
                SELECT source_id FROM scans WHERE next_scan_at <= $3 \
                AND (lease_expires_at IS NULL OR lease_expires_at <= $3) \
                ORDER BY next_scan_at LIMIT 1 {}) \
             RETURNING source_id, fence, next_sweep_at, sweep_cursor, marks, forgotten_until",
            self.dialect.skip_locked("scans")
        )))
        .bind(worker_id)
        .bind(expires_at.as_microsecond())
        .bind(now.as_microsecond())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(taken) = taken else { return Ok(None) };
        let taken = Columns(&taken);
        let token = LeaseToken { source: taken.text("source_id")?.into(), fence: taken.count("fence")? };
        let row = sqlx::query(sql(format!("{SELECT_SOURCE} WHERE s.source_id = $1")))
            .bind(token.source.as_str())
            .fetch_one(&mut *tx)
            .await?;
        let lease = ScanLease {
            source: source(&row)?,
            token,
            expires_at,
            next_sweep_at: taken.time_or_none("next_sweep_at")?,
            sweep_cursor: taken.text("sweep_cursor")?,
            marks: taken.json("marks")?,
            forgotten_until: taken.date_or_none("forgotten_until")?,
        };
        tx.commit().await?;
        Ok(Some(lease))
    }

    /// When [`Store::lease_due_scan`] may next find something; not later than now where something is due; `None` where
    /// no source is active.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT MIN(CASE WHEN lease_expires_at > next_scan_at THEN lease_expires_at ELSE next_scan_at END) \
             AS due_at FROM scans WHERE next_scan_at IS NOT NULL",
        )
        .fetch_one(&self.pool)
        .await?;
        Columns(&row).time_or_none("due_at")
    }

    /// Since when the active source that was scanned longest ago has not been; one that never was counts from when it was due.
    /// `None` where no source is active.
    pub async fn scanned_longest_ago(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT MIN(COALESCE(last_scan_at, next_scan_at)) AS scanned_at FROM scans WHERE next_scan_at IS NOT NULL",
        )
        .fetch_one(&self.pool)
        .await?;
        Columns(&row).time_or_none("scanned_at")
    }

    /// Prolongs a lease to `now + ttl` and gives that instant; [`StoreError::FenceLost`] where it is lost. A lease that
    /// expired but was not taken over is still its holder's. Keeps how far the sweep is; an empty cursor leaves it.
    pub async fn renew_lease(
        &self,
        token: &LeaseToken,
        ttl: Duration,
        sweep_cursor: &str,
        now: Timestamp,
    ) -> Result<Timestamp> {
        let expires_at = after(now, ttl)?;
        let done = sqlx::query(
            "UPDATE scans SET lease_expires_at = $3, \
             sweep_cursor = CASE WHEN $4 = '' THEN sweep_cursor ELSE $4 END \
             WHERE source_id = $1 AND fence = $2 AND lease_worker IS NOT NULL",
        )
        .bind(token.source.as_str())
        .bind(int(token.fence))
        .bind(expires_at.as_microsecond())
        .bind(sweep_cursor)
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 { Err(token.lost()) } else { Ok(expires_at) }
    }

    /// Ends a scan: stores what it found, and frees the lease. Gives when the source is due again: later with every scan
    /// that failed, and soon where generations are still to be published, as those that ended unread and were opened
    /// again. [`StoreError::FenceLost`] where the lease is lost.
    pub async fn complete_scan(
        &self,
        token: &LeaseToken,
        completion: &ScanCompletion,
        now: Timestamp,
    ) -> Result<Timestamp> {
        let mut tx = self.begin().await?;
        self.hold(&mut tx, token).await?;
        let (failures, marks) = before(&mut tx, token).await?;
        let failures = if completion.error.is_some() { failures + 1 } else { 0 };
        let marks = merged(marks, &completion.listed, completion.marks_from, now);
        let attention = attention(&mut tx, &token.source).await?;
        let attention = after_scan(attention, failures, completion.error.as_ref(), now);
        let reopened = if completion.error.is_none() {
            let limit = to_reopen(attention.as_ref(), now);
            self.reopen_unread(&mut tx, &token.source, limit, now).await?
        } else {
            0
        };
        // What was opened again is to be published at once, and so is what an event has told of since the scan looked last.
        let waits = reopened > 0 || waits(&mut tx, &token.source).await?;
        let due = if waits { completion.next_scan_at.min(later(now, SOON)) } else { completion.next_scan_at };
        let next_scan_at = if failures == 0 { due } else { retry_at(due, failures, now) };
        sqlx::query(
            "UPDATE scans SET lease_worker = NULL, lease_expires_at = NULL, last_scan_at = $2, next_scan_at = $3, \
             failures = $4, next_sweep_at = COALESCE($5, next_sweep_at), sweep_cursor = $6, folders = $7, \
             objects = $8, list_requests = $9, outside = $10, outside_examples = $11, left_alone = $12, \
             scan_error = $13, attention = $14, marks = $15 WHERE source_id = $1",
        )
        .bind(token.source.as_str())
        .bind(now.as_microsecond())
        .bind(next_scan_at.as_microsecond())
        .bind(i64::from(failures))
        .bind(completion.next_sweep_at.map(Timestamp::as_microsecond))
        .bind(completion.sweep_cursor.as_str())
        .bind(int(completion.folders))
        .bind(int(completion.objects))
        .bind(int(completion.list_requests))
        .bind(int(completion.outside))
        .bind(to_json(&completion.outside_examples)?)
        .bind(int(completion.left_alone))
        .bind(completion.error.as_ref().map(to_json).transpose()?)
        .bind(attention.as_ref().map(to_json).transpose()?)
        .bind(to_json(&marks)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(next_scan_at)
    }

    /// Locks the lease's source for this transaction, or refuses the token.
    pub(super) async fn hold(&self, tx: &mut Tx, token: &LeaseToken) -> Result<()> {
        sqlx::query(sql(format!(
            "SELECT fence FROM scans WHERE source_id = $1 AND fence = $2 AND lease_worker IS NOT NULL {}",
            self.dialect.lock("scans")
        )))
        .bind(token.source.as_str())
        .bind(int(token.fence))
        .fetch_optional(&mut **tx)
        .await?
        .map(|_| ())
        .ok_or_else(|| token.lost())
    }
}

/// Scans in a row that have failed, and the marks as they are.
async fn before(tx: &mut Tx, token: &LeaseToken) -> Result<(u32, Vec<FolderMark>)> {
    let row = sqlx::query("SELECT failures, marks FROM scans WHERE source_id = $1")
        .bind(token.source.as_str())
        .fetch_one(&mut **tx)
        .await?;
    let row = Columns(&row);
    Ok((row.small("failures")?, row.json("marks")?))
}

/// True where generations of the source are still to be published. Under the scan's lock nothing is added to them.
async fn waits(tx: &mut Tx, source: &SourceId) -> Result<bool> {
    let one =
        sqlx::query("SELECT file_id FROM generations WHERE source_id = $1 AND phase = 'waiting' LIMIT 1")
            .bind(source.as_str())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(one.is_some())
}

/// When a source is due again whose scan failed.
fn retry_at(due: Timestamp, failures: u32, now: Timestamp) -> Timestamp {
    let interval = Duration::try_from(due.duration_since(now)).unwrap_or_default();
    later(now, backoff(interval, failures, LONGEST_PAUSE))
}

impl LeaseToken {
    fn lost(&self) -> StoreError {
        StoreError::FenceLost { source_id: self.source.to_string(), fence: self.fence }
    }
}

fn after(now: Timestamp, ttl: Duration) -> Result<Timestamp> {
    now.checked_add(ttl).map_err(|_| StoreError::Invalid(format!("a lease cannot hold for {ttl:?}")))
}
