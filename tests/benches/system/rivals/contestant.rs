//! What all of them share: files, topics, the clock, and the check of what came out.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use end_to_end::bench::{PARTITIONS, PATIENCE, Stage, Usage, csv, folder};
use end_to_end::process::Process;
use queue::{Positions, Queue, TopicSpec};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A group that commits nothing, so that its lag is what is on a topic.
const NOBODY: &str = "rivals.nobody";

/// The files, in the bucket and on disk, and the stage.
pub(super) struct Arena {
    pub(super) stage: Stage,
    pub(super) files: u64,
    /// Of all files.
    pub(super) bytes: usize,
    rows_a_file: u64,
    /// Holds the files, and what contestants write.
    pub(super) dir: TempDir,
}

/// Who it is, and what one gets from it.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    /// Its version, or of what it is made.
    pub(super) what: &'static str,
    /// Where the files are that it reads.
    pub(super) reads: &'static str,
    pub(super) writes: &'static str,
    /// Where it or its machine dies in mid-file.
    pub(super) guarantee: &'static str,
}

/// What a contestant took.
pub(super) struct Figures {
    pub(super) seconds: f64,
    pub(super) used: Usage,
}

impl Arena {
    /// Uploads the files, behind some that the parser reads so that the broker is warm for whoever comes first, and whose keys
    /// come before theirs, as those of earlier files do.
    pub(super) fn new(mut stage: Stage, rows_a_file: u64, files: u64) -> Result<Self> {
        for file in 0..files {
            let text = csv(rows_a_file.div_ceil(4), files + file);
            stage.store.put(&format!("{}/0-warm-{file}.csv", folder()), text.as_bytes())?;
        }
        stage.parse(files, "the files that warm")?;
        let mut arena = Self { stage, files, bytes: 0, rows_a_file, dir: tempfile::tempdir()? };
        for (file, path) in arena.on_disk().into_iter().enumerate() {
            let text = csv(rows_a_file, file as u64);
            arena.stage.store.put(&format!("{}/{file}.csv", folder()), text.as_bytes())?;
            std::fs::write(&path, &text).with_context(|| path.display().to_string())?;
            arena.bytes += text.len();
        }
        Ok(arena)
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows_a_file * self.files
    }

    pub(super) fn on_disk(&self) -> Vec<PathBuf> {
        (0..self.files).map(|file| self.dir.path().join(format!("{file}.csv"))).collect()
    }

    pub(super) fn topic(&self, name: &str) -> Result<()> {
        let topic = TopicSpec { name: name.to_owned(), partitions: PARTITIONS };
        Ok(self.stage.queue.ensure_topics(&[topic])?)
    }

    /// Messages on the topic.
    fn there(&self, topic: &str) -> Result<u64> {
        Ok(self.stage.queue.lag(topic, Positions::Group(NOBODY))?.values().sum())
    }

    /// Watches a process until so many messages are on the topic. None of its producers uses transactions, so what is there is
    /// committed. The clock starts with the first look that sees a message, which is in its favour.
    pub(super) fn watch(&self, process: &mut Process, topic: &str, messages: u64) -> Result<Figures> {
        let (started, mut first, mut used) = (Instant::now(), None, None);
        loop {
            // Gone once the process has ended, as one does that has nothing more to read.
            if let Ok(now) = Usage::of(process) {
                used = Some(now);
            }
            let there = self.there(topic)?;
            if there > 0 {
                let begun = *first.get_or_insert_with(Instant::now);
                if there >= messages {
                    let used = used.context("it ended before it was looked at")?;
                    return Ok(Figures { seconds: begun.elapsed().as_secs_f64(), used });
                }
            }
            let ended = !process.is_running()?;
            if started.elapsed() > PATIENCE || (ended && self.there(topic)? < messages) {
                bail!("{there} of {messages} messages are on {topic}: {}", process.tail(40));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Counts what is on the topic, and looks at one.
    pub(super) fn all_are_there(
        &self,
        topic: &str,
        messages: RangeInclusive<u64>,
        is_right: fn(&[u8]) -> bool,
    ) -> Result<()> {
        let all = self.stage.messages(topic)?;
        ensure!(
            messages.contains(&(all.len() as u64)),
            "{} of {messages:?} messages are on {topic}",
            all.len()
        );
        let last = all.last().context("no message")?;
        ensure!(is_right(&last.value), "{topic}: {}", String::from_utf8_lossy(&last.value));
        Ok(())
    }

    /// One row of the table.
    pub(super) fn told(&self, contestant: &Contestant, figures: Figures) -> Value {
        let (rows, Figures { seconds, used }) = (self.rows() as f64, figures);
        json!({
            "name": contestant.name,
            "what": contestant.what,
            "reads": contestant.reads,
            "writes": contestant.writes,
            "guarantee": contestant.guarantee,
            "seconds": seconds,
            "rows_a_second": rows / seconds,
            "megabytes_a_second": self.bytes as f64 / 1e6 / seconds,
            "cpu_seconds_a_million_rows": used.cpu_seconds / (rows / 1e6),
            "peak_bytes": used.peak_bytes,
        })
    }
}

/// True for a JSON object whose values have the types of the columns.
pub(super) fn has_types(message: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Value>(message) else { return false };
    event["user_id"].is_string()
        && event["timestamp"].is_i64()
        && event["price"].is_number()
        && event["quantity"].is_i64()
        && event["referrer"].is_string()
        && event["is_member"].is_boolean()
}
