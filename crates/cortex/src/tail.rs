//! `cortex tail`: the records of a topic as JSON lines.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use queue::kafka::KafkaQueue;
use queue::{Incoming, Queue, Start};
use records::topic::HEADER_MESSAGE;
use serde_json::{Value, json};

use crate::args::{KafkaArgs, TailArgs};
use crate::kafka;

/// Reads the topic and prints until the end that the arguments set.
pub(crate) fn run(args: &TailArgs) -> Result<()> {
    let queue = queue(&args.kafka, &args.data_dir)?;
    let start = if args.from_beginning { Start::Beginning } else { Start::End };
    let mut reader = queue.reader(&args.topic, start)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut left = args.max.unwrap_or(u64::MAX);
    while left > 0 {
        match reader.next(Duration::from_millis(200))? {
            Some(message) => {
                let line = line(&args.topic, &message, args.json)?;
                // A closed pipe (`| head`) ends the command, and is no failure.
                if writeln!(out, "{line}").is_err() {
                    return Ok(());
                }
                left -= 1;
            }
            None => {
                if out.flush().is_err() || (args.from_beginning && !args.follow && reader.at_end()?) {
                    return Ok(());
                }
            }
        }
    }
    let _ = out.flush();
    Ok(())
}

/// Kafka where it is named, else the queue in the data folder of a `cortex dev`.
pub(crate) fn queue(kafka: &KafkaArgs, data_dir: &Path) -> Result<Box<dyn Queue>> {
    let settings = kafka.settings()?;
    if settings.kafka.is_some() {
        return Ok(Box::new(KafkaQueue::new(kafka::config(&settings)?)?));
    }
    let path = data_dir.join("queue.db");
    if !path.exists() {
        bail!(
            "{} does not exist: give --kafka HOST:PORT, or the --data-dir of a `cortex dev`",
            path.display()
        );
    }
    Ok(Box::new(queue::embedded::EmbeddedQueue::open(&path)?))
}

/// One message as a line.
fn line(topic: &str, message: &Incoming, with_envelope: bool) -> Result<Value> {
    let name = message.headers.iter().find(|(key, _)| key == HEADER_MESSAGE);
    let name = name.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
    let place = || format!("{topic}/{}/{}", message.partition, message.offset);
    let value = records::plain(&message.headers, &message.value).with_context(place)?;
    let record = records::to_json(&name, &value).with_context(place)?;
    if !with_envelope {
        return Ok(record);
    }
    Ok(json!({
        "topic": topic,
        "partition": message.partition,
        "offset": message.offset,
        "key": String::from_utf8_lossy(&message.key),
        "message": name,
        "value": record,
    }))
}
