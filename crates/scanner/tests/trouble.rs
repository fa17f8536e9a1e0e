//! A scanner among trouble: what is waited for, what ends it, and what it must not do twice.

#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use api::client::{Worker, connect};
use api::registry::{PauseSourceRequest, ResumeSourceRequest};
use scanner::ScannerError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use world::{Scanner, World, config, day};

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let queue = world::open_queue(folder.path().join("queue.db")).await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let worker = Worker::new(connect(&format!("http://{free}"), "worker").unwrap());
    let scanner = Scanner::start(config(), worker, queue.clone());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!scanner.task.is_finished());

    let stop = CancellationToken::new();
    let registry = world::registry_config(free, folder.path().join("registry.db"));
    world::serve(registry, queue, stop.clone()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!scanner.task.is_finished());
    scanner.stop().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_service_token_ends_the_scanner_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let queue = world::open_queue(folder.path().join("queue.db")).await;
    let registry = world::registry_config(([127, 0, 0, 1], 0).into(), folder.path().join("registry.db"));
    let stop = CancellationToken::new();
    let address = world::serve(registry, queue.clone(), stop.clone()).await;
    let worker = Worker::new(connect(&address, "wrong").unwrap());

    let role = CancellationToken::new();
    let error = scanner::run(config(), worker, queue, role.clone()).await.unwrap_err();
    assert!(matches!(error, ScannerError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("service token"), "{error}");
    assert!(!role.is_cancelled(), "other roles of the process are not the scanner's to stop");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn scanners_that_share_a_source_publish_each_file_once() {
    let world = World::new().await;
    let scanners: Vec<_> = (0..3)
        .map(|n| {
            let mut config = config();
            config.worker_id = format!("scanner-{n}");
            config.publish_batch = 3;
            world.scanner(config)
        })
        .collect();
    let mut expected = Vec::new();
    for n in 0..40 {
        expected.push((world.put(&format!("{}/{n:02}.csv", day(n % 3)), &format!("{n}")), 1));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    expected.sort();
    published(&world, 40).await;
    world.scan().await;
    for scanner in scanners {
        scanner.stop().await;
    }
    assert_eq!(world.published().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_paused_is_let_go_of_in_mid_scan_and_loses_nothing() {
    let world = World::new().await;
    let mut expected: Vec<_> =
        (0..200).map(|n| world.put(&format!("{}/{n:03}.csv", day(0)), &format!("{n}"))).collect();
    expected.sort();
    let mut slow = config();
    slow.publish_batch = 1;
    let scanner = world.scanner(slow);
    published(&world, 5).await;

    let name = world.source.name.clone();
    world.registry.clone().pause_source(PauseSourceRequest { name: name.clone() }).await.unwrap();
    // The batch that was on its way may still arrive.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let held = world.count().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.count().await, held);
    assert!(held < 200, "the scan was over before the source was paused");
    assert!(!scanner.task.is_finished());

    world.registry.clone().resume_source(ResumeSourceRequest { name }).await.unwrap();
    published(&world, 200).await;
    scanner.stop().await;
    world.scan().await;
    let mut found: Vec<_> = world.published().await.into_iter().map(|(key, _)| key).collect();
    assert!(found.len() <= 201, "at most the batch that was not marked comes twice, not {}", found.len());
    found.dedup();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_outlasts_its_lease_keeps_its_source() {
    let settle = Duration::from_secs(6);
    let world = World::with(Duration::from_secs(3600), settle).await;
    let key = world.put(&format!("{}/a.csv", day(0)), "a");
    let put = Instant::now();
    let mut short = config();
    short.lease_ttl = Duration::from_secs(2);
    // Were the lease lost, the test would have it before the scanner asks again.
    short.idle_poll_min = Duration::from_secs(5);
    short.idle_poll_max = Duration::from_secs(5);
    let scanner = world.scanner(short);
    tokio::time::sleep(Duration::from_secs(1)).await;
    while put.elapsed() < settle - Duration::from_millis(500) {
        assert!(!world.is_free().await, "the lease ran out in mid-scan");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    published(&world, 1).await;
    scanner.stop().await;
    assert_eq!(world.published().await, [(key, 1)]);
}

/// Waits until so many messages are on the topic.
async fn published(world: &World, count: u64) {
    let all = async {
        while world.count().await < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}
