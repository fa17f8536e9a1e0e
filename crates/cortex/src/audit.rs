//! `cortex audit`: what the ledger counts of a source's files against what its topics hold.
//!
//! The topics are read as consumers read them, committed messages only. Of each generation the rows are kept as sets of
//! row numbers, so that one published twice, one missing and one both accepted and refused are each seen.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use api::registry::{Dataset, File, FileState, GetSourceRequest};
use dataset::DatasetKind;
use queue::{Queue, Start};
use records::topic::REJECTED_ROWS;
use roaring::RoaringTreemap;
use serde_json::{Value, json};

use crate::args::AuditArgs;
use crate::client::{Session, all_files, refused, state_name};
use crate::{print, tail};

/// One wait for a message.
const WAIT: Duration = Duration::from_millis(200);

/// Runs the audit; leaves with 1 where ledger and topics differ.
pub(crate) async fn run(mut args: AuditArgs) -> Result<ExitCode> {
    let mut session = Session::open(&args.client)?;
    args.source = session.source(&args.source).await?;
    let mut registry = session.registry;
    let request = GetSourceRequest { name: args.source.clone() };
    let source = registry.get_source(request).await.map_err(refused)?.into_inner().source;
    let source = source.context("the registry gave no source")?;
    let (_, source_id) =
        args.source.rsplit_once('/').context("a source is accounts/ACCOUNT/sources/SOURCE")?;
    let topic = kind(source.dataset())?.topic;
    let files = all_files(&mut registry, &args.source).await?;
    let (source_id, kafka, data_dir) = (source_id.to_owned(), args.kafka.clone(), args.client.dev_dir());
    let read = tokio::task::spawn_blocking(move || -> Result<Topics> {
        let queue = tail::queue(&kafka, &data_dir)?;
        let mut topics = Topics::default();
        topics.read(queue.as_ref(), topic, &source_id, Kind::Accepted)?;
        topics.read(queue.as_ref(), REJECTED_ROWS, &source_id, Kind::Rejected)?;
        Ok(topics)
    });
    let topics = read.await??;
    // Looked at before and after, since files may move meanwhile.
    let later = all_files(&mut registry, &args.source).await?;
    let differences = compare(&topics, &files, &later);
    report(&args, &topics, &files, &differences);
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn kind(dataset: Dataset) -> Result<&'static DatasetKind> {
    let name = dataset.as_str_name().trim_start_matches("DATASET_");
    DatasetKind::by_name(name).with_context(|| format!("there is no dataset {name}"))
}

/// What a topic's messages are.
#[derive(Clone, Copy)]
enum Kind {
    Accepted,
    Rejected,
}

/// A generation of an object.
type Generation = (String, u32);

/// What the topics hold of one.
#[derive(Default)]
struct Held {
    accepted: Rows,
    rejected: Rows,
}

#[derive(Default)]
struct Rows {
    messages: u64,
    /// By number; by byte position where a row has none.
    rows: RoaringTreemap,
    numbered: bool,
}

#[derive(Default)]
struct Topics {
    held: BTreeMap<Generation, Held>,
}

impl Topics {
    /// Reads a topic to its present end.
    fn read(&mut self, queue: &dyn Queue, topic: &str, source_id: &str, kind: Kind) -> Result<()> {
        let mut reader = queue.reader(topic, Start::Beginning)?;
        loop {
            let Some(message) = reader.next(WAIT)? else {
                if reader.at_end()? {
                    return Ok(());
                }
                continue;
            };
            let place = || format!("{topic}/{}/{}", message.partition, message.offset);
            let value = records::plain(&message.headers, &message.value).with_context(place)?;
            let envelope = records::envelope(&value).with_context(place)?;
            let Some(envelope) = envelope.filter(|one| one.source_id == source_id) else { continue };
            let held = self.held.entry((envelope.object_key, envelope.generation)).or_default();
            let rows = match kind {
                Kind::Accepted => &mut held.accepted,
                Kind::Rejected => &mut held.rejected,
            };
            rows.messages += 1;
            rows.numbered |= envelope.row_number.is_some();
            rows.rows.insert(envelope.row_number.unwrap_or(envelope.position));
        }
    }
}

/// Something that does not agree.
struct Difference {
    key: String,
    generation: u32,
    what: &'static str,
    ledger: u64,
    topics: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, generation, what, ledger, topics } = self;
        write!(f, "{key} generation {generation}: {what}: {ledger} in the ledger, {topics} on the topics")
    }
}

/// Each way in which ledger and topics differ. A file that moved between two looks at the ledger is held to what is never
/// right: rows twice.
fn compare(topics: &Topics, files: &[File], later: &[File]) -> Vec<Difference> {
    let mut differences = Vec::new();
    let nothing = Held::default();
    for file in files {
        let name = (file.object_key.clone(), file.generation);
        let held = topics.held.get(&name).unwrap_or(&nothing);
        let is_still = later.contains(file);
        compare_file(file, held, is_still, &mut differences);
    }
    for ((key, generation), held) in &topics.held {
        let is_known = |file: &File| file.object_key == *key && file.generation == *generation;
        if !later.iter().any(is_known) {
            let topics = held.accepted.messages + held.rejected.messages;
            differences.push(Difference {
                key: key.clone(),
                generation: *generation,
                what: "rows of a generation that the ledger does not know",
                ledger: 0,
                topics,
            });
        }
    }
    differences
}

fn compare_file(file: &File, held: &Held, is_still: bool, differences: &mut Vec<Difference>) {
    let mut differ = |what, ledger, topics| {
        if ledger != topics {
            let (key, generation) = (file.object_key.clone(), file.generation);
            differences.push(Difference { key, generation, what, ledger, topics });
        }
    };
    let Held { accepted, rejected } = held;
    differ("rows accepted more than once", 0, accepted.messages - accepted.rows.len());
    differ("rows rejected more than once", 0, rejected.messages - rejected.rows.len());
    differ("rows both accepted and rejected", 0, accepted.rows.intersection_len(&rejected.rows));
    if !is_still || !is_counted(file) {
        return;
    }
    differ("rows accepted", file.accepted, accepted.rows.len());
    differ("rows rejected", file.rejected, rejected.rows.len());
    // Numbers run from 1 without a gap, but for what a source withholds of an invalid file.
    let is_whole = file.accepted + file.rejected == file.rows;
    if is_whole && (accepted.numbered || rejected.numbered) {
        let last = accepted.rows.max().max(rejected.rows.max()).unwrap_or_default();
        differ("the number of the last row", file.rows, last);
    }
}

/// True where what the ledger counts is all that was published: at rest, and not because it was given up as stuck.
fn is_counted(file: &File) -> bool {
    let at_rest = !matches!(
        file.state(),
        FileState::Unspecified | FileState::Discovered | FileState::Published | FileState::Claimed
    );
    at_rest && file.error.as_ref().is_none_or(|error| error.code != "reprocessed")
}

fn report(args: &AuditArgs, topics: &Topics, files: &[File], differences: &[Difference]) {
    let sum = |count: fn(&Held) -> u64| topics.held.values().map(count).sum::<u64>();
    let accepted = sum(|held| held.accepted.messages);
    let rejected = sum(|held| held.rejected.messages);
    if args.client.json {
        let differences: Vec<Value> = differences
            .iter()
            .map(|one| {
                json!({
                    "object_key": one.key,
                    "generation": one.generation,
                    "what": one.what,
                    "ledger": one.ledger,
                    "topics": one.topics,
                })
            })
            .collect();
        let unfinished: Vec<&str> =
            files.iter().filter(|file| !is_counted(file)).map(|file| state_name(file.state())).collect();
        print(
            &json!({
                "source": args.source,
                "generations": files.len(),
                "not_at_rest": unfinished.len(),
                "accepted": accepted,
                "rejected": rejected,
                "differences": differences,
            })
            .to_string(),
        );
        return;
    }
    for difference in differences {
        print(&difference.to_string());
    }
    print(&format!(
        "{} generations, {accepted} rows accepted, {rejected} rejected: {}",
        files.len(),
        match differences.len() {
            0 => "ledger and topics agree".to_owned(),
            n => format!("{n} differences"),
        }
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(numbers: &[u64]) -> Rows {
        let mut rows = Rows { numbered: true, ..Rows::default() };
        for number in numbers {
            rows.messages += 1;
            rows.rows.insert(*number);
        }
        rows
    }

    fn whats(accepted: &[u64], rejected: &[u64], change: impl Fn(&mut File)) -> Vec<&'static str> {
        let mut file = File {
            object_key: "k".into(),
            generation: 1,
            state: FileState::AcceptedWithRejections as i32,
            rows: 4,
            accepted: 3,
            rejected: 1,
            ..File::default()
        };
        change(&mut file);
        let held = Held { accepted: rows(accepted), rejected: rows(rejected) };
        let topics = Topics { held: BTreeMap::from([(("k".to_owned(), 1), held)]) };
        let files = [file];
        compare(&topics, &files, &files).into_iter().map(|one| one.what).collect()
    }

    #[test]
    fn each_difference_is_seen_and_nothing_else() {
        let none = |_: &mut File| {};
        assert!(whats(&[1, 2, 4], &[3], none).is_empty());
        assert_eq!(whats(&[1, 2, 4, 2], &[3], none), ["rows accepted more than once"]);
        assert_eq!(whats(&[1, 2, 4], &[3, 3], none), ["rows rejected more than once"]);
        assert_eq!(whats(&[1, 2], &[3], none), ["rows accepted", "the number of the last row"]);
        assert_eq!(whats(&[1, 2, 9], &[3], none), ["the number of the last row"]);
        assert_eq!(
            whats(&[1, 2, 3], &[3], none),
            ["rows both accepted and rejected", "the number of the last row"]
        );
        // What is still being read is ahead of the ledger.
        assert!(whats(&[1, 2], &[], |file| file.state = FileState::Claimed as i32).is_empty());
        let unknown = whats(&[1, 2, 4], &[3], |file| file.generation = 2);
        assert!(unknown.contains(&"rows of a generation that the ledger does not know"), "{unknown:?}");
        // A source that rejects invalid files whole withholds the valid rows.
        let withheld = |file: &mut File| {
            (file.state, file.accepted, file.rows) = (FileState::Rejected as i32, 0, 4);
        };
        assert!(whats(&[], &[3], withheld).is_empty());
    }
}
