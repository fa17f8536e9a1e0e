//! What arrived and what was read, by dated folder.

use jiff::{Timestamp, civil::Date};
use sqlx::any::AnyRow;

use super::{AccountId, Result, SourceId, Store, row::Columns};

/// A source's dated folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Its date.
    pub date: Date,
    /// Objects that were discovered, each new version of one counted.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Generations that came to rest.
    pub files: u64,
    /// Data rows seen.
    pub rows: u64,
    /// Rows published.
    pub accepted: u64,
    /// Rows refused.
    pub rejected: u64,
    /// When the first of its objects was written, as S3 says.
    pub first_arrived_at: Option<Timestamp>,
    /// When the last was.
    pub last_arrived_at: Option<Timestamp>,
}

impl Store {
    /// The days of the account's source from `first` to `last`, both within, newest first; those on which nothing came are
    /// left out. [`super::StoreError::NotFound`] where the source is another's, or deleted.
    pub async fn list_days(
        &self,
        account: &AccountId,
        source: &SourceId,
        first: Date,
        last: Date,
    ) -> Result<Vec<Day>> {
        self.get_source(account, source).await?;
        let rows = sqlx::query(
            "SELECT date, objects, bytes, files, row_count, accepted, rejected, first_arrived_at, last_arrived_at \
             FROM source_days WHERE source_id = $1 AND date >= $2 AND date <= $3 ORDER BY date DESC",
        )
        .bind(source.as_str())
        .bind(first.to_string())
        .bind(last.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(day).collect()
    }

    /// Active sources that need no attention, in the order of their ids, with when they were made; at most `limit`, behind
    /// `after`.
    pub async fn sources_in_order(&self, after: &str, limit: u32) -> Result<Vec<(SourceId, Timestamp)>> {
        let rows = sqlx::query(
            "SELECT s.source_id, s.created_at FROM sources s JOIN scans c ON c.source_id = s.source_id \
             WHERE s.state = 'active' AND c.attention IS NULL AND s.source_id > $1 ORDER BY s.source_id LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let row = Columns(row);
                Ok((row.text("source_id")?.into(), row.time("created_at")?))
            })
            .collect()
    }

    /// The first arrival of each day of a source from `first` on, oldest first.
    pub async fn arrivals(&self, source: &SourceId, first: Date) -> Result<Vec<(Date, Timestamp)>> {
        let rows = sqlx::query(
            "SELECT date, first_arrived_at FROM source_days \
             WHERE source_id = $1 AND date >= $2 AND first_arrived_at IS NOT NULL ORDER BY date",
        )
        .bind(source.as_str())
        .bind(first.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let row = Columns(row);
                Ok((row.date("date")?, row.time("first_arrived_at")?))
            })
            .collect()
    }
}

fn day(row: &AnyRow) -> Result<Day> {
    let row = Columns(row);
    Ok(Day {
        date: row.date("date")?,
        objects: row.count("objects")?,
        bytes: row.count("bytes")?,
        files: row.count("files")?,
        rows: row.count("row_count")?,
        accepted: row.count("accepted")?,
        rejected: row.count("rejected")?,
        first_arrived_at: row.time_or_none("first_arrived_at")?,
        last_arrived_at: row.time_or_none("last_arrived_at")?,
    })
}
