//! Forgetting files that came to rest long ago.
//!
//! **Invariant.** A file that was forgotten is not read again: the folder up to which files were forgotten moves in the
//! transaction that removes them, under the lock that records of the source are written under, and up to it nothing is
//! opened that the ledger does not know.

use jiff::{Timestamp, civil::Date};

use super::{Result, SourceId, Store, row::Columns, sql};

/// Files of `$1` whose every generation came to rest before `$2`, in a folder before `$3`: at most `$4`, those that rest for
/// longest first. Read off `generations_finished`; the other generations of each file by the primary key.
const TO_FORGET: &str = "SELECT g.file_id, g.date FROM generations g \
    WHERE g.source_id = $1 AND g.finished_at < $2 AND g.date < $3 AND NOT EXISTS (SELECT 1 FROM generations n \
        WHERE n.source_id = g.source_id AND n.file_id = g.file_id \
        AND (n.finished_at IS NULL OR n.finished_at >= $2 OR n.reopen = 1)) \
    ORDER BY g.finished_at LIMIT $4";

impl Store {
    /// Sources in the order of their ids, deleted ones left out; at most `limit`, behind `after`.
    pub async fn sources_behind(&self, after: &str, limit: u32) -> Result<Vec<SourceId>> {
        let rows = sqlx::query(
            "SELECT source_id FROM sources WHERE source_id > $1 AND state <> 'deleted' ORDER BY source_id LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok(Columns(row).text("source_id")?.into())).collect()
    }

    /// Removes files of the source, with their generations and refused rows, whose every generation came to rest before
    /// `before`, in a folder before that day; at most `limit`, those that rest for longest first. What ended unread
    /// and is to be opened again stays. Gives how many went; what was counted by day stays.
    ///
    /// From then on nothing that the ledger does not know is opened in folders up to the newest that lost a file.
    pub async fn forget_files(&self, source: &SourceId, before: Timestamp, limit: u32) -> Result<u64> {
        let mut tx = self.begin().await?;
        let held = sqlx::query(sql(format!(
            "SELECT forgotten_until FROM scans WHERE source_id = $1 {}",
            self.dialect.lock("scans")
        )))
        .bind(source.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(held) = held else { return Ok(0) };
        let forgotten_until = Columns(&held).date_or_none("forgotten_until")?;
        let day = before.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let rows = sqlx::query(TO_FORGET)
            .bind(source.as_str())
            .bind(before.as_microsecond())
            .bind(day.to_string())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let dates = rows.iter().map(|row| Columns(row).date("date")).collect::<Result<Vec<Date>>>()?;
        sqlx::query("UPDATE scans SET forgotten_until = $2 WHERE source_id = $1")
            .bind(source.as_str())
            .bind(dates.into_iter().chain(forgotten_until).max().map(|date| date.to_string()))
            .execute(&mut *tx)
            .await?;
        let ids = rows.iter().map(|row| Columns(row).file_id("file_id")).collect::<Result<_>>()?;
        let gone = self.remove_files(&mut tx, source, &ids).await?;
        tx.commit().await?;
        Ok(gone)
    }
}
