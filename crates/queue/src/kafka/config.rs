//! What each kind of client is set to.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::connection::Connection;
use super::security::Security;
use super::topics::TopicPlan;

/// What a batch adds to a message of its own, with room to spare.
const OVERHEAD: u32 = 16 << 10;

/// Bytes of the largest batch: one message of so many bytes, and what a batch adds to it. A topic must take it.
#[must_use]
pub const fn largest_batch(max_message_bytes: u32) -> u32 {
    max_message_bytes.saturating_add(OVERHEAD)
}

/// What a producer holds that is not acknowledged yet, in KiB of key, value and headers: far more than a broker needs to have
/// on its way, and little enough that a dozen lanes, each with a producer, stay within a parser's memory. The largest message fits
/// in any case.
const BUFFER_KBYTES: u32 = 4 << 10;

/// How to reach a cluster.
#[derive(Clone)]
pub struct KafkaConfig {
    /// `HOST:PORT`, several separated by commas.
    pub bootstrap: String,
    /// TLS, and who Cortex is to the brokers.
    pub security: Security,
    /// Any librdkafka setting besides; what the port's promises rest on (transactions, isolation, commits) is set after these
    /// and cannot be changed.
    pub properties: BTreeMap<String, String>,
    /// Topics that are made otherwise than by what is asked for at their making.
    pub topics: Vec<TopicPlan>,
    /// Replication factor of topics of no plan; -1 for the broker's default.
    pub replication: i32,
    /// The largest message, in bytes of key, value and headers: what topics are made with, and what is sent at most.
    pub max_message_bytes: u32,
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: passwords and keys are among the values.
        let names: Vec<_> = self.properties.keys().collect();
        f.debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("security", &self.security)
            .field("properties", &names)
            .field("replication", &self.replication)
            .finish()
    }
}

impl KafkaConfig {
    /// A cluster that is reached in the clear, with defaults for all else.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            security: Security::default(),
            properties: BTreeMap::new(),
            topics: Vec::new(),
            replication: -1,
            max_message_bytes: crate::MAX_MESSAGE_BYTES,
        }
    }

    /// The context of a client.
    pub(super) fn connection(&self) -> Connection {
        Connection::new(self.security.tokens())
    }

    /// What every client has.
    pub(super) fn client(&self) -> ClientConfig {
        self.client_over(&[])
    }

    /// What every client has, over these defaults of its kind, which the operator's own settings replace.
    fn client_over(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("client.id", "cortex").set_log_level(RDKafkaLogLevel::Warning);
        for (name, value) in defaults {
            config.set(*name, *value);
        }
        for (name, value) in self.security.properties() {
            config.set(name, value);
        }
        for (name, value) in &self.properties {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// A consumer that commits nothing by itself and sees committed messages only.
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        self.consumer_over(&[], group)
    }

    fn consumer_over(&self, defaults: &[(&str, &str)], group: &str) -> ClientConfig {
        let mut config = self.client_over(defaults);
        config
            .set("group.id", group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false");
        config
    }

    /// A member of a group. Static membership keeps a rolling restart quiet; the cooperative protocol takes from a
    /// member only what it is to give.
    pub(super) fn member(&self, group: &str, member: &str) -> ClientConfig {
        let mut config = self.consumer_over(&[("session.timeout.ms", "30000")], group);
        config
            .set("group.instance.id", member)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("enable.partition.eof", "false");
        config
    }

    /// A lane's consumer: messages on the objects topic are small and each is long work, so few are fetched ahead.
    pub(super) fn lane_consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.consumer(group);
        config
            .set("enable.partition.eof", "false")
            .set("queued.min.messages", "100")
            .set("queued.max.messages.kbytes", "1024")
            .set("fetch.wait.max.ms", "100");
        config
    }

    /// A producer that is acknowledged by all in-sync replicas, in order and once.
    pub(super) fn publisher(&self) -> ClientConfig {
        self.producer_over(&[])
    }

    /// A lane's producer.
    pub(super) fn transactional(&self, id: &str) -> ClientConfig {
        let mut config = self.producer_over(&[("transaction.timeout.ms", "60000")]);
        config.set("transactional.id", id);
        config
    }

    fn producer_over(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let largest = largest_batch(self.max_message_bytes);
        let (largest, buffer) = (largest.to_string(), BUFFER_KBYTES.max(largest.div_ceil(1024)).to_string());
        let own = [
            ("message.max.bytes", largest.as_str()),
            ("linger.ms", "20"),
            ("compression.type", "lz4"),
            ("queue.buffering.max.kbytes", buffer.as_str()),
        ];
        let mut config = self.client_over(&[&own, defaults].concat());
        // As Kafka's Java clients partition, and as the embedded adapter does.
        config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random");
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_in_debug_output() {
        let config = KafkaConfig {
            properties: BTreeMap::from([("sasl.password".into(), "hush".into())]),
            ..KafkaConfig::new("b:9092")
        };
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn what_the_promises_rest_on_cannot_be_set_otherwise() {
        let config = KafkaConfig {
            properties: BTreeMap::from([
                ("isolation.level".into(), "read_uncommitted".into()),
                ("linger.ms".into(), "1".into()),
            ]),
            ..KafkaConfig::new("b:9092")
        };
        assert_eq!(config.member("g", "m").get("isolation.level"), Some("read_committed"));
        assert_eq!(config.transactional("t").get("linger.ms"), Some("1"));
    }

    #[test]
    fn every_kind_of_client_has_the_password_itself() {
        let config = KafkaConfig {
            properties: BTreeMap::from([("sasl.password".into(), "hush".into())]),
            ..KafkaConfig::new("b:9092")
        };
        let kinds = [
            config.client(),
            config.consumer("g"),
            config.member("g", "m"),
            config.lane_consumer("g"),
            config.publisher(),
            config.transactional("t"),
        ];
        // What the binding shows of its settings has a placeholder for it: no settings are to be copied from there.
        assert!(kinds.iter().all(|kind| kind.get("sasl.password") == Some("hush")));
    }
}
