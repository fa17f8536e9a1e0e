//! The right to scan a source: taken, renewed in the background, and shown with every write under it.
//!
//! **Invariant.** Nobody works under a lease that may have passed to another scanner: it counts as lost once the
//! registry says so, or once it cannot have been renewed in time by this process' own clock.

use std::collections::BTreeMap;
use std::time::Duration;

use api::client::Worker;
use api::worker::{
    CompleteScanRequest, FileGeneration, FolderMark, LeaseScanRequest, LeaseToken, ListUnpublishedRequest,
    ListUnpublishedResponse, ListedFolder, ListedObject, MarkPublishedRequest, RecordObjectsRequest,
    RecordObjectsResponse, RenewLeaseRequest, ScanError, ScanFindings, SourceWork,
};
use jiff::civil::Date;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::retry::{self, jitter};
use crate::{Config, ScannerError};

/// What the registry had to give.
pub(crate) enum Offer {
    /// A source to scan.
    Scan(Box<Lease>),
    /// No source is due for so long.
    Nothing(Duration),
}

/// What a scan is to cover.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// Folders from this date on; every folder where the registry names no date.
    pub(crate) look_back_from: Option<Date>,
    /// Whether older folders are due too.
    pub(crate) full_sweep: bool,
    /// The last folder that the sweep has behind it; empty from the start.
    pub(crate) sweep_cursor: String,
    /// How far folders of the window are known.
    pub(crate) marks: BTreeMap<Date, FolderMark>,
    /// Older folders up to this date are left out: the ledger has forgotten files of theirs, and opens nothing there.
    pub(crate) forgotten_until: Option<Date>,
}

/// How a scan ended, for CompleteScan.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    pub(crate) findings: ScanFindings,
    pub(crate) sweep_cursor: String,
    pub(crate) sweep_finished: bool,
    pub(crate) error: Option<ScanError>,
    pub(crate) listed: Vec<ListedFolder>,
}

/// A source that is this process' to scan, until it is dropped or lost.
pub(crate) struct Lease {
    pub(crate) source: SourceWork,
    pub(crate) scope: Scope,
    worker: Worker,
    token: LeaseToken,
    lost: CancellationToken,
    sweep_cursor: watch::Sender<String>,
    _renewal: AbortOnDropHandle<()>,
}

impl Lease {
    /// Asks the registry for a source that is due.
    pub(crate) async fn take(worker: &Worker, config: &Config) -> Result<Offer, Box<Status>> {
        // Taken before the call: the registry's clock for the lease starts later than this one.
        let asked = Instant::now();
        let request =
            LeaseScanRequest { worker_id: config.worker_id.clone(), ttl_seconds: config.ttl_seconds() };
        let answer = worker.clone().lease_scan(request).await.map_err(Box::new)?.into_inner();
        let retry_after = Duration::from_millis(answer.retry_after_ms.into());
        let Some(granted) = answer.lease else { return Ok(Offer::Nothing(retry_after)) };
        let (Some(source), Some(token)) = (granted.source, granted.token) else {
            return Err(Box::new(Status::internal("the registry granted a lease without a source or token")));
        };
        let lost = CancellationToken::new();
        let (sweep_cursor, swept) = watch::channel(granted.sweep_cursor.clone());
        let marks = granted.marks.into_iter().filter_map(|mark| Some((mark.date.parse().ok()?, mark)));
        let renewal = Renewal {
            swept,
            worker: worker.clone(),
            token: token.clone(),
            config: config.clone(),
            held_until: asked + config.lease_ttl,
            lost: lost.clone(),
        };
        Ok(Offer::Scan(Box::new(Lease {
            source,
            scope: Scope {
                look_back_from: granted.look_back_from.parse().ok(),
                full_sweep: granted.full_sweep,
                sweep_cursor: granted.sweep_cursor,
                marks: marks.collect(),
                forgotten_until: granted.forgotten_until.parse().ok(),
            },
            worker: worker.clone(),
            token,
            lost,
            sweep_cursor,
            _renewal: AbortOnDropHandle::new(tokio::spawn(renewal.run())),
        })))
    }

    /// Comes back once the lease is lost.
    pub(crate) async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Has the next renewal tell how far the sweep is.
    pub(crate) fn swept(&self, cursor: &str) {
        self.sweep_cursor.send_replace(cursor.to_owned());
    }

    /// Writes listed objects into the ledger; at most 1,000.
    pub(crate) async fn record(
        &self,
        objects: Vec<ListedObject>,
    ) -> Result<RecordObjectsResponse, ScannerError> {
        let request = RecordObjectsRequest { token: Some(self.token.clone()), objects };
        self.held("RecordObjects", || {
            let (mut worker, request) = (self.worker.clone(), request.clone());
            async move { worker.record_objects(request).await }
        })
        .await
    }

    /// What is due on the queue, at most `limit`.
    pub(crate) async fn unpublished(&self, limit: usize) -> Result<ListUnpublishedResponse, ScannerError> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let request = ListUnpublishedRequest { token: Some(self.token.clone()), limit };
        self.held("ListUnpublished", || {
            let (mut worker, request) = (self.worker.clone(), request.clone());
            async move { worker.list_unpublished(request).await }
        })
        .await
    }

    /// Marks files as being on the queue.
    pub(crate) async fn mark_published(&self, files: Vec<FileGeneration>) -> Result<(), ScannerError> {
        let request = MarkPublishedRequest { token: Some(self.token.clone()), files };
        self.held("MarkPublished", || {
            let (mut worker, request) = (self.worker.clone(), request.clone());
            async move { worker.mark_published(request).await }
        })
        .await
        .map(drop)
    }

    /// Ends the scan and frees the source.
    pub(crate) async fn complete(&self, completion: Completion) -> Result<(), ScannerError> {
        let request = CompleteScanRequest {
            token: Some(self.token.clone()),
            findings: Some(completion.findings),
            sweep_cursor: completion.sweep_cursor,
            sweep_finished: completion.sweep_finished,
            error: completion.error,
            listed_folders: completion.listed,
        };
        self.held("CompleteScan", || {
            let (mut worker, request) = (self.worker.clone(), request.clone());
            async move { worker.complete_scan(request).await }
        })
        .await
        .map(drop)
    }

    async fn held<T, F>(&self, name: &'static str, rpc: impl FnMut() -> F) -> Result<T, ScannerError>
    where
        F: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        match retry::call(name, rpc).await {
            Err(ScannerError::Registry { status, .. }) if says_lost(&status) => {
                self.lost.cancel();
                Err(ScannerError::LeaseLost { source_id: self.source.source_id.clone() })
            }
            answer => answer,
        }
    }
}

/// FAILED_PRECONDITION: another has the lease. NOT_FOUND: the source is deleted.
fn says_lost(status: &Status) -> bool {
    matches!(status.code(), Code::FailedPrecondition | Code::NotFound)
}

struct Renewal {
    worker: Worker,
    token: LeaseToken,
    config: Config,
    held_until: Instant,
    /// How far the sweep is.
    swept: watch::Receiver<String>,
    lost: CancellationToken,
}

impl Renewal {
    async fn run(mut self) {
        let every = self.config.lease_ttl / 3;
        let mut wait = every;
        loop {
            tokio::time::sleep_until((Instant::now() + wait).min(self.held_until)).await;
            let asked = Instant::now();
            let request = RenewLeaseRequest {
                token: Some(self.token.clone()),
                ttl_seconds: self.config.ttl_seconds(),
                sweep_cursor: self.swept.borrow().clone(),
            };
            wait = jitter(every / 4);
            match tokio::time::timeout_at(self.held_until, self.worker.renew_lease(request)).await {
                Ok(Ok(_)) => {
                    self.held_until = asked + self.config.lease_ttl;
                    wait = every;
                }
                Ok(Err(status)) if says_lost(&status) => break,
                Ok(Err(status)) => tracing::warn!(
                    source_id = self.token.source_id,
                    code = ?status.code(),
                    reason = status.message(),
                    "the lease was not renewed; it is tried again until it runs out"
                ),
                Err(_) => break,
            }
            if Instant::now() >= self.held_until {
                break;
            }
        }
        self.lost.cancel();
    }
}
