//! The role: joins the group, and runs the pipe on every partition that it is assigned.

use std::sync::Arc;

use api::client::Worker;
use queue::{Lane, Membership, Queue, QueueError};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::open::Buckets;
use crate::pipe::Pipe;

/// Why a parser stopped.
#[derive(Debug, thiserror::Error)]
pub enum ParserError {
    /// The queue refused to let it take part.
    #[error("the parser left the queue: {0}")]
    Queue(#[from] QueueError),
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
    let pipe = Arc::new(Pipe { config, registry, handle: Handle::current(), buckets: Buckets::default() });
    let work = Arc::new(move |lane: &mut dyn Lane| pipe.run(lane));
    let stop = Arc::new(move || shutdown.is_cancelled());
    tokio::task::spawn_blocking(move || queue.consume(membership, work, stop)).await??;
    Ok(())
}
