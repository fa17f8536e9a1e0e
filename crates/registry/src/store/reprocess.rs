//! Opening a file's next generation without a new ETag.

use std::time::Duration;

use jiff::Timestamp;
use ledger::FileId;
use serde_json::json;

use super::{
    AccountId, File, FileGeneration, FileState, Problem, Result, SourceId, Store, StoreError, Tx,
    files::{FILE_COLUMNS, file},
    row::{Columns, to_json},
    sql,
};

/// A generation whose object came altered is opened again so often by itself; then someone must look.
pub(super) const MOST_BY_ITSELF: i64 = 3;

/// The next generation of the same object as the one that is bound as `$1`, `$2`; only where that is the newest.
const OPEN_NEXT: &str = "INSERT INTO generations (file_id, generation, source_id, etag, requested, size, \
    last_modified, date, discovered_at, updated_at) \
    SELECT g.file_id, g.generation + 1, g.source_id, g.etag, \
    (SELECT MAX(r.requested) + 1 FROM generations r WHERE r.file_id = g.file_id), g.size, g.last_modified, g.date, \
    $3, $3 FROM generations g WHERE g.file_id = $1 AND g.generation = $2 AND g.requested < $4 \
    AND NOT EXISTS (SELECT 1 FROM generations n WHERE n.file_id = g.file_id AND n.generation > g.generation) \
    ON CONFLICT DO NOTHING";

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
        // As scanners do, who write under the same lock; and due at once, so that it is published soon.
        sqlx::query("UPDATE scans SET next_scan_at = $2 WHERE source_id = $1 AND next_scan_at IS NOT NULL")
            .bind(source.as_str())
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await?;
        let newest = newest(&mut tx, file_id).await?.ok_or_else(no_file)?;
        let locked = self.lock_generations(&mut tx, &[newest].into()).await?;
        let generation = locked.get(&newest).ok_or_else(no_file)?;
        if !generation.state.is_finished() {
            let is_stuck = generation.state != FileState::Discovered
                && now.duration_since(generation.updated_at).unsigned_abs() > stuck_after;
            if !is_stuck {
                return Err(StoreError::Conflict { kind: "file", id: object_key.to_owned() });
            }
            self.give_up(&mut tx, newest, now).await?;
        }
        open_next(&mut tx, newest, i64::MAX, now).await?;
        let row = sqlx::query(sql(format!(
            "SELECT {FILE_COLUMNS} FROM generations g JOIN files f ON f.file_id = g.file_id \
             WHERE g.file_id = $1 AND g.generation = $2"
        )))
        .bind(file_id.as_bytes().to_vec())
        .bind(i64::from(newest.generation) + 1)
        .fetch_one(&mut *tx)
        .await?;
        let opened = file(&row)?;
        tx.commit().await?;
        Ok(opened)
    }

    /// Ends a stuck generation, so that no message may read it any more.
    async fn give_up(&self, tx: &mut Tx, name: FileGeneration, now: Timestamp) -> Result<()> {
        let problem = Problem {
            code: "reprocessed".to_owned(),
            reason: "it did not move any more, and was asked to be read again".to_owned(),
            advice: "see the next generation".to_owned(),
            position: 0,
        };
        sqlx::query(
            "UPDATE generations SET state = 'superseded', error = $3, updated_at = $4, finished_at = $4 \
             WHERE file_id = $1 AND generation = $2",
        )
        .bind(name.file_id.as_bytes().to_vec())
        .bind(i64::from(name.generation))
        .bind(to_json(&json!(problem))?)
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// The newest generation of a file.
async fn newest(tx: &mut Tx, file_id: FileId) -> Result<Option<FileGeneration>> {
    let row = sqlx::query("SELECT MAX(generation) AS newest FROM generations WHERE file_id = $1")
        .bind(file_id.as_bytes().to_vec())
        .fetch_one(&mut **tx)
        .await?;
    let newest = Columns(&row).int_or_none("newest")?;
    Ok(newest
        .and_then(|generation| u32::try_from(generation).ok())
        .map(|generation| FileGeneration { file_id, generation }))
}

/// Opens the generation behind this one, where it is the newest and fewer than `most` were opened on request before.
pub(super) async fn open_next(tx: &mut Tx, name: FileGeneration, most: i64, now: Timestamp) -> Result<()> {
    sqlx::query(OPEN_NEXT)
        .bind(name.file_id.as_bytes().to_vec())
        .bind(i64::from(name.generation))
        .bind(now.as_microsecond())
        .bind(most)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
