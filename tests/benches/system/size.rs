//! What one parser process holds in memory, by the size of the file that it reads, on Apache Kafka, PostgreSQL and an S3 server;
//! told as one JSON object.
//!
//! Files of one, a hundred and `CORTEX_BENCH_MEGABYTES` (10,000) megabytes: CSV, which is split over 256 MB, and the same by
//! gzip, which is read as a whole. Processes are those of `CORTEX_TEST_BINARY`, or of the profile that this is built by.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::bench::{Usage, csv, folder, setting};
use end_to_end::process::until;
use end_to_end::s3::Store;
use end_to_end::system::System;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use services::KafkaCluster;

const MEGABYTE: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(3600);
/// Rows that are written at once, of some hundred bytes.
const ROWS: u64 = 100_000;
/// Bytes of a part of an upload: S3 wants 5 MiB at least, and 10,000 parts at most.
const PART: usize = 16 << 20;

pub(crate) fn run() -> Result<()> {
    let largest = setting("MEGABYTES", 10_000)?;
    let (s3, postgres) = (services::shared::s3()?, services::shared::postgres()?);
    let account = format!("size-{}", std::process::id());
    let kafka = KafkaCluster::start_as_shipped()?;
    let database = postgres.database(&account.replace('-', "_"))?;
    let system = System::on(kafka.bootstrap(), &database, s3.endpoint())?;
    let store = Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), &format!("bucket-{account}"))?;
    let _registry = system.registry()?;
    system.ask(&["account", "create", "--id", &account])?;
    let source = system.source(&account, "events", store.bucket(), (s3.access_key(), s3.secret_key()))?;
    let _scanner = system.scanner()?;
    let mut files = Vec::new();
    for megabytes in [1, 100, largest] {
        for is_packed in [false, true] {
            let name = format!("{megabytes}.csv{}", if is_packed { ".gz" } else { "" });
            let key = format!("{}/{name}", folder());
            // One process a file: what it held for one before would be taken for this one's.
            let mut parser = system.parser("parser-1", &[])?;
            let (rows, bytes) = upload(&store, &key, megabytes * MEGABYTE, is_packed)?;
            let mut file = Value::Null;
            until(&format!("{name} to be read"), PATIENCE, || {
                let all = system.ask(&["source", "files", &source])?;
                file = all.into_iter().find(|file| file["object_key"] == key.as_str()).unwrap_or_default();
                Ok(file.get("finish_time").is_some())
            })?;
            ensure!(file["accepted"] == rows.to_string().as_str(), "{file}");
            let used = Usage::of(&parser)?;
            parser.terminate(PATIENCE)?;
            store.delete(&key)?;
            let told = json!({
                "file": name,
                "rows": rows,
                "bytes": bytes,
                "peak_bytes": used.peak_bytes,
                "cpu_seconds": used.cpu_seconds,
            });
            eprintln!("{told}");
            files.push(told);
        }
    }
    println!("{}", json!({ "files": files }));
    Ok(())
}

/// Uploads a CSV file of about so many bytes, packed by gzip if so; gives its rows, and the bytes of the object.
fn upload(store: &Store, key: &str, bytes: u64, is_packed: bool) -> Result<(u64, u64)> {
    let (mut rows, mut written) = (0, 0);
    let (mut plain, mut packed) = (Vec::new(), GzEncoder::new(Vec::new(), Compression::fast()));
    let mut uploaded = 0;
    store.put_parts(key, || {
        loop {
            let waiting = if is_packed { packed.get_mut() } else { &mut plain };
            if waiting.len() >= PART || written >= bytes {
                break;
            }
            let count = ROWS.min((bytes - written) / 100 + 1);
            let text = csv(count, rows);
            let (header, body) = text.split_once('\n').context("a header")?;
            let text = if rows == 0 { format!("{header}\n{body}") } else { body.to_owned() };
            rows += count;
            written += text.len() as u64;
            if is_packed {
                packed.write_all(text.as_bytes())?;
            } else {
                plain.extend_from_slice(text.as_bytes());
            }
        }
        if written >= bytes && is_packed {
            packed.try_finish()?;
        }
        let part = std::mem::take(if is_packed { packed.get_mut() } else { &mut plain });
        uploaded += part.len() as u64;
        Ok((!part.is_empty()).then_some(part))
    })?;
    Ok((rows, uploaded))
}
