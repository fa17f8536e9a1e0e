//! What is in the open transaction, and when it is full.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use metrics::histogram;
use queue::{Commit, Lane};
use trace::{MOST_LINKS, Origin};

use crate::config::ChunkLimits;
use crate::spans;
use crate::tally::Tally;

/// Accepted rows of one source that go with a transaction's progress, for the source's snapshot. The ledger keeps the last
/// hundred, so that rows of each of many small files would be written only to be deleted again.
const SAMPLES_A_SOURCE: usize = 20;

/// The messages since the last commit.
#[derive(Debug)]
pub(crate) struct Chunk {
    limits: ChunkLimits,
    rows: u64,
    bytes: u64,
    opened: Option<Instant>,
    next_offset: Option<i64>,
    pub(crate) tally: Tally,
    /// Samples by source that its files' last progress has.
    samples: HashMap<String, usize>,
    /// The span of the message in hand, and those of the messages that are done with.
    message: Option<Origin>,
    messages: Vec<Origin>,
}

impl Chunk {
    pub(crate) fn new(limits: ChunkLimits) -> Self {
        Self {
            limits,
            rows: 0,
            bytes: 0,
            opened: None,
            next_offset: None,
            tally: Tally::default(),
            samples: HashMap::new(),
            message: None,
            messages: Vec::new(),
        }
    }

    /// A queue message is in hand; what is traced of it has this span.
    pub(crate) fn begin_message(&mut self, span: Option<Origin>) {
        self.message = span;
    }

    /// Counts a published row of so many bytes.
    pub(crate) fn add_row(&mut self, bytes: u64) {
        self.opened.get_or_insert_with(Instant::now);
        self.rows += 1;
        self.bytes += bytes;
    }

    /// A queue message is done with: the offset behind it goes with the next commit.
    pub(crate) fn end_message(&mut self, offset: i64) {
        self.opened.get_or_insert_with(Instant::now);
        self.next_offset = Some(offset + 1);
        if self.messages.len() < MOST_LINKS {
            self.messages.extend(self.message.take());
        }
    }

    /// How many samples of the source the chunk still takes.
    pub(crate) fn samples_left(&self, source_id: &str) -> usize {
        SAMPLES_A_SOURCE.saturating_sub(self.samples.get(source_id).copied().unwrap_or_default())
    }

    /// Counts samples of the source that go with the chunk.
    pub(crate) fn add_samples(&mut self, source_id: &str, samples: usize) {
        if samples > 0 {
            *self.samples.entry(source_id.to_owned()).or_default() += samples;
        }
    }

    /// True where rows or bytes reached their limit.
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= self.limits.rows || self.bytes >= self.limits.bytes
    }

    /// True where the time is up.
    pub(crate) fn is_due(&self) -> bool {
        self.opened.is_some_and(|opened| opened.elapsed() >= self.limits.time)
    }

    /// How long to wait for a further message: not at all for one that would delay what is in hand.
    pub(crate) fn patience(&self, idle: Duration) -> Duration {
        match self.opened {
            // Small files share a transaction while they come without a gap; with a gap, the readers are not kept waiting.
            Some(_) => Duration::from_millis(10),
            None => idle,
        }
    }

    /// True where something waits for a commit.
    pub(crate) fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Commits whole messages.
    pub(crate) fn commit(&mut self, lane: &mut dyn Lane) -> queue::Result<()> {
        if let Some(next_offset) = self.next_offset {
            self.commit_at(lane, Commit { next_offset, checkpoint: &[] })?;
        }
        self.clear();
        Ok(())
    }

    /// Commits in mid-message: the offset stays at the message, the checkpoint says how far it is published.
    pub(crate) fn commit_within(
        &mut self,
        lane: &mut dyn Lane,
        offset: i64,
        checkpoint: &[u8],
    ) -> queue::Result<()> {
        self.messages.extend(self.message.clone());
        self.commit_at(lane, Commit { next_offset: offset, checkpoint })?;
        self.clear();
        Ok(())
    }

    fn commit_at(&mut self, lane: &mut dyn Lane, commit: Commit<'_>) -> queue::Result<()> {
        let span = spans::commit(lane, &self.messages);
        let begun = Instant::now();
        span.in_scope(|| lane.commit(commit)).inspect_err(|error| trace::fail(&span, error.to_string()))?;
        histogram!("cortex_parser_commit_duration_seconds").record(begun.elapsed());
        self.tally.count();
        Ok(())
    }

    /// Forgets what was in hand, after an abort.
    pub(crate) fn clear(&mut self) {
        self.rows = 0;
        self.bytes = 0;
        self.opened = None;
        self.next_offset = None;
        self.tally = Tally::default();
        self.samples.clear();
        self.messages.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_takes_so_many_samples_of_each_source() {
        let mut chunk = Chunk::new(ChunkLimits::default());
        for samples in [5, 5, 5, 4, 1] {
            assert!(chunk.samples_left("one") >= samples);
            chunk.add_samples("one", samples);
        }
        assert_eq!((chunk.samples_left("one"), chunk.samples_left("another")), (0, SAMPLES_A_SOURCE));
        chunk.clear();
        assert_eq!(chunk.samples_left("one"), SAMPLES_A_SOURCE);
    }
}
