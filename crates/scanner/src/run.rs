//! The loop: ask for a source that is due, scan it beside the others, until shutdown.

use std::sync::Arc;
use std::time::Duration;

use api::client::Worker;
use queue::Queue;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::lease::{Lease, Offer};
use crate::publish::Outbox;
use crate::retry::{Backoff, jitter};
use crate::scan::{Context, scan};
use crate::{Config, ScannerError, events};

/// How long the registry's answer is waited for when shutdown comes in between.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// Scans whatever source is due, several at once, and reads event queues beside, until `shutdown`; then ends the scans in hand and returns.
///
/// The topic must exist. A registry or queue that is away is waited for.
///
/// # Errors
/// [`ScannerError::Setting`] at once where a setting is wrong, [`ScannerError::Refused`] where the registry does not
/// know the service token. Nothing else ends it.
pub async fn run(
    config: Config,
    registry: Worker,
    queue: Arc<dyn Queue>,
    shutdown: CancellationToken,
) -> Result<(), ScannerError> {
    config.check()?;
    // A child, so that a refusal ends this role's scans and nobody else's work.
    let stop = shutdown.child_token();
    let drain = config.drain_timeout;
    let outbox = Outbox::new(queue);
    let context =
        Arc::new(Context { config, worker: registry, outbox, wake: Notify::new(), stop: stop.clone() });
    let mut scans = JoinSet::new();
    if context.config.event_queues > 0 {
        scans.spawn(events::read_queues(context.clone()));
    }
    let result = lease_and_scan(&context, &mut scans).await;
    stop.cancel();
    finish(scans, drain).await;
    result
}

/// Leases and starts scans until it is told to stop or the registry refuses.
async fn lease_and_scan(context: &Arc<Context>, scans: &mut JoinSet<()>) -> Result<(), ScannerError> {
    let config = &context.config;
    let slots = Arc::new(Semaphore::new(config.concurrent_scans));
    let mut backoff = Backoff::new(config.idle_poll_min, config.idle_poll_max);
    let stop = &context.stop;
    // Nobody closes the semaphore.
    while let Some(Ok(slot)) = stop.run_until_cancelled(slots.clone().acquire_owned()).await {
        while let Some(ended) = scans.try_join_next() {
            log_panic(ended);
        }
        // A lease that is being granted is waited for at shutdown, or its source would wait for it to run out.
        let offer = tokio::select! {
            offer = Lease::take(&context.worker, config) => offer,
            () = grace_after(stop) => break,
        };
        let wait = match offer {
            Ok(Offer::Scan(lease)) => {
                backoff.reset();
                scans.spawn(scan_in_slot(context.clone(), *lease, slot));
                continue;
            }
            Ok(Offer::Nothing(retry_after)) => {
                backoff.reset();
                jitter(retry_after.clamp(config.idle_poll_min, config.idle_poll_max))
            }
            Err(status) if is_refusal(&status) => {
                return Err(ScannerError::Refused {
                    code: status.code(),
                    reason: status.message().to_owned(),
                });
            }
            Err(status) => {
                let wait = backoff.next_wait();
                tracing::warn!(code = ?status.code(), reason = status.message(), ?wait,
                    "no scan could be leased from the registry; it is asked again");
                wait
            }
        };
        drop(slot);
        tokio::select! {
            () = stop.cancelled() => {}
            () = context.wake.notified() => {}
            () = rest(scans, wait) => {}
        }
    }
    Ok(())
}

/// Waits so long, or until a scan in hand ends: the registry's advice took it to last as long as its lease may, and its source
/// may be due again long before.
async fn rest(scans: &mut JoinSet<()>, wait: Duration) {
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        Some(ended) = scans.join_next() => log_panic(ended),
    }
}

async fn grace_after(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_ANSWER).await;
}

async fn scan_in_slot(context: Arc<Context>, lease: Lease, _slot: OwnedSemaphorePermit) {
    scan(&context, lease).await;
}

fn is_refusal(status: &Status) -> bool {
    matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented)
}

/// Waits for the scans in hand, which know of the shutdown; drops what is not done in time.
async fn finish(mut scans: JoinSet<()>, timeout: Duration) {
    let all = async {
        while let Some(ended) = scans.join_next().await {
            log_panic(ended);
        }
    };
    if tokio::time::timeout(timeout, all).await.is_err() {
        tracing::warn!(scans = scans.len(), "scans did not end in time; their leases run out by themselves");
        scans.shutdown().await;
    }
}

/// A panic ends its scan alone: the lease runs out, and the source is scanned again.
fn log_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a scan ended by a fault in the scanner itself; please report it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_scan_ends_the_wait_and_without_one_it_is_waited_out() {
        let mut scans = JoinSet::new();
        let begun = tokio::time::Instant::now();
        scans.spawn(tokio::time::sleep(Duration::from_secs(1)));
        rest(&mut scans, HOUR).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        rest(&mut scans, HOUR).await;
        assert_eq!(begun.elapsed(), Duration::from_secs(1) + HOUR);
    }
}
