//! The role: joins the group, and runs the pipe on every partition that it is assigned.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::client::Worker;
use queue::{Lane, Membership, Queue, QueueError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::deletions::Deletions;
use crate::open::Buckets;
use crate::pipe::Pipe;
use crate::probation::Probation;
use crate::pulse::{Pulses, Stalled};

/// Between two looks whether a lane has stalled.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why a parser stopped.
#[derive(Debug, thiserror::Error)]
pub enum ParserError {
    /// The queue refused to let it take part.
    #[error("the parser left the queue: {0}")]
    Queue(#[from] QueueError),
    /// A file hangs its reader. The process must end: the partition then goes to another worker, and after so many
    /// attempts the file is set aside.
    #[error("partition {partition} has not moved for {} s in {file}; this worker ends, and another goes on", silent.as_secs())]
    Stalled {
        /// Of the objects topic.
        partition: i32,
        /// The object's key and generation.
        file: String,
        /// Since its last row.
        silent: Duration,
    },
    /// A thread of it died.
    #[error("the parser's thread ended unexpectedly: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Runs a parser until `shutdown`: the chunk in hand is then committed behind its checkpoint, and the group is left.
pub async fn run(
    config: Config,
    registry: Worker,
    queue: Arc<dyn Queue>,
    shutdown: CancellationToken,
) -> Result<(), ParserError> {
    let membership = Membership {
        group: config.group.clone(),
        topic: records::topic::OBJECTS.to_owned(),
        member: config.worker_id.clone(),
    };
    let stall_limit = config.stall_limit;
    let pipe = Arc::new(Pipe {
        config,
        registry,
        handle: Handle::current(),
        buckets: Buckets::default(),
        deletions: Deletions::default(),
        pulses: Pulses::new(),
        probation: Probation::default(),
        cutting: Mutex::default(),
        process: uuid::Uuid::new_v4().simple().to_string(),
    });
    let watched = pipe.clone();
    let work = Arc::new(move |lane: &mut dyn Lane| pipe.run(lane));
    let stop = Arc::new(move || shutdown.is_cancelled());
    let consuming = tokio::task::spawn_blocking(move || queue.consume(membership, work, stop));
    tokio::select! {
        consumed = consuming => Ok(consumed??),
        // The thread that hangs cannot be ended; the process can.
        stalled = stalled(&watched.pulses, stall_limit) => Err(stalled),
    }
}

/// Comes back once a lane has stalled.
async fn stalled(pulses: &Pulses, limit: Duration) -> ParserError {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(Stalled { partition, file, silent }) = pulses.stalled(limit) {
            return ParserError::Stalled { partition, file, silent };
        }
    }
}
