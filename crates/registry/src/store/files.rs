use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use ledger::FileId;
use records::queue::Outcome;
use sqlx::any::AnyRow;

use super::{
    AccountId, Filter, Page, PageRequest, Problem, Result, SourceId, Store, StoreError, row::Columns, sql,
};

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// In the ledger, not yet on the queue.
    Discovered,
    /// On the queue.
    Published,
    /// Being read.
    Claimed,
    /// Read to its end, every row accepted.
    Accepted,
    /// Read to its end, some rows refused.
    AcceptedWithRejections,
    /// Nothing was published.
    Rejected,
    /// Published up to a row, then unreadable.
    Incomplete,
    /// Changed in S3 while being read.
    Superseded,
}

impl FileState {
    const ALL: [Self; 8] = [
        Self::Discovered,
        Self::Published,
        Self::Claimed,
        Self::Accepted,
        Self::AcceptedWithRejections,
        Self::Rejected,
        Self::Incomplete,
        Self::Superseded,
    ];

    /// True where the generation is at rest: nothing of it will be read any more.
    #[must_use]
    pub fn is_finished(self) -> bool {
        !matches!(self, Self::Discovered | Self::Published | Self::Claimed)
    }

    /// Where a committed chunk leaves its generation.
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Unspecified => Self::Claimed,
            Outcome::Accepted => Self::Accepted,
            Outcome::AcceptedWithRejections => Self::AcceptedWithRejections,
            Outcome::Rejected => Self::Rejected,
            Outcome::Incomplete => Self::Incomplete,
            Outcome::Superseded => Self::Superseded,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Discovered => "discovered",
            Self::Published => "published",
            Self::Claimed => "claimed",
            Self::Accepted => "accepted",
            Self::AcceptedWithRejections => "accepted_with_rejections",
            Self::Rejected => "rejected",
            Self::Incomplete => "incomplete",
            Self::Superseded => "superseded",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::corrupt(format!("generations.state is {text:?}")))
    }
}

/// Something odd in a file that refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Warning {
    /// As in the documentation.
    pub code: String,
    /// The column; empty where the row or file as a whole is meant.
    pub column: String,
    /// In plain words.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
    /// The row, from 1; 0 where the file as a whole is meant.
    pub row: u64,
    /// The byte, after decompression, where the row begins.
    pub position: u64,
}

/// One generation of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Key in the bucket.
    pub object_key: String,
    /// Which version of the object, from 1.
    pub generation: u32,
    /// Without quotes.
    pub etag: String,
    /// Bytes, as listed.
    pub size: u64,
    /// As S3 says.
    pub last_modified: Timestamp,
    /// Its dated folder.
    pub date: Date,
    /// Where it stands.
    pub state: FileState,
    /// Data rows seen: accepted and rejected.
    pub rows: u64,
    /// Rows published.
    pub accepted: u64,
    /// Rows refused.
    pub rejected: u64,
    /// Refused rows by code.
    pub rejections: BTreeMap<String, u64>,
    /// What is odd and refuses nothing, by code.
    pub warnings: BTreeMap<String, u64>,
    /// The first of each in a column.
    pub warning_examples: Vec<Warning>,
    /// Byte, after decompression, up to which rows are published.
    pub position: u64,
    /// The last chunk that the ledger knows of; 0 before the first.
    pub chunk: u32,
    /// As found in the file; empty before the first chunk.
    pub format: String,
    /// As found in the file; empty before the first chunk.
    pub compression: String,
    /// Why it was not read to its end.
    pub error: Option<Problem>,
    /// When a scan first saw it.
    pub discovered_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
    /// When it came to rest.
    pub finished_at: Option<Timestamp>,
    /// The generation whose records this one's take the place of; 0 where none.
    pub replaces: u32,
    /// The worker that claimed it last; empty before the first claim.
    pub worker_id: String,
    /// Attempts at reading that were begun since it last moved on.
    pub attempts: u32,
}

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// From 1; `None` where the reader could not know it.
    pub row_number: Option<u64>,
    /// The byte, after decompression, where the row begins.
    pub position: u64,
    /// As in the documentation.
    pub code: String,
    /// As the schema names it; empty where the row as a whole is at fault.
    pub column: String,
    /// In plain words.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
    /// The row as it stands in the file, cut; empty where the schema had sensitive columns.
    pub raw: String,
}

/// What a row error is kept as, beside where it is.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct RowErrorDetail {
    pub(super) code: String,
    pub(super) column: String,
    pub(super) reason: String,
    pub(super) advice: String,
    pub(super) raw: String,
}

/// Where a page of files ended: date, discovery, file id, generation.
type FileKey = (String, i64, Vec<u8>, i64);

/// Of generations `g` and files `f`, as [`file`] reads them.
pub(super) const FILE_COLUMNS: &str = "g.file_id, f.object_key, g.generation, g.etag, g.size, g.last_modified, g.date, \
    g.state, g.row_count, g.accepted, g.rejected, g.rejections, g.warnings, \
    g.warning_examples, g.position, g.chunk, g.format, g.compression, \
    g.error, g.discovered_at, g.updated_at, g.finished_at, g.claimed_by, g.attempts, g.replaces";

/// Generations `g` with their files `f`.
pub(super) const GENERATIONS_OF_FILES: &str =
    "FROM generations g JOIN files f ON f.source_id = g.source_id AND f.file_id = g.file_id";

/// Read off `generations_by_date`, as by its condition.
const OF_SOURCE: &str = "WHERE g.source_id = $1 AND (g.date, g.discovered_at, g.file_id, g.generation) < ($2, $3, $4, $5) \
    AND g.generation > 0 \
    AND EXISTS (SELECT 1 FROM sources s WHERE s.source_id = $1 AND s.account_id = $6 AND s.state <> 'deleted')";
const NEWEST_FIRST: &str =
    "ORDER BY g.date DESC, g.discovered_at DESC, g.file_id DESC, g.generation DESC LIMIT $7";

/// Generations that are on the queue or being read, of all sources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// On the queue.
    pub published: u64,
    /// Being read.
    pub claimed: u64,
    /// Those of both that have not moved for longer than they should.
    pub stuck: u64,
    /// When the one that has not moved for longest last did.
    pub oldest: Option<Timestamp>,
}

impl Store {
    /// The files of the account's source that the filter lets through: newest date first, within a date the newest discovered first.
    /// [`StoreError::NotFound`] where the source is another's, or deleted.
    pub async fn list_files(
        &self,
        account: &AccountId,
        source: &SourceId,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<Page<File>> {
        // No date is greater: a colon comes behind the digits.
        let (date, discovered, file_id, generation): FileKey =
            page.after((":".to_owned(), i64::MAX, Vec::new(), i64::MAX))?;
        self.get_source(account, source).await?;
        let query = sql(format!(
            "SELECT {FILE_COLUMNS} {GENERATIONS_OF_FILES} {OF_SOURCE} {} {NEWEST_FIRST}",
            filter.conditions(8)
        ));
        let query = sqlx::query(query)
            .bind(source.as_str())
            .bind(date)
            .bind(discovered)
            .bind(file_id)
            .bind(generation)
            .bind(account.as_str())
            .bind(page.limit());
        let rows = filter.bind(query).fetch_all(&self.pool).await?;
        let files = rows.iter().map(file).collect::<Result<Vec<_>>>()?;
        page.page(files, |file| -> FileKey {
            (
                file.date.to_string(),
                file.discovered_at.as_microsecond(),
                file.file_id.as_bytes().to_vec(),
                i64::from(file.generation),
            )
        })
    }

    /// A generation of the account's file, the newest where `generation` is 0, and the first of its rows that were
    /// refused; at most `limit`. [`StoreError::NotFound`] where there is no such source or file.
    pub async fn file_errors(
        &self,
        account: &AccountId,
        source: &SourceId,
        object_key: &str,
        generation: u32,
        limit: u32,
    ) -> Result<(File, Vec<RowError>)> {
        self.get_source(account, source).await?;
        let file_id = FileId::of(source.as_str(), object_key);
        let found = sqlx::query(sql(format!(
            "SELECT {FILE_COLUMNS} {GENERATIONS_OF_FILES} WHERE g.source_id = $1 AND g.file_id = $2 \
             AND (g.generation = $3 OR $3 = 0) ORDER BY g.generation DESC LIMIT 1"
        )))
        .bind(source.as_str())
        .bind(file_id.as_bytes().to_vec())
        .bind(i64::from(generation))
        .fetch_optional(&self.pool)
        .await?;
        let no_file = || StoreError::NotFound { kind: "file", id: object_key.to_owned() };
        let found = found.as_ref().map(file).ok_or_else(no_file)??;
        let rows = sqlx::query(
            "SELECT row_number, position, detail FROM row_errors \
             WHERE source_id = $1 AND file_id = $2 AND generation = $3 ORDER BY position LIMIT $4",
        )
        .bind(source.as_str())
        .bind(file_id.as_bytes().to_vec())
        .bind(i64::from(found.generation))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok((found, rows.iter().map(row_error).collect::<Result<_>>()?))
    }

    /// What is on the queue and being read, of all sources; what has not moved since `stuck_since` counts as stuck.
    pub async fn unfinished(&self, stuck_since: Timestamp) -> Result<Unfinished> {
        let rows = sqlx::query(
            "SELECT state, COUNT(*) AS files, SUM(CASE WHEN updated_at < $1 THEN 1 ELSE 0 END) AS stuck, \
             MIN(updated_at) AS oldest FROM generations WHERE phase = 'under_way' GROUP BY state",
        )
        .bind(stuck_since.as_microsecond())
        .fetch_all(&self.pool)
        .await?;
        let mut unfinished = Unfinished::default();
        for row in rows.iter().map(Columns) {
            let files = row.count("files")?;
            match FileState::parse(&row.text("state")?)? {
                FileState::Published => unfinished.published = files,
                _ => unfinished.claimed = files,
            }
            unfinished.stuck += row.count("stuck")?;
            let oldest = row.time("oldest")?;
            unfinished.oldest = Some(unfinished.oldest.map_or(oldest, |known| known.min(oldest)));
        }
        Ok(unfinished)
    }
}

pub(super) fn file(row: &AnyRow) -> Result<File> {
    let row = Columns(row);
    Ok(File {
        file_id: row.file_id("file_id")?,
        object_key: row.text("object_key")?,
        generation: row.small("generation")?,
        etag: row.text("etag")?,
        size: row.count("size")?,
        last_modified: row.time("last_modified")?,
        date: row.date("date")?,
        state: FileState::parse(&row.text("state")?)?,
        rows: row.count("row_count")?,
        accepted: row.count("accepted")?,
        rejected: row.count("rejected")?,
        rejections: row.json("rejections")?,
        warnings: row.json("warnings")?,
        warning_examples: row.json("warning_examples")?,
        position: row.count("position")?,
        chunk: row.small("chunk")?,
        format: row.text("format")?,
        compression: row.text("compression")?,
        error: row.json_or_none("error")?,
        discovered_at: row.time("discovered_at")?,
        updated_at: row.time("updated_at")?,
        finished_at: row.time_or_none("finished_at")?,
        replaces: row.small("replaces")?,
        worker_id: row.text_or_none("claimed_by")?.unwrap_or_default(),
        attempts: row.small("attempts")?,
    })
}

fn row_error(row: &AnyRow) -> Result<RowError> {
    let row = Columns(row);
    let detail: RowErrorDetail = row.json("detail")?;
    Ok(RowError {
        row_number: row.int_or_none("row_number")?.and_then(|number| u64::try_from(number).ok()),
        position: row.count("position")?,
        code: detail.code,
        column: detail.column,
        reason: detail.reason,
        advice: detail.advice,
        raw: detail.raw,
    })
}
