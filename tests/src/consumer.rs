//! A consumer that nobody here wrote: Kafka's own console consumer, reading committed messages only.

use anyhow::{Context, Result, ensure};
use services::kafka_tool;

/// Between key and value; no message holds it.
const KEY_END: &str = "<--cortex-end-of-key-->";
/// Behind each message; no message holds it.
const MESSAGE_END: &str = "<--cortex-end-of-message-->";

/// A message as the console consumer printed it.
#[derive(Debug, Clone)]
pub struct Message {
    /// Key.
    pub key: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

/// Every committed message of the topic.
pub fn read_committed(bootstrap: &str, topic: &str) -> Result<Vec<Message>> {
    let key_separator = format!("key.separator={KEY_END}");
    let line_separator = format!("line.separator={MESSAGE_END}");
    let arguments = [
        "--bootstrap-server",
        bootstrap,
        "--topic",
        topic,
        "--from-beginning",
        "--isolation-level",
        "read_committed",
        "--timeout-ms",
        "8000",
        "--property",
        "print.key=true",
        "--property",
        &key_separator,
        "--property",
        &line_separator,
    ];
    let output = kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments)?
        .output()
        .context("the console consumer does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let messages = split(&output.stdout, MESSAGE_END.as_bytes())
        .into_iter()
        .map(|message| {
            let parts = split_once(message, KEY_END.as_bytes());
            let (key, value) =
                parts.with_context(|| format!("a message without a key on {topic}: {said}"))?;
            Ok(Message { key: key.to_vec(), value: value.to_vec() })
        })
        .collect::<Result<Vec<_>>>()?;
    let processed = said.lines().find_map(|line| {
        line.strip_prefix("Processed a total of ")?.split_whitespace().next()?.parse::<usize>().ok()
    });
    ensure!(
        processed == Some(messages.len()),
        "{} messages were split, the consumer said: {said}",
        messages.len()
    );
    Ok(messages)
}

fn split_once<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(bytes, separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

/// The parts that end in `separator`.
fn split<'a>(mut bytes: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some((part, rest)) = split_once(bytes, separator) {
        parts.push(part);
        bytes = rest;
    }
    parts
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}
