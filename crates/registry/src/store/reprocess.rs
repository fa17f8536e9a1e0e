//! Opening a file's next generation without a new ETag.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{Timestamp, civil::Date};
use ledger::FileId;
use serde_json::json;

use super::{
    AccountId, File, FileGeneration, FileState, Problem, Result, SourceId, Store, StoreError, Tx,
    files::{FILE_COLUMNS, GENERATIONS_OF_FILES, file},
    ranges::forget_ranges,
    row::{Columns, to_json},
    sql,
};

/// A generation whose object came altered is opened again so often by itself; then someone must look.
pub(super) const MOST_BY_ITSELF: i64 = 3;

/// The next generation of the same object as the one that is bound as `$1`, `$2` of the source `$5`; only where that is the
/// newest.
const OPEN_NEXT: &str = "INSERT INTO generations (file_id, generation, source_id, etag, requested, size, \
    last_modified, date, replaces, discovered_at, updated_at) \
    SELECT g.file_id, g.generation + 1, g.source_id, g.etag, \
    (SELECT MAX(r.requested) + 1 FROM generations r WHERE r.source_id = $5 AND r.file_id = $1), g.size, \
    g.last_modified, g.date, g.generation, $3, $3 FROM generations g \
    WHERE g.source_id = $5 AND g.file_id = $1 AND g.generation = $2 AND g.requested < $4 AND NOT EXISTS \
    (SELECT 1 FROM generations n WHERE n.source_id = $5 AND n.file_id = $1 AND n.generation > $2) \
    ON CONFLICT DO NOTHING";

/// The newest generation of each file of a source with a date from `$2` to `$3`, behind the date and file id `$4`, `$5`.
/// Read off `generations_by_date`, as by its condition.
const NEWEST_OF_DATES: &str = "SELECT g.file_id, g.generation, g.date, g.state FROM generations g \
    WHERE g.source_id = $1 AND g.date >= $2 AND g.date <= $3 AND (g.date, g.file_id) > ($4, $5) \
    AND g.generation > 0 \
    AND NOT EXISTS (SELECT 1 FROM generations n \
        WHERE n.source_id = g.source_id AND n.file_id = g.file_id AND n.generation > g.generation) \
    ORDER BY g.date, g.file_id LIMIT $6";
/// Files that are opened again in one transaction.
const FILES_AT_ONCE: i64 = 500;

/// What [`Store::reprocess_dates`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reprocessed {
    /// Generations that were opened.
    pub opened: u64,
    /// Files that are still to be read.
    pub left_alone: u64,
}

impl Store {
    /// Opens the next generation of the account's file, whose newest one must be at rest, or not have moved for
    /// `stuck_after`: that one then counts as superseded, and what a worker may still publish of it is not applied. Gives
    /// the generation that was opened.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is no such source or file, [`StoreError::Conflict`] where the newest generation
    /// is still to be read.
    pub async fn reprocess(
        &self,
        account: &AccountId,
        source: &SourceId,
        object_key: &str,
        stuck_after: Duration,
        now: Timestamp,
    ) -> Result<File> {
        let file_id = FileId::of(source.as_str(), object_key);
        let no_file = || StoreError::NotFound { kind: "file", id: object_key.to_owned() };
        self.get_source(account, source).await?;
        let mut tx = self.begin().await?;
        make_due(&mut tx, source, now).await?;
        let newest = newest(&mut tx, source, file_id).await?.ok_or_else(no_file)?;
        let locked = self.lock_generations(&mut tx, &[(source.clone(), newest)].into()).await?;
        let generation = locked.get(&newest).ok_or_else(no_file)?;
        if !generation.state.is_finished() {
            let is_stuck = generation.state != FileState::Discovered
                && now.duration_since(generation.updated_at).unsigned_abs() > stuck_after;
            if !is_stuck {
                return Err(StoreError::Conflict { kind: "file", id: object_key.to_owned() });
            }
            self.give_up(&mut tx, source, newest, now).await?;
            forget_ranges(&mut tx, source, newest).await?;
        }
        open_next(&mut tx, source, newest, i64::MAX, now).await?;
        let row = sqlx::query(sql(format!(
            "SELECT {FILE_COLUMNS} {GENERATIONS_OF_FILES} \
             WHERE g.source_id = $1 AND g.file_id = $2 AND g.generation = $3"
        )))
        .bind(source.as_str())
        .bind(file_id.as_bytes().to_vec())
        .bind(i64::from(newest.generation) + 1)
        .fetch_one(&mut *tx)
        .await?;
        let opened = file(&row)?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Opens the next generation of every file of the account's source whose date is within `dates`, whose newest
    /// generation is at rest, and in one of `states` where some are named. Files that are still to be read are left alone.
    /// [`StoreError::NotFound`] where there is no such source.
    pub async fn reprocess_dates(
        &self,
        account: &AccountId,
        source: &SourceId,
        dates: (Date, Date),
        states: &BTreeSet<&'static str>,
        now: Timestamp,
    ) -> Result<Reprocessed> {
        self.get_source(account, source).await?;
        let mut done = Reprocessed::default();
        let mut after = (String::new(), Vec::new());
        loop {
            let mut tx = self.begin().await?;
            make_due(&mut tx, source, now).await?;
            let rows = sqlx::query(NEWEST_OF_DATES)
                .bind(source.as_str())
                .bind(dates.0.to_string())
                .bind(dates.1.to_string())
                .bind(after.0)
                .bind(after.1)
                .bind(FILES_AT_ONCE)
                .fetch_all(&mut *tx)
                .await?;
            let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == FILES_AT_ONCE);
            after = (String::new(), Vec::new());
            for row in rows.iter().map(Columns) {
                after = (row.text("date")?, row.bytes("file_id")?);
                let state = row.text("state")?;
                if !FileState::parse(&state)?.is_finished() {
                    done.left_alone += 1;
                } else if states.is_empty() || states.contains(state.as_str()) {
                    let name = FileGeneration {
                        file_id: row.file_id("file_id")?,
                        generation: row.small("generation")?,
                    };
                    open_next(&mut tx, source, name, i64::MAX, now).await?;
                    done.opened += 1;
                }
            }
            tx.commit().await?;
            if !full {
                return Ok(done);
            }
        }
    }

    /// Ends a stuck generation, so that no message may read it any more.
    async fn give_up(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        name: FileGeneration,
        now: Timestamp,
    ) -> Result<()> {
        let problem = Problem {
            code: "reprocessed".to_owned(),
            reason: "it did not move any more, and was asked to be read again".to_owned(),
            advice: "see the next generation".to_owned(),
            position: 0,
        };
        sqlx::query(
            "UPDATE generations SET state = 'superseded', error = $3, updated_at = $4, finished_at = $4 \
             WHERE source_id = $5 AND file_id = $1 AND generation = $2",
        )
        .bind(name.file_id.as_bytes().to_vec())
        .bind(i64::from(name.generation))
        .bind(to_json(&json!(problem))?)
        .bind(now.as_microsecond())
        .bind(source.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// Has what is opened published soon. Locks the source's scan, as scanners do and whoever forgets files.
async fn make_due(tx: &mut Tx, source: &SourceId, now: Timestamp) -> Result<()> {
    sqlx::query(
        "UPDATE scans SET next_scan_at = CASE WHEN next_scan_at IS NOT NULL THEN $2 END WHERE source_id = $1",
    )
    .bind(source.as_str())
    .bind(now.as_microsecond())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The newest generation of a file.
async fn newest(tx: &mut Tx, source: &SourceId, file_id: FileId) -> Result<Option<FileGeneration>> {
    let row = sqlx::query(
        "SELECT MAX(generation) AS newest FROM generations WHERE source_id = $1 AND file_id = $2",
    )
    .bind(source.as_str())
    .bind(file_id.as_bytes().to_vec())
    .fetch_one(&mut **tx)
    .await?;
    let newest = Columns(&row).int_or_none("newest")?;
    Ok(newest
        .and_then(|generation| u32::try_from(generation).ok())
        .map(|generation| FileGeneration { file_id, generation }))
}

/// Opens the generation behind this one, where it is the newest and fewer than `most` were opened on request before.
pub(super) async fn open_next(
    tx: &mut Tx,
    source: &SourceId,
    name: FileGeneration,
    most: i64,
    now: Timestamp,
) -> Result<()> {
    sqlx::query(OPEN_NEXT)
        .bind(name.file_id.as_bytes().to_vec())
        .bind(i64::from(name.generation))
        .bind(now.as_microsecond())
        .bind(most)
        .bind(source.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
