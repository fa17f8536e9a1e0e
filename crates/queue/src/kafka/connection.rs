//! What every client of librdkafka's has in common: it gets its token here, and what it says of its connections is heard here.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::OAuthToken;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

use super::error::{DOCS, explained, failed};
use super::token::Tokens;
use crate::{QueueError, Result};

/// The same kind of error is logged once in so long.
const LOG_EVERY: Duration = Duration::from_secs(30);
/// One look whether a client is connected.
const SLICE: Duration = Duration::from_millis(500);
/// How long each new connection must be refused until it is believed that this client is not to be let in.
const REFUSED_FOR: Duration = Duration::from_secs(5);
/// How long a new client may take to ask for its first token; it does at once.
const FIRST_ASKED: Duration = Duration::from_secs(5);
const ASKED_POLL: Duration = Duration::from_millis(20);

/// The context of a client, or a part of it.
#[derive(Default)]
pub(super) struct Connection {
    tokens: Option<Arc<Tokens>>,
    /// True once the client has asked for a token.
    asked: AtomicBool,
    /// What was said last of what denies access or keeps from connecting.
    said: Mutex<Option<QueueError>>,
    logged: Mutex<HashMap<i32, Instant>>,
}

impl Connection {
    pub(super) fn new(tokens: Option<Arc<Tokens>>) -> Self {
        Self { tokens, ..Self::default() }
    }

    /// What an error of the client means, by what was said of its connections where it tells nothing itself.
    pub(super) fn verdict(&self, error: KafkaError) -> QueueError {
        let is_vague = matches!(
            error.rdkafka_error_code(),
            Some(Code::Authentication | Code::SSL | Code::AllBrokersDown | Code::BrokerTransportFailure)
        );
        match self.take_said() {
            Some(said) if is_vague => said,
            _ => failed(error),
        }
    }

    /// Serves a client's first want of a token. Calls that block wait for a connection and serve nothing meanwhile.
    fn serve_first_token(&self, poll: impl Fn(Duration)) {
        let until = Instant::now() + FIRST_ASKED;
        while self.tokens.is_some() && !self.asked.load(Ordering::SeqCst) && Instant::now() < until {
            poll(ASKED_POLL);
        }
    }

    fn take_said(&self) -> Option<QueueError> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_due(&self, code: Code) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let last = logged.insert(code as i32, now);
        match last {
            Some(last) if now.duration_since(last) < LOG_EVERY => {
                logged.insert(code as i32, last);
                false
            }
            _ => true,
        }
    }
}

impl ClientContext for Connection {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        if code == Code::PartitionEOF {
            return;
        }
        let known = explained(code, reason);
        let known = known.unwrap_or_else(|| QueueError::Unavailable(format!("{error}: {reason}")));
        if self.is_due(code) {
            match &known {
                QueueError::Denied(_) | QueueError::Unauthenticated(_) => tracing::error!("{known}"),
                other => tracing::warn!("{other}"),
            }
        }
        // That all brokers are down says less than why one is not reached, which was said before.
        if code != Code::AllBrokersDown {
            *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn Error>> {
        self.asked.store(true, Ordering::SeqCst);
        let tokens = self.tokens.as_ref().ok_or("no source of tokens is set")?;
        Ok(tokens.get()?)
    }
}

impl ConsumerContext for Connection {}

impl ProducerContext for Connection {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, _: ()) {}
}

/// What holds a [`Connection`].
pub(super) trait Connected {
    fn connection(&self) -> &Connection;
}

impl Connected for Connection {
    fn connection(&self) -> &Connection {
        self
    }
}

/// A consumer that blocking calls may be made on.
pub(super) fn consumer<C: ConsumerContext + Connected>(
    config: &ClientConfig,
    context: C,
) -> Result<BaseConsumer<C>> {
    let consumer: BaseConsumer<C> = config.create_with_context(context).map_err(failed)?;
    consumer.context().connection().serve_first_token(|wait| drop(consumer.poll(wait)));
    Ok(consumer)
}

/// A producer that blocking calls may be made on.
pub(super) fn producer<C: ProducerContext<DeliveryOpaque = ()> + Connected + 'static>(
    config: &ClientConfig,
    context: C,
) -> Result<BaseProducer<C>> {
    let producer: BaseProducer<C> = config.create_with_context(context).map_err(failed)?;
    producer.context().connection().serve_first_token(|wait| producer.poll(wait));
    Ok(producer)
}

/// Waits until a client has reached a broker, and been let in.
///
/// # Errors
/// [`QueueError::Denied`] as soon as the broker says so; [`QueueError::Unauthenticated`] where broker or TLS go on refusing to let
/// this client in; [`QueueError::Unavailable`], with what was said last, where no broker answers within `patience`.
pub(super) fn reach(consumer: &BaseConsumer<Connection>, patience: Duration) -> Result<()> {
    let until = Instant::now() + patience;
    let mut last = None;
    let mut refused_since = None;
    loop {
        // Errors and the need of a token are heard where a client is polled.
        while consumer.poll(Duration::ZERO).is_some() {}
        let left = until.saturating_duration_since(Instant::now());
        let found = consumer.fetch_metadata(None, left.clamp(Duration::from_millis(1), SLICE));
        while consumer.poll(Duration::ZERO).is_some() {}
        match (found, consumer.context().take_said()) {
            (Ok(_), _) => return Ok(()),
            (Err(_), Some(denied @ QueueError::Denied(_))) => return Err(denied),
            (Err(_), Some(refused @ QueueError::Unauthenticated(_))) => {
                let since = *refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > REFUSED_FOR {
                    return Err(refused);
                }
                last = Some(refused);
            }
            (Err(_), Some(said)) => last = Some(said),
            (Err(error), None) => last = last.or_else(|| Some(failed(error))),
        }
        if left.is_zero() {
            return Err(last.map_or_else(|| unreached("no broker answers"), with_advice));
        }
    }
}

/// librdkafka does not always say why: then what it may be.
fn with_advice(error: QueueError) -> QueueError {
    match error {
        QueueError::Unavailable(reason) if !reason.contains(DOCS) => unreached(&reason),
        told => told,
    }
}

fn unreached(reason: &str) -> QueueError {
    QueueError::Unavailable(format!(
        "{reason}: no broker lets itself be reached: check the addresses in kafka, and kafka_security_protocol where a listener \
         speaks TLS or wants SASL; see {DOCS}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vague_error_is_told_by_what_was_said_before() {
        let connection = Connection::default();
        connection.error(KafkaError::Global(Code::Authentication), "invalid credentials");
        connection.error(KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
        let verdict = connection.verdict(KafkaError::MetadataFetch(Code::AllBrokersDown));
        assert!(
            matches!(&verdict, QueueError::Unauthenticated(text) if text.contains("invalid credentials")),
            "{verdict}"
        );
        let verdict = connection.verdict(KafkaError::MetadataFetch(Code::AllBrokersDown));
        assert!(matches!(verdict, QueueError::Unavailable(_)), "what was said holds once: {verdict}");
    }

    #[test]
    fn the_same_error_is_not_logged_at_each_try() {
        let connection = Connection::default();
        assert!(connection.is_due(Code::SSL));
        assert!(!connection.is_due(Code::SSL));
        assert!(connection.is_due(Code::Authentication));
    }
}
