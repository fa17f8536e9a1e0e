//! Accounts, sources, leases and messages as the cases need them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::{Timestamp, civil::Date};
use ledger::{FileId, attempt::Asking, claim::QueuePosition};
use records::queue::{Counters, FileProgress, Outcome, SampleRow};
use registry::store::{
    Account, AccountId, Claim, Day, File, Filter, InvalidRows, LeaseToken, ListedObject, NewSource,
    OverwritePolicy, PageRequest, SchemaVersion, Source, SourceId, SourceSettings, SourceState, Store,
};

pub(crate) const TTL: Duration = Duration::from_secs(60);
pub(crate) const OBJECTS: &str = "cortex.objects.v1";
pub(crate) const MOST_ATTEMPTS: u32 = 3;
pub(crate) const PROGRESS: &str = "cortex.file-progress.v1";

/// Seconds after the beginning of the tests' time.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).expect("a time in range")
}

pub(crate) async fn account(store: &Store, id: &str) -> Result<AccountId> {
    let account = Account {
        id: id.into(),
        display_name: id.to_uppercase(),
        external_id: format!("external-{id}"),
        previous_external_id: None,
        previous_until: None,
        deletions_version: 0,
        created: at(0),
    };
    Ok(store.create_account(&account, None).await?.id)
}

pub(crate) fn draft(account: &AccountId, request: Option<&str>) -> NewSource {
    NewSource {
        id: uuid::Uuid::new_v4().to_string().into(),
        account: account.clone(),
        settings: SourceSettings {
            display_name: "Events".to_owned(),
            dataset: "events".to_owned(),
            bucket: "bucket".to_owned(),
            path: "exports/events".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/cortex".to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint_url: String::new(),
            expected_bucket_owner: "123456789012".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            schema: SchemaVersion { version: 1, json: r#"{"columns":[]}"#.to_owned() },
            invalid_rows: InvalidRows::RejectFile,
            overwrite_policy: OverwritePolicy::Replace,
            max_rejected: 250,
            event_queue_url: String::new(),
        },
        sealed_keys: None,
        request_id: request.map(str::to_owned),
    }
}

/// An active source, due at once.
pub(crate) async fn active(store: &Store, account: &AccountId) -> Result<Source> {
    let source = store.create_source(&draft(account, None), at(0)).await?;
    Ok(store.set_source_state(account, &source.id, source.revision, SourceState::Active, at(0)).await?)
}

pub(crate) async fn lease(store: &Store, worker: &str, now: Timestamp) -> Result<LeaseToken> {
    let lease = store.lease_due_scan(worker, TTL, now).await?.context("a source is due")?;
    Ok(lease.token)
}

/// Account `acme` with one active source, leased.
pub(crate) async fn scanning(store: &Store) -> Result<(AccountId, LeaseToken)> {
    let account = account(store, "acme").await?;
    active(store, &account).await?;
    Ok((account, lease(store, "scanner-1", at(0)).await?))
}

pub(crate) fn listed(date: &str, name: &str, etag: &str) -> ListedObject {
    ListedObject {
        object_key: format!("exports/events/{date}/{name}"),
        etag: etag.to_owned(),
        size: 1234,
        last_modified: at(-100),
        date: date.parse::<Date>().expect("a date"),
    }
}

pub(crate) fn file_id(source: &SourceId, object: &ListedObject) -> FileId {
    FileId::of(source.as_str(), &object.object_key)
}

pub(crate) fn claim(source: &SourceId, object: &ListedObject, generation: u32, offset: i64) -> Claim {
    Claim {
        source: source.clone(),
        file_id: file_id(source, object),
        generation,
        range: 0,
        at: QueuePosition { topic: OBJECTS.to_owned(), partition: 0, offset },
        attempt: attempt("one", 0, false),
    }
}

pub(crate) fn attempt(name: &str, chunk: u32, alone: bool) -> Asking {
    Asking { name: name.to_owned(), chunk, alone }
}

/// Account `acme`, its source leased, and one file of it recorded, published and claimed at offset 0.
pub(crate) async fn reading(store: &Store) -> Result<(AccountId, LeaseToken, ListedObject)> {
    let (account, token) = scanning(store).await?;
    let object = listed("2026-11-23", "a.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&object), at(1)).await?;
    store.claim("parser-1", &[claim(&token.source, &object, 1, 0)], MOST_ATTEMPTS, at(2)).await?;
    Ok((account, token, object))
}

/// A progress message: `accepted` and `rejected` are the totals up to the chunk.
pub(crate) fn chunk(
    account: &AccountId,
    source: &SourceId,
    object: &ListedObject,
    chunk: u32,
    (accepted, rejected): (u64, u64),
    outcome: Outcome,
) -> FileProgress {
    FileProgress {
        account_id: account.to_string(),
        source_id: source.to_string(),
        file_id: file_id(source, object).as_bytes().to_vec(),
        generation: 1,
        object_key: object.object_key.clone(),
        chunk,
        totals: Some(Counters {
            rows: accepted + rejected,
            accepted,
            rejected,
            rejections: (rejected > 0).then(|| ("invalid_type".to_owned(), rejected)).into_iter().collect(),
            ..Counters::default()
        }),
        position: (accepted + rejected) * 10,
        outcome: outcome.into(),
        format: "csv".to_owned(),
        compression: "gzip".to_owned(),
        samples: vec![SampleRow {
            message: "cortex.records.v1.Event".to_owned(),
            record: chunk.to_be_bytes().to_vec(),
        }],
        ..FileProgress::default()
    }
}

/// All files of a source, by one page.
pub(crate) async fn files(store: &Store, account: &AccountId, source: &SourceId) -> Result<Vec<File>> {
    Ok(store.list_files(account, source, &Filter::default(), &page(1000)).await?.items)
}

/// All days of a source, newest first.
pub(crate) async fn days(store: &Store, account: &AccountId, source: &SourceId) -> Result<Vec<Day>> {
    Ok(store.list_days(account, source, Date::MIN, Date::MAX).await?)
}

pub(crate) fn page(size: u32) -> PageRequest {
    PageRequest { size, token: String::new() }
}
