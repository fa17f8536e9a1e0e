//! One scan, from lease to completion.

use api::client::Worker;
use api::worker::{ScanFindings, SourceWork};
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, IssuedCredentials, Location};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::discover::{Discovery, Lister};
use crate::lease::Lease;
use crate::publish::{Outbox, publish_due};
use crate::{Config, ScannerError};

/// Older folders that a sweep lists before what it found is published.
const SWEEP_STRIDE: usize = 64;

/// What all scans of the process share.
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) worker: Worker,
    pub(crate) outbox: Outbox,
    /// Told where an event has made a scan due.
    pub(crate) wake: Notify,
    /// Cancelled at shutdown.
    pub(crate) stop: CancellationToken,
}

/// What came of a scan.
enum Outcome {
    Completed,
    /// The customer's bucket could not be listed, or not all of it; the source shows why.
    ListingFailed,
    /// Shutdown came first.
    Interrupted,
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::ListingFailed => "listing_failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Scans the leased source; what goes wrong is logged and counted, and never leaves this function.
pub(crate) async fn scan(context: &Context, lease: Lease) {
    let span = tracing::info_span!(
        "scan",
        account_id = lease.source.account_id,
        source_id = lease.source.source_id,
        sweep = lease.scope.full_sweep,
        outcome = tracing::field::Empty,
    );
    let begun = Instant::now();
    metrics::gauge!("cortex_scanner_scans_running").increment(1.0);
    let outcome = async {
        let ended = tokio::select! {
            biased;
            () = lease.lost() => Err(ScannerError::LeaseLost { source_id: lease.source.source_id.clone() }),
            ended = steps(context, &lease) => ended,
        };
        match ended {
            Ok(outcome) => outcome.name(),
            Err(error) => {
                tracing::warn!(%error, "the scan was given up");
                failure_name(&error)
            }
        }
    }
    .instrument(span.clone())
    .await;
    span.record("outcome", outcome);
    metrics::gauge!("cortex_scanner_scans_running").decrement(1.0);
    metrics::counter!("cortex_scanner_scans_total", "outcome" => outcome).increment(1);
    metrics::histogram!("cortex_scanner_scan_duration_seconds").record(begun.elapsed());
}

fn failure_name(error: &ScannerError) -> &'static str {
    match error {
        ScannerError::LeaseLost { .. } => "lease_lost",
        ScannerError::Queue(_) => "publish_failed",
        _ => "registry_failed",
    }
}

async fn steps(context: &Context, lease: &Lease) -> Result<Outcome, ScannerError> {
    let mut discovery = Discovery::new(&lease.scope);
    let mut published = Publishing { context, lease, files: 0, failed: None };
    let lister =
        Lister { bucket: open(context, &lease.source), lease, concurrency: context.config.list_concurrency };
    discover(&lister, &mut discovery, &mut published).await?;
    // What an earlier scan left is published even where this one could not list.
    published.due().await?;

    let outcome = match () {
        () if discovery.has_failed() => Outcome::ListingFailed,
        () if context.stop.is_cancelled() => Outcome::Interrupted,
        () => Outcome::Completed,
    };
    let completion = discovery.into_completion();
    tell(&completion.findings, published.files);
    tracing::info!(
        outcome = outcome.name(),
        folders = completion.findings.folders,
        objects = completion.findings.objects,
        outside = completion.findings.outside,
        published = published.files,
        "scanned"
    );
    lease.complete(completion).await?;
    match published.failed {
        Some(error) => Err(error),
        None => Ok(outcome),
    }
}

/// What came of the scan, for who follows its trace.
fn tell(findings: &ScanFindings, published: u64) {
    let span = tracing::Span::current();
    for (name, count) in [
        ("cortex.scan.folders", findings.folders),
        ("cortex.scan.objects", findings.objects),
        ("cortex.scan.list_requests", findings.list_requests),
        ("cortex.scan.published", published),
    ] {
        trace::set(&span, name, i64::try_from(count).unwrap_or(i64::MAX));
    }
}

fn open(context: &Context, source: &SourceWork) -> Bucket {
    let credentials =
        IssuedCredentials::new(context.worker.clone(), &source.source_id, &context.config.worker_id);
    Bucket::open(Location::from(source), SharedCredentialsProvider::new(credentials))
}

/// The look-back window first, so that new files do not wait for the sweep; then, if it is due, the older folders.
async fn discover(
    lister: &Lister<'_>,
    discovery: &mut Discovery,
    published: &mut Publishing<'_>,
) -> Result<(), ScannerError> {
    let stop = &published.context.stop;
    let Some(folders) = lister.folders(discovery).await else { return Ok(()) };
    lister.list(&folders.recent, discovery, stop).await?;
    if !lister.lease.scope.full_sweep {
        return Ok(());
    }
    for stride in folders.older.chunks(SWEEP_STRIDE) {
        published.due().await?;
        if !lister.sweep(stride, discovery, &published.context.stop).await? {
            return Ok(());
        }
    }
    discovery.sweep_finished();
    Ok(())
}

/// Publishes along the scan. A queue that is away does not keep files from being recorded: after the first failure
/// this scan publishes no more.
struct Publishing<'a> {
    context: &'a Context,
    lease: &'a Lease,
    files: u64,
    failed: Option<ScannerError>,
}

impl Publishing<'_> {
    async fn due(&mut self) -> Result<(), ScannerError> {
        if self.failed.is_some() {
            return Ok(());
        }
        let Context { config, outbox, stop, .. } = self.context;
        match publish_due(self.lease, outbox, config, stop).await {
            Ok(files) => self.files += files,
            Err(error @ ScannerError::Queue(_)) => self.failed = Some(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
