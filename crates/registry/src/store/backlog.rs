//! How much of a source is still to be read, and how fast it goes.

use jiff::{SignedDuration, Timestamp};

use super::{AccountId, FormatSeen, Result, SourceId, Store, row::Columns};

/// What is still to be read of a source, and what came to rest of late.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Backlog {
    /// Generations that are not at rest.
    pub files: u64,
    /// Their bytes in S3.
    pub bytes: u64,
    /// The oldest of their dates; empty where there is none.
    pub oldest_date: String,
    /// Generations that came to rest within the window.
    pub finished_files: u64,
    /// Their bytes in S3.
    pub finished_bytes: u64,
    /// The seconds from the first of them, or from the window's begin, until now; 0 where there is none.
    pub seconds: f64,
}

impl Store {
    /// The backlog of the account's source, measured over the last `window`. [`super::StoreError::NotFound`] where the
    /// source is another's, or deleted.
    pub async fn backlog(
        &self,
        account: &AccountId,
        source: &SourceId,
        window: SignedDuration,
        now: Timestamp,
    ) -> Result<Backlog> {
        self.get_source(account, source).await?;
        let waiting = sqlx::query(
            "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes, MIN(date) AS oldest FROM ( \
                SELECT size, date FROM generations WHERE source_id = $1 AND phase = 'waiting' \
                UNION ALL \
                SELECT size, date FROM generations WHERE source_id = $1 AND phase = 'under_way') AS waiting",
        )
        .bind(source.as_str())
        .fetch_one(&self.pool)
        .await?;
        let since = now.checked_sub(window).unwrap_or(Timestamp::UNIX_EPOCH);
        let finished = sqlx::query(
            "SELECT COUNT(*) AS files, CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes, MIN(finished_at) AS first_at \
             FROM generations WHERE source_id = $1 AND finished_at >= $2",
        )
        .bind(source.as_str())
        .bind(since.as_microsecond())
        .fetch_one(&self.pool)
        .await?;
        let (waiting, finished) = (Columns(&waiting), Columns(&finished));
        // The first to come to rest was begun before: a window that is cut there would flatter the rate.
        let first = finished.time_or_none("first_at")?;
        let seconds = first.map_or(0.0, |_| now.duration_since(since).as_secs_f64());
        let busy = self.first_claim(source, since).await?;
        let seconds =
            busy.map_or(seconds, |at| now.duration_since(at).as_secs_f64().clamp(1.0, seconds.max(1.0)));
        Ok(Backlog {
            files: waiting.count("files")?,
            bytes: waiting.count("bytes")?,
            oldest_date: waiting.text_or_none("oldest")?.unwrap_or_default(),
            finished_files: finished.count("files")?,
            finished_bytes: finished.count("bytes")?,
            seconds: if first.is_some() { seconds } else { 0.0 },
        })
    }

    /// When the first of the generations that came to rest since was claimed.
    async fn first_claim(&self, source: &SourceId, since: Timestamp) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT MIN(claimed_at) AS first_at FROM generations WHERE source_id = $1 AND finished_at >= $2",
        )
        .bind(source.as_str())
        .bind(since.as_microsecond())
        .fetch_one(&self.pool)
        .await?;
        Ok(Columns(&row).time_or_none("first_at")?.map(|at| at.max(since)))
    }

    /// What the files of a source are, commonest first.
    pub async fn list_formats(&self, source: &SourceId) -> Result<Vec<FormatSeen>> {
        let rows = sqlx::query(
            "SELECT format, compression, files FROM source_formats WHERE source_id = $1 \
             ORDER BY files DESC, format, compression",
        )
        .bind(source.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let row = Columns(row);
                Ok(FormatSeen {
                    format: row.text("format")?,
                    compression: row.text("compression")?,
                    files: row.count("files")?,
                })
            })
            .collect()
    }
}
