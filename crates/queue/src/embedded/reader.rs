//! Reads a whole topic.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::database::Database;
use crate::{Incoming, Reader, Result, Start};

/// Messages of a partition that are read at once.
const READ_AHEAD: i64 = 500;
/// How often a waiting reader looks for what another process has written.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct EmbeddedReader {
    database: Arc<Database>,
    topic: String,
    positions: BTreeMap<i32, i64>,
    ends: BTreeMap<i32, i64>,
    ahead: VecDeque<Incoming>,
}

impl EmbeddedReader {
    pub(super) fn new(database: Arc<Database>, topic: &str, start: &Start) -> Result<Self> {
        let ends = database.ends(topic)?;
        let positions = match start {
            Start::End => ends.clone(),
            Start::Beginning => ends.keys().map(|partition| (*partition, 0)).collect(),
            Start::Offsets(offsets) => ends
                .keys()
                .map(|partition| (*partition, offsets.get(partition).copied().unwrap_or(0)))
                .collect(),
        };
        Ok(Self { database, topic: topic.to_owned(), positions, ends, ahead: VecDeque::new() })
    }

    fn read_ahead(&mut self) -> Result<()> {
        for (partition, position) in &self.positions {
            self.ahead.extend(self.database.read(&self.topic, *partition, *position, READ_AHEAD)?);
        }
        Ok(())
    }
}

impl Reader for EmbeddedReader {
    fn next(&mut self, timeout: Duration) -> Result<Option<Incoming>> {
        let until = Instant::now() + timeout;
        loop {
            if self.ahead.is_empty() {
                self.read_ahead()?;
            }
            if let Some(message) = self.ahead.pop_front() {
                self.positions.insert(message.partition, message.offset + 1);
                return Ok(Some(message));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.database.wait(left.min(LOOK_EVERY));
        }
    }

    fn seek(&mut self, partition: i32, offset: i64) -> Result<()> {
        self.positions.insert(partition, offset);
        // What was read ahead of other partitions is read again from their positions.
        self.ahead.clear();
        Ok(())
    }

    fn at_end(&mut self) -> Result<bool> {
        let behind =
            |(partition, end): (&i32, &i64)| self.positions.get(partition).is_none_or(|at| at >= end);
        Ok(self.ends.iter().all(behind))
    }
}
