//! From files in a bucket to messages on the topic, over a real registry, queue, S3 and STS.

#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use api::worker::{
    Claim, ClaimFilesRequest, CompleteScanRequest, ListUnpublishedRequest, ListedObject,
    RecordObjectsRequest, UnpublishedFile,
};
use prost::{Message, Name};
use queue::Outgoing;
use records::queue::{FileProgress, ObjectFound, Outcome};
use records::topic;
use registry::store::ProgressBatch;
use world::{World, config, day};

/// A file with the content "b", as a scanner lists it.
fn listed(key: &str, date: jiff::civil::Date) -> ListedObject {
    ListedObject {
        object_key: key.to_owned(),
        etag: "92eb5ffee6ae2fec3ad71c777531578f".to_owned(),
        size: 1,
        last_modified: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        date: date.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_published_once_with_all_that_a_parser_needs() {
    let world = World::new().await;
    let (today, old) = (day(0), day(40));
    let key = world.put(&format!("{today}/a.csv"), "user_id\n1\n");
    let mut expected = vec![
        (key.clone(), 1),
        (world.put(&format!("{}/b.csv", day(1)), "b"), 1),
        (world.put(&format!("{today}/hour=07/c.csv"), "c"), 1),
        (world.put(&format!("{old}/d.csv"), "d"), 1),
    ];
    expected.sort();
    world.put(&format!("{today}/_SUCCESS"), "");

    // Whatever the moment of activation, a scan from here on has seen all of them.
    world.scan().await;
    let found = world.scan().await;
    assert_eq!(world.published().await, expected);
    assert!(found.error.is_none(), "{:?}", found.error);

    let messages = world.messages().await;
    let (message, found) = messages.iter().find(|(_, found)| found.object_key == key).unwrap();
    assert_eq!(message.key, format!("{}/{key}", world.source_id()).into_bytes());
    let expected = ObjectFound {
        account_id: "customer".into(),
        source_id: world.source_id().to_owned(),
        file_id: found.file_id.clone(),
        generation: 1,
        object_key: key,
        etag: "62aa78674ee1abd4dd9aa1c99454e5de".into(),
        size: 10,
        last_modified: found.last_modified,
        date: today.to_string(),
        range: None,
    };
    assert_eq!(*found, expected);
    assert_eq!(found.file_id.len(), 16);
    let headers = [
        (topic::HEADER_CONTENT_TYPE.to_owned(), topic::CONTENT_TYPE_PROTOBUF.as_bytes().to_vec()),
        (topic::HEADER_MESSAGE.to_owned(), ObjectFound::full_name().into_bytes()),
        // Nothing is traced here, so that none says of which trace it is.
    ];
    assert_eq!(message.headers, headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_scan_publishes_nothing_and_a_changed_object_as_its_next_generation() {
    let world = World::new().await;
    let name = format!("{}/a.csv", day(0));
    let key = world.put(&name, "first");
    world.scan().await;
    world.scan().await;
    assert_eq!(world.published().await, [(key.clone(), 1)]);

    world.put(&name, "second");
    world.scan().await;
    world.scan().await;
    assert_eq!(world.published().await, [(key.clone(), 1), (key, 2)]);
    let messages = world.messages().await;
    assert_ne!(messages[0].1.etag, messages[1].1.etag);
    assert_eq!(messages[0].1.file_id, messages[1].1.file_id);
    assert_eq!(messages[0].0.partition, messages[1].0.partition);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_outside_dated_folders_is_left_alone_and_counted_with_examples() {
    let world = World::new().await;
    let today = day(0);
    let key = world.put(&format!("{today}/a.csv"), "a");
    world.put("stray.csv", "x");
    world.put("yesterday/b.csv", "x");
    world.put("yesterday/c.csv", "x");
    world.put(".hidden", "x");
    world.scan().await;

    let found = world.scan().await;
    assert_eq!(world.published().await, [(key, 1)]);
    assert_eq!((found.folders, found.objects, found.outside), (1, 1, 2));
    assert_eq!(found.outside_examples, ["events/stray.csv", "events/yesterday/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_put_into_an_old_folder_waits_for_the_sweep() {
    let sweep_interval = Duration::from_secs(4);
    let world = World::with(sweep_interval, Duration::from_millis(20)).await;
    let new = world.put(&format!("{}/new.csv", day(0)), "new");
    world.scan().await;
    let swept = tokio::time::Instant::now();
    let late = world.put(&format!("{}/late.csv", day(40)), "late");
    let newer = world.put(&format!("{}/newer.csv", day(0)), "newer");

    world.scan().await;
    assert!(swept.elapsed() < sweep_interval, "this machine is too slow for the test");
    assert_eq!(world.published().await, [(new.clone(), 1), (newer.clone(), 1)]);

    tokio::time::sleep_until(swept + sweep_interval).await;
    world.scan().await;
    assert_eq!(world.published().await, [(late, 1), (new, 1), (newer, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_ledger_has_forgotten_is_not_published_again() {
    let world = World::with(Duration::from_secs(1), Duration::from_millis(20)).await;
    let old = world.put(&format!("{}/old.csv", day(40)), "old");
    world.scan().await;
    world.scan().await;
    assert_eq!(world.published().await, [(old.clone(), 1)]);
    let (message, found) = world.messages().await.remove(0);
    let claim = Claim {
        source_id: found.source_id.clone(),
        file_id: found.file_id.clone(),
        generation: 1,
        topic: topic::OBJECTS.to_owned(),
        partition: message.partition,
        offset: message.offset,
        ..Claim::default()
    };
    let claims = ClaimFilesRequest { worker_id: "parser".into(), claims: vec![claim] };
    world.worker.clone().claim_files(claims).await.unwrap();
    let read = FileProgress {
        account_id: found.account_id,
        source_id: found.source_id,
        file_id: found.file_id,
        generation: 1,
        chunk: 1,
        outcome: Outcome::Accepted.into(),
        ..FileProgress::default()
    };
    let batch = ProgressBatch {
        topic: "by-hand",
        partition: 0,
        next_offset_before: 0,
        next_offset_after: 1,
        messages: &[read],
    };
    let (store, source) = (world.store().await, world.source_id().into());
    store.apply_progress(&batch, jiff::Timestamp::now()).await.unwrap();
    assert_eq!(store.forget_files(&source, jiff::Timestamp::now(), 10).await.unwrap(), 1);
    store.close().await;

    let late = world.put(&format!("{}/late.csv", day(30)), "late");
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.scan().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found = world.scan().await;
    assert_eq!(world.published().await, [(old, 1), (late, 1)]);
    assert_eq!((found.folders, found.left_alone), (1, 1), "its folder is not listed any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_goes_on_behind_the_cursor_of_the_one_before() {
    let world = World::new().await;
    let lease = world.lease(30).await;
    assert!(lease.full_sweep);
    world.put(&format!("{}/behind.csv", day(41)), "behind");
    world.put(&format!("{}/cursor.csv", day(40)), "cursor");
    let ahead = world.put(&format!("{}/ahead.csv", day(39)), "ahead");
    let interrupted =
        CompleteScanRequest { token: lease.token, sweep_cursor: day(40).to_string(), ..Default::default() };
    world.worker.clone().complete_scan(interrupted).await.unwrap();

    world.scan().await;
    assert_eq!(world.published().await, [(ahead, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_stopped_in_mid_sweep_hands_in_its_cursor_and_the_next_one_goes_on() {
    let world = World::new().await;
    let expected: Vec<_> = (10..310)
        .rev()
        .map(|ago| (world.put(&format!("{}/a.csv", day(ago)), &format!("{ago}")), 1))
        .collect();
    let mut slow = config();
    slow.list_concurrency = 1;
    let scanner = world.scanner(slow);
    while world.count().await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scanner.stop().await;
    assert!(world.count().await < 300);

    let lease = world.lease(3).await;
    let cursor: jiff::civil::Date = lease.sweep_cursor.parse().unwrap();
    assert!(cursor > day(310) && cursor < day(9), "{cursor}");
    let given_back = CompleteScanRequest {
        token: lease.token,
        sweep_cursor: lease.sweep_cursor.clone(),
        ..Default::default()
    };
    world.worker.clone().complete_scan(given_back).await.unwrap();

    world.scan().await;
    assert_eq!(world.published().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_published_and_not_marked_is_published_again() {
    let world = World::new().await;
    let key = world.put(&format!("{}/a.csv", day(0)), "b");

    // A scanner that dies between publishing and marking: its message is on the queue, its lease runs out.
    let lease = world.lease(3).await;
    let recorded = RecordObjectsRequest { token: lease.token.clone(), objects: vec![listed(&key, day(0))] };
    world.worker.clone().record_objects(recorded).await.unwrap();
    let request = ListUnpublishedRequest { token: lease.token, limit: 10 };
    let due = world.worker.clone().list_unpublished(request).await.unwrap().into_inner().files;
    assert_eq!(due.len(), 1);
    publish_by_hand(&world, &due[0]).await;

    world.scan().await;
    assert_eq!(world.published().await, [(key.clone(), 1), (key, 1)]);
    let messages = world.messages().await;
    assert_eq!(messages[0].0.key, messages[1].0.key);
    assert_eq!(messages[0].1.file_id, messages[1].1.file_id);
    world.scan().await;
    assert_eq!(world.count().await, 2, "once marked it is not published again");
}

async fn publish_by_hand(world: &World, file: &UnpublishedFile) {
    let message = ObjectFound {
        file_id: file.file_id.clone(),
        generation: file.generation,
        object_key: file.object_key.clone(),
        ..Default::default()
    };
    let (queue, key) = (world.queue.clone(), format!("{}/{}", world.source_id(), file.object_key));
    tokio::task::spawn_blocking(move || {
        let value = message.encode_to_vec();
        let message = Outgoing { topic: topic::OBJECTS, key: key.as_bytes(), value: &value, headers: &[] };
        queue.publisher().unwrap().publish(&[message]).unwrap();
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_denies_listing_is_told_at_the_source_and_what_was_recorded_is_published() {
    let world = World::new().await;
    let lease = world.lease(30).await;
    let recorded = RecordObjectsRequest {
        token: lease.token.clone(),
        objects: vec![listed("events/recorded.csv", day(0))],
    };
    world.worker.clone().record_objects(recorded).await.unwrap();
    let complete = CompleteScanRequest { token: lease.token, ..Default::default() };
    world.worker.clone().complete_scan(complete).await.unwrap();
    world.grant(false);

    let found = world.scan().await;
    let error = found.error.unwrap();
    assert_eq!(error.code, "access_denied");
    assert!(error.reason.contains("s3:ListBucket"), "{}", error.reason);
    assert!(!error.advice.is_empty());
    assert_eq!(world.published().await, [("events/recorded.csv".to_owned(), 1)]);

    // The registry replaces a session that S3 refuses after ten seconds at the earliest.
    world.grant(true);
    let mended = async { while world.scan().await.error.is_some() {} };
    tokio::time::timeout(Duration::from_secs(30), mended).await.unwrap();
}
