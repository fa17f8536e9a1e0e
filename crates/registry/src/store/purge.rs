//! The end of deleted sources whose grace period is over.

use std::collections::BTreeSet;

use jiff::Timestamp;
use ledger::FileId;
use serde_json::json;

use super::{
    Result, SourceId, Store, Tx,
    generations::NAME,
    row::{Columns, to_json},
    sql,
};

/// Files that go in one transaction.
const FILES_AT_ONCE: i64 = 1_000;
/// What hangs on a source beside its files, in the order in which it goes.
const TABLES: [&str; 8] = [
    "file_ranges",
    "samples",
    "source_days",
    "source_formats",
    "source_columns",
    "scans",
    "source_schemas",
    "sources",
];

impl Store {
    /// Sources that were deleted before `before`, longest ago first; at most `limit`.
    pub async fn due_for_purge(&self, before: Timestamp, limit: u32) -> Result<Vec<SourceId>> {
        let rows = sqlx::query(
            "SELECT source_id FROM sources WHERE state = 'deleted' AND deleted_at < $1 ORDER BY deleted_at LIMIT $2",
        )
        .bind(before.as_microsecond())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(Columns(row).text("source_id")?.into())).collect()
    }

    /// Removes a source that was deleted before `before`, with all that hangs on it; the audit log stays. May be broken off
    /// and begun again. False where the source was undeleted meanwhile, as long as nothing of it was removed.
    pub async fn purge_source(&self, id: &SourceId, before: Timestamp) -> Result<bool> {
        loop {
            let mut tx = self.begin().await?;
            let due = sqlx::query(sql(format!(
                "SELECT source_id FROM sources WHERE source_id = $1 AND state = 'deleted' AND deleted_at < $2 {}",
                self.dialect.lock("sources")
            )))
            .bind(id.as_str())
            .bind(before.as_microsecond())
            .fetch_optional(&mut *tx)
            .await?;
            if due.is_none() {
                return Ok(false);
            }
            let files =
                sqlx::query("SELECT file_id FROM files WHERE source_id = $1 ORDER BY file_id LIMIT $2")
                    .bind(id.as_str())
                    .bind(FILES_AT_ONCE)
                    .fetch_all(&mut *tx)
                    .await?;
            let files = files.iter().map(|row| Columns(row).file_id("file_id")).collect::<Result<_>>()?;
            if self.remove_files(&mut tx, id, &files).await? == 0 {
                for table in TABLES {
                    sqlx::query(sql(format!("DELETE FROM {table} WHERE source_id = $1")))
                        .bind(id.as_str())
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
                return Ok(true);
            }
            tx.commit().await?;
        }
    }

    /// Removes files of the source with what hangs on them; gives how many there were.
    pub(super) async fn remove_files(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        files: &BTreeSet<FileId>,
    ) -> Result<u64> {
        let files: Vec<_> = files
            .iter()
            .map(|id| json!({ "source_id": source.as_str(), "file_id": id.to_string() }))
            .collect();
        let files = to_json(&files)?;
        let named = self.dialect.named_by(&self.dialect.batch("$1", &NAME[..2]));
        let mut gone = 0;
        for table in ["row_errors", "generations", "files"] {
            let done = sqlx::query(sql(format!("DELETE FROM {table} WHERE {named}")))
                .bind(files.as_str())
                .execute(&mut **tx)
                .await?;
            gone = done.rows_affected();
        }
        Ok(gone)
    }
}
