//! The whole system on one broker of its own, PostgreSQL and an S3 server, with one source.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{Incoming, Positions, Queue, Reader, Start};
use records::queue::{FileProgress, Outcome};
use records::topic::{EVENTS, FILE_PROGRESS, OBJECTS};
use records::v1::Event;
use services::KafkaCluster;

use super::Usage;
use super::profile::Profile;
use crate::process::{Process, until};
use crate::s3::Store;
use crate::system::System;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(600);
/// Of each topic, as [`System`] has it.
pub const PARTITIONS: i32 = 6;

/// Today's dated folder of the source: those of some days ago are looked into by sweeps alone.
#[must_use]
pub fn folder() -> String {
    format!("events/{}", jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date())
}

/// Servers, a running registry, and a live source of the events dataset over a bucket of its own. Objects below
/// `events/YYYY-MM-DD/` are its files.
pub struct Stage {
    /// The broker.
    pub kafka: KafkaCluster,
    /// What the topics hold.
    pub queue: KafkaQueue,
    /// The source's bucket.
    pub store: Store,
    /// Where scanners and parsers start.
    pub system: System,
    /// The source's id.
    source: String,
    /// Read on from where the last measurement ended.
    progress: Box<dyn Reader>,
    /// The offsets, by partition, behind the records of the last measurement. Their topic has no reader while one is under
    /// way, which would fetch what it is not asked for yet.
    read: BTreeMap<i32, i64>,
    _registry: Process,
}

/// What a parser took for a set of files.
#[derive(Debug, Clone, Copy)]
pub struct Parsed {
    /// Rows that it accepted.
    pub accepted: u64,
    /// From the opening of the first file to the moment at which a consumer of committed messages had the last commit.
    pub seconds: f64,
    /// What its process has used.
    pub used: Usage,
}

impl Stage {
    /// Starts all of it. What `CORTEX_BENCH_KAFKA_PROPERTIES` says (`NAME=VALUE,…`) is set for every client of the queue.
    pub fn start() -> Result<Self> {
        let (s3, postgres) = (services::shared::s3()?, services::shared::postgres()?);
        let account = format!("bench-{}", std::process::id());
        let kafka = KafkaCluster::start_as_shipped()?;
        let mut system =
            System::on(kafka.bootstrap(), &postgres.database(&account.replace('-', "_"))?, s3.endpoint())?;
        system.set("CORTEX_MAX_UNFINISHED_FILES", "10000");
        // As in production: between them, a folder is listed from its last keys on.
        system.set("CORTEX_RELIST_INTERVAL_MS", "900000");
        system.set("CORTEX_SWEEP_INTERVAL_MS", "21600000");
        let properties = std::env::var("CORTEX_BENCH_KAFKA_PROPERTIES").unwrap_or_default();
        system.set("CORTEX_KAFKA_PROPERTIES", &properties);
        let store =
            Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), &format!("bucket-{account}"))?;
        let registry = system.registry()?;
        system.ask(&["account", "create", "--id", &account])?;
        let keys = (s3.access_key(), s3.secret_key());
        let source = system.source(&account, "events", store.bucket(), keys)?;
        let source = source.rsplit('/').next().unwrap_or(&source).to_owned();
        let queue = KafkaQueue::new(KafkaConfig {
            properties: properties
                .split(',')
                .filter_map(|one| one.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..KafkaConfig::new(kafka.bootstrap())
        })?;
        let mut scanner = system.scanner()?;
        until("the topics to be there", PATIENCE, || {
            Ok(queue.lag(EVENTS, Positions::Group("nobody")).is_ok())
        })?;
        scanner.terminate(PATIENCE)?;
        let progress = queue.reader(FILE_PROGRESS, Start::Beginning)?;
        Ok(Self { kafka, queue, store, system, source, progress, read: BTreeMap::new(), _registry: registry })
    }

    /// Keys of so many files of these names, of which each partition gets as many as the others: of a few, chance would give
    /// some lane much more than its share.
    #[must_use]
    pub fn keys(&self, files: u64, name: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for number in 0_u64.. {
            if keys.len() as u64 == files {
                break;
            }
            let key = format!("{}/{name}-{number}.csv", folder());
            let partition = queue::partition(format!("{}/{key}", self.source).as_bytes(), PARTITIONS);
            if i64::from(partition) == keys.len() as i64 % i64::from(PARTITIONS) {
                keys.push(key);
            }
        }
        keys
    }

    /// Waits until so many new objects are on the queue, then has one parser read them.
    pub fn parse(&mut self, objects: u64, name: &str) -> Result<Parsed> {
        let before = self.queue.count(OBJECTS)?;
        let mut scanner = self.system.scanner()?;
        until(&format!("{name} to be on the queue"), PATIENCE, || {
            Ok(self.queue.count(OBJECTS)? >= before + objects)
        })?;
        scanner.terminate(PATIENCE)?;
        let mut parser = self.system.parser("parser-1", &[])?;
        let profile = Profile::of(&parser, name)?;
        let (mut ended, mut accepted, begun) = (0, 0, Instant::now());
        while ended < objects {
            ensure!(begun.elapsed() < PATIENCE, "waited in vain for {name} to be read");
            let Some(message) = self.progress.next(Duration::from_millis(100))? else { continue };
            let progress = FileProgress::decode(message.value.as_slice())?;
            if progress.outcome() != Outcome::Unspecified {
                ended += 1;
                accepted += progress.totals.map_or(0, |totals| totals.accepted);
            }
        }
        let (visible, used) = (SystemTime::now(), Usage::of(&parser)?);
        profile.map(Profile::end).transpose()?;
        parser.terminate(PATIENCE)?;
        let seconds = visible.duration_since(self.opened(accepted)?)?.as_secs_f64();
        Ok(Parsed { accepted, seconds, used })
    }

    /// Reads the next so many records; gives the moment at which the first of their files was opened.
    fn opened(&mut self, records: u64) -> Result<SystemTime> {
        let (mut read, mut first, begun) = (0, None, Instant::now());
        let mut reader = self.queue.reader(EVENTS, Start::Offsets(self.read.clone()))?;
        while read < records {
            ensure!(begun.elapsed() < PATIENCE, "{read} of {records} records were published");
            let Some(message) = reader.next(Duration::from_millis(100))? else { continue };
            read += 1;
            self.read.insert(message.partition, message.offset + 1);
            let envelope = Event::decode(message.value.as_slice())?.envelope.context("an envelope")?;
            let opened = SystemTime::try_from(envelope.ingest_time.context("an ingest time")?)?;
            first = Some(first.map_or(opened, |first: SystemTime| first.min(opened)));
        }
        first.context("no record")
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
}
