//! Reads `cortex.file-progress.v1` and applies it to the ledger.
//!
//! The reader's positions stand in the database and move in the transaction that applies the messages before them, so
//! that a restart at any instant neither misses nor counts a chunk twice, and two registries side by side take turns
//! without knowing of each other: whose position is stale is told the stored one and goes on there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::counter;
use prost::Message;
use queue::{Incoming, Queue, QueueError, Reader, Start};
use records::queue::FileProgress;
use records::topic::{FILE_PROGRESS, HEADER_TRACEPARENT};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use trace::{MOST_LINKS, Origin};
use tracing::{Span, debug_span, error, warn};

use crate::store::{Applied, ProgressBatch, Store, StoreError};

/// A batch is applied once it has so many messages …
const BATCH: usize = 500;
/// … or its first message has waited so long.
const LINGER: Duration = Duration::from_millis(100);
const IDLE: Duration = Duration::from_millis(100);
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Why reading stopped for now; it begins again at the stored positions.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one partition has given and is not yet applied.
#[derive(Default)]
struct Pending {
    messages: Vec<FileProgress>,
    /// Of their files.
    spans: Vec<Origin>,
    next_offset: i64,
}

/// Reads until `shutdown`. Blocks: runs on a thread of its own.
pub(crate) fn run(store: &Store, queue: &Arc<dyn Queue>, handle: &Handle, shutdown: &CancellationToken) {
    let mut pause = SHORTEST_PAUSE;
    while !shutdown.is_cancelled() {
        let begun = Instant::now();
        let Err(interrupted) = read(store, queue, handle, shutdown) else { return };
        warn!(error = %interrupted, "progress is not read for now; nothing of it is lost");
        if begun.elapsed() > LONGEST_PAUSE {
            pause = SHORTEST_PAUSE;
        }
        handle.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
                () = shutdown.cancelled() => {}
            }
        });
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn read(
    store: &Store,
    queue: &Arc<dyn Queue>,
    handle: &Handle,
    shutdown: &CancellationToken,
) -> Result<(), Interrupted> {
    let mut positions = handle.block_on(store.reader_positions(FILE_PROGRESS))?;
    let mut reader = queue.reader(FILE_PROGRESS, Start::Offsets(positions.clone()))?;
    let mut pending: BTreeMap<i32, Pending> = BTreeMap::new();
    let mut since: Option<Instant> = None;
    while !shutdown.is_cancelled() {
        let wait = since.map_or(IDLE, |since: Instant| LINGER.saturating_sub(since.elapsed()));
        if let Some(message) = reader.next(wait)? {
            since.get_or_insert_with(Instant::now);
            take(&mut pending, message);
        }
        let waiting: usize = pending.values().map(|one| one.messages.len()).sum();
        if waiting >= BATCH || since.is_some_and(|since| since.elapsed() >= LINGER) {
            for (partition, batch) in std::mem::take(&mut pending) {
                apply(store, handle, reader.as_mut(), &mut positions, partition, &batch)?;
            }
            since = None;
        }
    }
    Ok(())
}

/// Adds a message to its partition's batch. One that is none of ours is passed over, and counted.
fn take(pending: &mut BTreeMap<i32, Pending>, message: Incoming) {
    let batch = pending.entry(message.partition).or_default();
    batch.next_offset = message.offset + 1;
    if batch.spans.len() < MOST_LINKS {
        batch.spans.extend(span_of(&message));
    }
    match FileProgress::decode(message.value.as_slice()) {
        Ok(progress) => batch.messages.push(progress),
        Err(error) => {
            counter!("cortex_progress_unreadable_total").increment(1);
            error!(partition = message.partition, offset = message.offset, %error, "a message on {FILE_PROGRESS} is no FileProgress");
        }
    }
}

fn apply(
    store: &Store,
    handle: &Handle,
    reader: &mut dyn Reader,
    positions: &mut BTreeMap<i32, i64>,
    partition: i32,
    batch: &Pending,
) -> Result<(), Interrupted> {
    fail::fail_point!("registry.before-apply", |_| std::process::abort());
    let position = positions.entry(partition).or_default();
    let progress = ProgressBatch {
        topic: FILE_PROGRESS,
        partition,
        next_offset_before: *position,
        next_offset_after: batch.next_offset,
        messages: &batch.messages,
    };
    let span = span(partition, batch);
    let applied = span
        .in_scope(|| handle.block_on(store.apply_progress(&progress, jiff::Timestamp::now())))
        .inspect_err(|error| trace::fail(&span, error.to_string()))?;
    match applied {
        Applied::Applied { chunks, .. } => {
            fail::fail_point!("registry.after-apply", |_| std::process::abort());
            *position = batch.next_offset;
            counter!("cortex_progress_chunks_total").increment(u64::from(chunks));
        }
        Applied::Conflict { next_offset } => {
            *position = next_offset;
            reader.seek(partition, next_offset)?;
        }
    }
    Ok(())
}

/// The span of the file that a message tells of; none where it was not traced.
fn span_of(message: &Incoming) -> Option<Origin> {
    let header = message.headers.iter().find(|(name, _)| name == HEADER_TRACEPARENT);
    header.and_then(|(_, value)| Origin::parse(std::str::from_utf8(value).ok()?))
}

/// The work on a batch, by OpenTelemetry's conventions for messaging.
fn span(partition: i32, batch: &Pending) -> Span {
    let span = debug_span!("process", otel.name = "process cortex.file-progress.v1", otel.kind = "consumer");
    trace::follow(&span, &batch.spans);
    trace::set(&span, "messaging.system", "kafka");
    trace::set(&span, "messaging.operation.type", "process");
    trace::set(&span, "messaging.operation.name", "process");
    trace::set(&span, "messaging.destination.name", FILE_PROGRESS);
    trace::set(&span, "messaging.destination.partition.id", partition.to_string());
    trace::set(
        &span,
        "messaging.batch.message_count",
        i64::try_from(batch.messages.len()).unwrap_or(i64::MAX),
    );
    span
}
