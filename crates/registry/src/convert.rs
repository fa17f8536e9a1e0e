//! The store's rows as the API's messages.

use api::registry::{
    Account, AccountToken, Discovery, File, FileProblem, FileState, FileWarning, FormatSeen, InvalidRows,
    OverwritePolicy, RowError, Sample, Source, SourceAttention, SourceState, TokenScope,
};
use std::time::Duration;

use api::worker::{ClaimDecision, SourceWork};
use jiff::Timestamp;
use ledger::claim::Decision;

use crate::config::PlatformIdentity;
use crate::name;
use crate::schema::{dataset_from_name, schema_to_api};
use crate::store;

/// As protobuf writes it.
pub(crate) fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// From protobuf; the epoch where absent or out of range.
pub(crate) fn from_timestamp(at: Option<prost_types::Timestamp>) -> Timestamp {
    at.and_then(|at| Timestamp::new(at.seconds, at.nanos).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn account(account: store::Account) -> Account {
    let previous = account.previous_at(Timestamp::now()).map(str::to_owned);
    Account {
        name: format!("accounts/{}", account.id),
        display_name: account.display_name,
        external_id: account.external_id,
        create_time: Some(timestamp(account.created)),
        previous_external_id_expire_time: previous.as_ref().and(account.previous_until).map(timestamp),
        previous_external_id: previous.unwrap_or_default(),
    }
}

pub(crate) fn token(token: store::AccountToken) -> AccountToken {
    AccountToken {
        name: format!("accounts/{}/tokens/{}", token.account, token.id),
        display_name: token.display_name,
        scope: scope(token.scope) as i32,
        create_time: Some(timestamp(token.created)),
        expire_time: token.expires.map(timestamp),
    }
}

pub(crate) fn scope(scope: store::Scope) -> TokenScope {
    match scope {
        store::Scope::ReadOnly => TokenScope::ReadOnly,
        store::Scope::ReadWrite => TokenScope::ReadWrite,
    }
}

/// A source; one that is deleted is gone `delete_grace` later.
pub(crate) fn source(source: store::Source, delete_grace: Duration) -> Source {
    let attention = source.attention.filter(|_| source.state == store::SourceState::Active).map(attention);
    let purge_time = source.deleted.and_then(|at| at.checked_add(delete_grace).ok()).map(timestamp);
    let settings = source.settings;
    let schema = schema(&source.id, &settings.schema);
    Source {
        name: name::of_source(&source.account, &source.id),
        display_name: settings.display_name,
        dataset: dataset_from_name(&settings.dataset) as i32,
        state: match attention {
            Some(_) => SourceState::NeedsAttention,
            None => state(source.state),
        } as i32,
        attention,
        delete_time: source.deleted.map(timestamp),
        purge_time,
        overwrite_policy: match settings.overwrite_policy {
            store::OverwritePolicy::Replace => OverwritePolicy::Replace,
            store::OverwritePolicy::IngestAgain => OverwritePolicy::IngestAgain,
            store::OverwritePolicy::Ignore => OverwritePolicy::Ignore,
        } as i32,
        max_rejected_percent: f64::from(settings.max_rejected) / 100.0,
        event_queue_url: settings.event_queue_url,
        bucket: settings.bucket,
        path: settings.path,
        role_arn: settings.role_arn,
        region: settings.region,
        endpoint_url: settings.endpoint_url,
        schema,
        time_zone: settings.time_zone,
        create_time: Some(timestamp(source.created)),
        update_time: Some(timestamp(source.updated)),
        etag: source.revision.to_string(),
        discovery: Some(discovery(source.discovery)),
        expected_bucket_owner: settings.expected_bucket_owner,
        invalid_rows: match settings.invalid_rows {
            store::InvalidRows::RejectRow => InvalidRows::RejectRow,
            store::InvalidRows::RejectFile => InvalidRows::RejectFile,
        } as i32,
    }
}

/// A stored version of a source's schema.
pub(crate) fn schema(
    source: &store::SourceId,
    stored: &store::SchemaVersion,
) -> Option<api::registry::Schema> {
    dataset::Schema::parse_json(&stored.json)
        .map(|schema| api::registry::Schema { version: stored.version, ..schema_to_api(&schema) })
        .inspect_err(|error| tracing::error!(%source, %error, "the stored schema does not hold"))
        .ok()
}

fn attention(attention: store::Attention) -> SourceAttention {
    let kind = match attention.kind {
        store::AttentionKind::List | store::AttentionKind::Read => "access",
        store::AttentionKind::Events => "events",
        store::AttentionKind::Data => "data",
    };
    let at = |microsecond| Timestamp::from_microsecond(microsecond).ok().map(timestamp);
    SourceAttention {
        kind: kind.to_owned(),
        problem: Some(problem(attention.problem)),
        since: at(attention.since),
        retries: attention.retries,
        next_retry_time: attention.retry_at.and_then(at),
    }
}

pub(crate) fn format_seen(seen: store::FormatSeen) -> FormatSeen {
    FormatSeen { format: seen.format, compression: seen.compression, files: seen.files }
}

pub(crate) fn row_error(error: store::RowError) -> RowError {
    RowError {
        row_number: error.row_number,
        position: error.position,
        code: error.code,
        column: error.column,
        reason: error.reason,
        advice: error.advice,
        raw: error.raw,
    }
}

fn state(state: store::SourceState) -> SourceState {
    match state {
        store::SourceState::Draft => SourceState::Draft,
        store::SourceState::Active => SourceState::Active,
        store::SourceState::Paused => SourceState::Paused,
        store::SourceState::Deleted => SourceState::Deleted,
    }
}

fn discovery(discovery: store::Discovery) -> Discovery {
    Discovery {
        last_scan_time: discovery.last_scan_at.map(timestamp),
        next_scan_time: discovery.next_scan_at.map(timestamp),
        folders: discovery.folders,
        objects: discovery.objects,
        outside: discovery.outside,
        outside_examples: discovery.outside_examples,
        error: discovery.error.map(problem),
        list_requests: discovery.list_requests,
        left_alone: discovery.left_alone,
        formats: Vec::new(),
    }
}

fn problem(problem: store::Problem) -> FileProblem {
    FileProblem {
        code: problem.code,
        reason: problem.reason,
        advice: problem.advice,
        position: problem.position,
    }
}

/// A file, with what is to be said where it has not moved since `stuck_since`.
pub(crate) fn file(file: store::File, stuck_since: Timestamp) -> File {
    let stuck = stuck(&file, stuck_since);
    File {
        file_id: file.file_id.to_string(),
        object_key: file.object_key,
        generation: file.generation,
        etag: file.etag,
        size: file.size,
        date: file.date.to_string(),
        state: file_state(file.state) as i32,
        rows: file.rows,
        accepted: file.accepted,
        rejected: file.rejected,
        rejections: file.rejections,
        warnings: file.warnings,
        warning_examples: file.warning_examples.into_iter().map(warning).collect(),
        position: file.position,
        format: file.format,
        compression: file.compression,
        error: file.error.map(problem),
        discover_time: Some(timestamp(file.discovered_at)),
        update_time: Some(timestamp(file.updated_at)),
        finish_time: file.finished_at.map(timestamp),
        worker_id: file.worker_id,
        attempts: file.attempts,
        stuck,
        replaces_generation: file.replaces,
    }
}

/// Why a file counts as stuck; none where it does not.
fn stuck(file: &store::File, since: Timestamp) -> Option<FileProblem> {
    if file.updated_at >= since {
        return None;
    }
    let (code, reason) = match file.state {
        store::FileState::Published => {
            ("not_claimed", format!("on the queue since {}, and no parser has claimed it", file.updated_at))
        }
        store::FileState::Claimed => (
            "no_progress",
            format!(
                "{} has claimed it, and nothing of it was published since {} (byte {}, attempt {})",
                file.worker_id, file.updated_at, file.position, file.attempts
            ),
        ),
        _ => return None,
    };
    let advice =
        "see whether parsers run and what they log; if the queue has lost the file, have it reprocessed";
    Some(FileProblem { code: code.to_owned(), reason, advice: advice.to_owned(), position: file.position })
}

fn warning(warning: store::Warning) -> FileWarning {
    FileWarning {
        code: warning.code,
        column: warning.column,
        reason: warning.reason,
        advice: warning.advice,
        row_number: warning.row,
        position: warning.position,
    }
}

fn file_state(state: store::FileState) -> FileState {
    match state {
        store::FileState::Discovered => FileState::Discovered,
        store::FileState::Published => FileState::Published,
        store::FileState::Claimed => FileState::Claimed,
        store::FileState::Accepted => FileState::Accepted,
        store::FileState::AcceptedWithRejections => FileState::AcceptedWithRejections,
        store::FileState::Rejected => FileState::Rejected,
        store::FileState::Incomplete => FileState::Incomplete,
        store::FileState::Superseded => FileState::Superseded,
    }
}

/// A sample, as it may be shown.
pub(crate) fn sample(sample: store::Sample, record: Vec<u8>, json: String) -> Sample {
    Sample {
        object_key: sample.object_key,
        generation: sample.generation,
        receive_time: Some(timestamp(sample.received_at)),
        message: sample.message,
        record,
        json,
    }
}

/// What a worker must know of a source. One without an endpoint of its own is at the platform's.
pub(crate) fn source_work(source: store::Source, platform: &PlatformIdentity) -> SourceWork {
    let owner = bucket_owner(&source.settings);
    let settings = source.settings;
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    SourceWork {
        account_id: source.account.to_string(),
        source_id: source.id.to_string(),
        bucket: settings.bucket,
        path: settings.path,
        endpoint_url: or(settings.endpoint_url, platform.s3_endpoint.as_deref().unwrap_or_default()),
        region: or(settings.region, &platform.region),
        schema_json: settings.schema.json,
        time_zone: or(settings.time_zone, "UTC"),
        expected_bucket_owner: owner,
        reject_file: settings.invalid_rows == store::InvalidRows::RejectFile,
        last_columns: Vec::new(),
        max_rejected_basis_points: settings.max_rejected,
        deletions_version: source.deletions_version,
        event_queue_url: settings.event_queue_url,
    }
}

/// The account whose bucket it must be: the one that is named, else the role's own. A bucket that was deleted and made again
/// by a stranger is refused by that.
fn bucket_owner(settings: &store::SourceSettings) -> String {
    match settings.expected_bucket_owner.as_str() {
        "" => settings.role_arn.split(':').nth(4).unwrap_or_default().to_owned(),
        named => named.to_owned(),
    }
}

pub(crate) fn decision(decision: Decision) -> (ClaimDecision, &'static str) {
    match decision {
        Decision::Granted => (ClaimDecision::Granted, ""),
        Decision::GrantedAgain => (ClaimDecision::GrantedAgain, ""),
        Decision::OwnedByOther => (ClaimDecision::OwnedByOther, "another message owns the generation"),
        Decision::Finished => (ClaimDecision::Finished, "the generation is finished"),
        Decision::Unknown => {
            (ClaimDecision::Unknown, "the ledger does not know it, or its source is deleted")
        }
        Decision::SetAside => (ClaimDecision::SetAside, "too many attempts at reading it were lost"),
    }
}
