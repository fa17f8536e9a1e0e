//! What a parser holds in memory does not follow the size of files, whatever they are, on real Kafka, PostgreSQL and S3.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use end_to_end::process::until;
use end_to_end::world::{PATIENCE, World};

/// What a parser is promised to stay under, with all partitions of the queue its own.
const MOST: u64 = 256 << 20;
const CSV: (&str, &str) = (
    "user_id,timestamp,type,note\n",
    "user-1,2026-11-20T10:00:00Z,view,\"a note, of sixty bytes or so, that makes rows as long as they are\"\n",
);
const LINE: &str =
    "{\"user_id\": \"user-1\", \"timestamp\": \"2026-11-20T10:00:00Z\", \"type\": \"view\", \"price\": 12.5}";

fn csv(rows: usize) -> Vec<u8> {
    format!("{}{}", CSV.0, CSV.1.repeat(rows)).into_bytes()
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[test]
fn a_parser_stays_under_256_megabytes_whatever_it_reads() -> Result<()> {
    let mut world = World::start("memory", 1)?;
    world.system.set("CORTEX_SPLIT_OVER_BYTES", "64000000");
    world.system.set("CORTEX_RANGE_BYTES", "1");
    // As it is run, other than in tests that want many chunks.
    world.system.set("CORTEX_CHUNK_ROWS", "50000");
    world.system.set("CORTEX_CHUNK_MS", "2000");
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.run("parser", "parser-1", &[])?;
    let lines = format!("{LINE}\n");
    let array = |rows: usize| format!("[{}{LINE}]", format!("{LINE},\n").repeat(rows - 1)).into_bytes();
    let files: [(&str, usize, Vec<u8>); 6] = [
        ("small.csv", 10_000, csv(10_000)),
        ("whole.csv", 500_000, csv(500_000)),
        ("in-ranges.csv", 1_500_000, csv(1_500_000)),
        ("packed.csv.gz", 1_000_000, gzip(&csv(1_000_000))?),
        ("lines.jsonl.gz", 500_000, gzip(lines.repeat(500_000).as_bytes())?),
        ("array.json", 500_000, array(500_000)),
    ];
    for (name, rows, bytes) in files {
        let size = bytes.len();
        world.store.put(&format!("events/2026-11-23/{name}"), &bytes)?;
        until(&format!("{name} to be read"), PATIENCE, || {
            let file = world.file(&format!("2026-11-23/{name}"))?;
            Ok(file.is_some_and(|file| file.get("finish_time").is_some()))
        })?;
        let file = world.file(&format!("2026-11-23/{name}"))?.context("the file")?;
        ensure!(file["accepted"] == rows.to_string().as_str(), "{file}");
        let peak = world.process("parser-1")?.peak_bytes()?;
        println!("{name}, {size} bytes: peak of {} MiB so far", peak >> 20);
        ensure!(peak < MOST, "{name}: {peak} bytes");
    }
    Ok(())
}
