//! The main job on real components, as separate processes: four sources, a dozen files, three parsers, one of them killed
//! in the middle of a large file. What a consumer that is not ours then sees is each accepted row, exactly once.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::consumer::read_committed;
use end_to_end::files::{Packing, Style, Upload, events, subjects};
use end_to_end::process::until;
use end_to_end::s3::Store;
use end_to_end::system::System;
use prost::Message;
use records::v1::{Attributes, Event, IdMapping, Item, RejectedRow};
use serde_json::Value;

/// Rows of the large file.
const LARGE: u64 = 500_000;

fn uploads(dataset: &str) -> Result<Vec<Upload>> {
    use Packing::{Gzip, Plain, Zip};
    use Style::{Csv, JsonArray, JsonLines, Tsv};
    match dataset {
        "events" => Ok(vec![
            events("2026-11-20/first.csv", 1_000, 10, Csv, Plain)?,
            events("2026-11-21/second.tsv.gz", 1_000, 0, Tsv, Gzip)?,
            events("2026-11-21/third.json", 1_000, 7, JsonLines, Plain)?,
            events("2026-11-22/deep/fourth.json.zip", 1_000, 0, JsonArray, Zip)?,
            events("2026-11-23/large.csv", LARGE, 1_000, Csv, Plain)?,
        ]),
        "attributes" => Ok(vec![
            subjects("2026-11-21/a.csv.zip", 500, 9, Csv, Zip, ["user_id", "job title"])?,
            subjects("2026-11-22/b.json.gz", 500, 0, JsonLines, Gzip, ["user_id", "job title"])?,
            subjects("2026-11-23/c.tsv", 500, 0, Tsv, Plain, ["user_id", "job title"])?,
        ]),
        "items" => Ok(vec![
            subjects("2026-11-22/a.json", 300, 0, JsonArray, Plain, ["item_id", "category"])?,
            subjects("2026-11-23/b.csv.gz", 300, 11, Csv, Gzip, ["item_id", "category"])?,
        ]),
        _ => Ok(vec![
            subjects("2026-11-22/a.csv", 300, 0, Csv, Plain, ["original_id", "mapped_id"])?,
            subjects("2026-11-23/b.tsv.zip", 300, 13, Tsv, Zip, ["original_id", "mapped_id"])?,
        ]),
    }
}

const DATASETS: [&str; 4] = ["events", "attributes", "items", "id-mappings"];

#[test]
fn each_accepted_row_is_seen_once_though_a_parser_is_killed_in_mid_file() -> Result<()> {
    let kafka = services::shared::kafka()?;
    let postgres = services::shared::postgres()?;
    let s3 = services::shared::s3()?;
    let run = format!("run{}", std::process::id());
    let system = System::on(kafka.bootstrap(), &postgres.database(&run)?, s3.endpoint())?;
    let keys = (s3.access_key(), s3.secret_key());
    let store = Store::new(s3.endpoint(), keys.0, keys.1, &format!("bucket-{run}"))?;

    let _registry = system.registry()?;
    let _scanner = system.scanner()?;
    // Small chunks, so that the large file has many of them and the kill meets it in the middle.
    let settings = [("CORTEX_CHUNK_ROWS", "10000")];
    let mut parsers = BTreeMap::new();
    for name in ["parser-1", "parser-2", "parser-3"] {
        parsers.insert(name.to_owned(), system.parser(name, &settings)?);
    }
    system.ask(&["account", "create", "--id", &run])?;
    let mut sources = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for dataset in DATASETS {
        sources.insert(dataset, system.source(&run, dataset, store.bucket(), keys)?);
        for upload in uploads(dataset)? {
            store.put(&format!("{dataset}/{}", upload.key), &upload.bytes)?;
            expected.entry(dataset).or_insert_with(Vec::new).push(upload);
        }
    }

    let large = || -> Result<Option<Value>> {
        let files = system.ask(&["source", "files", &sources["events"]])?;
        Ok(files.into_iter().find(|file| file["object_key"] == "events/2026-11-23/large.csv"))
    };
    let mut worker = String::new();
    until("the large file to be in the middle", Duration::from_secs(120), || {
        let Some(file) = large()? else { return Ok(false) };
        worker = file["worker_id"].as_str().unwrap_or_default().to_owned();
        let rows: u64 = file["rows"].as_str().unwrap_or("0").parse()?;
        Ok(file["state"] == "FILE_STATE_CLAIMED" && rows > 0)
    })?;
    parsers.remove(&worker).with_context(|| format!("{worker:?} reads the file"))?.kill()?;
    let killed_at: u64 = large()?.context("the large file")?["rows"].as_str().unwrap_or("0").parse()?;
    ensure!(killed_at < LARGE, "the kill came after the file's end");
    parsers.insert(worker.clone(), system.parser(&worker, &settings)?);

    until("every file to be at rest", Duration::from_secs(300), || {
        for dataset in DATASETS {
            let files = system.ask(&["source", "files", &sources[dataset]])?;
            let at_rest = files.iter().filter(|file| file.get("finish_time").is_some()).count();
            if at_rest < expected[dataset].len() {
                return Ok(false);
            }
        }
        Ok(true)
    })?;

    for dataset in DATASETS {
        ledger_agrees(&system.ask(&["source", "files", &sources[dataset]])?, dataset, &expected[dataset])?;
        let topic = format!("cortex.{dataset}.v1");
        let seen = read_committed(kafka.bootstrap(), &topic)?
            .into_iter()
            .map(|message| subject(dataset, &message.value));
        seen_once(dataset, seen.collect::<Result<Vec<_>>>()?, &run, &expected[dataset])?;
    }
    rejected_rows_say_why(read_committed(kafka.bootstrap(), "cortex.rejected-rows.v1")?, &run, &expected)?;

    for (name, mut parser) in parsers {
        let status = parser.terminate(Duration::from_secs(10))?;
        ensure!(status.success(), "{name} ended with {status}: {}", parser.log());
    }
    Ok(())
}

/// Account and subject of a record.
fn subject(dataset: &str, value: &[u8]) -> Result<(String, String)> {
    let (envelope, subject) = match dataset {
        "events" => Event::decode(value).map(|one| (one.envelope, one.user_id))?,
        "attributes" => Attributes::decode(value).map(|one| (one.envelope, one.user_id))?,
        "items" => Item::decode(value).map(|one| (one.envelope, one.item_id))?,
        _ => IdMapping::decode(value).map(|one| (one.envelope, one.original_id))?,
    };
    Ok((envelope.context("a record without envelope")?.account_id, subject))
}

fn seen_once(dataset: &str, seen: Vec<(String, String)>, account: &str, expected: &[Upload]) -> Result<()> {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (_, subject) in seen.into_iter().filter(|(of, _)| of == account) {
        *times.entry(subject).or_default() += 1;
    }
    let wanted: BTreeSet<&String> = expected.iter().flat_map(|upload| &upload.accepted).collect();
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).take(5).collect();
    ensure!(twice.is_empty(), "{dataset}: seen more than once: {twice:?}");
    let lost: Vec<_> = wanted.iter().filter(|one| !times.contains_key(**one)).take(5).collect();
    ensure!(lost.is_empty(), "{dataset}: never seen: {lost:?}");
    ensure!(times.len() == wanted.len(), "{dataset}: {} were seen, {} are valid", times.len(), wanted.len());
    Ok(())
}

fn ledger_agrees(files: &[Value], dataset: &str, expected: &[Upload]) -> Result<()> {
    ensure!(files.len() == expected.len(), "{dataset}: the ledger has {} files", files.len());
    for upload in expected {
        let key = format!("{dataset}/{}", upload.key);
        let file = files.iter().find(|file| file["object_key"] == key).with_context(|| key.clone())?;
        let count = |name: &str| file[name].as_str().unwrap_or("0").parse::<usize>().unwrap_or_default();
        let outcome = if upload.rejected.is_empty() { "ACCEPTED" } else { "ACCEPTED_WITH_REJECTIONS" };
        ensure!(file["state"] == format!("FILE_STATE_{outcome}"), "{file}");
        ensure!(count("accepted") == upload.accepted.len(), "{file}");
        ensure!(count("rejected") == upload.rejected.len(), "{file}");
        ensure!(count("rows") == upload.accepted.len() + upload.rejected.len(), "{file}");
    }
    Ok(())
}

fn rejected_rows_say_why(
    messages: Vec<end_to_end::consumer::Message>,
    account: &str,
    expected: &BTreeMap<&str, Vec<Upload>>,
) -> Result<()> {
    let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in messages {
        let row = RejectedRow::decode(message.value.as_slice())?;
        let envelope = row.envelope.context("a rejected row without envelope")?;
        if envelope.account_id != account {
            continue;
        }
        ensure!(!row.code.is_empty() && !row.column.is_empty() && !row.reason.is_empty(), "{}", row.code);
        ensure!(!row.raw.is_empty(), "a rejected row without its raw text");
        let number = envelope.row_number.context("a rejected row without its number")?;
        seen.entry(envelope.object_key).or_default().push(number);
    }
    for (dataset, uploads) in expected {
        for upload in uploads {
            let mut numbers = seen.remove(&format!("{dataset}/{}", upload.key)).unwrap_or_default();
            numbers.sort_unstable();
            ensure!(numbers.iter().eq(&upload.rejected), "{dataset}/{}: rejected {numbers:?}", upload.key);
        }
    }
    ensure!(seen.is_empty(), "rejected rows of files that have none: {:?}", seen.keys());
    Ok(())
}
