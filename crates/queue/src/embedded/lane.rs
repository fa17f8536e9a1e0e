//! One partition: a chunk is held in memory and written in one database transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::database::{Database, Message, OffsetCommit};
use crate::{Commit, Incoming, Lane, Membership, Outgoing, QueueError, Result};

/// Messages that are read at once.
const READ_AHEAD: i64 = 100;
/// How often a waiting lane looks for what another process has written.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct EmbeddedLane<'a> {
    database: &'a Arc<Database>,
    membership: &'a Membership,
    partition: i32,
    epoch: i64,
    revoked: &'a AtomicBool,
    position: i64,
    ahead: VecDeque<Incoming>,
    checkpoint: Vec<u8>,
    chunk: Vec<Message>,
}

impl<'a> EmbeddedLane<'a> {
    pub(super) fn open(
        database: &'a Arc<Database>,
        membership: &'a Membership,
        partition: i32,
        epoch: i64,
        revoked: &'a AtomicBool,
    ) -> Result<Self> {
        let mut lane = Self {
            database,
            membership,
            partition,
            epoch,
            revoked,
            position: 0,
            ahead: VecDeque::new(),
            checkpoint: Vec::new(),
            chunk: Vec::new(),
        };
        lane.rewind()?;
        Ok(lane)
    }

    /// To the committed offset.
    fn rewind(&mut self) -> Result<()> {
        let committed =
            self.database.committed(&self.membership.group, &self.membership.topic, self.partition)?;
        if committed.epoch != self.epoch {
            return Err(QueueError::Fenced {
                topic: self.membership.topic.clone(),
                partition: self.partition,
                reason: format!("epoch {} was followed by {}", self.epoch, committed.epoch),
            });
        }
        self.position = committed.next_offset;
        self.checkpoint = committed.checkpoint;
        self.ahead.clear();
        Ok(())
    }
}

impl Lane for EmbeddedLane<'_> {
    fn topic(&self) -> &str {
        &self.membership.topic
    }

    fn partition(&self) -> i32 {
        self.partition
    }

    fn checkpoint(&self) -> &[u8] {
        &self.checkpoint
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<Incoming>> {
        let until = Instant::now() + timeout;
        loop {
            if self.ahead.is_empty() {
                let topic = &self.membership.topic;
                self.ahead = self.database.read(topic, self.partition, self.position, READ_AHEAD)?.into();
            }
            if let Some(message) = self.ahead.pop_front() {
                self.position = message.offset + 1;
                return Ok(Some(message));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.revoked() {
                return Ok(None);
            }
            self.database.wait(left.min(LOOK_EVERY));
        }
    }

    fn publish(&mut self, message: Outgoing<'_>) -> Result<()> {
        self.chunk.push(Message::from(&message));
        Ok(())
    }

    fn partitions(&self) -> Result<i32> {
        self.database.partitions(&self.membership.topic)
    }

    fn publish_to(&mut self, partition: i32, message: Outgoing<'_>) -> Result<()> {
        self.chunk.push(Message::to(partition, &message));
        Ok(())
    }

    fn commit(&mut self, commit: Commit<'_>) -> Result<()> {
        let offset = OffsetCommit {
            group: &self.membership.group,
            topic: &self.membership.topic,
            partition: self.partition,
            epoch: self.epoch,
            next_offset: commit.next_offset,
            checkpoint: commit.checkpoint,
        };
        self.database.append(&self.chunk, Some(offset))?;
        self.chunk.clear();
        self.checkpoint = commit.checkpoint.to_vec();
        Ok(())
    }

    fn abort(&mut self) -> Result<()> {
        self.chunk.clear();
        self.rewind()
    }

    fn max_message_bytes(&self) -> usize {
        usize::try_from(crate::MAX_MESSAGE_BYTES).unwrap_or(usize::MAX)
    }

    fn revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}
