use std::fmt;

use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{
    AccountId, Attention, Filter, Page, PageRequest, Result, SourceId, Store, StoreError, Tx, dialect::int,
    row::Columns, sql,
};

/// What a source is allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Made, never scanned.
    Draft,
    /// Scanned when due.
    Active,
    /// Not scanned; what is on the queue is still read.
    Paused,
    /// Gone for the customer; its rows stay for the ledger.
    Deleted,
}

impl SourceState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Deleted => "deleted",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Draft, Self::Active, Self::Paused, Self::Deleted]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::corrupt(format!("sources.state is {text:?}")))
    }
}

/// One version of a source's schema, as the service writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaVersion {
    /// From 1, greater with every change.
    pub version: u32,
    /// JSON text; the store does not look inside.
    pub json: String,
}

/// Static keys, sealed by the caller. `Debug` shows their length only.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKeys(pub Vec<u8>);

impl fmt::Debug for SealedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedKeys({} bytes)", self.0.len())
    }
}

/// Where a source reads, and as what: the part that its customer sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// For people.
    pub display_name: String,
    /// Which dataset its files are; kept as given (the service's name of it).
    pub dataset: String,
    /// Bucket.
    pub bucket: String,
    /// Folder path in the bucket, without slashes at its ends; empty for the bucket's root.
    pub path: String,
    /// The customer's role; empty with static keys.
    pub role_arn: String,
    /// Region.
    pub region: String,
    /// Empty for Amazon's own in the region.
    pub endpoint_url: String,
    /// Empty where not known.
    pub expected_bucket_owner: String,
    /// IANA zone of timestamps without an offset; empty for UTC.
    pub time_zone: String,
    /// The schema in force.
    pub schema: SchemaVersion,
    /// What an invalid row does.
    pub invalid_rows: InvalidRows,
    /// What a changed object does.
    pub overwrite_policy: OverwritePolicy,
    /// A file with more of its rows refused is rejected whole: hundredths of a percent; 0 for no limit.
    pub max_rejected: u32,
    /// The SQS queue of the bucket's event notifications; empty for none.
    pub event_queue_url: String,
}

/// What an object that was changed in S3 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverwritePolicy {
    /// It is read as the next generation, whose records replace those of the one before.
    #[default]
    Replace,
    /// It is read as the next generation, whose records stand beside those of the one before.
    IngestAgain,
    /// It is left alone.
    Ignore,
}

impl OverwritePolicy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::IngestAgain => "ingest_again",
            Self::Ignore => "ignore",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        [Self::Replace, Self::IngestAgain, Self::Ignore]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| StoreError::corrupt(format!("sources.overwrite_policy is {text:?}")))
    }
}

/// What an invalid row does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidRows {
    /// It is rejected; the others of its file are published.
    #[default]
    RejectRow,
    /// It rejects its whole file.
    RejectFile,
}

impl InvalidRows {
    fn as_str(self) -> &'static str {
        match self {
            Self::RejectRow => "reject_row",
            Self::RejectFile => "reject_file",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::RejectRow, Self::RejectFile]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| StoreError::corrupt(format!("sources.invalid_rows is {text:?}")))
    }
}

/// A source to be made.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Its id: a fresh UUID.
    pub id: SourceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it reads.
    pub settings: SourceSettings,
    /// Static keys, where the source has them.
    pub sealed_keys: Option<SealedKeys>,
    /// Makes a repeated create harmless; `None` where the caller gave none.
    pub request_id: Option<String>,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where it reads.
    pub settings: SourceSettings,
    /// What it is allowed to do.
    pub state: SourceState,
    /// Grows with every change by the customer (not with scans): what the API shows as its etag.
    pub revision: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When the customer last changed it.
    pub updated: Timestamp,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// Why it needs attention; `None` while it does not.
    pub attention: Option<Attention>,
    /// Changes with every change of its account's deletion list; 0 while nothing was ever on it.
    pub deletions_version: u64,
    /// What the last scan found.
    pub discovery: Discovery,
}

/// What the last completed scan of a source found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Discovery {
    /// When it ended; `None` before the first.
    pub last_scan_at: Option<Timestamp>,
    /// When the next is due; `None` where none is planned.
    pub next_scan_at: Option<Timestamp>,
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
}

/// Files of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatSeen {
    /// Such as csv.
    pub format: String,
    /// Such as gzip.
    pub compression: String,
    /// How many came to rest.
    pub files: u64,
}

/// What went wrong, for the customer.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// As in the documentation.
    pub code: String,
    /// In plain words.
    pub reason: String,
    /// What to do about it.
    pub advice: String,
    /// The byte, after decompression, where it happened; 0 where that says nothing.
    pub position: u64,
}

/// A source with what its last scan found, as [`source`] reads it.
pub(super) const SELECT_SOURCE: &str = "SELECT s.source_id, s.account_id, s.display_name, s.dataset, s.state, \
    s.bucket, s.path, s.role_arn, s.region, s.endpoint_url, s.expected_bucket_owner, s.time_zone, \
    s.schema_version, s.schema_json, s.invalid_rows, s.overwrite_policy, s.max_rejected, s.event_queue_url, \
    s.revision, s.created_at, s.updated_at, s.deleted_at, c.last_scan_at, c.next_scan_at, c.folders, c.objects, \
    c.list_requests, c.outside, c.outside_examples, c.left_alone, c.scan_error, c.attention, a.deletions_version \
    FROM sources s JOIN scans c ON c.source_id = s.source_id JOIN accounts a ON a.account_id = s.account_id";

const INSERT_SOURCE: &str = "INSERT INTO sources (source_id, account_id, display_name, dataset, state, bucket, \
    path, role_arn, region, endpoint_url, expected_bucket_owner, time_zone, schema_version, schema_json, \
    sealed_keys, request_id, invalid_rows, overwrite_policy, max_rejected, event_queue_url, revision, created_at, \
    updated_at) \
    VALUES ($1, $2, $3, $4, 'draft', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 1, $20, \
    $20) \
    ON CONFLICT (account_id, request_id) DO NOTHING";

impl Store {
    /// Makes a draft. With a `request_id` that the account used before, gives the source made then, as it stands now
    /// (it may have been deleted since). [`StoreError::NotFound`] where there is no such account.
    pub async fn create_source(&self, source: &NewSource, now: Timestamp) -> Result<Source> {
        let mut tx = self.begin().await?;
        let id = if insert(&mut tx, source, now).await? {
            sqlx::query("INSERT INTO scans (source_id) VALUES ($1)")
                .bind(source.id.as_str())
                .execute(&mut *tx)
                .await?;
            keep_schema(&mut tx, &source.id, &source.settings.schema, now).await?;
            source.id.clone()
        } else {
            made_by_request(&mut tx, source).await?
        };
        let made = read(&mut tx, &source.account, &id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// The account's source; [`StoreError::NotFound`] where it is another's, or deleted.
    pub async fn get_source(&self, account: &AccountId, id: &SourceId) -> Result<Source> {
        let row = sqlx::query(sql(format!(
            "{SELECT_SOURCE} WHERE s.account_id = $1 AND s.source_id = $2 AND s.state <> 'deleted'"
        )))
        .bind(account.as_str())
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(self::source).ok_or_else(|| StoreError::no_source(id))?
    }

    /// The account's sources that the filter lets through, oldest first.
    pub async fn list_sources(
        &self,
        account: &AccountId,
        filter: &Filter,
        page: &PageRequest,
    ) -> Result<Page<Source>> {
        let (created, id) = page.after((i64::MIN, String::new()))?;
        let query = sql(format!(
            "{SELECT_SOURCE} WHERE s.account_id = $1 \
             AND (s.created_at, s.source_id) > ($2, $3) {} ORDER BY s.created_at, s.source_id LIMIT $4",
            filter.conditions(5)
        ));
        let query = sqlx::query(query).bind(account.as_str()).bind(created).bind(id).bind(page.limit());
        let rows = filter.bind(query).fetch_all(&self.pool).await?;
        let sources = rows.iter().map(self::source).collect::<Result<Vec<_>>>()?;
        page.page(sources, |source| (source.created.as_microsecond(), source.id.as_str().to_owned()))
    }

    /// Sets the state of a source that the caller read at `revision` (whether the step is allowed is the caller's to
    /// decide); [`StoreError::Conflict`] where it changed since. `Active` makes it due at once; any other state ends a
    /// running scan (its lease is lost). A deleted one may become `Paused` again until it is purged.
    pub async fn set_source_state(
        &self,
        account: &AccountId,
        id: &SourceId,
        revision: u64,
        state: SourceState,
        now: Timestamp,
    ) -> Result<Source> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sources SET state = $4, revision = revision + 1, updated_at = $5, \
             deleted_at = CASE WHEN $4 = 'deleted' THEN $5 END \
             WHERE account_id = $1 AND source_id = $2 AND revision = $3 AND (state <> 'deleted' OR $4 = 'paused')",
        )
        .bind(account.as_str())
        .bind(id.as_str())
        .bind(int(revision))
        .bind(state.as_str())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(changed_or_absent(&mut tx, account, id).await);
        }
        let due = (state == SourceState::Active).then_some(now.as_microsecond());
        // The fence grows, so that a scan under way is refused from here on.
        sqlx::query(
            "UPDATE scans SET next_scan_at = $2, fence = fence + 1, lease_worker = NULL, lease_expires_at = NULL, \
             events_worker = NULL, events_expires_at = NULL, attention = NULL, failures = 0 WHERE source_id = $1",
        )
        .bind(id.as_str())
        .bind(due)
        .execute(&mut *tx)
        .await?;
        let source = read(&mut tx, account, id).await?;
        tx.commit().await?;
        Ok(source)
    }

    /// Changes the settings of a source that the caller read at `revision`, but for its dataset and schema; with new static
    /// keys, where some are given. [`StoreError::Conflict`] where it changed since. A scan under way is refused from here
    /// on; an active source is due at once, and listed in full.
    pub async fn update_source(
        &self,
        account: &AccountId,
        id: &SourceId,
        revision: u64,
        settings: &SourceSettings,
        sealed_keys: Option<&SealedKeys>,
        now: Timestamp,
    ) -> Result<Source> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sources SET display_name = $4, bucket = $5, path = $6, role_arn = $7, region = $8, \
             endpoint_url = $9, expected_bucket_owner = $10, time_zone = $11, invalid_rows = $12, \
             overwrite_policy = $13, max_rejected = $14, event_queue_url = $15, \
             sealed_keys = COALESCE($16, sealed_keys), revision = revision + 1, updated_at = $17 \
             WHERE account_id = $1 AND source_id = $2 AND revision = $3 AND state <> 'deleted'",
        )
        .bind(account.as_str())
        .bind(id.as_str())
        .bind(int(revision))
        .bind(settings.display_name.as_str())
        .bind(settings.bucket.as_str())
        .bind(settings.path.as_str())
        .bind(settings.role_arn.as_str())
        .bind(settings.region.as_str())
        .bind(settings.endpoint_url.as_str())
        .bind(settings.expected_bucket_owner.as_str())
        .bind(settings.time_zone.as_str())
        .bind(settings.invalid_rows.as_str())
        .bind(settings.overwrite_policy.as_str())
        .bind(i64::from(settings.max_rejected))
        .bind(settings.event_queue_url.as_str())
        .bind(sealed_keys.map(|keys| keys.0.clone()))
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(changed_or_absent(&mut tx, account, id).await);
        }
        sqlx::query(
            "UPDATE scans SET next_scan_at = CASE WHEN next_scan_at IS NOT NULL THEN $2 END, fence = fence + 1, \
             lease_worker = NULL, lease_expires_at = NULL, events_worker = NULL, events_expires_at = NULL, \
             marks = '[]' WHERE source_id = $1",
        )
        .bind(id.as_str())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        let source = read(&mut tx, account, id).await?;
        tx.commit().await?;
        Ok(source)
    }

    /// The account's source that is deleted and not purged yet.
    pub async fn get_deleted_source(&self, account: &AccountId, id: &SourceId) -> Result<Source> {
        let row = sqlx::query(sql(format!(
            "{SELECT_SOURCE} WHERE s.account_id = $1 AND s.source_id = $2 AND s.state = 'deleted'"
        )))
        .bind(account.as_str())
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(self::source).ok_or_else(|| StoreError::no_source(id))?
    }

    /// How many sources the account has that are not deleted.
    pub async fn count_sources(&self, account: &AccountId) -> Result<u64> {
        let row = sqlx::query(
            "SELECT COUNT(*) AS sources FROM sources WHERE account_id = $1 AND state <> 'deleted'",
        )
        .bind(account.as_str())
        .fetch_one(&self.pool)
        .await?;
        Columns(&row).count("sources")
    }

    /// Puts a new version of the schema in force and keeps it in the history; [`StoreError::Conflict`] where the
    /// source changed since `revision`, [`StoreError::AlreadyExists`] where the version was used before.
    pub async fn set_source_schema(
        &self,
        account: &AccountId,
        id: &SourceId,
        revision: u64,
        schema: &SchemaVersion,
        now: Timestamp,
    ) -> Result<Source> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "UPDATE sources SET schema_version = $4, schema_json = $5, revision = revision + 1, updated_at = $6 \
             WHERE account_id = $1 AND source_id = $2 AND revision = $3 AND state <> 'deleted'",
        )
        .bind(account.as_str())
        .bind(id.as_str())
        .bind(int(revision))
        .bind(i64::from(schema.version))
        .bind(schema.json.as_str())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(changed_or_absent(&mut tx, account, id).await);
        }
        keep_schema(&mut tx, id, schema, now).await?;
        let source = read(&mut tx, account, id).await?;
        tx.commit().await?;
        Ok(source)
    }

    /// Every version of the schema of the account's source and when it came into force, oldest first.
    pub async fn list_source_schemas(
        &self,
        account: &AccountId,
        id: &SourceId,
    ) -> Result<Vec<(SchemaVersion, Timestamp)>> {
        let rows = sqlx::query(
            "SELECT h.version, h.schema_json, h.created_at FROM source_schemas h JOIN sources s ON s.source_id = h.source_id \
             WHERE s.account_id = $1 AND s.source_id = $2 AND s.state <> 'deleted' ORDER BY h.version",
        )
        .bind(account.as_str())
        .bind(id.as_str())
        .fetch_all(&self.pool)
        .await?;
        let version = |row: &AnyRow| {
            let row = Columns(row);
            let version = SchemaVersion { version: row.small("version")?, json: row.text("schema_json")? };
            Ok((version, row.time("created_at")?))
        };
        rows.iter().map(version).collect()
    }

    /// For workers, who serve every account: the source, unless it is deleted.
    pub async fn source_for_worker(&self, id: &SourceId) -> Result<Source> {
        let row =
            sqlx::query(sql(format!("{SELECT_SOURCE} WHERE s.source_id = $1 AND s.state <> 'deleted'")))
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await?;
        row.as_ref().map(self::source).ok_or_else(|| StoreError::no_source(id))?
    }

    /// The source's static keys, where it has them and is not deleted. For the issue of credentials only.
    pub async fn sealed_keys(&self, id: &SourceId) -> Result<Option<SealedKeys>> {
        let row = sqlx::query("SELECT sealed_keys FROM sources WHERE source_id = $1 AND state <> 'deleted'")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(|| StoreError::no_source(id))?;
        Ok(Columns(&row).bytes_or_none("sealed_keys")?.map(SealedKeys))
    }
}

/// False where the account's request has made a source before.
async fn insert(tx: &mut Tx, source: &NewSource, now: Timestamp) -> Result<bool> {
    let settings = &source.settings;
    let done = sqlx::query(INSERT_SOURCE)
        .bind(source.id.as_str())
        .bind(source.account.as_str())
        .bind(settings.display_name.as_str())
        .bind(settings.dataset.as_str())
        .bind(settings.bucket.as_str())
        .bind(settings.path.as_str())
        .bind(settings.role_arn.as_str())
        .bind(settings.region.as_str())
        .bind(settings.endpoint_url.as_str())
        .bind(settings.expected_bucket_owner.as_str())
        .bind(settings.time_zone.as_str())
        .bind(i64::from(settings.schema.version))
        .bind(settings.schema.json.as_str())
        .bind(source.sealed_keys.as_ref().map(|keys| keys.0.clone()))
        .bind(source.request_id.as_deref())
        .bind(settings.invalid_rows.as_str())
        .bind(settings.overwrite_policy.as_str())
        .bind(i64::from(settings.max_rejected))
        .bind(settings.event_queue_url.as_str())
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await;
    match done {
        Ok(done) => Ok(done.rows_affected() == 1),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => {
            Err(StoreError::no_account(&source.account))
        }
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            Err(StoreError::AlreadyExists { kind: "source", id: source.id.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

async fn made_by_request(tx: &mut Tx, source: &NewSource) -> Result<SourceId> {
    let row = sqlx::query("SELECT source_id FROM sources WHERE account_id = $1 AND request_id = $2")
        .bind(source.account.as_str())
        .bind(source.request_id.as_deref())
        .fetch_one(&mut **tx)
        .await?;
    Ok(Columns(&row).text("source_id")?.into())
}

async fn keep_schema(tx: &mut Tx, id: &SourceId, schema: &SchemaVersion, now: Timestamp) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO source_schemas (source_id, version, schema_json, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(id.as_str())
    .bind(i64::from(schema.version))
    .bind(schema.json.as_str())
    .bind(now.as_microsecond())
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::AlreadyExists { kind: "schema version", id: schema.version.to_string() });
    }
    Ok(())
}

/// The source as this transaction leaves it, deleted or not.
async fn read(tx: &mut Tx, account: &AccountId, id: &SourceId) -> Result<Source> {
    let row = sqlx::query(sql(format!("{SELECT_SOURCE} WHERE s.account_id = $1 AND s.source_id = $2")))
        .bind(account.as_str())
        .bind(id.as_str())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or_else(|| StoreError::no_source(id))?;
    source(&row)
}

/// Why a conditional update met no row.
async fn changed_or_absent(tx: &mut Tx, account: &AccountId, id: &SourceId) -> StoreError {
    match read(tx, account, id).await {
        Ok(source) if source.state != SourceState::Deleted => {
            StoreError::Conflict { kind: "source", id: id.to_string() }
        }
        Ok(_) => StoreError::no_source(id),
        Err(error) => error,
    }
}

/// Reads what [`SELECT_SOURCE`] gives.
pub(super) fn source(row: &AnyRow) -> Result<Source> {
    let row = Columns(row);
    Ok(Source {
        id: row.text("source_id")?.into(),
        account: row.text("account_id")?.into(),
        settings: SourceSettings {
            display_name: row.text("display_name")?,
            dataset: row.text("dataset")?,
            bucket: row.text("bucket")?,
            path: row.text("path")?,
            role_arn: row.text("role_arn")?,
            region: row.text("region")?,
            endpoint_url: row.text("endpoint_url")?,
            expected_bucket_owner: row.text("expected_bucket_owner")?,
            time_zone: row.text("time_zone")?,
            schema: SchemaVersion { version: row.small("schema_version")?, json: row.text("schema_json")? },
            invalid_rows: InvalidRows::parse(&row.text("invalid_rows")?)?,
            overwrite_policy: OverwritePolicy::parse(&row.text("overwrite_policy")?)?,
            max_rejected: row.small("max_rejected")?,
            event_queue_url: row.text("event_queue_url")?,
        },
        state: SourceState::parse(&row.text("state")?)?,
        revision: row.count("revision")?,
        created: row.time("created_at")?,
        updated: row.time("updated_at")?,
        deleted: row.time_or_none("deleted_at")?,
        attention: row.json_or_none("attention")?,
        deletions_version: row.count("deletions_version")?,
        discovery: Discovery {
            last_scan_at: row.time_or_none("last_scan_at")?,
            next_scan_at: row.time_or_none("next_scan_at")?,
            folders: row.count("folders")?,
            objects: row.count("objects")?,
            list_requests: row.count("list_requests")?,
            outside: row.count("outside")?,
            outside_examples: row.json("outside_examples")?,
            left_alone: row.count("left_alone")?,
            error: row.json_or_none("scan_error")?,
        },
    })
}
