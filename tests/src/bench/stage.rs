//! The whole system on one broker of its own, PostgreSQL and an S3 server, with one source.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use prost::Message as _;
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{Incoming, MAX_MESSAGE_BYTES, Queue, Start};
use records::queue::{FileProgress, Outcome};
use records::topic::{EVENTS, FILE_PROGRESS, OBJECTS};
use records::v1::Event;
use services::KafkaCluster;

use super::Usage;
use crate::process::{Process, until};
use crate::s3::Store;
use crate::system::System;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Of each topic, as [`System`] has it.
pub const PARTITIONS: i32 = 6;

/// Servers, a running registry, and a live source of the events dataset over a bucket of its own. Objects below
/// `events/YYYY-MM-DD/` are its files.
pub struct Stage {
    /// The broker.
    pub kafka: KafkaCluster,
    /// What the topics hold.
    pub queue: Arc<KafkaQueue>,
    /// The source's bucket.
    pub store: Store,
    /// Where scanners and parsers start.
    pub system: System,
    /// The source's resource name.
    pub source: String,
    _registry: Process,
}

impl Stage {
    /// Starts all of it.
    pub fn start() -> Result<Self> {
        let (s3, postgres) = (services::shared::s3()?, services::shared::postgres()?);
        let account = format!("bench-{}", std::process::id());
        let kafka = KafkaCluster::start(1)?;
        let mut system =
            System::on(kafka.bootstrap(), &postgres.database(&account.replace('-', "_"))?, s3.endpoint())?;
        system.set("CORTEX_MAX_UNFINISHED_FILES", "10000");
        let store =
            Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), &format!("bucket-{account}"))?;
        let registry = system.registry()?;
        system.ask(&["account", "create", "--id", &account])?;
        let keys = (s3.access_key(), s3.secret_key());
        let source = system.source(&account, "events", store.bucket(), keys)?;
        let queue = Arc::new(KafkaQueue::new(KafkaConfig {
            bootstrap: kafka.bootstrap().to_owned(),
            properties: Default::default(),
            replication: -1,
            max_message_bytes: MAX_MESSAGE_BYTES,
        })?);
        Ok(Self { kafka, queue, store, system, source, _registry: registry })
    }

    /// Waits until so many new objects are on the queue, then has one parser read them. Gives the last progress of every
    /// file so far, and what the parser has used.
    pub fn read(&mut self, objects: u64, name: &str) -> Result<(Vec<FileProgress>, Usage)> {
        let before = self.queue.count(OBJECTS)?;
        let mut scanner = self.system.scanner()?;
        until(&format!("{name} to be on the queue"), PATIENCE, || {
            Ok(self.queue.count(OBJECTS)? >= before + objects)
        })?;
        scanner.terminate(PATIENCE)?;
        let ended = self.ended()?.len() as u64;
        let mut parser = self.system.parser("parser-1", &[])?;
        until(&format!("{name} to be read"), PATIENCE, || Ok(self.ended()?.len() as u64 >= ended + objects))?;
        let used = Usage::of(&parser)?;
        parser.terminate(PATIENCE)?;
        Ok((self.ended()?, used))
    }

    /// The last progress of every file.
    fn ended(&self) -> Result<Vec<FileProgress>> {
        let messages = self.messages(FILE_PROGRESS)?;
        let decoded = messages.iter().map(|one| FileProgress::decode(one.value.as_slice()));
        let progress: Vec<FileProgress> = decoded.collect::<Result<_, _>>()?;
        Ok(progress.into_iter().filter(|one| one.outcome() != Outcome::Unspecified).collect())
    }

    /// Every committed message of the topic.
    pub fn messages(&self, topic: &str) -> Result<Vec<Incoming>> {
        let mut reader = self.queue.reader(topic, Start::Beginning)?;
        let mut messages = Vec::new();
        loop {
            match reader.next(Duration::from_millis(100))? {
                Some(message) => messages.push(message),
                None if reader.at_end()? => return Ok(messages),
                None => {}
            }
        }
    }

    /// Seconds from the opening of the first file whose key has this part to the last commit of one.
    pub fn seconds(&self, part: &str, ended: &[FileProgress]) -> Result<f64> {
        let is_one = |key: &str| key.contains(part);
        let last = ended.iter().filter(|one| is_one(&one.object_key)).filter_map(|one| one.committed_at);
        let last = last.map(SystemTime::try_from).collect::<Result<Vec<_>, _>>()?.into_iter().max();
        let opened = self.messages(EVENTS)?.into_iter().filter_map(|message| {
            let envelope = Event::decode(message.value.as_slice()).ok()?.envelope?;
            is_one(&envelope.object_key).then_some(envelope.ingest_time?)
        });
        let first = opened.map(SystemTime::try_from).collect::<Result<Vec<_>, _>>()?.into_iter().min();
        let (first, last) = first.zip(last).context("no file was read")?;
        Ok(last.duration_since(first)?.as_secs_f64())
    }
}
