//! Reads a whole topic, committed messages only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::config::KafkaConfig;
use super::connection::{self, Connection};
use super::error::failed;
use super::{CALL, LOOK_GROUP, incoming};
use crate::{Incoming, QueueError, Reader, Result, Start};

pub(super) struct KafkaReader {
    consumer: BaseConsumer<Connection>,
    topic: String,
    positions: BTreeMap<i32, Offset>,
    /// Partitions whose end was met since the reader was opened.
    ended: BTreeSet<i32>,
}

impl KafkaReader {
    pub(super) fn new(config: &KafkaConfig, topic: &str, start: &Start) -> Result<Self> {
        let consumer = connection::consumer(&config.consumer(LOOK_GROUP), config.connection())?;
        let mut positions = BTreeMap::new();
        for partition in partitions(&consumer, topic)? {
            let position = match start {
                Start::Beginning => Offset::Beginning,
                // Resolved now: what is published while the first fetch is under way is new.
                Start::End => {
                    Offset::Offset(consumer.fetch_watermarks(topic, partition, CALL).map_err(failed)?.1)
                }
                Start::Offsets(offsets) => {
                    offsets.get(&partition).map_or(Offset::Beginning, |at| Offset::Offset(*at))
                }
            };
            positions.insert(partition, position);
        }
        let reader = Self { consumer, topic: topic.to_owned(), positions, ended: BTreeSet::new() };
        reader.assign()?;
        Ok(reader)
    }

    /// Anew at the positions: drops what was fetched.
    fn assign(&self) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, position) in &self.positions {
            list.add_partition_offset(&self.topic, *partition, *position).map_err(failed)?;
        }
        self.consumer.assign(&list).map_err(failed)
    }
}

impl Reader for KafkaReader {
    fn next(&mut self, timeout: Duration) -> Result<Option<Incoming>> {
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.consumer.poll(left) {
                Some(Ok(message)) => {
                    self.positions.insert(message.partition(), Offset::Offset(message.offset() + 1));
                    return Ok(Some(incoming(&message)));
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    self.ended.insert(partition);
                }
                Some(Err(error)) => match self.consumer.context().verdict(error) {
                    // librdkafka mends its connections by itself.
                    QueueError::Unavailable(reason) => {
                        tracing::debug!(reason, topic = self.topic, "waiting for the broker")
                    }
                    permanent => return Err(permanent),
                },
                None => {}
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }

    fn seek(&mut self, partition: i32, offset: i64) -> Result<()> {
        self.positions.insert(partition, Offset::Offset(offset));
        self.ended.clear();
        self.assign()
    }

    fn at_end(&mut self) -> Result<bool> {
        Ok(self.positions.keys().all(|partition| self.ended.contains(partition)))
    }
}

/// The topic's partitions.
pub(super) fn partitions<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str) -> Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), CALL).map_err(failed)?;
    let found = metadata.topics().iter().find(|one| one.name() == topic);
    let partitions: Vec<i32> = found
        .map(|one| one.partitions().iter().map(|partition| partition.id()).collect())
        .unwrap_or_default();
    if partitions.is_empty() {
        return Err(QueueError::Permanent(format!(
            "there is no topic {topic:?}; it is made by ensure_topics"
        )));
    }
    Ok(partitions)
}
