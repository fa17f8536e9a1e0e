//! Reads Cortex's typed events and prints each as a line of JSON.
//!
//! ```text
//! cargo run -p consume-events -- localhost:9092 my-consumers [--until-end] [NAME=VALUE …]
//! ```
//!
//! `NAME=VALUE` is any setting of librdkafka's that the cluster wants besides, such as `security.protocol=sasl_ssl`. With
//! `--until-end` it ends once it has read what there was.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use prost::{Message as _, Name as _};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use records::topic::EVENTS;
use records::v1::Event;

/// Messages between two commits of offsets.
const BATCH: usize = 500;
const WAIT: Duration = Duration::from_millis(500);

fn main() -> Result<()> {
    let (flags, arguments): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument == "--until-end");
    let [bootstrap, group, settings @ ..] = arguments.as_slice() else {
        bail!("usage: consume-events HOST:PORT GROUP [--until-end] [NAME=VALUE …]");
    };
    let mut config = ClientConfig::new();
    for setting in settings {
        let (name, value) = setting.split_once('=').with_context(|| format!("{setting}: not NAME=VALUE"))?;
        config.set(name, value);
    }
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        // Chunks that were taken back are not shown: they would come twice.
        .set("isolation.level", "read_committed")
        // Offsets move once the records are dealt with, not when they are fetched.
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[EVENTS])?;
    consume(&consumer, !flags.is_empty())
}

fn consume(consumer: &BaseConsumer, until_end: bool) -> Result<()> {
    let mut ended = BTreeSet::new();
    loop {
        let mut handled = 0;
        while handled < BATCH {
            match consumer.poll(WAIT) {
                Some(Ok(message)) => {
                    ended.remove(&message.partition());
                    handle(&event(&message)?)?;
                    handled += 1;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) => return Err(error).context("the broker refuses"),
                None => break,
            }
        }
        if handled > 0 {
            // After a crash between handle and here the records come again: envelope.record_id tells them.
            consumer.commit_consumer_state(CommitMode::Sync)?;
        }
        let assigned = consumer.assignment()?.count();
        if until_end && assigned > 0 && ended.len() == assigned {
            return Ok(());
        }
    }
}

/// In whichever form the operator has values published; the headers tell.
fn event(message: &BorrowedMessage<'_>) -> Result<Event> {
    let headers = message.headers().into_iter().flat_map(|all| all.iter());
    let headers: Vec<(String, Vec<u8>)> =
        headers.map(|one| (one.key.to_owned(), one.value.unwrap_or_default().to_vec())).collect();
    let value = records::plain(&headers, message.payload().unwrap_or_default())?;
    Ok(Event::decode(value.as_ref())?)
}

fn handle(event: &Event) -> Result<()> {
    let json = records::to_json(&Event::full_name(), &event.encode_to_vec())?;
    writeln!(std::io::stdout(), "{json}")?;
    Ok(())
}
