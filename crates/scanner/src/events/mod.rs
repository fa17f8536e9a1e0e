//! Event queues: leased from the registry, each read by a poller of its own as long as the lease holds.
//!
//! **Invariant.** Events only hasten what the scans find anyway: whatever is lost, late, twice or out of order here, the
//! ledger is told what the bucket has now, and a scan finds what no event named.

mod poller;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api::worker::{LeaseEventQueuesRequest, SourceWork};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::retry::{Backoff, jitter};
use crate::scan::Context;

use poller::Poller;

/// A registry that does not know event queues is of an older version, and asked again after that.
const UNSERVED: Duration = Duration::from_secs(60);

/// The queues that this process reads, until they are dropped.
#[derive(Default)]
struct Held {
    pollers: HashMap<String, (SourceWork, AbortOnDropHandle<()>)>,
    until: Option<Instant>,
}

/// Holds as many queues as the settings allow and reads them, until shutdown; then ends what is in hand.
pub(crate) async fn read_queues(context: Arc<Context>) {
    let config = &context.config;
    let every = (config.lease_ttl / 3).min(config.idle_poll_max);
    let mut backoff = Backoff::new(config.idle_poll_min, every.max(config.idle_poll_min));
    let mut held = Held::default();
    loop {
        let asked = Instant::now();
        let Some(answer) = context.stop.run_until_cancelled(lease(&context, &held)).await else { break };
        let wait = match answer {
            Ok(sources) => {
                backoff.reset();
                held.until = Some(asked + config.lease_ttl);
                held.take(&context, sources);
                jitter(every)
            }
            Err(status) if status.code() == Code::Unimplemented => UNSERVED,
            Err(status) => {
                let wait = backoff.next_wait();
                tracing::warn!(code = ?status.code(), reason = status.message(), ?wait,
                    "no event queues could be leased from the registry; it is asked again");
                wait
            }
        };
        held.let_go_in_time();
        if context.stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            break;
        }
    }
    for (_, (_, poller)) in held.pollers.drain() {
        log_panic(poller.await);
    }
    held.count();
}

/// Prolongs what is held and asks for more.
async fn lease(context: &Context, held: &Held) -> Result<Vec<SourceWork>, Status> {
    let config = &context.config;
    let wanted = config.event_queues.saturating_sub(held.pollers.len());
    let request = LeaseEventQueuesRequest {
        worker_id: config.worker_id.clone(),
        ttl_seconds: config.ttl_seconds(),
        held_source_ids: held.pollers.keys().cloned().collect(),
        wanted: u32::try_from(wanted).unwrap_or(u32::MAX),
    };
    let mut worker = context.worker.clone();
    let asked = tokio::time::timeout(config.lease_ttl / 3, worker.lease_event_queues(request)).await;
    let answer = asked.map_err(|_| Status::deadline_exceeded("the registry does not answer"))??;
    Ok(answer.into_inner().sources)
}

impl Held {
    /// Lets go of what is not among the sources or has changed, and starts to read what is new.
    fn take(&mut self, context: &Arc<Context>, sources: Vec<SourceWork>) {
        let mut before = std::mem::take(&mut self.pollers);
        // More than that may be left of a run before, with a larger limit: they are not prolonged.
        for source in sources.into_iter().take(context.config.event_queues) {
            match before.remove(&source.source_id) {
                Some((known, poller)) if is_same(&known, &source) && !poller.is_finished() => {
                    self.pollers.insert(source.source_id.clone(), (known, poller));
                }
                _ => {
                    let poller = tokio::spawn(Poller::new(context.clone(), source.clone()).run());
                    let poller = AbortOnDropHandle::new(poller);
                    self.pollers.insert(source.source_id.clone(), (source, poller));
                }
            }
        }
        self.count();
    }

    /// A lease that could not be prolonged may be another's by now.
    fn let_go_in_time(&mut self) {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            self.pollers.clear();
            self.until = None;
            self.count();
        }
    }

    fn count(&self) {
        metrics::gauge!("cortex_scanner_event_queues_held").set(self.pollers.len() as f64);
    }
}

/// True where a poller of the one does for the other.
fn is_same(a: &SourceWork, b: &SourceWork) -> bool {
    let place = |one: &SourceWork| {
        let SourceWork { bucket, path, endpoint_url, region, expected_bucket_owner, event_queue_url, .. } =
            one;
        [bucket, path, endpoint_url, region, expected_bucket_owner, event_queue_url].map(Clone::clone)
    };
    place(a) == place(b)
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the reading of an event queue ended by a fault in the scanner itself; please report it");
    }
}
