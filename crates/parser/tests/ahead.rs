//! Small files are claimed together, and what is claimed and not read is given back.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod world;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use records::topic::EVENTS;
use records::v1::Event;
use world::{World, events};

/// Counts the parser's calls to the ledger.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicU64>);

impl Recorder for Calls {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() == "cortex_parser_claim_calls_total" {
            Counter::from_arc(self.0.clone())
        } else {
            Counter::noop()
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
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
    let calls = Calls::default();
    metrics::set_global_recorder(calls.clone()).unwrap();
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
    let calls = calls.0.load(Ordering::Relaxed);
    assert!((3..=20).contains(&calls), "{calls} calls for {FILES} files");
    let mut users: Vec<String> =
        world.messages::<Event>(EVENTS).await.into_iter().map(|event| event.user_id).collect();
    users.sort_unstable();
    users.dedup();
    assert_eq!(users.len(), FILES * 10);
    assert_eq!(world.messages::<Event>(EVENTS).await.len(), FILES * 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_claimed_and_not_read_is_given_back_where_the_partition_is_let_go() {
    const FILES: usize = 40;
    let world = World::with(events()).await;
    for number in 0..FILES {
        world.put(&format!("2026-11-23/{number:04}.csv"), &file(number, 2_000));
    }
    published(&world, FILES as u64).await;
    let parser = world.parser(100);
    world.until("2026-11-23/0000.csv", |file| file.rows > 0).await;
    parser.stop().await;
    let left: Vec<_> = world.files().await.into_values().filter(|file| file.rows == 0).collect();
    assert!(left.len() > FILES / 2, "it was to be stopped in the middle: {} left", left.len());
    for file in &left {
        assert_eq!(file.attempts, 0, "{}", file.object_key);
    }
    let parser = world.parser(50_000);
    for number in 0..FILES {
        let file = world.at_rest(&format!("2026-11-23/{number:04}.csv"), 1).await;
        assert_eq!(file.accepted, 2_000);
    }
    parser.stop().await;
    assert_eq!(world.messages::<Event>(EVENTS).await.len(), FILES * 2_000);
}
