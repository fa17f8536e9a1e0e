//! The whole system on Apache Kafka, PostgreSQL and an S3 server on one machine, told as one JSON object: one parser process
//! from S3 to committed records, side by side with a bare loop that produces the same messages with the same settings; many
//! small files; and the time from upload to visible.
//!
//! `CORTEX_BENCH_ROWS` (1,000,000) rows over `CORTEX_BENCH_FILES` (4) files, `CORTEX_BENCH_SMALL_FILES` (2,000) files of ten rows, and
//! `CORTEX_BENCH_UPLOADS` (30) single uploads. Processes are those of `CORTEX_TEST_BINARY`, or of this bench's own profile.

#![allow(clippy::print_stdout, reason = "its figures are its output")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use end_to_end::bench::{PARTITIONS, PATIENCE, Stage, csv, setting};
use queue::{Commit, Lane, Membership, Outgoing, Queue, Start, TopicSpec};
use records::topic::EVENTS;
use serde_json::{Value, json};
use services::Python;

/// As the parser's own.
const ROWS_A_CHUNK: usize = 50_000;

fn main() -> Result<()> {
    let (rows, files) = (setting("ROWS", 1_000_000)?, setting("FILES", 4)?.max(1));
    let (small, uploads) = (setting("SMALL_FILES", 2_000)?, setting("UPLOADS", 30)?);
    let mut bench = Bench { stage: Stage::start()? };
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

struct Bench {
    stage: Stage,
}

impl Bench {
    fn large(&mut self, rows: u64, files: u64) -> Result<Value> {
        let mut bytes = 0;
        for file in 0..files {
            let text = csv(rows / files, file);
            bytes += text.len();
            self.stage.store.put(&format!("events/2026-11-23/large-{file}.csv"), text.as_bytes())?;
        }
        let (ended, used) = self.stage.read(files, "the large files")?;
        let seconds = self.stage.seconds("large-", &ended)?;
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

    /// The records that are there, produced once more by as many lanes, each with nothing to do but that.
    fn bare(&self, lanes: usize) -> Result<Value> {
        let messages = Arc::new(self.stage.messages(EVENTS)?);
        let specs = [("bare.objects", lanes as i32), ("bare.events", PARTITIONS)];
        let specs = specs.map(|(name, partitions)| TopicSpec { name: name.to_owned(), partitions });
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
        self.stage.queue.consume(
            membership,
            Arc::new(work),
            Arc::new(move || stop.load(Ordering::SeqCst)),
        )?;
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
            self.stage
                .store
                .put(&format!("events/2026-11-23/small-{file:05}.csv"), csv(10, file).as_bytes())?;
        }
        let (ended, used) = self.stage.read(files, "the small files")?;
        let seconds = self.stage.seconds("small-", &ended)?;
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
        let _scanner = self.stage.system.scanner()?;
        let _parser = self.stage.system.parser("parser-1", &[])?;
        let mut reader = self.stage.queue.reader(EVENTS, Start::End)?;
        let mut took = Vec::new();
        // The first one waits for the processes to start.
        for upload in 0..=uploads {
            self.stage
                .store
                .put(&format!("events/2026-11-23/single-{upload}.csv"), csv(1, upload).as_bytes())?;
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
        let source = self.stage.system.ask(&["source", "show", &self.stage.source])?;
        ensure!(!source.is_empty() && !self.stage.kafka.bootstrap().is_empty(), "the system is still there");
        Ok(json!({ "uploads": uploads, "p50_seconds": at(0.5), "p99_seconds": at(0.99) }))
    }
}
