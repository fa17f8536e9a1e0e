//! A member of a group: takes every partition, one thread each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracing::warn;

use super::database::Database;
use super::lane::EmbeddedLane;
use crate::{Membership, QueueError, Result, Stop, Work};

/// Between two looks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) fn consume(
    database: &Arc<Database>,
    membership: &Membership,
    work: &Work,
    stop: &Stop,
) -> Result<()> {
    let revoked = AtomicBool::new(false);
    let partitions = database.partitions(&membership.topic)?;
    let epochs = (0..partitions)
        .map(|partition| database.take(&membership.group, &membership.topic, partition))
        .collect::<Result<Vec<_>>>()?;
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..partitions)
            .zip(epochs)
            .map(|(partition, epoch)| {
                let revoked = &revoked;
                scope.spawn(move || run(database, membership, partition, epoch, revoked, work))
            })
            .collect();
        while !stop() && !lanes.iter().all(|lane| lane.is_finished()) {
            std::thread::sleep(LOOK_EVERY);
        }
        revoked.store(true, Ordering::SeqCst);
    });
    Ok(())
}

/// Works a partition until it is revoked or another holder has taken it.
fn run(
    database: &Arc<Database>,
    membership: &Membership,
    partition: i32,
    epoch: i64,
    revoked: &AtomicBool,
    work: &Work,
) {
    let mut pause = SHORTEST_PAUSE;
    while !revoked.load(Ordering::SeqCst) {
        let worked = EmbeddedLane::open(database, membership, partition, epoch, revoked)
            .and_then(|mut lane| work(&mut lane));
        match worked {
            Ok(()) => pause = SHORTEST_PAUSE,
            Err(QueueError::Fenced { reason, .. }) => {
                warn!(partition, reason, "the partition was taken by another member");
                return;
            }
            Err(error) => {
                warn!(partition, %error, "the lane failed; it is opened again");
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
