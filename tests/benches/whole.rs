//! The whole system on Apache Kafka, PostgreSQL and an S3 server on one machine, told as one JSON object: one parser process
//! from S3 to committed records, side by side with a bare loop that produces the same messages with the same settings; many
//! small files; and the time from upload to visible.
//!
//! `CORTEX_BENCH_ROWS` (1,000,000) rows over `CORTEX_BENCH_FILES` (4) files, `CORTEX_BENCH_SMALL_FILES` (2,000) files of ten rows, and
//! `CORTEX_BENCH_UPLOADS` (30) single uploads. Processes are those of `CORTEX_TEST_BINARY`, or of this bench's own profile.

#![allow(clippy::print_stdout, reason = "its figures are its output")]

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use end_to_end::process::{Process, until};
use end_to_end::s3::Store;
use end_to_end::system::System;
use prost::Message as _;
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{
    Commit, Incoming, Lane, MAX_MESSAGE_BYTES, Membership, Outgoing, Queue, Reader, Start, TopicSpec,
};
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
    let (rows, files) = (setting("ROWS", 1_500_000)?, setting("FILES", 24)?.max(1));
    let (small, uploads) = (setting("SMALL_FILES", 4_000)?, setting("UPLOADS", 30)?);
    let rounds = setting("ROUNDS", 3)?.max(1);
    let mut bench = Bench::start()?;
    // The first round warms the broker and its page cache, for both alike, and is not counted.
    let (_, messages) = bench.large(rows, files, 0)?;
    let messages = Arc::new(in_order(messages)?);
    bench.bare(&messages, 0)?;
    let (mut large, mut bare) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        large.push(bench.large(rows, files, round)?.0);
        bare.push(bench.bare(&messages, round)?);
    }
    drop(messages);
    let python = bench.python(rows / 4)?;
    let small = bench.small(small)?;
    let latency = bench.latency(uploads)?;
    println!(
        "{}",
        json!({
            "share_of_bare_loop": share(&large, &bare)?,
            "large_files": middle(large, "rows_a_second")?,
            "bare_loop": middle(bare, "messages_a_second")?,
            "python": python,
            "small_files": small,
            "latency": latency,
        })
    );
    Ok(())
}

/// What the parser reaches of what the bare loop does: the middle one of the rounds.
fn share(large: &[Value], bare: &[Value]) -> Result<f64> {
    let mut shares = Vec::new();
    for (large, bare) in large.iter().zip(bare) {
        let reached = large["rows_a_second"].as_f64().context("rows a second")?;
        shares.push(reached / bare["messages_a_second"].as_f64().context("messages a second")?);
    }
    shares.sort_unstable_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().context("no round")
}

/// The round in the middle by this figure, with the figures of all.
fn middle(mut rounds: Vec<Value>, by: &str) -> Result<Value> {
    let figure = |round: &Value| round[by].as_f64().unwrap_or_default();
    rounds.sort_by(|one, other| figure(one).total_cmp(&figure(other)));
    let all: Vec<f64> = rounds.iter().map(figure).collect();
    ensure!(!rounds.is_empty(), "no round");
    let mut middle = rounds.swap_remove(rounds.len() / 2);
    middle["rounds"] = json!(all);
    Ok(middle)
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
    /// Read on from where the last measurement ended.
    events: Box<dyn Reader>,
    progress: Box<dyn Reader>,
    _registry: Process,
}

/// What came of a set of objects.
struct ReadBack {
    /// The last progress of each.
    ended: Vec<FileProgress>,
    /// When a consumer of committed messages had the last of them.
    visible: SystemTime,
    used: Used,
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
        // Any librdkafka settings, for the parser and the bare loop alike.
        let properties = std::env::var("CORTEX_BENCH_KAFKA_PROPERTIES").unwrap_or_default();
        system.set("CORTEX_KAFKA_PROPERTIES", &properties);
        let store =
            Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), &format!("bucket-{account}"))?;
        let registry = system.registry()?;
        system.ask(&["account", "create", "--id", &account])?;
        let keys = (s3.access_key(), s3.secret_key());
        let source = system.source(&account, "events", store.bucket(), keys)?;
        let queue = Arc::new(KafkaQueue::new(KafkaConfig {
            bootstrap: kafka.bootstrap().to_owned(),
            properties: properties
                .split(',')
                .filter_map(|one| one.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            replication: -1,
            max_message_bytes: MAX_MESSAGE_BYTES,
        })?);
        let mut scanner = system.scanner()?;
        until("the topics to be there", PATIENCE, || Ok(queue.lag("cortex-parsers", EVENTS).is_ok()))?;
        scanner.terminate(PATIENCE)?;
        let (events, progress) =
            (queue.reader(EVENTS, Start::Beginning)?, queue.reader(FILE_PROGRESS, Start::Beginning)?);
        Ok(Self { kafka, queue, store, system, source, events, progress, _registry: registry })
    }

    /// Waits until these objects are on the queue, then has one parser read them. Gives the last progress of each.
    fn read(&mut self, objects: u64, keys: &str) -> Result<ReadBack> {
        let before = self.queue.count(OBJECTS)?;
        let mut scanner = self.system.scanner()?;
        until(&format!("{keys} to be on the queue"), PATIENCE, || {
            Ok(self.queue.count(OBJECTS)? >= before + objects)
        })?;
        scanner.terminate(PATIENCE)?;
        let mut parser = self.system.parser("parser-1", &[])?;
        let (mut ended, begun) = (Vec::new(), Instant::now());
        while (ended.len() as u64) < objects {
            ensure!(begun.elapsed() < PATIENCE, "waited in vain for {keys} to be read");
            let Some(message) = self.progress.next(Duration::from_millis(100))? else { continue };
            let progress = FileProgress::decode(message.value.as_slice())?;
            if progress.outcome() != Outcome::Unspecified {
                ended.push(progress);
            }
        }
        let (visible, used) = (SystemTime::now(), used(&parser)?);
        parser.terminate(PATIENCE)?;
        Ok(ReadBack { ended, visible, used })
    }

    /// The next so many records of the topic of events.
    fn records(&mut self, count: u64) -> Result<Vec<Incoming>> {
        let (mut records, begun) = (Vec::new(), Instant::now());
        while (records.len() as u64) < count {
            ensure!(begun.elapsed() < PATIENCE, "{} of {count} records were published", records.len());
            records.extend(self.events.next(Duration::from_millis(100))?);
        }
        Ok(records)
    }

    /// Gives the figures and the records.
    fn large(&mut self, rows: u64, files: u64, round: u64) -> Result<(Value, Vec<Incoming>)> {
        let mut bytes = 0;
        for file in 0..files {
            let text = csv(rows / files, round * files + file);
            bytes += text.len();
            self.store.put(&format!("events/2026-11-23/large-{round}-{file}.csv"), text.as_bytes())?;
        }
        let ReadBack { ended, visible, used } = self.read(files, "the large files")?;
        let accepted: u64 = ended.iter().filter_map(|one| one.totals.as_ref()).map(|one| one.accepted).sum();
        ensure!(accepted == rows / files * files, "{accepted} rows were accepted");
        let messages = self.records(accepted)?;
        let seconds = seconds(&messages, visible)?;
        let figures = json!({
            "rows": accepted,
            "files": files,
            "bytes": bytes,
            "seconds": seconds,
            "rows_a_second": accepted as f64 / seconds,
            "megabytes_a_second": bytes as f64 / 1e6 / seconds,
            "cpu_seconds_a_million_rows": used.cpu_seconds / (accepted as f64 / 1e6),
            "peak_bytes": used.peak_bytes,
        });
        Ok((figures, messages))
    }

    /// The records that are there, produced once more by as many lanes, each with nothing to do but that.
    fn bare(&self, messages: &Arc<Vec<Incoming>>, round: u64) -> Result<Value> {
        let lanes = PARTITIONS as usize;
        let (objects, events) = (format!("bare.objects-{round}"), format!("bare.events-{round}"));
        let specs = [(&objects, lanes as i32), (&events, PARTITIONS)];
        let specs = specs.map(|(name, partitions)| TopicSpec { name: name.clone(), partitions });
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
                            topic: &events,
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
        let membership =
            Membership { group: format!("bare-{round}"), topic: objects, member: "bare-1".to_owned() };
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
        let ReadBack { visible, used, .. } = self.read(files, "the small files")?;
        let seconds = seconds(&self.records(files * 10)?, visible)?;
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
            self.store
                .put(&format!("events/2026-11-23/upload-{upload:04}.csv"), csv(1, upload).as_bytes())?;
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

/// The records as the parser published them, file by file: a topic gives them back by partition, and who produces to one
/// partition after the other fills larger batches than rows do.
fn in_order(records: Vec<Incoming>) -> Result<Vec<Incoming>> {
    let place = |record: &Incoming| {
        let envelope = Event::decode(record.value.as_slice())?.envelope.context("an envelope")?;
        anyhow::Ok((envelope.object_key, envelope.position))
    };
    let mut placed = Vec::with_capacity(records.len());
    for record in records {
        placed.push((place(&record)?, record));
    }
    placed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(placed.into_iter().map(|(_, record)| record).collect())
}

/// From the opening of the first of these records' files to the moment at which the last commit was seen.
fn seconds(records: &[Incoming], visible: SystemTime) -> Result<f64> {
    let opened = records
        .iter()
        .filter_map(|record| Event::decode(record.value.as_slice()).ok()?.envelope?.ingest_time);
    let first = opened.map(SystemTime::try_from).collect::<Result<Vec<_>, _>>()?.into_iter().min();
    Ok(visible.duration_since(first.context("no file was read")?)?.as_secs_f64())
}

/// Events of eight columns, some hundred bytes a row.
fn csv(rows: u64, seed: u64) -> String {
    const TYPES: [&str; 4] = ["purchase", "view", "add_to_cart", "search"];
    let mut text = "user_id,timestamp,type,item_id,price,quantity,referrer,is_member\n".to_owned();
    for row in 0..rows {
        let random = (row + seed * 1_000_003).wrapping_mul(6_364_136_223_846_793_005).rotate_left(17);
        let (user, item, second) = (random % 10_000_000, random % 500_000, (random >> 8) % 60);
        let (day, hour, minute) = (1 + random % 23, random % 24, random % 60);
        let kind = TYPES[(random % 4) as usize];
        let _ = writeln!(
            text,
            "user-{user:08},2026-11-{day:02}T{hour:02}:{minute:02}:{second:02}Z,{kind},item-{item:06},{}.{:02},{},\
             \"https://example.com/a?q={}\",{}",
            random % 500,
            random % 100,
            1 + random % 9,
            random % 100_000,
            random.is_multiple_of(2),
        );
    }
    text
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
