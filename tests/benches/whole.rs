//! The whole system on Apache Kafka, PostgreSQL and an S3 server on one machine, told as one JSON object: one parser process
//! from S3 to committed records, side by side with a bare loop that produces the same messages with the same settings; many
//! small files; and the time from upload to visible.
//!
//! `CORTEX_BENCH_ROWS` (1,000,000) rows over `CORTEX_BENCH_FILES` (4) files, `CORTEX_BENCH_SMALL_FILES` (2,000) files of ten rows, and
//! `CORTEX_BENCH_UPLOADS` (30) single uploads. Processes are those of `CORTEX_TEST_BINARY`, or of this bench's own profile.

#![allow(clippy::print_stdout, reason = "its figures are its output")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use end_to_end::bench::csv;
use end_to_end::process::{Process, until};
use end_to_end::s3::Store;
use end_to_end::system::System;
use prost::Message as _;
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{Commit, Incoming, Lane, MAX_MESSAGE_BYTES, Membership, Outgoing, Queue, Start, TopicSpec};
use records::queue::{FileProgress, Outcome};
use records::topic::{EVENTS, FILE_PROGRESS, OBJECTS};
use records::v1::Event;
use serde_json::{Value, json};
use services::{KafkaCluster, Python};

const PATIENCE: Duration = Duration::from_secs(600);
/// As the parser's own.
const ROWS_A_CHUNK: usize = 50_000;
const PARTITIONS: i32 = 6;

fn main() -> Result<()> {
    let (rows, files) = (setting("ROWS", 1_000_000)?, setting("FILES", 4)?.max(1));
    let (small, uploads) = (setting("SMALL_FILES", 2_000)?, setting("UPLOADS", 30)?);
    let mut bench = Bench::start()?;
    let large = bench.large(rows, files)?;
    let bare = bench.bare(files as usize)?;
    let python = bench.python(rows / files)?;
    let small = bench.small(small)?;
    let latency = bench.latency(uploads)?;
    println!(
        "{}",
        json!({
            "large_files": large,
            "bare_loop": bare,
            "share_of_bare_loop": share(&large, &bare)?,
            "python": python,
            "small_files": small,
            "latency": latency,
        })
    );
    Ok(())
}

/// What the parser reaches of what the bare loop does.
fn share(large: &Value, bare: &Value) -> Result<f64> {
    let reached = large["rows_a_second"].as_f64().context("rows a second")?;
    Ok(reached / bare["messages_a_second"].as_f64().context("messages a second")?)
}

fn setting(name: &str, default: u64) -> Result<u64> {
    let name = format!("CORTEX_BENCH_{name}");
    match std::env::var(&name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number: {text}")),
        Err(_) => Ok(default),
    }
}

struct Bench {
    kafka: KafkaCluster,
    queue: Arc<KafkaQueue>,
    store: Store,
    system: System,
    source: String,
    _registry: Process,
}

/// What a process has used so far.
struct Used {
    cpu_seconds: f64,
    peak_bytes: u64,
}

impl Bench {
    fn start() -> Result<Self> {
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

    /// Uploads, waits until all is on the queue, then has one parser read it.
    fn read(&mut self, objects: u64, keys: &str) -> Result<(Vec<FileProgress>, Used)> {
        let before = self.queue.count(OBJECTS)?;
        let mut scanner = self.system.scanner()?;
        until(&format!("{keys} to be on the queue"), PATIENCE, || {
            Ok(self.queue.count(OBJECTS)? >= before + objects)
        })?;
        scanner.terminate(PATIENCE)?;
        let ended = self.ended()?.len() as u64;
        let mut parser = self.system.parser("parser-1", &[])?;
        until(&format!("{keys} to be read"), PATIENCE, || Ok(self.ended()?.len() as u64 >= ended + objects))?;
        let used = used(&parser)?;
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

    fn messages(&self, topic: &str) -> Result<Vec<Incoming>> {
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

    fn large(&mut self, rows: u64, files: u64) -> Result<Value> {
        let mut bytes = 0;
        for file in 0..files {
            let text = csv(rows / files, file);
            bytes += text.len();
            self.store.put(&format!("events/2026-11-23/large-{file}.csv"), text.as_bytes())?;
        }
        let (ended, used) = self.read(files, "the large files")?;
        let seconds = self.seconds("large-", &ended)?;
        let accepted: u64 = ended.iter().filter_map(|one| one.totals.as_ref()).map(|one| one.accepted).sum();
        ensure!(accepted == rows / files * files, "{accepted} rows were accepted");
        Ok(json!({
            "rows": accepted,
            "files": files,
            "bytes": bytes,
            "seconds": seconds,
            "rows_a_second": accepted as f64 / seconds,
            "megabytes_a_second": bytes as f64 / 1e6 / seconds,
            "cpu_seconds_a_million_rows": used.cpu_seconds / (accepted as f64 / 1e6),
            "peak_bytes": used.peak_bytes,
        }))
    }

    /// From the opening of the first of these files to the last commit.
    fn seconds(&self, prefix: &str, ended: &[FileProgress]) -> Result<f64> {
        let is_one = |key: &str| key.contains(prefix);
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

    /// The records that are there, produced once more by as many lanes, each with nothing to do but that.
    fn bare(&self, lanes: usize) -> Result<Value> {
        let messages = Arc::new(self.messages(EVENTS)?);
        let specs = [("bare.objects", lanes as i32), ("bare.events", PARTITIONS)];
        let specs = specs.map(|(name, partitions)| TopicSpec { name: name.to_owned(), partitions });
        self.queue.ensure_topics(&specs)?;
        let (share, done) = (messages.len().div_ceil(lanes), Arc::new(AtomicUsize::new(0)));
        let begun: Arc<Mutex<Option<Instant>>> = Arc::default();
        let ended: Arc<Mutex<Option<Instant>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let work = {
            let (messages, done, stop) = (messages.clone(), done.clone(), stop.clone());
            let (begun, ended) = (begun.clone(), ended.clone());
            move |lane: &mut dyn Lane| {
                begun.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
                let own = lane.partition() as usize * share..(lane.partition() as usize + 1) * share;
                let own = &messages[own.start.min(messages.len())..own.end.min(messages.len())];
                for chunk in own.chunks(ROWS_A_CHUNK) {
                    for message in chunk {
                        let headers: Vec<(&str, &[u8])> = message
                            .headers
                            .iter()
                            .map(|(name, value)| (name.as_str(), value.as_slice()))
                            .collect();
                        lane.publish(Outgoing {
                            topic: "bare.events",
                            key: &message.key,
                            value: &message.value,
                            headers: &headers,
                        })?;
                    }
                    lane.commit(Commit { next_offset: 0, checkpoint: &[] })?;
                }
                *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                if done.fetch_add(1, Ordering::SeqCst) + 1 == lanes {
                    stop.store(true, Ordering::SeqCst);
                }
                while !lane.revoked() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            }
        };
        let membership = Membership {
            group: "bare".to_owned(),
            topic: "bare.objects".to_owned(),
            member: "bare-1".to_owned(),
        };
        self.queue.consume(membership, Arc::new(work), Arc::new(move || stop.load(Ordering::SeqCst)))?;
        let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).context("no lane was given")?;
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).context("no lane ended")?;
        let seconds = ended.duration_since(begun).as_secs_f64();
        Ok(json!({
            "messages": messages.len(),
            "lanes": lanes,
            "seconds": seconds,
            "messages_a_second": messages.len() as f64 / seconds,
        }))
    }

    /// One file of so many rows by a script of the csv module and confluent-kafka, from this machine's disk.
    fn python(&self, rows: u64) -> Result<Value> {
        let topic = TopicSpec { name: "python.events".to_owned(), partitions: PARTITIONS };
        self.queue.ensure_topics(&[topic])?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("large.csv");
        std::fs::write(&file, csv(rows, 0))?;
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/ingest.py");
        let mut python = Python::with("confluent-kafka", &["confluent-kafka==2.12.1"], &script)?;
        let question = json!({ "bootstrap": self.kafka.bootstrap(), "topic": "python.events", "file": file });
        let told: Value = serde_json::from_str(&python.ask(&question.to_string())?)?;
        let (count, seconds) = told["rows"].as_u64().zip(told["seconds"].as_f64()).context("figures")?;
        ensure!(count == rows, "{count} rows were produced");
        Ok(json!({ "rows": count, "seconds": seconds, "rows_a_second": count as f64 / seconds }))
    }

    fn small(&mut self, files: u64) -> Result<Value> {
        for file in 0..files {
            self.store.put(&format!("events/2026-11-23/small-{file:05}.csv"), csv(10, file).as_bytes())?;
        }
        let (ended, used) = self.read(files, "the small files")?;
        let seconds = self.seconds("small-", &ended)?;
        Ok(json!({
            "files": files,
            "seconds": seconds,
            "files_a_second": files as f64 / seconds,
            "cpu_seconds_a_thousand_files": used.cpu_seconds / (files as f64 / 1e3),
            "peak_bytes": used.peak_bytes,
        }))
    }

    /// From the end of an upload to the moment at which a consumer of committed records has its row, with a scan a second.
    fn latency(&mut self, uploads: u64) -> Result<Value> {
        let _scanner = self.system.scanner()?;
        let _parser = self.system.parser("parser-1", &[])?;
        let mut reader = self.queue.reader(EVENTS, Start::End)?;
        let mut took = Vec::new();
        // The first one waits for the processes to start.
        for upload in 0..=uploads {
            self.store.put(&format!("events/2026-11-23/single-{upload}.csv"), csv(1, upload).as_bytes())?;
            let begun = Instant::now();
            while reader.next(Duration::from_millis(10))?.is_none() {
                ensure!(begun.elapsed() < PATIENCE, "upload {upload} is not seen");
            }
            if upload > 0 {
                took.push(begun.elapsed().as_secs_f64());
            }
        }
        took.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        let source = self.system.ask(&["source", "show", &self.source])?;
        ensure!(!source.is_empty() && !self.kafka.bootstrap().is_empty(), "the system is still there");
        Ok(json!({ "uploads": uploads, "p50_seconds": at(0.5), "p99_seconds": at(0.99) }))
    }
}

/// By Linux' `/proc`, of a process that runs.
fn used(process: &Process) -> Result<Used> {
    /// Of `/proc`, the same on every Linux that is in use.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
    // The name, in brackets, may hold blanks.
    let (_, fields) = stat.rsplit_once(')').context("a stat line")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| -> Result<f64> { Ok(fields.get(field).context("a field")?.parse::<f64>()?) };
    let cpu_seconds = (ticks(11)? + ticks(12)?) / TICKS_A_SECOND;
    Ok(Used { cpu_seconds, peak_bytes: process.peak_bytes()? })
}
