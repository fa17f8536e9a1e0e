//! The queue on Apache Kafka, by librdkafka.
