//! One large object, read by one, two and four parsers over an S3 endpoint that limits each connection, with and without
//! ranges, told as one JSON object. Each parser has one partition of the queue.
//!
//! `CORTEX_BENCH_MEGABYTES` (64) of CSV, every 16 KiB of a connection waiting `CORTEX_BENCH_WAIT_MS` (4) milliseconds. Processes are
//! those of `CORTEX_TEST_BINARY`, or of the profile that this is built by.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::process::until;
use end_to_end::s3::Store;
use end_to_end::system::System;
use jiff::Timestamp;
use queue::Queue;
use queue::kafka::{KafkaConfig, KafkaQueue};
use records::topic::OBJECTS;
use serde_json::{Value, json};
use services::{KafkaCluster, TcpProxy};

const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) fn run() -> Result<()> {
    let bytes = setting("MEGABYTES", 64)? << 20;
    let wait = Duration::from_millis(setting("WAIT_MS", 4)?);
    let mut cases = Vec::new();
    let mut alone = None;
    for (parsers, in_ranges) in [(1, false), (1, true), (2, true), (4, true)] {
        let seconds = read(parsers, in_ranges, bytes, wait)?;
        let alone = *alone.get_or_insert(seconds);
        cases.push(json!({
            "parsers": parsers,
            "in_ranges": in_ranges,
            "seconds": seconds,
            "times_as_fast": alone / seconds,
        }));
    }
    println!("{}", json!({ "bytes": bytes, "wait_ms_a_16_kib": wait.as_millis() as u64, "cases": cases }));
    Ok(())
}

fn setting(name: &str, default: u64) -> Result<u64> {
    let name = format!("CORTEX_BENCH_{name}");
    match std::env::var(&name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number: {text}")),
        Err(_) => Ok(default),
    }
}

/// Seconds from the moment at which the object is on the queue to the last commit.
fn read(parsers: u32, in_ranges: bool, bytes: u64, wait: Duration) -> Result<f64> {
    let (s3, postgres) = (services::shared::s3()?, services::shared::postgres()?);
    let account = format!("ranges-{parsers}-{in_ranges}-{}", std::process::id());
    let kafka = KafkaCluster::start_as_shipped()?;
    let host = s3.endpoint().trim_start_matches("http://");
    let wire = TcpProxy::start(host)?;
    wire.delay(wait);
    let database = postgres.database(&account.replace('-', "_"))?;
    let mut system = System::on(kafka.bootstrap(), &database, &format!("http://{}", wire.address()))?;
    system.set("CORTEX_TOPIC_PARTITIONS", &parsers.to_string());
    system.set("CORTEX_SPLIT_OVER_BYTES", if in_ranges { "1000000" } else { "0" });
    // The least that is allowed.
    system.set("CORTEX_RANGE_BYTES", "1");
    let store = Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), &format!("bucket-{account}"))?;
    let _registry = system.registry()?;
    system.ask(&["account", "create", "--id", &account])?;
    let keys = (s3.access_key(), s3.secret_key());
    let source = system.source(&account, "events", store.bucket(), keys)?;
    let names: Vec<String> = (1..=parsers).map(|number| format!("parser-{number}")).collect();
    let _parsers = names.iter().map(|name| system.parser(name, &[])).collect::<Result<Vec<_>>>()?;
    // All of them are members before there is work.
    std::thread::sleep(Duration::from_secs(8));
    let (text, rows) = csv(bytes);
    store.put("events/2026-11-23/large.csv", text.as_bytes())?;
    let queue = KafkaQueue::new(KafkaConfig::new(kafka.bootstrap()))?;
    let _scanner = system.scanner()?;
    until("the object to be on the queue", PATIENCE, || Ok(queue.count(OBJECTS)? > 0))?;
    let begun = Timestamp::now();
    let mut file = Value::Null;
    until("the object to be read", PATIENCE, || {
        file = system.ask(&["source", "files", &source])?.pop().unwrap_or_default();
        Ok(file.get("finish_time").is_some())
    })?;
    ensure!(file["accepted"] == rows.to_string().as_str(), "{file}");
    let ended: Timestamp = file["finish_time"].as_str().context("a time")?.parse()?;
    Ok(ended.duration_since(begun).as_secs_f64())
}

/// Events of about so many bytes, and how many.
fn csv(bytes: u64) -> (String, u64) {
    let mut text = "user_id,timestamp,type,item_id,price\n".to_owned();
    let mut rows = 0;
    while (text.len() as u64) < bytes {
        let _ =
            writeln!(text, "user-{rows:08},2026-11-20T10:00:00Z,purchase,\"item, {rows}\",{}.5", rows % 500);
        rows += 1;
    }
    (text, rows)
}
