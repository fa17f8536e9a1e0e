//! Settings of a parser.

use std::time::Duration;

use crate::form::Values;

/// When a chunk (one transaction) ends, whichever comes first.
#[derive(Debug, Clone)]
pub struct ChunkLimits {
    /// Rows, accepted and rejected.
    pub rows: u64,
    /// Bytes of published values.
    pub bytes: u64,
    /// Time since its first message. Must stay well below the broker's `transaction.timeout.ms`.
    pub time: Duration,
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self { rows: 50_000, bytes: 32 << 20, time: Duration::from_secs(2) }
    }
}

/// Which objects are read in ranges by several workers: uncompressed CSV, TSV and JSON lines.
#[derive(Debug, Clone)]
pub struct Split {
    /// Objects of more bytes.
    pub over: u64,
    /// The most bytes of a range, up to the end of a row. Raised to 8 MiB and to four times the longest row, so that what is
    /// read twice stays small beside it.
    pub range_bytes: u64,
    /// Connections over which an object is read when it is cut; each holds 2 MiB.
    pub connections: usize,
}

impl Default for Split {
    fn default() -> Self {
        Self { over: 256 << 20, range_bytes: 64 << 20, connections: 16 }
    }
}

/// What a record and its subject may have together, of a message of so many bytes: it has headers and the account besides.
pub fn most_bytes(of_message: usize) -> usize {
    of_message.saturating_sub(1024)
}

/// Settings of a parser.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names this worker in claims, progress and the group; the same over a restart.
    pub worker_id: String,
    /// Consumer group that all parsers share.
    pub group: String,
    /// When a chunk ends.
    pub chunk: ChunkLimits,
    /// Which objects are read in ranges.
    pub split: Split,
    /// In which form records and rejected rows are published.
    pub values: Values,
    /// Limits on what a file may hold.
    pub limits: format::Limits,
    /// How often a file whose object cannot be read for a passing reason is tried from its checkpoint, before it ends
    /// as unreadable, so that one unreachable bucket does not hold up its partition for ever.
    pub attempts: u32,
    /// How long a file may go without a row, a byte or an answer, before the worker takes itself for hung and ends: the
    /// ledger then counts a lost attempt at the file. Longer than an object may be unreachable within one try.
    pub stall_limit: Duration,
}

impl Config {
    /// The defaults, for a worker of this name.
    pub fn new(worker_id: impl Into<String>) -> Self {
        Self {
            worker_id: worker_id.into(),
            group: records::topic::PARSERS.into(),
            chunk: ChunkLimits::default(),
            split: Split::default(),
            values: Values::default(),
            limits: format::Limits::default(),
            attempts: 10,
            stall_limit: Duration::from_secs(600),
        }
    }
}
