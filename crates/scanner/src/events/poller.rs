//! One event queue: received, checked against the bucket, recorded, deleted.

use std::sync::Arc;
use std::time::Duration;

use api::worker::{ListedObject, RecordEventsRequest, RecordEventsResponse, ScanError, SourceWork};
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{
    Bucket, BucketError, EventObject, EventQueue, Events, EventsError, IssuedCredentials, Location, Received,
};
use futures::stream::{self, StreamExt, TryStreamExt};
use tracing::Instrument;

use crate::ScannerError;
use crate::config::MAX_BATCH;
use crate::folder::entry;
use crate::retry::{self, Backoff};
use crate::scan::Context;

/// Messages that are taken before their objects are recorded.
const MESSAGES: usize = 200;
/// Objects of a batch that are looked at in the bucket at once.
const LOOKS: usize = 16;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Passing failures in a row before the source shows them.
const PATIENCE: u32 = 3;

/// What the source shows of its queue, as far as this process has told it.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Nothing yet: a scanner before this one may have told of an error.
    Unknown,
    Readable,
    Error,
}

pub(super) struct Poller {
    context: Arc<Context>,
    source: SourceWork,
    told: Told,
    failures: u32,
}

/// Why a round was given up; its messages come again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Queue(#[from] EventsError),
    #[error("an object that an event named cannot be looked at: {0}")]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Registry(#[from] ScannerError),
}

impl Poller {
    pub(super) fn new(context: Arc<Context>, source: SourceWork) -> Self {
        Self { context, source, told: Told::Unknown, failures: 0 }
    }

    /// Reads the queue until shutdown; dropped where the lease is lost.
    pub(super) async fn run(self) {
        let span = tracing::info_span!(
            "events",
            account_id = self.source.account_id,
            source_id = self.source.source_id,
            queue = self.source.event_queue_url,
        );
        self.rounds().instrument(span).await;
    }

    async fn rounds(mut self) {
        let location = Location::from(&self.source);
        let stop = self.context.stop.clone();
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
        let queue = match EventQueue::parse(&self.source.event_queue_url, location.endpoint_url.as_deref()) {
            Ok(queue) => queue,
            // Until the source is corrected, which starts another poller.
            Err(error) => {
                self.tell(&error).await;
                return stop.cancelled().await;
            }
        };
        let events = Events::open(queue, location.clone(), self.credentials());
        let bucket = Bucket::open(location, self.credentials());
        loop {
            let Some(received) = stop.run_until_cancelled(events.receive(MESSAGES)).await else { return };
            let ended = match received {
                Ok(received) => {
                    // The span of all rounds lasts as long as the process, which no one could follow as one trace.
                    let span = tracing::debug_span!("events received", messages = received.messages);
                    trace::begin_trace(&span);
                    self.round(&events, &bucket, &received).instrument(span).await
                }
                Err(error) => Err(error.into()),
            };
            match ended {
                Ok(()) => {
                    self.failures = 0;
                    backoff.reset();
                }
                Err(error) => {
                    self.failed(error).await;
                    let pause = tokio::time::sleep(backoff.next_wait());
                    if stop.run_until_cancelled(pause).await.is_none() {
                        return;
                    }
                }
            }
        }
    }

    /// The same session as a scan's.
    fn credentials(&self) -> SharedCredentialsProvider {
        let worker = self.context.worker.clone();
        let credentials =
            IssuedCredentials::new(worker, &self.source.source_id, &self.context.config.worker_id);
        SharedCredentialsProvider::new(credentials)
    }

    /// Records what was received, and only then deletes it.
    async fn round(
        &mut self,
        events: &Events,
        bucket: &Bucket,
        received: &Received,
    ) -> Result<(), RoundError> {
        let objects = as_they_are(bucket, &received.objects).await?;
        let (found, messages) = (objects.len() as u64, received.messages as u64);
        let mut opened = 0;
        for objects in objects.chunks(MAX_BATCH) {
            opened += self.record(objects.to_vec(), None).await?.opened;
        }
        if found == 0 && self.told != Told::Readable {
            self.record(Vec::new(), None).await?;
        }
        self.told = Told::Readable;
        if opened > 0 {
            // The scan that publishes them is due; without this it would wait for the next look at the registry.
            self.context.wake.notify_one();
            tracing::info!(messages, objects = found, opened, "events told of new files");
        }
        metrics::counter!("cortex_scanner_event_messages_total").increment(messages);
        metrics::counter!("cortex_scanner_event_messages_not_understood_total")
            .increment(received.not_understood as u64);
        metrics::counter!("cortex_scanner_event_objects_total").increment(found);
        metrics::counter!("cortex_scanner_generations_opened_total").increment(opened.into());
        Ok(events.delete(received).await?)
    }

    async fn record(
        &self,
        objects: Vec<ListedObject>,
        error: Option<ScanError>,
    ) -> Result<RecordEventsResponse, ScannerError> {
        let request = RecordEventsRequest { source_id: self.source.source_id.clone(), objects, error };
        retry::call("RecordEvents", || {
            let (mut worker, request) = (self.context.worker.clone(), request.clone());
            async move { worker.record_events(request).await }
        })
        .await
    }

    async fn failed(&mut self, error: RoundError) {
        self.failures += 1;
        metrics::counter!("cortex_scanner_event_failures_total").increment(1);
        tracing::warn!(%error, failures = self.failures, "the event queue could not be read; it is tried again");
        if let RoundError::Queue(error) = error
            && (!error.is_passing() || self.failures >= PATIENCE)
        {
            self.tell(&error).await;
        }
    }

    /// Has the source show why its queue cannot be read.
    async fn tell(&mut self, error: &EventsError) {
        let shown =
            ScanError { code: error.code().to_owned(), reason: error.to_string(), advice: error.advice() };
        self.told = Told::Error;
        if let Err(error) = self.record(Vec::new(), Some(shown)).await {
            tracing::warn!(%error, "the source could not be told why its event queue cannot be read");
        }
    }
}

/// The objects as the bucket has them now: an event may be late or out of order, and its object replaced or gone.
async fn as_they_are(bucket: &Bucket, told: &[EventObject]) -> Result<Vec<ListedObject>, BucketError> {
    let looks = stream::iter(told.to_vec()).map(|EventObject { date, mut object, .. }| async move {
        match bucket.version(&object.key).await {
            Ok(now) => {
                (object.etag, object.size, object.last_modified) = (now.etag, now.size, now.last_modified)
            }
            Err(BucketError::NotFound { .. }) => return Ok(None),
            Err(error) if error.is_passing() || matches!(error, BucketError::CredentialsRefused { .. }) => {
                return Err(error);
            }
            // Why it cannot be read is the file's to show, once a parser has tried.
            Err(error) => {
                tracing::debug!(%error, "an object cannot be looked at and is taken as its event has it")
            }
        }
        Ok(Some(entry(date, object)))
    });
    let looked: Vec<_> = looks.buffered(LOOKS).try_collect().await?;
    Ok(looked.into_iter().flatten().collect())
}
