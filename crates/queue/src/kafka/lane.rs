//! One assigned partition: a transactional producer, and a consumer of this partition alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::connection::{self, Connection};
use super::error::{failed, lane_failed};
use super::group::GroupConsumer;
use super::{CALL, incoming, send};
use crate::{Commit, Incoming, Lane, Outgoing, QueueError, Result};

/// Messages between two looks at delivery reports, which free the producer's buffer.
const SENDS_A_POLL: u32 = 500;
/// How long a commit may take before the lane is given up: a broker that is restarted is back by then.
const COMMIT: Duration = Duration::from_secs(45);
/// One wait for a message, so that revocation is seen in between.
const SLICE: Duration = Duration::from_millis(100);

pub(super) struct KafkaLane {
    config: Arc<KafkaConfig>,
    group: Arc<GroupConsumer>,
    group_id: String,
    consumer: BaseConsumer<Connection>,
    producer: BaseProducer<Connection>,
    topic: String,
    partition: i32,
    revoked: Arc<AtomicBool>,
    checkpoint: Vec<u8>,
    in_transaction: bool,
    sends: u32,
    max_message_bytes: usize,
}

impl KafkaLane {
    /// Opens the lane. The order matters: the producer's start aborts what a dead or frozen owner left open, and fences
    /// it; only then is what stands committed final, and may be read.
    pub(super) fn open(
        config: &Arc<KafkaConfig>,
        group: Arc<GroupConsumer>,
        group_id: &str,
        topic: &str,
        partition: i32,
        revoked: Arc<AtomicBool>,
    ) -> Result<Self> {
        let transactional_id = transactional_id(group_id, topic, partition);
        let producer = connection::producer(&config.transactional(&transactional_id), config.connection())?;
        producer.init_transactions(CALL).map_err(|error| lane_failed(error, (topic, partition)))?;
        let consumer = connection::consumer(&config.lane_consumer(group_id), config.connection())?;
        let mut lane = Self {
            config: config.clone(),
            group,
            group_id: group_id.to_owned(),
            consumer,
            producer,
            topic: topic.to_owned(),
            partition,
            revoked,
            checkpoint: Vec::new(),
            in_transaction: false,
            sends: 0,
            max_message_bytes: usize::try_from(config.max_message_bytes).unwrap_or(usize::MAX),
        };
        lane.begin_at_committed()?;
        Ok(lane)
    }

    /// To the committed offset, by a consumer of its own: nothing that the one before fetched can slip in. Another
    /// assignment of the same consumer would do for that, but where the lane ends soon after, its two stops of the
    /// partition may meet, on which librdkafka ends the process (confluentinc/librdkafka#5573).
    fn rewind(&mut self) -> Result<()> {
        let config = self.config.lane_consumer(&self.group_id);
        self.consumer = connection::consumer(&config, self.config.connection())?;
        self.begin_at_committed()
    }

    /// Has the consumer begin at the committed offset, and takes the checkpoint that stands there.
    fn begin_at_committed(&mut self) -> Result<()> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, self.partition);
        let committed = self.group.consumer().committed_offsets(list, CALL).map_err(failed)?;
        let found = committed.find_partition(&self.topic, self.partition);
        let (offset, metadata) = match &found {
            Some(one) => {
                one.error().map_err(failed)?;
                (one.offset(), one.metadata())
            }
            None => (Offset::Invalid, ""),
        };
        let offset = match offset {
            Offset::Offset(offset) => Offset::Offset(offset),
            _ => Offset::Beginning,
        };
        self.checkpoint = STANDARD.decode(metadata).map_err(|error| {
            QueueError::Permanent(format!(
                "the metadata of the committed offset of {}/{} is no checkpoint ({error}): has another program \
                 committed in this group?",
                self.topic, self.partition
            ))
        })?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, self.partition, offset).map_err(failed)?;
        self.consumer.assign(&list).map_err(failed)
    }

    /// What fences this lane where its member lost the partition (KIP-447).
    fn group_metadata(&self) -> Result<ConsumerGroupMetadata> {
        let left = || QueueError::Fenced {
            topic: self.topic.clone(),
            partition: self.partition,
            reason: "the member has left its group".to_owned(),
        };
        // Tests that show what the fence is for switch it off: this consumer is no member.
        fail::fail_point!("queue.unfenced", |_| self.consumer.group_metadata().ok_or_else(left));
        self.group.consumer().group_metadata().ok_or_else(left)
    }

    fn begin(&mut self) -> Result<()> {
        if !self.in_transaction {
            self.producer.begin_transaction().map_err(|error| self.failed(error))?;
            self.in_transaction = true;
        }
        Ok(())
    }

    fn send(&mut self, message: &Outgoing<'_>, partition: Option<i32>) -> Result<()> {
        self.begin()?;
        send(&self.producer, message, partition).map_err(|error| match error {
            QueueError::Permanent(_) | QueueError::Unavailable(_)
                if self.producer.client().fatal_error().is_some() =>
            {
                QueueError::Fenced {
                    topic: self.topic.clone(),
                    partition: self.partition,
                    reason: error.to_string(),
                }
            }
            other => other,
        })?;
        self.sends += 1;
        if self.sends >= SENDS_A_POLL {
            self.sends = 0;
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    fn failed(&self, error: KafkaError) -> QueueError {
        lane_failed(error, (&self.topic, self.partition))
    }

    /// Tries a step of the commit until it is done, final, or out of time.
    fn retried(&self, mut step: impl FnMut(Duration) -> std::result::Result<(), KafkaError>) -> Result<()> {
        let until = Instant::now() + COMMIT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match step(left.min(CALL)) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && !left.is_zero() => {
                    tracing::debug!(%error, topic = self.topic, partition = self.partition, "commit tried again");
                    self.producer.poll(Duration::from_millis(100));
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
    }
}

/// Names group, topic and partition, so that the next owner's start ends what a dead or frozen one left open.
fn transactional_id(group: &str, topic: &str, partition: i32) -> String {
    let id = format!("{group}-{topic}-{partition}");
    // The other half of the fence: an id that no one else has.
    fail::fail_point!("queue.unfenced", |_| format!("{id}-{}", fastrand::u64(..)));
    id
}

impl Lane for KafkaLane {
    fn topic(&self) -> &str {
        &self.topic
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
            let left = until.saturating_duration_since(Instant::now());
            match self.consumer.poll(left.min(SLICE)) {
                Some(Ok(message)) => return Ok(Some(incoming(&message))),
                // librdkafka mends its connections by itself; what it says meanwhile is no reason to end the lane.
                Some(Err(error)) => match self.consumer.context().verdict(error) {
                    QueueError::Unavailable(reason) => {
                        tracing::debug!(
                            reason,
                            topic = self.topic,
                            partition = self.partition,
                            "waiting for the broker"
                        );
                    }
                    permanent => return Err(permanent),
                },
                None => {}
            }
            self.producer.poll(Duration::ZERO);
            if left.is_zero() || self.revoked() {
                return Ok(None);
            }
        }
    }

    fn publish(&mut self, message: Outgoing<'_>) -> Result<()> {
        self.send(&message, None)
    }

    fn partitions(&self) -> Result<i32> {
        let partitions = super::reader::partitions(&self.consumer, &self.topic)?;
        Ok(i32::try_from(partitions.len()).unwrap_or(i32::MAX))
    }

    fn publish_to(&mut self, partition: i32, message: Outgoing<'_>) -> Result<()> {
        self.send(&message, Some(partition))
    }

    fn commit(&mut self, commit: Commit<'_>) -> Result<()> {
        self.begin()?;
        let mut list = TopicPartitionList::new();
        {
            let mut offset = list.add_partition(&self.topic, self.partition);
            offset.set_offset(Offset::Offset(commit.next_offset)).map_err(failed)?;
            offset.set_metadata(STANDARD.encode(commit.checkpoint));
        }
        let group = self.group_metadata()?;
        // Delivery reports are served here; commit_transaction would wait for them for ever.
        self.producer.flush(COMMIT).map_err(|error| self.failed(error))?;
        fail::fail_point!("queue.before-offsets", |_| std::process::abort());
        self.retried(|left| self.producer.send_offsets_to_transaction(&list, &group, left))?;
        fail::fail_point!("queue.before-commit", |_| std::process::abort());
        self.retried(|left| self.producer.commit_transaction(left))?;
        fail::fail_point!("queue.after-commit", |_| std::process::abort());
        self.in_transaction = false;
        self.checkpoint = commit.checkpoint.to_vec();
        Ok(())
    }

    fn abort(&mut self) -> Result<()> {
        if self.in_transaction {
            // It purges what is not delivered, and waits for the reports of that, which are served in between.
            self.retried(|left| self.producer.abort_transaction(left.min(SLICE)))?;
            self.in_transaction = false;
        }
        self.rewind()
    }

    fn max_message_bytes(&self) -> usize {
        self.max_message_bytes
    }

    fn revoked(&self) -> bool {
        self.revoked.load(Ordering::SeqCst)
    }
}
