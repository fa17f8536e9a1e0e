use jiff::Timestamp;
use ledger::FileId;
use ledger::claim::{Decision, QueuePosition};

use super::{Result, Source, SourceId, Store, unwritten};

/// A queue message asks for the generation that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The source that the message names.
    pub source: SourceId,
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Which version of the object.
    pub generation: u32,
    /// Where the message stands.
    pub at: QueuePosition,
}

/// What [`Store::claim`] decided.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// One a claim, in their order.
    pub decisions: Vec<Decision>,
    /// The sources of the granted claims, each once.
    pub sources: Vec<Source>,
}

impl Store {
    /// Grants generations to the queue message that asks first, and to it alone; the whole batch in one transaction.
    pub async fn claim(&self, worker_id: &str, claims: &[Claim], now: Timestamp) -> Result<Claimed> {
        unwritten((worker_id, claims, now))
    }
}
