//! `worker.v1`: leases, ledger and credentials, for scanners and parsers alone.

use std::time::Duration;

use api::worker::worker_service_server::WorkerService;
use api::worker::{
    ClaimFilesRequest, ClaimFilesResponse, ClaimResult, CompleteScanRequest, CompleteScanResponse,
    IssueCredentialsRequest, IssueCredentialsResponse, LeaseEventQueuesRequest, LeaseEventQueuesResponse,
    LeaseScanRequest, LeaseScanResponse, ListDeletedSubjectsRequest, ListDeletedSubjectsResponse,
    ListUnpublishedRequest, ListUnpublishedResponse, MarkPublishedRequest, MarkPublishedResponse,
    RecordEventsRequest, RecordEventsResponse, RecordObjectsRequest, RecordObjectsResponse,
    ReleaseClaimsRequest, ReleaseClaimsResponse, RenewLeaseRequest, RenewLeaseResponse, ScanLease,
    SourceWork,
};
use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use ledger::FileId;
use ledger::attempt::Asking;
use ledger::claim::QueuePosition;
use serde_json::json;
use tonic::{Request, Response, Status};

use super::{Service, Streamed};
use crate::convert::{self, from_timestamp, timestamp};
use crate::error::CallError;
use crate::name;
use crate::store::{
    Claim, FileGeneration, FolderMark, LeaseToken, ListedFolder, ListedObject, Problem, Recorded,
    ScanCompletion, Source, SourceId, UnpublishedFile,
};

type Answer<T> = Result<Response<T>, Status>;

/// A lease is at least this long: renewing takes a call or two.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);
const LONGEST_LEASE: Duration = Duration::from_secs(600);
/// Where nothing is due, a scanner asks again after at most this; a source that is activated meanwhile waits no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// Where a sweep was interrupted, the source is due again after this.
const SOON: Duration = Duration::from_secs(1);
const MOST_OBJECTS: usize = 1_000;
const MOST_CLAIMS: usize = 1_000;

#[tonic::async_trait]
impl WorkerService for Service {
    async fn lease_scan(&self, request: Request<LeaseScanRequest>) -> Answer<LeaseScanResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        let now = Timestamp::now();
        let leased = self
            .store
            .lease_due_scan(&request.worker_id, ttl(request.ttl_seconds), now)
            .await
            .map_err(CallError::from)?;
        let Some(leased) = leased else {
            let due = self.store.next_due().await.map_err(CallError::from)?;
            let wait = due.map_or(LONGEST_WAIT, |due| {
                Duration::try_from(due.duration_since(now)).unwrap_or(SHORTEST_WAIT)
            });
            let wait = wait.clamp(SHORTEST_WAIT, LONGEST_WAIT);
            let retry_after_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
            return Ok(Response::new(LeaseScanResponse { lease: None, retry_after_ms }));
        };
        let interval = self.config.relist_interval;
        let lease = ScanLease {
            forgotten_until: leased.forgotten_until.map(|date| date.to_string()).unwrap_or_default(),
            marks: leased.marks.into_iter().map(|mark| folder_mark(mark, interval, now)).collect(),
            token: Some(api::worker::LeaseToken {
                source_id: leased.token.source.to_string(),
                fence: leased.token.fence,
            }),
            expires_at: Some(timestamp(leased.expires_at)),
            look_back_from: look_back_from(now, self.config.look_back_days).to_string(),
            // The first scan takes what was there before the source was; later ones only now and then.
            full_sweep: !leased.sweep_cursor.is_empty() || leased.next_sweep_at.is_none_or(|due| due <= now),
            sweep_cursor: leased.sweep_cursor,
            source: Some(convert::source_work(leased.source, &self.config.platform)),
        };
        Ok(Response::new(LeaseScanResponse { lease: Some(lease), retry_after_ms: 0 }))
    }

    async fn renew_lease(&self, request: Request<RenewLeaseRequest>) -> Answer<RenewLeaseResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        let token = token(request.token)?;
        let expires_at = self
            .store
            .renew_lease(&token, ttl(request.ttl_seconds), &request.sweep_cursor, Timestamp::now())
            .await
            .map_err(CallError::from)?;
        Ok(Response::new(RenewLeaseResponse { expires_at: Some(timestamp(expires_at)) }))
    }

    async fn record_objects(&self, request: Request<RecordObjectsRequest>) -> Answer<RecordObjectsResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        at_most("objects", request.objects.len(), MOST_OBJECTS)?;
        let token = token(request.token)?;
        let objects = request.objects.into_iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let recorded =
            self.store.record_objects(&token, &objects, Timestamp::now()).await.map_err(CallError::from)?;
        let Recorded { opened, known, left_alone } = recorded;
        Ok(Response::new(RecordObjectsResponse { opened, known, left_alone }))
    }

    async fn list_unpublished(
        &self,
        request: Request<ListUnpublishedRequest>,
    ) -> Answer<ListUnpublishedResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        let token = token(request.token)?;
        let limit = request.limit.clamp(1, 1_000);
        let unpublished = self
            .store
            .list_unpublished(&token, limit, u64::from(self.config.max_unfinished_files))
            .await
            .map_err(CallError::from)?;
        Ok(Response::new(ListUnpublishedResponse {
            files: unpublished.files.into_iter().map(unpublished_file).collect(),
            held_back: unpublished.held_back,
        }))
    }

    async fn mark_published(&self, request: Request<MarkPublishedRequest>) -> Answer<MarkPublishedResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        at_most("files", request.files.len(), MOST_OBJECTS)?;
        let token = token(request.token)?;
        let files = request
            .files
            .iter()
            .map(|file| {
                Ok(FileGeneration {
                    file_id: file_id("files.file_id", &file.file_id)?,
                    generation: file.generation,
                })
            })
            .collect::<Result<Vec<_>, CallError>>()?;
        self.store.mark_published(&token, &files, Timestamp::now()).await.map_err(CallError::from)?;
        Ok(Response::new(MarkPublishedResponse {}))
    }

    async fn complete_scan(&self, request: Request<CompleteScanRequest>) -> Answer<CompleteScanResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        let token = token(request.token)?;
        let now = Timestamp::now();
        let interval = self.config.scan_interval;
        // What is still to be published makes it due soon too, as the store sees.
        let pause = if request.sweep_cursor.is_empty() { interval } else { SOON.min(interval) };
        let next_scan_at = later(now, pause);
        let mut findings = request.findings.unwrap_or_default();
        if !request.sweep_finished {
            // A look-back scan begins at its date, and does not see what sorts before it: what the last sweep saw stands.
            let known = self.store.source_for_worker(&token.source).await.map_err(CallError::from)?.discovery;
            if known.outside > findings.outside {
                findings.outside = known.outside;
                findings.outside_examples = known.outside_examples;
            }
        }
        let completion = ScanCompletion {
            folders: findings.folders,
            objects: findings.objects,
            list_requests: findings.list_requests,
            outside: findings.outside,
            outside_examples: findings.outside_examples,
            left_alone: findings.left_alone,
            error: request.error.map(problem),
            sweep_cursor: request.sweep_cursor,
            next_sweep_at: request.sweep_finished.then(|| later(now, self.config.sweep_interval)),
            next_scan_at,
            listed: request.listed_folders.into_iter().map(listed_folder).collect::<Result<_, _>>()?,
            marks_from: look_back_from(now, self.config.look_back_days),
        };
        let next_scan_at =
            self.store.complete_scan(&token, &completion, now).await.map_err(CallError::from)?;
        Ok(Response::new(CompleteScanResponse { next_scan_at: Some(timestamp(next_scan_at)) }))
    }

    async fn claim_files(&self, request: Request<ClaimFilesRequest>) -> Answer<ClaimFilesResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        at_most("claims", request.claims.len(), MOST_CLAIMS)?;
        let claims = request.claims.into_iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        let claimed =
            self.store.claim(&request.worker_id, &claims, self.config.most_attempts, Timestamp::now()).await;
        let claimed = claimed.map_err(CallError::from)?;
        let result = |((decision, lost_attempts), replaces_generation)| {
            let (decision, reason) = convert::decision(decision);
            ClaimResult {
                decision: decision as i32,
                reason: reason.to_owned(),
                lost_attempts,
                replaces_generation,
            }
        };
        let mut last_columns = claimed.last_columns;
        let work = |source: Source| {
            let last_columns = last_columns.remove(&source.id).unwrap_or_default();
            SourceWork { last_columns, ..convert::source_work(source, &self.config.platform) }
        };
        Ok(Response::new(ClaimFilesResponse {
            sources: claimed.sources.into_iter().map(work).collect(),
            results: claimed
                .decisions
                .into_iter()
                .zip(claimed.lost_attempts)
                .zip(claimed.replaces)
                .map(result)
                .collect(),
        }))
    }

    async fn release_claims(&self, request: Request<ReleaseClaimsRequest>) -> Answer<ReleaseClaimsResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        at_most("claims", request.claims.len(), MOST_CLAIMS)?;
        let claims = request.claims.into_iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        self.store.release_claims(&claims).await.map_err(CallError::from)?;
        Ok(Response::new(ReleaseClaimsResponse {}))
    }

    async fn issue_credentials(
        &self,
        request: Request<IssueCredentialsRequest>,
    ) -> Answer<IssueCredentialsResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        let id = SourceId::from(request.source_id);
        let source = self.store.source_for_worker(&id).await.map_err(CallError::from)?;
        let session =
            self.issuer.issue(&source, &request.refused_access_key_id).await.map_err(CallError::from)?;
        // The key's id names the session in the customer's CloudTrail; it is no secret.
        let detail = json!({ "access_key_id": session.access_key_id() });
        let subject = name::of_source(&source.account, &source.id);
        let actor = format!("worker:{}", request.worker_id);
        self.audit(&actor, &source.account, "credentials.issue", &subject, detail).await?;
        Ok(Response::new(IssueCredentialsResponse {
            access_key_id: session.access_key_id().to_owned(),
            secret_access_key: session.secret_access_key().to_owned(),
            session_token: session.session_token().unwrap_or_default().to_owned(),
            expires_at: session.expiry().map(Into::into),
        }))
    }

    type ListDeletedSubjectsStream = Streamed<ListDeletedSubjectsResponse>;

    async fn list_deleted_subjects(
        &self,
        request: Request<ListDeletedSubjectsRequest>,
    ) -> Answer<Self::ListDeletedSubjectsStream> {
        Ok(Response::new(self.stream_deleted_subjects(request).await?))
    }

    async fn lease_event_queues(
        &self,
        request: Request<LeaseEventQueuesRequest>,
    ) -> Answer<LeaseEventQueuesResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        at_most("held_source_ids", request.held_source_ids.len(), MOST_OBJECTS)?;
        let held: Vec<SourceId> = request.held_source_ids.into_iter().map(SourceId::from).collect();
        let wanted = request.wanted.min(1_000);
        let ttl = ttl(request.ttl_seconds);
        let sources = self
            .store
            .lease_event_queues(&request.worker_id, &held, wanted, ttl, Timestamp::now())
            .await
            .map_err(CallError::from)?;
        let work = |source| convert::source_work(source, &self.config.platform);
        Ok(Response::new(LeaseEventQueuesResponse { sources: sources.into_iter().map(work).collect() }))
    }

    async fn record_events(&self, request: Request<RecordEventsRequest>) -> Answer<RecordEventsResponse> {
        self.auth.worker(&request).await?;
        let request = request.into_inner();
        at_most("objects", request.objects.len(), MOST_OBJECTS)?;
        let objects = request.objects.into_iter().map(listed).collect::<Result<Vec<_>, _>>()?;
        let source = SourceId::from(request.source_id);
        let problem = request.error.map(problem);
        let opened = self
            .store
            .record_events(&source, &objects, problem, Timestamp::now())
            .await
            .map_err(CallError::from)?;
        Ok(Response::new(RecordEventsResponse { opened }))
    }
}

fn problem(error: api::worker::ScanError) -> Problem {
    Problem { code: error.code, reason: error.reason, advice: error.advice, position: 0 }
}

fn ttl(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds)).clamp(SHORTEST_LEASE, LONGEST_LEASE)
}

/// Folders are named by date of upload, and a customer's day may be a day ahead of or behind UTC's; the look-back is
/// counted from UTC's.
fn look_back_from(now: Timestamp, days: u32) -> Date {
    let today = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    today.saturating_sub(Span::new().days(i64::from(days.min(36_500))))
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::from_hours(24));
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

fn token(token: Option<api::worker::LeaseToken>) -> Result<LeaseToken, CallError> {
    let token = token.ok_or_else(|| CallError::invalid("token", "must be set"))?;
    Ok(LeaseToken { source: SourceId::from(token.source_id), fence: token.fence })
}

fn file_id(field: &str, bytes: &[u8]) -> Result<FileId, CallError> {
    FileId::try_from(bytes).map_err(|error| CallError::invalid(field, error.to_string()))
}

fn at_most(field: &str, found: usize, most: usize) -> Result<(), CallError> {
    if found <= most {
        Ok(())
    } else {
        Err(CallError::invalid(field, format!("at most {most}, these are {found}")))
    }
}

fn listed(object: api::worker::ListedObject) -> Result<ListedObject, CallError> {
    let date = object.date.parse().map_err(|_| {
        CallError::invalid("objects.date", format!("{:?} must be a date, YYYY-MM-DD", object.date))
    })?;
    Ok(ListedObject {
        object_key: object.object_key,
        etag: object.etag,
        size: object.size,
        last_modified: from_timestamp(object.last_modified),
        date,
    })
}

fn folder_mark(mark: FolderMark, interval: Duration, now: Timestamp) -> api::worker::FolderMark {
    let list_in_full = mark.is_due_in_full(interval, now);
    api::worker::FolderMark { date: mark.date, after: mark.after, objects: mark.objects, list_in_full }
}

fn listed_folder(folder: api::worker::ListedFolder) -> Result<ListedFolder, CallError> {
    let date = folder.date.parse().map_err(|_| {
        CallError::invalid("listed_folders.date", format!("{:?} must be a date, YYYY-MM-DD", folder.date))
    })?;
    let api::worker::ListedFolder { in_full, after, objects, out_of_order, .. } = folder;
    Ok(ListedFolder { date, in_full, after, objects, out_of_order })
}

fn unpublished_file(file: UnpublishedFile) -> api::worker::UnpublishedFile {
    api::worker::UnpublishedFile {
        file_id: file.file_id.as_bytes().to_vec(),
        generation: file.generation,
        object_key: file.object_key,
        etag: file.etag,
        size: file.size,
        last_modified: Some(timestamp(file.last_modified)),
        date: file.date.to_string(),
    }
}

fn claim(claim: api::worker::Claim) -> Result<Claim, CallError> {
    Ok(Claim {
        source: SourceId::from(claim.source_id),
        file_id: file_id("claims.file_id", &claim.file_id)?,
        generation: claim.generation,
        range: claim.range,
        at: QueuePosition { topic: claim.topic, partition: claim.partition, offset: claim.offset },
        attempt: Asking { name: claim.attempt, chunk: claim.chunk, alone: claim.alone },
    })
}
