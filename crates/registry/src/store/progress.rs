use std::collections::BTreeMap;

use records::queue::FileProgress;

use super::{Result, Store, unwritten};

/// Messages of one partition that a reader has read, in their order, and where that leaves it.
#[derive(Debug, Clone)]
pub struct ProgressBatch<'a> {
    /// The topic that was read.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// The position that [`Store::reader_positions`] (or the batch before) gave; 0 where it has none.
    pub next_offset_before: i64,
    /// The position behind the batch.
    pub next_offset_after: i64,
    /// The decoded messages; may be empty where none could be decoded.
    pub messages: &'a [FileProgress],
}

/// What [`Store::apply_progress`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The ledger and the position moved together.
    Applied {
        /// Chunks that moved the ledger on.
        chunks: u32,
        /// Messages without effect: chunks applied before, or of files that the ledger does not know.
        ignored: u32,
    },
    /// Another reader was here: nothing was changed; go on from this position.
    Conflict {
        /// The stored position.
        next_offset: i64,
    },
}

impl Store {
    /// Applies progress messages to the ledger, samples and daily statistics, and moves the reader's position, all in one
    /// transaction, and only where the stored position still equals `next_offset_before`.
    pub async fn apply_progress(&self, batch: &ProgressBatch<'_>) -> Result<Applied> {
        unwritten(batch)
    }

    /// The next offset to read by partition of `topic`.
    pub async fn reader_positions(&self, topic: &str) -> Result<BTreeMap<i32, i64>> {
        unwritten(topic)
    }
}
