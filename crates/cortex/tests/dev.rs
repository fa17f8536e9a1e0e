//! `cortex dev` as a person uses it: the binary is started, files are dropped, the outcome is looked at.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn cortex() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortex"));
    for (name, _) in std::env::vars() {
        if name.starts_with("CORTEX_") {
            command.env_remove(name);
        }
    }
    command
}

fn dev(dir: &Path) -> Command {
    let mut command = cortex();
    command.args(["dev", "--json", "--data-dir"]).arg(dir);
    command
}

/// Runs to rest and gives the report.
fn to_rest(dir: &Path, flags: &[&str]) -> Value {
    let output = dev(dir).args(["--exit-when-idle"]).args(flags).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"))
}

fn count(report: &Value, topic: &str) -> u64 {
    report["topics"][topic].as_u64().unwrap()
}

fn file<'a>(report: &'a Value, key: &str) -> &'a Value {
    let files = report["files"].as_array().unwrap();
    files.iter().find(|file| file["key"] == key).unwrap_or_else(|| panic!("{key} is not in {report}"))
}

fn tail(dir: &Path, topic: &str) -> Vec<Value> {
    let output = cortex().args(["tail", topic, "--from-beginning", "--data-dir"]).arg(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn drop_file(dir: &Path, key: &str, text: &str) {
    let path = dir.join("s3/demo-bucket").join(key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// A stopped process even when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(90), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_samples_become_records_and_a_second_start_publishes_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let first = to_rest(dir.path(), &[]);
    let files = first["files"].as_array().unwrap();
    assert!(files.len() >= 12, "four datasets in three formats: {first}");
    let mut accepted = 0;
    for file in files {
        assert_eq!(file["outcome"], "ACCEPTED", "{file}");
        accepted += file["accepted"].as_u64().unwrap();
    }
    let records = ["events", "attributes", "items", "id-mappings"]
        .map(|topic| count(&first, &format!("cortex.{topic}.v1")))
        .into_iter()
        .inspect(|count| assert!(*count > 0))
        .sum::<u64>();
    assert_eq!(records, accepted);
    assert_eq!(count(&first, "cortex.rejected-rows.v1"), 0);

    let second = to_rest(dir.path(), &[]);
    assert_eq!(first["topics"], second["topics"]);

    let events = tail(dir.path(), "cortex.events.v1");
    let ids: BTreeSet<&str> =
        events.iter().map(|event| event["envelope"]["record_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), events.len(), "record ids are unique");
    assert!(events.iter().all(|event| event["user_id"].is_string() && event["timestamp"].is_string()));
}

#[test]
fn a_file_that_is_dropped_is_ingested_and_its_bad_rows_say_why() {
    let dir = tempfile::tempdir().unwrap();
    to_rest(dir.path(), &["--no-samples"]);
    let _dev = Running(dev(dir.path()).arg("--no-samples").stdout(Stdio::null()).spawn().unwrap());
    let text = "user_id,timestamp,type,price\nu1,2026-11-23T10:00:00Z,view,1.5\n\
                u2,never,view,2\n,2026-11-23T10:00:00Z,view,3\nu4,1763892000,buy,4\n";
    drop_file(dir.path(), "events/2026-11-23/dropped.csv", text);
    drop_file(dir.path(), "events/notes/readme.csv", "not,ours\n1,2\n");
    until("the dropped file's records", || tail(dir.path(), "cortex.events.v1").len() == 2);

    let rejected = tail(dir.path(), "cortex.rejected-rows.v1");
    let found: Vec<_> = rejected
        .iter()
        .map(|row| {
            let number = row["envelope"]["row_number"].as_str().unwrap();
            (number, row["code"].as_str().unwrap(), row["column"].as_str().unwrap())
        })
        .collect();
    assert_eq!(found, [("2", "invalid_type", "timestamp"), ("3", "missing_value", "user_id")]);
    assert!(rejected.iter().all(|row| !row["reason"].as_str().unwrap().is_empty()));

    let source = |command: &[&str]| {
        let output = cortex().args(command).arg("--json").arg("--data-dir").arg(dir.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let sources = source(&["source", "list", "demo"]);
    let events = sources.iter().find(|one| one["dataset"] == "DATASET_EVENTS").unwrap();
    let name = events["name"].as_str().unwrap();
    until("the ledger to know the outcome", || {
        source(&["source", "files", name])
            .iter()
            .any(|file| file["state"] == "FILE_STATE_ACCEPTED_WITH_REJECTIONS" && file["accepted"] == "2")
    });
    until("what lies outside dated folders to be shown", || {
        let shown = &source(&["source", "show", name])[0]["discovery"];
        shown["outside"] == "1"
            && shown["outside_examples"][0].as_str().is_some_and(|one| one.contains("notes"))
    });
    until("the samples", || source(&["source", "sample", name]).len() == 2);
}

#[test]
fn a_file_that_is_uploaded_again_is_read_again_as_its_next_generation() {
    let dir = tempfile::tempdir().unwrap();
    let key = "events/2026-11-23/again.csv";
    drop_file(dir.path(), key, "user_id,timestamp,type\nu1,2026-11-23,view\nu2,soon,view\n");
    let first = to_rest(dir.path(), &["--no-samples"]);
    assert_eq!(file(&first, key)["outcome"], "ACCEPTED_WITH_REJECTIONS");

    drop_file(dir.path(), key, "user_id,timestamp,type\nu1,2026-11-23,view\nu2,2026-11-23,view\n");
    to_rest(dir.path(), &["--no-samples"]);
    let mut seen: Vec<(String, u64)> = tail(dir.path(), "cortex.events.v1")
        .iter()
        .map(|event| {
            let generation = event["envelope"]["generation"].as_u64().unwrap();
            (event["user_id"].as_str().unwrap().to_owned(), generation)
        })
        .collect();
    seen.sort();
    assert_eq!(seen, [("u1".to_owned(), 1), ("u1".to_owned(), 2), ("u2".to_owned(), 2)]);
}

#[test]
fn a_broken_file_stops_that_file_only_and_says_why() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let folder = dir.path().join("s3/demo-bucket/events/2026-11-23");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    };
    let mut text = String::from("user_id,timestamp,type\n");
    for row in 0..20_000 {
        let _ = writeln!(text, "user-{row},2026-11-23T10:00:00Z,view");
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(text.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    put("cut.csv.gz", &gzip[..gzip.len() / 2]);
    put("no-header.csv", b"customer,when\n1,2\n");
    put("picture.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    put("picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    put("empty.json", b"");
    put("good.csv", b"user_id,timestamp,type\nu,2026-11-23,view\n");
    let report = to_rest(dir.path(), &["--no-samples"]);
    for (name, outcome, code) in [
        ("cut.csv.gz", "INCOMPLETE", "truncated"),
        ("no-header.csv", "REJECTED", "missing_column"),
        ("picture.csv", "REJECTED", "format_mismatch"),
        ("picture", "REJECTED", "unknown_format"),
        ("empty.json", "REJECTED", "empty_file"),
        ("good.csv", "ACCEPTED", ""),
    ] {
        let file = file(&report, &format!("events/2026-11-23/{name}"));
        assert_eq!(
            (file["outcome"].as_str(), file["error"]["code"].as_str().unwrap_or("")),
            (Some(outcome), code)
        );
    }
    let whole = file(&report, "events/2026-11-23/cut.csv.gz")["accepted"].as_u64().unwrap();
    assert!((5_000..15_000).contains(&whole), "about half of the rows: {whole}");
    assert_eq!(count(&report, "cortex.events.v1"), whole + 1);
}

#[test]
fn a_source_that_rejects_files_publishes_nothing_of_an_invalid_one() {
    let dir = tempfile::tempdir().unwrap();
    to_rest(dir.path(), &["--no-samples"]);
    let running = Running(dev(dir.path()).arg("--no-samples").stdout(Stdio::null()).spawn().unwrap());
    let client = |arguments: &[&str]| {
        let output =
            cortex().args(arguments).arg("--json").arg("--data-dir").arg(dir.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| Value::String(stderr.into_owned()))
    };
    let mut source = Value::Null;
    until("the source to be created", || {
        source = client(&[
            "source",
            "create",
            "--account=demo",
            "--name=Strict",
            "--dataset=events",
            "--bucket=demo-bucket",
            "--path=events/strict",
            "--role-arn=arn:aws:iam::111122223333:role/cortex-events",
            "--reject-file",
            "--request-id=strict",
        ]);
        source["name"].is_string()
    });
    assert_eq!(source["invalid_rows"], "INVALID_ROWS_REJECT_FILE", "{source}");
    assert_eq!(
        client(&["source", "activate", source["name"].as_str().unwrap()])["state"],
        "SOURCE_STATE_ACTIVE"
    );
    drop(running);

    let mut text = String::from("user_id,timestamp,type\n");
    for row in 0..20_000 {
        let _ = writeln!(text, "user-{row},2026-11-23T10:00:00Z,view");
    }
    drop_file(dir.path(), "events/strict/2026-11-23/good.csv", &text);
    text.push_str("user,soon,view\nuser,2030-01-01,view\n,2026-11-23,view\n");
    drop_file(dir.path(), "events/strict/2026-11-23/bad.csv", &text);
    drop_file(
        dir.path(),
        "events/strict/2026-11-23/cut.json",
        "[{\"user_id\": \"u\", \"timestamp\": \"2026-11-23\", \"type\": \"a\"}, {",
    );
    let report = to_rest(dir.path(), &["--no-samples"]);
    for (name, outcome, code, accepted, rejected) in [
        ("good.csv", "ACCEPTED", "", 20_000, 0),
        ("bad.csv", "REJECTED", "invalid_rows", 0, 2),
        ("cut.json", "REJECTED", "truncated", 0, 0),
    ] {
        let file = file(&report, &format!("events/strict/2026-11-23/{name}"));
        assert_eq!(
            (file["outcome"].as_str(), file["error"]["code"].as_str().unwrap_or("")),
            (Some(outcome), code),
            "{file}"
        );
        assert_eq!(
            (file["accepted"].as_u64(), file["rejected"].as_u64()),
            (Some(accepted), Some(rejected)),
            "{file}"
        );
    }
    assert_eq!(count(&report, "cortex.events.v1"), 20_000);
    assert_eq!(count(&report, "cortex.rejected-rows.v1"), 2, "what is wrong is said");
}

#[test]
fn a_kill_in_mid_file_loses_and_doubles_nothing() {
    const ROWS: u64 = 300_000;
    let dir = tempfile::tempdir().unwrap();
    to_rest(dir.path(), &["--no-samples"]);
    let mut text = String::from("user_id,timestamp,type\n");
    for row in 0..ROWS {
        let _ = writeln!(text, "user-{row},2026-11-23T10:00:00Z,view");
    }
    drop_file(dir.path(), "events/2026-11-23/large.csv", &text);
    for kill in 1..=3 {
        let running = Running(dev(dir.path()).arg("--no-samples").stdout(Stdio::null()).spawn().unwrap());
        let before = published(dir.path());
        until("a chunk of the large file", || published(dir.path()) > before);
        drop(running);
        assert!(published(dir.path()) < ROWS, "kill {kill} came after the file's end");
    }
    let report = to_rest(dir.path(), &["--no-samples"]);
    assert_eq!(file(&report, "events/2026-11-23/large.csv")["accepted"], ROWS);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for event in tail(dir.path(), "cortex.events.v1") {
        *seen.entry(event["user_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(seen.len() as u64, ROWS);
    assert!(seen.values().all(|times| *times == 1));
}

/// Events that readers can see.
fn published(dir: &Path) -> u64 {
    use queue::Queue;
    let queue = queue::embedded::EmbeddedQueue::open(&dir.join("queue.db")).unwrap();
    queue.count("cortex.events.v1").unwrap()
}

#[test]
fn wrong_usage_ends_with_64() {
    let output = cortex().args(["source", "lisst"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(cortex().arg("--help").output().unwrap().status.code(), Some(0));
}

#[test]
fn wrong_settings_end_with_64_and_name_the_setting() {
    let output = cortex().args(["parser", "--set", "chunk_rowz=5"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("chunk_rowz"));
}
