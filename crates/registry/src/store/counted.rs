//! What the ledger was told of each source, counted for Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use metrics::counter;
use records::queue::Outcome;

use super::SourceId;

/// Sources that this process counts by name; all others share one. Each makes up to eight series.
const MOST_SOURCES: usize = 100;
/// What those that come later are counted as.
const OTHER: &str = "other";

/// What one transaction came to for a source.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// Files that came to rest.
    pub(super) files: BTreeMap<Outcome, u64>,
}

/// The sources that have a name of their own.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeSet<SourceId>>);

impl Named {
    /// Counts what a transaction has committed.
    pub(super) fn count(&self, counted: BTreeMap<SourceId, Counted>) {
        for (source, counted) in counted {
            let source = self.label(&source);
            for (outcome, rows) in [("accepted", counted.accepted), ("rejected", counted.rejected)] {
                let labels = [("source", source.clone()), ("outcome", outcome.to_owned())];
                counter!("cortex_source_rows_total", &labels).increment(rows);
            }
            for (outcome, files) in counted.files {
                let labels = [("source", source.clone()), ("outcome", outcome.as_str_name().to_owned())];
                counter!("cortex_source_files_total", &labels).increment(files);
            }
        }
    }

    fn label(&self, source: &SourceId) -> String {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() < MOST_SOURCES {
            named.insert(source.clone());
        }
        if named.contains(source) { source.to_string() } else { OTHER.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hundred_sources_keep_their_names_and_all_others_share_one() {
        let named = Named::default();
        let label = |n: usize| named.label(&SourceId::from(format!("s-{n}")));
        for n in 0..MOST_SOURCES {
            assert_eq!(label(n), format!("s-{n}"));
        }
        assert_eq!((label(MOST_SOURCES), label(MOST_SOURCES + 1)), (OTHER.to_owned(), OTHER.to_owned()));
        assert_eq!(label(7), "s-7");
    }
}
