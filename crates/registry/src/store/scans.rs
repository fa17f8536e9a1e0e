use std::time::Duration;

use jiff::Timestamp;

use super::{Problem, Result, Source, SourceId, Store, unwritten};

/// Proves that a scan holds its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseToken {
    /// The source.
    pub source: SourceId,
    /// Grows with every lease of the source; an older one is refused.
    pub fence: u64,
}

/// A source lent to one scanner.
#[derive(Debug, Clone)]
pub struct ScanLease {
    /// The source.
    pub source: Source,
    /// To be shown with every write.
    pub token: LeaseToken,
    /// After this another scanner may take the source.
    pub expires_at: Timestamp,
    /// When the next full sweep is due; `None` before the first one has ended: due now.
    pub next_sweep_at: Option<Timestamp>,
    /// Where an interrupted sweep goes on; empty where none runs.
    pub sweep_cursor: String,
}

/// How a scan ended.
#[derive(Debug, Clone, Default)]
pub struct ScanCompletion {
    /// Dated folders listed.
    pub folders: u64,
    /// Objects in them.
    pub objects: u64,
    /// LIST requests made.
    pub list_requests: u64,
    /// Objects and folders outside dated folders.
    pub outside: u64,
    /// A few of them.
    pub outside_examples: Vec<String>,
    /// Markers, `_SUCCESS` and dot files.
    pub left_alone: u64,
    /// Why it failed; `None` where it did not.
    pub error: Option<Problem>,
    /// Where an interrupted sweep goes on; empty where none runs.
    pub sweep_cursor: String,
    /// When the next full sweep is due, where this scan finished one; `None` leaves it as it was.
    pub next_sweep_at: Option<Timestamp>,
    /// When the source is due again.
    pub next_scan_at: Timestamp,
}

impl Store {
    /// Lends the active source whose scan is longest due and that no one holds (or whose lease expired), with a new
    /// fence; `None` where nothing is due.
    pub async fn lease_due_scan(
        &self,
        worker_id: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Option<ScanLease>> {
        unwritten((worker_id, ttl, now))
    }

    /// When [`Store::lease_due_scan`] may next find something; not later than now where something is due; `None` where
    /// no source is active.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        unwritten(())
    }

    /// Prolongs a lease to `now + ttl` and gives that instant; [`super::StoreError::FenceLost`] where it is lost. A
    /// lease that expired but was not taken over is still its holder's.
    pub async fn renew_lease(&self, token: &LeaseToken, ttl: Duration, now: Timestamp) -> Result<Timestamp> {
        unwritten((token, ttl, now))
    }

    /// Ends a scan: stores what it found and when the source is due again, and frees the lease;
    /// [`super::StoreError::FenceLost`] where it is lost.
    pub async fn complete_scan(
        &self,
        token: &LeaseToken,
        completion: &ScanCompletion,
        now: Timestamp,
    ) -> Result<()> {
        unwritten((token, completion, now))
    }
}
