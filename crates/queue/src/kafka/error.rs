//! What librdkafka's errors mean to the port: decided here and nowhere else.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::QueueError;

/// An error outside of a lane.
pub(super) fn failed(error: KafkaError) -> QueueError {
    let text = error.to_string();
    match error.rdkafka_error_code() {
        Some(
            Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::MessageSizeTooLarge
            | Code::InvalidTopic
            | Code::InvalidPartitions
            | Code::InvalidReplicationFactor
            | Code::InvalidArgument
            | Code::InvalidConfig
            | Code::UnsupportedVersion
            | Code::Authentication
            | Code::SaslAuthenticationFailed,
        ) => QueueError::Permanent(text),
        _ => match error {
            KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => QueueError::Permanent(text),
            _ => QueueError::Unavailable(text),
        },
    }
}

/// What a lane's producer said. `holding` names the partition, for a fenced lane.
pub(super) fn lane_failed(error: KafkaError, holding: (&str, i32)) -> QueueError {
    let fenced =
        |reason: String| QueueError::Fenced { topic: holding.0.to_owned(), partition: holding.1, reason };
    let text = error.to_string();
    if let KafkaError::Transaction(inner) = &error {
        if inner.txn_requires_abort() {
            return QueueError::Aborted(text);
        }
        if inner.is_fatal() {
            return fenced(text);
        }
    }
    match error.rdkafka_error_code() {
        Some(
            Code::Fatal
            | Code::Fenced
            | Code::ProducerFenced
            | Code::InvalidProducerEpoch
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::FencedInstanceId
            | Code::State,
        ) => fenced(text),
        _ => failed(error),
    }
}
