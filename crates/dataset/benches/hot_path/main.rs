//! Rows to records, without a queue: what the parser does with a file's bytes, beside the idiomatic way to do it and beside
//! the floor, a count of the line ends. One thread, but where two are named; rows a second.
//!
//! ```sh
//! cargo bench -p dataset --bench hot_path
//! ```

#![allow(clippy::expect_used, missing_docs, reason = "what it reads it has made itself")]

mod idiomatic;
mod rows;

use std::hint::black_box;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dataset::{Checked, EnvelopeConst, EnvelopeWriter, FileChecker, FileFacts, Schema};
use format::{Item, Limits, Rows};

/// A file of some 5 MB: beyond the caches, and quick to go through.
const ROWS: u64 = 50_000;

fn schema() -> Schema {
    Schema::parse_json(
        r#"{"dataset": "EVENTS", "columns": [
            {"name": "price", "type": "NUMBER"}, {"name": "quantity", "type": "INTEGER"},
            {"name": "referrer", "type": "STRING"}, {"name": "is_member", "type": "BOOLEAN"}]}"#,
    )
    .expect("the schema holds")
}

fn envelope() -> EnvelopeWriter {
    EnvelopeWriter::new(&EnvelopeConst {
        account_id: "acme",
        source_id: "7d1f0c7e",
        object_key: "events/2026-11-23/part-0001.csv",
        etag: "9e107d9d372bb6826bd81d3542a419d6",
        generation: 1,
        replaces_generation: 0,
        ingest_seconds: 1_795_428_307,
        ingest_nanos: 0,
        file_id: [7; 16],
    })
}

fn facts() -> FileFacts {
    FileFacts {
        time_zone: "UTC".to_owned(),
        now: 1_795_428_307,
        folder_date: "2026-11-23".to_owned(),
        most_bytes: Some(1 << 20),
        ..FileFacts::default()
    }
}

fn open(file: &Arc<[u8]>, name: &str) -> Rows {
    Rows::open(Box::new(Cursor::new(Arc::clone(file))), name, Limits::default()).expect("it opens")
}

/// As the parser goes through a file; gives the bytes of all records.
fn records(mut rows: Rows) -> u64 {
    let (envelope, mut checker) = (envelope(), FileChecker::new(schema(), facts()));
    let (mut record, mut bytes) = (Vec::new(), 0);
    while let Some(item) = rows.next().expect("it can be read") {
        record.clear();
        if let Item::Row(row) = &item {
            envelope.write(row.at, Some(row.at.row), &mut record);
        }
        if let Checked::Accepted { key, .. } = checker.check(&item, &mut record).expect("the header fits") {
            bytes += (black_box(key).len() + black_box(&record).len()) as u64;
        }
    }
    assert_eq!(checker.totals().accepted, ROWS);
    bytes
}

fn split(file: &Arc<[u8]>, name: &str) -> u64 {
    let mut rows = open(file, name);
    let mut count = 0;
    while let Some(item) = rows.next().expect("it can be read") {
        count += u64::from(matches!(black_box(item), Item::Row(_)));
    }
    count
}

fn hot_path(c: &mut Criterion) {
    let csv: Arc<[u8]> = rows::csv(ROWS).into();
    let lines: Arc<[u8]> = rows::json_lines(ROWS).into();
    let array: Arc<[u8]> = rows::json_array(ROWS).into();
    let gzip: Arc<[u8]> = rows::gzip(&csv).into();

    let mut group = c.benchmark_group("csv");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("floor: line ends", |b| {
        b.iter(|| memchr::memchr_iter(b'\n', black_box(&csv)).count())
    });
    group.bench_function("split", |b| b.iter(|| split(&csv, "a.csv")));
    group.bench_function("records", |b| b.iter(|| records(open(&csv, "a.csv"))));
    group.bench_function("records, gzip", |b| b.iter(|| records(open(&gzip, "a.csv.gz"))));
    group.bench_function("records, gzip, two threads", |b| {
        b.iter(|| records(open(&gzip, "a.csv.gz").decompress_ahead()))
    });
    group.bench_function("idiomatic", |b| {
        b.iter_batched(|| Arc::clone(&csv), |file| idiomatic::csv(&file), BatchSize::LargeInput);
    });
    group.finish();

    let mut group = c.benchmark_group("json");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("split", |b| b.iter(|| split(&lines, "a.jsonl")));
    group.bench_function("records", |b| b.iter(|| records(open(&lines, "a.jsonl"))));
    group.bench_function("records, array", |b| b.iter(|| records(open(&array, "a.json"))));
    group.bench_function("idiomatic", |b| b.iter(|| idiomatic::json_lines(&lines)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = hot_path
}
criterion_main!(benches);
