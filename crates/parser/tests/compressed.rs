//! Compressed files are decompressed by a thread of their own, which ends with them, and are read once all the same.
#![cfg(target_os = "linux")]
// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant};

use api::registry::{FileState, InvalidRows, Source};
use records::topic::EVENTS;
use records::v1::Event;
use world::{World, events, outcome};

const ROWS: usize = 60_000;
const NAME: &str = "2026-11-23/a.csv.gz";
const PATIENCE: Duration = Duration::from_secs(120);

/// Rows of which the one with this number is invalid.
fn gzip(invalid: usize) -> Vec<u8> {
    let mut text = "user_id,timestamp,type\n".to_owned();
    for row in 1..=ROWS {
        let time = if row == invalid { "soon" } else { "2026-11-23T10:00:00Z" };
        let _ = writeln!(text, "u-{row},{time},view");
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Threads of this process that decompress.
fn decompressing() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "decompress").count()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Alone in its process, as it looks at all threads of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_decompresses_and_ends_with_the_file() {
    let world = World::with(events()).await;
    world.put(NAME, &gzip(0));
    let parser = world.parser(500);
    until("a thread that decompresses", || decompressing() == 1).await;
    world.until(NAME, |file| file.rows > 0).await;
    parser.stop().await;
    let stopped = world.files().await.remove(NAME).unwrap();
    assert!(stopped.finish_time.is_none(), "it was to be stopped in its middle");
    until("the thread to end with the lane", || decompressing() == 0).await;

    let parser = world.parser(50_000);
    let file = world.at_rest(NAME, 1).await;
    assert_eq!((file.accepted, outcome(&file)), (ROWS as u64, (FileState::Accepted, "")));
    until("the thread to end with the file", || decompressing() == 0).await;
    parser.stop().await;
    let read: Vec<Event> = world.messages(EVENTS).await;
    let users: BTreeSet<&str> = read.iter().map(|event| event.user_id.as_str()).collect();
    assert_eq!((read.len(), users.len()), (ROWS, ROWS), "each row once");

    // The first pass ends in the middle of the file.
    let invalid_rows = InvalidRows::RejectFile as i32;
    let world = World::with(Source { invalid_rows, ..events() }).await;
    world.put(NAME, &gzip(ROWS / 2));
    let parser = world.parser(50_000);
    let file = world.at_rest(NAME, 1).await;
    assert_eq!((file.state(), file.accepted), (FileState::Rejected, 0));
    until("the threads of both passes to end", || decompressing() == 0).await;
    parser.stop().await;
}
