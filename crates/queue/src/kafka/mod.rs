//! The queue on Apache Kafka, by librdkafka.
//!
//! A member of a group holds three kinds of clients. The **group consumer** joins the group and is polled for as long as
//! the member lives, so that a long file never costs it its membership; its partitions stay paused, it reads nothing.
//! Each assigned partition has a **lane**: a thread with a transactional producer and a plain consumer of its own, which
//! begins at the committed offset and reads that partition alone. So a rewind is a new consumer, and no message read
//! before it can slip in behind it. What it costs is a connection more a partition.

mod config;
mod error;
mod group;
mod lane;
mod reader;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::{
    Incoming, Membership, Outgoing, Publisher, Queue, QueueError, Reader, Result, Start, Stop, TopicSpec,
    Work,
};
pub use config::KafkaConfig;
use config::OVERHEAD;
use error::failed;

/// The topic's setting.
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// How long a call to the broker may take.
const CALL: Duration = Duration::from_secs(30);
/// How long a look whether the broker answers may take.
const LOOK: Duration = Duration::from_secs(3);

/// The queue on a Kafka cluster.
#[derive(Debug)]
pub struct KafkaQueue {
    config: Arc<KafkaConfig>,
    /// Asks whether the broker answers; kept, so that asking costs no connection.
    asking: OnceLock<Asking>,
}

struct Asking(BaseConsumer);

impl std::fmt::Debug for Asking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asking(..)")
    }
}

impl KafkaQueue {
    /// Checks the settings; connects at the first use.
    pub fn new(config: KafkaConfig) -> Result<Self> {
        // Creating a client checks every setting, and connects in the background only.
        let _checked: AdminClient<DefaultClientContext> =
            config.client().create().map_err(|error| QueueError::Permanent(error.to_string()))?;
        Ok(Self { config: Arc::new(config), asking: OnceLock::new() })
    }
}

impl KafkaQueue {
    /// A topic that takes smaller messages than are sent would abort transactions for ever; it is found out at once.
    fn check_sizes(
        &self,
        admin: &AdminClient<DefaultClientContext>,
        topics: &[TopicSpec],
        options: &AdminOptions,
    ) -> Result<()> {
        let names: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
        let described =
            futures::executor::block_on(admin.describe_configs(&names, options)).map_err(failed)?;
        for (topic, described) in topics.iter().zip(described) {
            // A cluster that does not show its settings is taken at its word.
            let Ok(described) = described else { continue };
            let found = described.get(MAX_MESSAGE_BYTES).and_then(|entry| entry.value.as_deref());
            let Some(found) = found.and_then(|text| text.parse::<u64>().ok()) else { continue };
            let wanted = u64::from(self.config.max_message_bytes.saturating_add(OVERHEAD));
            if found < wanted {
                return Err(QueueError::Permanent(format!(
                    "topic {} takes messages of at most {found} bytes: set its {MAX_MESSAGE_BYTES} to {wanted}, or the \
                     setting max_message_bytes to {}",
                    topic.name,
                    found.saturating_sub(OVERHEAD.into())
                )));
            }
        }
        Ok(())
    }
}

impl Queue for KafkaQueue {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config.client().create().map_err(failed)?;
        let largest = self.config.max_message_bytes.saturating_add(OVERHEAD).to_string();
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            .map(|topic| {
                let replication = TopicReplication::Fixed(self.config.replication);
                NewTopic::new(&topic.name, topic.partitions, replication).set(MAX_MESSAGE_BYTES, &largest)
            })
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(CALL)).request_timeout(Some(CALL));
        let results = futures::executor::block_on(admin.create_topics(&new, &options)).map_err(failed)?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((topic, code)) => {
                    let reason = format!("topic {topic} cannot be made: {code}");
                    return Err(match failed(KafkaError::AdminOp(code)) {
                        QueueError::Unavailable(_) => QueueError::Unavailable(reason),
                        _ => QueueError::Permanent(reason),
                    });
                }
            }
        }
        self.check_sizes(&admin, topics, &options)
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>> {
        let context = Deliveries::default();
        let failures = context.failure.clone();
        let producer = self.config.publisher().create_with_context(context).map_err(failed)?;
        Ok(Box::new(KafkaPublisher { producer, failures }))
    }

    fn consume(&self, membership: Membership, work: Work, stop: Stop) -> Result<()> {
        group::consume(&self.config, &membership, &work, &stop)
    }

    fn reader(&self, topic: &str, start: Start) -> Result<Box<dyn Reader>> {
        Ok(Box::new(reader::KafkaReader::new(&self.config, topic, &start)?))
    }

    fn count(&self, topic: &str) -> Result<u64> {
        // Offsets hold the markers of transactions and what was aborted, so only reading tells.
        let mut reader = reader::KafkaReader::new(&self.config, topic, &Start::Beginning)?;
        let mut count = 0;
        loop {
            if reader.next(Duration::from_millis(100))?.is_some() {
                count += 1;
            } else if reader.at_end()? {
                return Ok(count);
            }
        }
    }

    fn lag(&self, group: &str, topic: &str) -> Result<u64> {
        let consumer: BaseConsumer = self.config.consumer(group).create().map_err(failed)?;
        let partitions = reader::partitions(&consumer, topic)?;
        let mut list = TopicPartitionList::new();
        for partition in &partitions {
            list.add_partition(topic, *partition);
        }
        let committed = consumer.committed_offsets(list, CALL).map_err(failed)?;
        let mut lag = 0;
        for partition in partitions {
            let (low, high) = consumer.fetch_watermarks(topic, partition, CALL).map_err(failed)?;
            let at = match committed.find_partition(topic, partition).map(|found| found.offset()) {
                Some(Offset::Offset(offset)) => offset.max(low),
                _ => low,
            };
            lag += u64::try_from(high - at).unwrap_or(0);
        }
        Ok(lag)
    }

    fn ready(&self) -> bool {
        if self.asking.get().is_none() {
            let Ok(consumer) = self.config.consumer("cortex-ready").create() else { return false };
            // Of two that were made at once one is dropped.
            let _ = self.asking.set(Asking(consumer));
        }
        self.asking.get().is_some_and(|Asking(consumer)| consumer.fetch_metadata(None, LOOK).is_ok())
    }
}

/// Keeps the first delivery that failed.
#[derive(Default)]
struct Deliveries {
    failure: Arc<Mutex<Option<KafkaError>>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.clone());
        }
    }
}

struct KafkaPublisher {
    producer: BaseProducer<Deliveries>,
    failures: Arc<Mutex<Option<KafkaError>>>,
}

impl Publisher for KafkaPublisher {
    fn publish(&mut self, messages: &[Outgoing<'_>]) -> Result<()> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).take();
        for message in messages {
            send(&self.producer, message, None)?;
        }
        self.producer.flush(CALL).map_err(failed)?;
        match self.failures.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(failed(error)),
            None => Ok(()),
        }
    }
}

/// Hands a message to the producer; waits while its buffer is full, which is the way's back-pressure.
fn send<C: ProducerContext<DeliveryOpaque = ()>>(
    producer: &BaseProducer<C>,
    message: &Outgoing<'_>,
    partition: Option<i32>,
) -> Result<()> {
    let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
    for (key, value) in message.headers {
        headers = headers.insert(Header { key, value: Some(*value) });
    }
    let mut record = BaseRecord::to(message.topic).key(message.key).payload(message.value).headers(headers);
    record.partition = partition;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                producer.poll(Duration::from_millis(10));
                record = refused;
            }
            Err((error, _)) => return Err(failed(error)),
        }
    }
}

/// A message as the port gives it.
fn incoming(message: &impl rdkafka::Message) -> Incoming {
    use rdkafka::message::Headers;
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
            .collect()
    });
    Incoming {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers.unwrap_or_default(),
    }
}
