//! From the ledger to the queue: what is unpublished is published, then marked.
//!
//! **Invariant.** A file is marked only once the queue has it for good. A crash in between publishes it again, and the
//! ledger grants its generation to one of the two messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::worker::{FileGeneration, SourceWork, UnpublishedFile};
use prost::{Message, Name};
use queue::{Outgoing, Publisher, Queue, QueueError};
use records::queue::ObjectFound;
use records::topic;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug_span};

use crate::lease::Lease;
use crate::retry::Backoff;
use crate::{Config, ScannerError};

/// Tries of one batch before the scan leaves it to the next one.
const ATTEMPTS: u32 = 3;

/// What the sending of a batch is called in traces.
const SEND: &str = "send cortex.objects.v1";

/// The way onto the queue, shared by all scans of the process.
#[derive(Clone)]
pub(crate) struct Outbox {
    queue: Arc<dyn Queue>,
    // Opened with the first batch, and again after a failure.
    publisher: Arc<Mutex<Option<Box<dyn Publisher>>>>,
}

/// One encoded message.
#[derive(Debug, Clone)]
struct Found {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Outbox {
    pub(crate) fn new(queue: Arc<dyn Queue>) -> Self {
        Self { queue, publisher: Arc::default() }
    }

    /// Comes back once the queue has every message for good. Each carries the trace context of the sending.
    async fn send(&self, batch: Arc<[Found]>) -> Result<(), QueueError> {
        let span = debug_span!("send", otel.name = SEND, otel.kind = "producer");
        trace::set(&span, "messaging.system", "kafka");
        trace::set(&span, "messaging.operation.type", "send");
        trace::set(&span, "messaging.operation.name", "send");
        trace::set(&span, "messaging.destination.name", topic::OBJECTS);
        trace::set(&span, "messaging.batch.message_count", batch.len() as i64);
        self.try_to_send(batch).instrument(span).await
    }

    async fn try_to_send(&self, batch: Arc<[Found]>) -> Result<(), QueueError> {
        let traceparent = trace::Origin::current().map(|origin| origin.to_traceparent());
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        let mut attempt = 1;
        loop {
            let (outbox, messages, traceparent) = (self.clone(), batch.clone(), traceparent.clone());
            let sent = tokio::task::spawn_blocking(move || outbox.publish(&messages, traceparent.as_deref()))
                .await
                .unwrap_or_else(|panicked| Err(QueueError::Unavailable(panicked.to_string())));
            match sent {
                Err(error @ (QueueError::Permanent(_) | QueueError::Denied(_))) => return Err(error),
                Err(error) if attempt < ATTEMPTS => {
                    tracing::warn!(%error, attempt, "a batch was not published; it is tried again");
                    attempt += 1;
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                done => return done,
            }
        }
    }

    fn publish(&self, batch: &[Found], traceparent: Option<&str>) -> Result<(), QueueError> {
        let message_name = ObjectFound::full_name();
        let mut headers: Vec<(&str, &[u8])> = vec![
            (topic::HEADER_CONTENT_TYPE, topic::CONTENT_TYPE_PROTOBUF.as_bytes()),
            (topic::HEADER_MESSAGE, message_name.as_bytes()),
        ];
        headers.extend(traceparent.map(|value| (topic::HEADER_TRACEPARENT, value.as_bytes())));
        let messages: Vec<Outgoing<'_>> = batch
            .iter()
            .map(|found| Outgoing {
                topic: topic::OBJECTS,
                key: &found.key,
                value: &found.value,
                headers: &headers,
            })
            .collect();

        let mut publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: after a failure or a panic the next batch gets a new one.
        let mut open = match publisher.take() {
            Some(open) => open,
            None => self.queue.publisher()?,
        };
        open.publish(&messages)?;
        *publisher = Some(open);
        Ok(())
    }
}

/// Publishes what the ledger gives out for the queue, batch by batch, until nothing is left, the source's limit of
/// unfinished files holds the rest back, or `stop`. Gives the number of files.
pub(crate) async fn publish_due(
    lease: &Lease,
    outbox: &Outbox,
    config: &Config,
    stop: &CancellationToken,
) -> Result<u64, ScannerError> {
    let mut published = 0;
    while !stop.is_cancelled() {
        let due = lease.unpublished(config.publish_batch).await?;
        if due.files.is_empty() {
            if due.held_back > 0 {
                tracing::debug!(held_back = due.held_back, "files wait until others of the source are read");
            }
            break;
        }
        let batch = due.files.iter().map(|file| found(&lease.source, file)).collect();
        fail::fail_point!("scanner.before-publish", |_| std::process::abort());
        outbox.send(batch).await?;
        fail::fail_point!("scanner.before-mark", |_| std::process::abort());
        let count = due.files.len() as u64;
        lease.mark_published(due.files.into_iter().map(generation).collect()).await?;
        metrics::counter!("cortex_scanner_objects_published_total").increment(count);
        published += count;
    }
    Ok(published)
}

fn generation(file: UnpublishedFile) -> FileGeneration {
    FileGeneration { file_id: file.file_id, generation: file.generation }
}

fn found(source: &SourceWork, file: &UnpublishedFile) -> Found {
    let message = ObjectFound {
        account_id: source.account_id.clone(),
        source_id: source.source_id.clone(),
        file_id: file.file_id.clone(),
        generation: file.generation,
        object_key: file.object_key.clone(),
        etag: file.etag.clone(),
        size: file.size,
        last_modified: file.last_modified,
        date: file.date.clone(),
        range: None,
    };
    let key = [source.source_id.as_bytes(), b"/", file.object_key.as_bytes()].concat();
    Found { key, value: message.encode_to_vec() }
}
