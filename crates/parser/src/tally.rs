//! What a chunk comes to, counted for Prometheus once it is committed: what is aborted and read again counts once.

use std::collections::BTreeMap;

use metrics::counter;
use records::queue::{Counters, Outcome};

/// Rows by dataset and files by how they ended.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    rows: BTreeMap<&'static str, Rows>,
    /// By metric, dataset and outcome.
    ended: BTreeMap<(&'static str, &'static str, Outcome), u64>,
}

#[derive(Debug, Default)]
struct Rows {
    accepted: u64,
    /// By code, of which there are a dozen.
    rejected: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds what `now` has beyond `before`.
    pub(crate) fn rows(&mut self, dataset: &'static str, before: &Counters, now: &Counters) {
        let rows = self.rows.entry(dataset).or_default();
        rows.accepted += now.accepted.saturating_sub(before.accepted);
        for (code, count) in &now.rejections {
            let new = count.saturating_sub(before.rejections.get(code).copied().unwrap_or(0));
            if new > 0 {
                *rows.rejected.entry(code.clone()).or_default() += new;
            }
        }
    }

    /// Adds a file, or a range of one, that ended.
    pub(crate) fn ended(&mut self, is_range: bool, dataset: &'static str, outcome: Outcome) {
        let metric = if is_range { "cortex_ranges_total" } else { "cortex_files_total" };
        *self.ended.entry((metric, dataset, outcome)).or_default() += 1;
    }

    /// Counts all of it, and begins anew.
    pub(crate) fn count(&mut self) {
        let Self { rows, ended } = std::mem::take(self);
        for (dataset, rows) in rows {
            counter!("cortex_rows_accepted_total", "dataset" => dataset).increment(rows.accepted);
            for (code, count) in rows.rejected {
                counter!("cortex_rows_rejected_total", "dataset" => dataset, "code" => code).increment(count);
            }
        }
        for ((metric, dataset, outcome), count) in ended {
            counter!(metric, "dataset" => dataset, "outcome" => outcome.as_str_name()).increment(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(accepted: u64, rejections: &[(&str, u64)]) -> Counters {
        let rejections: BTreeMap<_, _> =
            rejections.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect();
        Counters { accepted, rejections, ..Counters::default() }
    }

    #[test]
    fn only_what_is_new_since_the_last_chunk_is_added() {
        let mut tally = Tally::default();
        let (first, second) = (counters(10, &[("a", 2)]), counters(15, &[("a", 2), ("b", 3)]));
        tally.rows("EVENTS", &Counters::default(), &first);
        tally.rows("EVENTS", &first, &second);
        tally.rows("ITEMS", &first, &second);
        let events = &tally.rows["EVENTS"];
        assert_eq!((events.accepted, events.rejected["a"], events.rejected["b"]), (15, 2, 3));
        let items = &tally.rows["ITEMS"];
        assert_eq!((items.accepted, items.rejected.len(), items.rejected["b"]), (5, 1, 3));
    }
}
