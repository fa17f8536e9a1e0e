//! The whole system on Apache Kafka, PostgreSQL and an S3 server on one machine, told as one JSON object: one parser process
//! from S3 to committed records, side by side with a bare loop that produces the same messages with the same settings; many
//! small files; and the time from upload to visible.
//!
//! `CORTEX_BENCH_ROWS` (6,000,000) rows over `CORTEX_BENCH_FILES` (96) files in `CORTEX_BENCH_ROUNDS` (8) rounds,
//! `CORTEX_BENCH_SMALL_FILES` (10,000) files of ten rows, and `CORTEX_BENCH_UPLOADS` (30) single uploads. Processes are those of
//! `CORTEX_TEST_BINARY`, or of the profile that this is built by.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use end_to_end::bench::{PARTITIONS, PATIENCE, Parsed, Stage, csv, folder, own_cpu_seconds, setting};
use prost::Message as _;
use queue::{Commit, Incoming, Lane, Membership, Outgoing, Queue, Start, TopicSpec};
use records::topic::EVENTS;
use records::v1::Event;
use serde_json::{Value, json};
use services::Python;

/// The bare loop sends the messages of a run of so many times fewer rows, as many times.
const SHORTER: u64 = 4;
/// Rounds that warm the broker and its page cache, and do not count.
const WARMING: u64 = 2;
/// As the parser's own.
const ROWS_A_CHUNK: usize = 50_000;

pub(crate) fn run() -> Result<()> {
    let (rows, files) = (setting("ROWS", 6_000_000)?, setting("FILES", 96)?.max(SHORTER));
    let (small, uploads) = (setting("SMALL_FILES", 10_000)?, setting("UPLOADS", 30)?);
    let rounds = setting("ROUNDS", 8)?.max(1);
    let mut bench = Bench { stage: Stage::start()? };
    // What the bare loop sends.
    bench.large(rows / SHORTER, files / SHORTER, 0)?;
    let messages = Arc::new(in_order(bench.stage.messages(EVENTS)?)?);
    let (mut large, mut bare) = (Vec::new(), Vec::new());
    for round in 1..=WARMING + rounds {
        // The broker's compiler takes less of the processor from minute to minute, which may favour who comes second: each is that
        // in every other round.
        let (of_worker, of_bare) = if round % 2 == 0 {
            let of_bare = bench.bare(&messages, round)?;
            (bench.large(rows, files, round)?, of_bare)
        } else {
            (bench.large(rows, files, round)?, bench.bare(&messages, round)?)
        };
        if round > WARMING {
            large.push(told("large files", of_worker));
            bare.push(told("bare loop", of_bare));
        }
    }
    drop(messages);
    let python = told("python", bench.python(rows / 12)?);
    let small = told("small files", bench.small(small)?);
    let latency = bench.latency(uploads)?;
    let shares = shares(&large, &bare)?;
    println!(
        "{}",
        json!({
            "share_of_bare_loop": middle_of(&shares)?,
            "shares": shares,
            "large_files": middle(large, "rows_a_second")?,
            "bare_loop": middle(bare, "messages_a_second")?,
            "python": python,
            "small_files": small,
            "latency": latency,
        })
    );
    Ok(())
}

fn told(what: &str, figures: Value) -> Value {
    eprintln!("{what}: {figures}");
    figures
}

/// What the parser reaches of what the bare loop does, by round.
fn shares(large: &[Value], bare: &[Value]) -> Result<Vec<f64>> {
    let share = |(large, bare): (&Value, &Value)| {
        let reached = large["rows_a_second"].as_f64().context("rows a second")?;
        Ok(reached / bare["messages_a_second"].as_f64().context("messages a second")?)
    };
    large.iter().zip(bare).map(share).collect()
}

/// The figure in the middle, or between the two that are.
fn middle_of(figures: &[f64]) -> Result<f64> {
    let mut figures = figures.to_vec();
    figures.sort_unstable_by(f64::total_cmp);
    let last = figures.len().checked_sub(1).context("no round")?;
    Ok(f64::midpoint(figures[last / 2], figures[figures.len() / 2]))
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

struct Bench {
    stage: Stage,
}

impl Bench {
    fn large(&mut self, rows: u64, files: u64, round: u64) -> Result<Value> {
        let mut bytes = 0;
        for (file, key) in (0..).zip(self.stage.keys(files, &format!("large-{round}"))) {
            let text = csv(rows / files, round * files + file);
            bytes += text.len();
            self.stage.store.put(&key, text.as_bytes())?;
        }
        let Parsed { accepted, seconds, used } = self.stage.parse(files, "the large files")?;
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

    /// The records that are there, produced anew by as many lanes, each with nothing to do but that.
    fn bare(&self, messages: &Arc<Vec<Incoming>>, round: u64) -> Result<Value> {
        let lanes = PARTITIONS as usize;
        let (objects, events) = (format!("bare.objects-{round}"), format!("bare.events-{round}"));
        let specs = [(&objects, lanes as i32), (&events, PARTITIONS)];
        let specs = specs.map(|(name, partitions)| TopicSpec { name: name.clone(), partitions });
        self.stage.queue.ensure_topics(&specs)?;
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
                for chunk in (0..SHORTER).flat_map(|_| own.chunks(ROWS_A_CHUNK)) {
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
        let used_before = own_cpu_seconds()?;
        let membership =
            Membership { group: format!("bare-{round}"), topic: objects, member: "bare-1".to_owned() };
        self.stage.queue.consume(
            membership,
            Arc::new(work),
            Arc::new(move || stop.load(Ordering::SeqCst)),
        )?;
        let used = own_cpu_seconds()? - used_before;
        let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).context("no lane was given")?;
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).context("no lane ended")?;
        let seconds = ended.duration_since(begun).as_secs_f64();
        let sent = messages.len() as u64 * SHORTER;
        Ok(json!({
            "messages": sent,
            "lanes": lanes,
            "seconds": seconds,
            "messages_a_second": sent as f64 / seconds,
            "cpu_seconds_a_million_messages": used / (sent as f64 / 1e6),
        }))
    }

    /// One file of so many rows by a script of the csv module and confluent-kafka, from this machine's disk.
    fn python(&self, rows: u64) -> Result<Value> {
        let topic = TopicSpec { name: "python.events".to_owned(), partitions: PARTITIONS };
        self.stage.queue.ensure_topics(&[topic])?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("large.csv");
        std::fs::write(&file, csv(rows, 0))?;
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/ingest.py");
        let mut python = Python::with("confluent-kafka", &["confluent-kafka==2.12.1"], &script)?;
        let question =
            json!({ "bootstrap": self.stage.kafka.bootstrap(), "topic": "python.events", "file": file });
        let told: Value = serde_json::from_str(&python.ask(&question.to_string())?)?;
        let (count, seconds) = told["rows"].as_u64().zip(told["seconds"].as_f64()).context("figures")?;
        ensure!(count == rows, "{count} rows were produced");
        Ok(json!({ "rows": count, "seconds": seconds, "rows_a_second": count as f64 / seconds }))
    }

    fn small(&mut self, files: u64) -> Result<Value> {
        for file in 0..files {
            self.stage.store.put(&format!("{}/small-{file:05}.csv", folder()), csv(10, file).as_bytes())?;
        }
        let Parsed { accepted, seconds, used } = self.stage.parse(files, "the small files")?;
        ensure!(accepted == files * 10, "{accepted} rows were accepted");
        Ok(json!({
            "files": files,
            "seconds": seconds,
            "files_a_second": files as f64 / seconds,
            "cpu_seconds_a_thousand_files": used.cpu_seconds / (files as f64 / 1e3),
            "peak_bytes": used.peak_bytes,
        }))
    }

    /// From the end of an upload to the moment at which a consumer of committed records has its row, with a scan a second and
    /// keys in their order.
    fn latency(&mut self, uploads: u64) -> Result<Value> {
        let _scanner = self.stage.system.scanner()?;
        let _parser = self.stage.system.parser("parser-1", &[])?;
        let mut reader = self.stage.queue.reader(EVENTS, Start::End)?;
        let mut took = Vec::new();
        // The first one waits for the processes to start.
        for upload in 0..=uploads {
            self.stage
                .store
                .put(&format!("{}/upload-{upload:04}.csv", folder()), csv(1, upload).as_bytes())?;
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
