//! How a scanner works; which sources it scans, the registry says.

use std::time::Duration;

use crate::ScannerError;

/// The limit of objects in one RecordObjects and of files in one ListUnpublished call.
pub(crate) const MAX_BATCH: usize = 1_000;

/// The limit of queues that one LeaseEventQueues call prolongs.
const MAX_QUEUES: usize = 1_000;

/// A scanner's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names this process in leases and in the audit log of credentials; stays the same over a restart.
    pub worker_id: String,
    /// How long a source stays leased to a scanner that is no longer heard of; whole seconds, at least one. Renewed
    /// every third of it.
    pub lease_ttl: Duration,
    /// Where no scan is due, or the registry cannot be reached: the shortest wait before it is asked again.
    pub idle_poll_min: Duration,
    /// The longest such wait, whatever the registry advises.
    pub idle_poll_max: Duration,
    /// Sources that are scanned at once.
    pub concurrent_scans: usize,
    /// Folders of one source that are listed at once.
    pub list_concurrency: usize,
    /// Files that are published before they are marked as published, 1 to 1,000: so many may come twice on the queue
    /// after a crash (and are read once all the same).
    pub publish_batch: usize,
    /// Event queues that are read at once, at most 1,000; none where 0.
    pub event_queues: usize,
    /// How long scans in hand may take to come to an end at shutdown; what is not done by then is dropped, and its
    /// lease runs out.
    pub drain_timeout: Duration,
}

impl Config {
    /// The defaults, for a scanner called `worker_id`.
    pub fn new(worker_id: impl Into<String>) -> Self {
        Self {
            worker_id: worker_id.into(),
            lease_ttl: Duration::from_secs(30),
            idle_poll_min: Duration::from_millis(200),
            idle_poll_max: Duration::from_secs(10),
            concurrent_scans: 4,
            list_concurrency: 8,
            publish_batch: 500,
            event_queues: 100,
            drain_timeout: Duration::from_secs(10),
        }
    }

    /// The lease's length as the API wants it.
    pub(crate) fn ttl_seconds(&self) -> u32 {
        u32::try_from(self.lease_ttl.as_secs()).unwrap_or(u32::MAX)
    }

    pub(crate) fn check(&self) -> Result<(), ScannerError> {
        let wrong = |name, reason: &str| Err(ScannerError::Setting { name, reason: reason.to_owned() });
        if self.worker_id.is_empty() {
            return wrong("worker_id", "is empty; give each scanner a name of its own");
        }
        if self.lease_ttl.as_secs() == 0 || self.lease_ttl.subsec_nanos() != 0 {
            return wrong("lease_ttl", "must be whole seconds, at least one");
        }
        if self.idle_poll_min.is_zero() || self.idle_poll_min > self.idle_poll_max {
            return wrong("idle_poll_min", "must be above zero and not above idle_poll_max");
        }
        if self.concurrent_scans == 0 {
            return wrong("concurrent_scans", "must be at least 1");
        }
        if self.list_concurrency == 0 {
            return wrong("list_concurrency", "must be at least 1");
        }
        if !(1..=MAX_BATCH).contains(&self.publish_batch) {
            return wrong("publish_batch", "must be 1 to 1,000");
        }
        if self.event_queues > MAX_QUEUES {
            return wrong("event_queues", "must be at most 1,000; start more scanners to read more");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        Config::new("scanner-1").check().unwrap();
    }

    #[test]
    fn a_wrong_setting_is_named() {
        type Change = fn(&mut Config);
        let cases: [(&str, Change); 7] = [
            ("worker_id", |config| config.worker_id.clear()),
            ("lease_ttl", |config| config.lease_ttl = Duration::from_millis(1_500)),
            ("idle_poll_min", |config| config.idle_poll_min = config.idle_poll_max * 2),
            ("concurrent_scans", |config| config.concurrent_scans = 0),
            ("list_concurrency", |config| config.list_concurrency = 0),
            ("publish_batch", |config| config.publish_batch = 1_001),
            ("event_queues", |config| config.event_queues = 1_001),
        ];
        for (name, change) in cases {
            let mut config = Config::new("scanner-1");
            change(&mut config);
            assert!(config.check().unwrap_err().to_string().contains(name));
        }
    }
}
