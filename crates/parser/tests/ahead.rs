//! Small files are claimed together, and what is claimed and not read is given back.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::registry::FileState;
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use records::queue::FileProgress;
use records::topic::{EVENTS, FILE_PROGRESS};
use records::v1::Event;
use world::{World, events};

/// Counts the parser's calls to the ledger, and its commits.
#[derive(Clone, Default)]
struct Counts {
    claims: Arc<AtomicU64>,
    commits: Arc<Commits>,
}

#[derive(Default)]
struct Commits(AtomicU64);

impl HistogramFn for Commits {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Counts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "cortex_parser_claim_calls_total" {
            Counter::from_arc(self.claims.clone())
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == "cortex_parser_commit_duration_seconds" {
            Histogram::from_arc(self.commits.clone())
        } else {
            Histogram::noop()
        }
    }
}

fn file(number: usize, rows: usize) -> String {
    let mut text = "user_id,timestamp,type\n".to_owned();
    for row in 0..rows {
        let _ = writeln!(text, "u-{number}-{row},2026-11-23T10:00:00Z,view");
    }
    text
}

/// Waits until so many files are on the queue.
async fn published(world: &World, count: u64) {
    loop {
        let queue = world.queue.clone();
        let on_queue = tokio::task::spawn_blocking(move || queue.count(records::topic::OBJECTS).unwrap());
        if on_queue.await.unwrap() == count {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_are_claimed_a_batch_at_a_time_and_each_is_read_once() {
    const FILES: usize = 300;
    let counts = Counts::default();
    metrics::set_global_recorder(counts.clone()).unwrap();
    let world = World::with(events()).await;
    for number in 0..FILES {
        world.put(&format!("2026-11-23/{number:04}.csv"), &file(number, 10));
    }
    published(&world, FILES as u64).await;
    let parser = world.parser(50_000);
    for number in 0..FILES {
        let file = world.at_rest(&format!("2026-11-23/{number:04}.csv"), 1).await;
        assert_eq!((file.accepted, file.attempts), (10, 1), "{number}");
    }
    parser.stop().await;
    let calls = counts.claims.load(Ordering::Relaxed);
    assert!((3..=20).contains(&calls), "{calls} calls for {FILES} files");
    let mut users: Vec<String> =
        world.messages::<Event>(EVENTS).await.into_iter().map(|event| event.user_id).collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(users.len(), FILES * 10);
    assert_eq!(world.messages::<Event>(EVENTS).await.len(), FILES * 10);
    // Of many files in one transaction, the first few give samples.
    let progress: Vec<FileProgress> = world.messages(FILE_PROGRESS).await;
    let samples: usize = progress.iter().map(|file| file.samples.len()).sum();
    let commits = counts.commits.0.load(Ordering::Relaxed) as usize;
    assert!((20..=20 * commits).contains(&samples), "{samples} samples in {commits} transactions");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_claimed_and_not_read_is_given_back_where_the_partition_is_let_go() {
    const FILES: usize = 40;
    // The first is as large as a file may be that others are claimed with, and takes a commit a hundred rows.
    let rows = |number| if number == 0 { 25_000 } else { 10 };
    let name = |number| format!("2026-11-23/{number:04}.csv");
    let world = World::with(events()).await;
    world.put(&name(0), &file(0, rows(0)));
    published(&world, 1).await;
    for number in 1..FILES {
        world.put(&name(number), &file(number, rows(number)));
    }
    published(&world, FILES as u64).await;
    let parser = world.parser(100);
    world.until(&name(0), |file| file.rows > 0).await;
    parser.stop().await;
    let files = world.files().await;
    assert!(files[&name(0)].finish_time.is_none(), "it was to be stopped in the first");
    for number in 1..FILES {
        let file = &files[&name(number)];
        assert_eq!((file.state(), file.attempts), (FileState::Claimed, 0), "{number}");
    }
    let parser = world.parser(50_000);
    for number in 0..FILES {
        let file = world.at_rest(&name(number), 1).await;
        assert_eq!(file.accepted, rows(number) as u64);
    }
    parser.stop().await;
    assert_eq!(world.messages::<Event>(EVENTS).await.len(), 25_000 + (FILES - 1) * 10);
}
