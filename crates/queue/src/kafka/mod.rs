//! The queue on Apache Kafka, by librdkafka.
//!
//! A member of a group holds three kinds of clients. The **group consumer** joins the group and is polled for as long as
//! the member lives, so that a long file never costs it its membership; its partitions stay paused, it reads nothing.
//! Each assigned partition has a **lane**: a thread with a transactional producer and a plain consumer of its own, which
//! begins at the committed offset and reads that partition alone. So a rewind is a new consumer, and no message read
//! before it can slip in behind it. What it costs is a connection more a partition.

mod config;
mod connection;
mod error;
mod group;
mod lane;
mod reader;
mod security;
mod token;
mod topics;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::client::{DefaultClientContext, OAuthToken};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::{
    Incoming, Membership, Outgoing, Positions, Publisher, Queue, QueueError, Reader, Result, Start, Stop,
    TopicSpec, Work,
};
pub use config::{KafkaConfig, largest_batch};
use connection::{Connected, Connection};
use error::failed;
pub use security::{Sasl, Security, Tls};
pub use token::{ClientCredentials, MskIam, OAuthSettings, Token, TokenError, TokenSource, Tokens};
pub use topics::{Change, Effect, Survey, TopicPlan, What};

/// The group that is named by readers and by who only looks at the cluster, and never joined: librdkafka asks for one.
const LOOK_GROUP: &str = "cortex-look";
/// How long a call to the broker may take.
const CALL: Duration = Duration::from_secs(30);
/// How long a look whether the broker answers may take.
const LOOK: Duration = Duration::from_secs(3);

/// The queue on a Kafka cluster.
#[derive(Debug)]
pub struct KafkaQueue {
    config: Arc<KafkaConfig>,
    asking: Asking,
}

/// Consumers that ask of the cluster and its groups what is to be known, and read nothing: one for each group that they name.
/// They are kept, so that asking costs no connection.
#[derive(Default)]
struct Asking(Mutex<BTreeMap<String, Arc<BaseConsumer<Connection>>>>);

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
            config.client().create().map_err(|error| QueueError::Permanent(settings_error(&error)))?;
        Ok(Self { config: Arc::new(config), asking: Asking::default() })
    }
}

impl KafkaQueue {
    /// A consumer that has reached the cluster and been let in.
    fn reached(&self) -> Result<BaseConsumer<Connection>> {
        let consumer = connection::consumer(&self.config.consumer(LOOK_GROUP), self.config.connection())?;
        connection::reach(&consumer, CALL)?;
        Ok(consumer)
    }
}

impl KafkaQueue {
    /// The consumer that asks in this group's name.
    fn asking(&self, group: &str) -> Result<Arc<BaseConsumer<Connection>>> {
        let known = {
            let kept = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(group).cloned()
        };
        let consumer = match known {
            Some(consumer) => consumer,
            None => {
                // Not under the lock, as it may wait for a token. Of two that are made at once one is dropped.
                let made = connection::consumer(&self.config.consumer(group), self.config.connection())?;
                let mut kept = self.asking.0.lock().unwrap_or_else(PoisonError::into_inner);
                kept.entry(group.to_owned()).or_insert_with(|| Arc::new(made)).clone()
            }
        };
        // Errors and the need of a new token are heard where a client is polled.
        while consumer.poll(Duration::ZERO).is_some() {}
        Ok(consumer)
    }
}

impl Queue for KafkaQueue {
    fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<()> {
        topics::ensure(&self.config, &self.reached()?, topics)
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>> {
        let context = Deliveries { connection: self.config.connection(), failure: Arc::default() };
        let failures = context.failure.clone();
        let producer = connection::producer(&self.config.publisher(), context)?;
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

    fn lag(&self, topic: &str, positions: Positions<'_>) -> Result<BTreeMap<i32, u64>> {
        let group = match positions {
            Positions::Group(group) => group,
            Positions::Offsets(_) => LOOK_GROUP,
        };
        let consumer = self.asking(group)?;
        let partitions = reader::partitions(&consumer, topic)?;
        let read = match positions {
            Positions::Group(_) => committed(&consumer, topic, &partitions)?,
            Positions::Offsets(offsets) => offsets.clone(),
        };
        let behind = |partition: i32| {
            let (low, high) = consumer.fetch_watermarks(topic, partition, CALL).map_err(failed)?;
            let at = read.get(&partition).map_or(low, |at| low.max(*at));
            Ok((partition, u64::try_from(high - at).unwrap_or(0)))
        };
        partitions.into_iter().map(behind).collect()
    }

    fn ready(&self) -> bool {
        self.asking(LOOK_GROUP).is_ok_and(|consumer| consumer.fetch_metadata(None, LOOK).is_ok())
    }
}

/// Where the group has committed, by partition; none where it has not.
fn committed(
    consumer: &BaseConsumer<Connection>,
    topic: &str,
    partitions: &[i32],
) -> Result<BTreeMap<i32, i64>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(topic, *partition);
    }
    let committed = consumer.committed_offsets(list, CALL).map_err(failed)?;
    let at = |partition: &i32| match committed.find_partition(topic, *partition)?.offset() {
        Offset::Offset(offset) => Some((*partition, offset)),
        _ => None,
    };
    Ok(partitions.iter().filter_map(at).collect())
}

/// Keeps the first delivery that failed.
struct Deliveries {
    connection: Connection,
    failure: Arc<Mutex<Option<KafkaError>>>,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        self.connection.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn Error>> {
        self.connection.generate_oauth_token(config)
    }
}

impl Connected for Deliveries {
    fn connection(&self) -> &Connection {
        &self.connection
    }
}

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

/// What librdkafka says of a setting, which may quote its value, but never a secret's: those are told by name.
fn settings_error(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, reason, name, _) => format!("Kafka setting {name}: {reason}"),
        other => other.to_string(),
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
