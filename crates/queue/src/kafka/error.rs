//! What librdkafka's errors mean to the port, and what is to be done about them: decided here and nowhere else.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::QueueError;

/// Where what follows is told at length.
pub(super) const DOCS: &str = "docs/kafka.md";
/// How librdkafka begins what it says of a token that was not got; behind it stands what the source of tokens said.
const NO_TOKEN: &str = "Failed to acquire SASL OAUTHBEARER token";
/// What TLS says where a broker does not take the client's certificate, or misses one.
const UNWANTED_CLIENT: [&str; 4] =
    ["certificate required", "bad certificate", "unknown ca", "alert certificate unknown"];
/// In the message of a token that may be had a little later.
pub(super) const ASKED_AGAIN: &str = "it is asked for again";

/// An error outside of a lane.
pub(super) fn failed(error: KafkaError) -> QueueError {
    let text = error.to_string();
    match (code_of(&error), &error) {
        (_, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)) => QueueError::Permanent(text),
        (Some(code), _) => judged(code, text),
        (None, _) => QueueError::Unavailable(text),
    }
}

/// The code of an error, also of those that the binding gives none for.
pub(super) fn code_of(error: &KafkaError) -> Option<Code> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

/// What a code means; `text` is what is said of it.
pub(super) fn judged(code: Code, text: String) -> QueueError {
    if let Some(known) = explained(code, &text) {
        return known;
    }
    match code {
        Code::UnknownTopicOrPartition
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::MessageSizeTooLarge
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidArgument
        | Code::InvalidConfig
        | Code::PolicyViolation
        | Code::UnsupportedVersion => QueueError::Permanent(text),
        _ => QueueError::Unavailable(text),
    }
}

/// What is known to be a matter of settings, of credentials or of ACLs, with what to do; none for anything else.
pub(super) fn explained(code: Code, reason: &str) -> Option<QueueError> {
    let denied = |advice: &str| Some(QueueError::Denied(format!("{reason}: {advice}; see {DOCS}")));
    let unknown = |advice: &str| Some(QueueError::Unauthenticated(format!("{reason}: {advice}; see {DOCS}")));
    let for_now = |advice: &str| Some(QueueError::Unavailable(format!("{reason}: {advice}; see {DOCS}")));
    match code {
        Code::TopicAuthorizationFailed => denied(
            "the cluster's ACLs do not let this principal do it to the topic: `cortex topics acls` prints what each role needs",
        ),
        Code::GroupAuthorizationFailed => denied(
            "the cluster's ACLs do not let this principal use the consumer group: `cortex topics acls` prints what each role needs",
        ),
        Code::TransactionalIdAuthorizationFailed => denied(
            "the cluster's ACLs do not let this principal use the transactional id: `cortex topics acls` prints what each role needs",
        ),
        Code::ClusterAuthorizationFailed => denied(
            "the cluster's ACLs do not let this principal do it to the cluster: `cortex topics acls` prints what each role needs",
        ),
        Code::Authentication | Code::SaslAuthenticationFailed if reason.contains(ASKED_AGAIN) => {
            for_now("no token was had from kafka_oauth_token_url or from AWS")
        }
        Code::Authentication | Code::SaslAuthenticationFailed if reason.contains(NO_TOKEN) => {
            unknown("check the settings kafka_oauth_…, or the AWS identity")
        }
        Code::Authentication | Code::SaslAuthenticationFailed | Code::UnsupportedSASLMechanism => unknown(
            "the broker does not accept these credentials: check kafka_sasl_mechanism, kafka_sasl_username and \
             kafka_sasl_password_file",
        ),
        // Under TLS 1.3 a broker says so after the handshake, on what is then a connection that breaks.
        Code::SSL | Code::BrokerTransportFailure if has(reason, &UNWANTED_CLIENT) => unknown(
            "the broker wants a client certificate that it trusts: check kafka_client_cert_file and \
             kafka_client_key_file",
        ),
        Code::SSL => match reason {
            _ if has(reason, &["certificate verify failed", "could not be verified"]) => unknown(
                "the broker's certificate is not of a CA that is trusted here, or of another host: give its CA (PEM) by \
                 kafka_ca_file",
            ),
            _ => for_now("check kafka_security_protocol, and whether this listener of the broker speaks TLS"),
        },
        // What librdkafka supposes where a broker hangs up on the first request.
        _ if reason.contains("security.protocol") => {
            for_now("check kafka_security_protocol: this listener may speak TLS or want SASL")
        }
        _ => None,
    }
}

fn has(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

/// What a lane's producer said. `holding` names the partition, for a fenced lane.
pub(super) fn lane_failed(error: KafkaError, holding: (&str, i32)) -> QueueError {
    let fenced =
        |reason: String| QueueError::Fenced { topic: holding.0.to_owned(), partition: holding.1, reason };
    let text = error.to_string();
    if let Some(denied @ QueueError::Denied(_)) =
        error.rdkafka_error_code().and_then(|code| explained(code, &text))
    {
        return denied;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(code: Code, reason: &str) -> String {
        match explained(code, reason) {
            Some(QueueError::Denied(text) | QueueError::Unauthenticated(text)) => text,
            other => panic!("{reason}: {other:?}"),
        }
    }

    #[test]
    fn what_denies_access_names_the_setting_that_mends_it() {
        assert!(denied(Code::Authentication, "invalid credentials").contains("kafka_sasl_password_file"));
        let reason = "SSL handshake failed: certificate verify failed";
        assert!(denied(Code::SSL, reason).contains("kafka_ca_file"));
        assert!(denied(Code::SSL, "tlsv13 alert certificate required").contains("kafka_client_cert_file"));
        assert!(denied(Code::TopicAuthorizationFailed, "no").contains("cortex topics acls"));
    }

    #[test]
    fn what_a_cluster_cannot_do_is_not_tried_again() {
        let cannot = failed(KafkaError::AdminOp(Code::InvalidReplicationFactor));
        assert!(matches!(cannot, QueueError::Permanent(_)), "{cannot}");
        let gone = failed(KafkaError::AdminOp(Code::BrokerTransportFailure));
        assert!(matches!(gone, QueueError::Unavailable(_)), "{gone}");
    }

    #[test]
    fn a_token_that_may_be_had_later_and_a_dropped_connection_are_tried_again() {
        let reason = format!("{NO_TOKEN}: the token endpoint does not answer; {ASKED_AGAIN}");
        assert!(matches!(explained(Code::Authentication, &reason), Some(QueueError::Unavailable(_))));
        assert!(denied(Code::Authentication, NO_TOKEN).contains("kafka_oauth_"));
        let reason =
            "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol";
        let Some(QueueError::Unavailable(text)) = explained(Code::BrokerTransportFailure, reason) else {
            panic!("{reason}")
        };
        assert!(text.contains("kafka_security_protocol"));
        assert!(explained(Code::BrokerTransportFailure, "connection refused").is_none());
    }
}
