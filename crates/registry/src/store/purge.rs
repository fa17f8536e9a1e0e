//! The end of deleted sources whose grace period is over.

use jiff::Timestamp;

use super::{Result, SourceId, Store, row::Columns};

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
            let due = sqlx::query(super::sql(format!(
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
            let some = "SELECT file_id FROM files WHERE source_id = $1 ORDER BY file_id LIMIT $2";
            for table in ["row_errors", "generations"] {
                sqlx::query(super::sql(format!("DELETE FROM {table} WHERE file_id IN ({some})")))
                    .bind(id.as_str())
                    .bind(FILES_AT_ONCE)
                    .execute(&mut *tx)
                    .await?;
            }
            let gone = sqlx::query(super::sql(format!("DELETE FROM files WHERE file_id IN ({some})")))
                .bind(id.as_str())
                .bind(FILES_AT_ONCE)
                .execute(&mut *tx)
                .await?;
            if gone.rows_affected() == 0 {
                for table in TABLES {
                    sqlx::query(super::sql(format!("DELETE FROM {table} WHERE source_id = $1")))
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
}
