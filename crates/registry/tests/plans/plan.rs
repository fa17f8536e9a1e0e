//! What PostgreSQL tells of its plans, and what is wrong with one.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use registry::store::{Store, StoreError};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::span;

/// What `sqlx` has of the server's notices, where `auto_explain` puts the plans.
const NOTICES: &str = "sqlx::postgres::notice";
const LEDGER: [&str; 3] = ["files", "generations", "row_errors"];

static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What each statement of a call may do.
#[derive(Clone, Copy)]
pub(crate) struct Within {
    /// Sources that it names.
    pub(crate) sources: usize,
    /// Rows that it reads, those included that it then leaves out.
    pub(crate) rows: u64,
}

/// Pages that a row costs at the most: some of its index, and its own. Who reads many entries of an index for a row shows here alone.
const PAGES_A_ROW: u64 = 5;

/// Has all that the process is told kept.
pub(crate) fn listen() -> Result<()> {
    Ok(tracing::subscriber::set_global_default(Listener)?)
}

/// Makes the call, and adds to `faults` what is wrong with the plans of its statements.
pub(crate) async fn watch<T>(
    name: &str,
    within: Within,
    faults: &mut Vec<String>,
    store: &Store,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T> {
    take();
    let answer = call.await.with_context(|| name.to_owned())?;
    // The last statement's notice may still be on its way, before the answer to the next one.
    store.ready().await;
    let mut seen = 0;
    for text in take() {
        let Some(plan) =
            text.split_once("plan:\n").and_then(|(_, json)| serde_json::from_str::<Value>(json).ok())
        else {
            continue;
        };
        let mut read = Read::default();
        read.walk(&plan["Plan"]);
        seen += read.scans;
        if let Some(fault) = read.fault(within) {
            faults.push(format!("{name}: {fault}: {plan:#}"));
        }
    }
    anyhow::ensure!(seen > 0, "{name}: no plan was told");
    Ok(answer)
}

fn take() -> Vec<String> {
    std::mem::take(&mut *TOLD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What one statement reads.
#[derive(Default)]
struct Read {
    scans: usize,
    rows: u64,
    pages: u64,
    /// Tables that are read from one end to the other.
    whole: Vec<String>,
    /// Partitions of the ledger that are looked into, by their numbers.
    partitions: BTreeSet<String>,
}

impl Read {
    fn walk(&mut self, node: &Value) {
        let (kind, table) = (text(node, "Node Type"), text(node, "Relation Name"));
        if kind.ends_with("Scan") && !table.is_empty() {
            self.scans += 1;
            if kind == "Seq Scan" {
                self.whole.push(table.to_owned());
            }
            let loops = number(node, "Actual Loops");
            let left_out =
                number(node, "Rows Removed by Filter") + number(node, "Rows Removed by Index Recheck");
            self.rows += loops * (number(node, "Actual Rows") + left_out);
            self.pages += number(node, "Shared Hit Blocks") + number(node, "Shared Read Blocks");
            if loops > 0 {
                self.partitions.extend(partition(table));
            }
        }
        node["Plans"].as_array().into_iter().flatten().for_each(|child| self.walk(child));
    }

    fn fault(&self, within: Within) -> Option<String> {
        if !self.whole.is_empty() {
            return Some(format!("reads all of {:?}", self.whole));
        }
        if self.partitions.len() > within.sources {
            return Some(format!("looks into {} partitions", self.partitions.len()));
        }
        if self.rows > within.rows {
            return Some(format!("reads {} rows", self.rows));
        }
        (self.pages > within.rows * PAGES_A_ROW).then(|| format!("reads {} pages", self.pages))
    }
}

/// The number of a partition of the ledger.
fn partition(table: &str) -> Option<String> {
    let (name, number) = table.rsplit_once('_')?;
    LEDGER.contains(&name).then(|| number.to_owned())
}

fn text<'v>(node: &'v Value, name: &str) -> &'v str {
    node[name].as_str().unwrap_or_default()
}

fn number(node: &Value, name: &str) -> u64 {
    node[name].as_f64().unwrap_or_default().ceil() as u64
}

struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == NOTICES
    }

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Message);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Message;

impl Visit for Message {
    fn record_str(&mut self, _: &Field, value: &str) {
        TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
