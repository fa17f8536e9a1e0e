//! Dated listing on the sandbox.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use bucket::{Bucket, BucketError, Folders, Location};
use jiff::civil::{Date, date};
use support::{PATH, World, static_keys};

fn november(days: std::ops::RangeInclusive<i8>) -> Vec<Date> {
    days.map(|day| date(2026, 11, day)).collect()
}

#[tokio::test]
async fn folders_are_found_from_the_look_back_bound_on() {
    let world = World::start().await;
    for day in 20..=25 {
        world.put(&format!("2026-11-{day}/a.csv"), "a");
    }
    let bucket = world.bucket();
    let all = bucket.date_folders(None, None).await.unwrap();
    assert_eq!(all, Folders { dates: november(20..=25), list_requests: 1, ..Folders::default() });
    let from = bucket.date_folders(Some(date(2026, 11, 23)), None).await.unwrap();
    assert_eq!(from.dates, november(23..=25), "the bound itself is in");
    let after = bucket.date_folders(None, Some("2026-11-23")).await.unwrap();
    assert_eq!(after.dates, november(24..=25), "the cursor itself is out");
    let both = bucket.date_folders(Some(date(2026, 11, 21)), Some("2026-11-23/")).await.unwrap();
    assert_eq!(both.dates, november(24..=25));
    assert_eq!(bucket.date_folders(Some(date(2027, 1, 1)), None).await.unwrap().dates, []);
}

#[tokio::test]
async fn what_lies_outside_is_counted_with_examples() {
    let world = World::start().await;
    world.put("2026-11-23/a.csv", "a");
    for n in 10..22 {
        world.put(&format!("upload {n}.csv"), "a");
    }
    for folder in ["2026-13-01", "23-11-2026", "20261123"] {
        world.put(&format!("{folder}/a.csv"), "a");
    }
    for name in ["_SUCCESS", ".hidden", ".staging/a.csv", "_temporary/0/a.csv"] {
        world.put(name, "a");
    }
    let folders = world.bucket().date_folders(None, None).await.unwrap();
    assert_eq!(folders.dates, [date(2026, 11, 23)]);
    assert_eq!((folders.outside, folders.left_alone), (15, 4));
    assert_eq!(folders.outside_examples.len(), 10);
    assert!(folders.outside_examples.contains(&format!("{PATH}/upload 10.csv")), "{folders:?}");
    assert!(folders.outside_examples.iter().all(|key| key.starts_with(PATH)));
}

#[tokio::test]
async fn folders_beyond_one_page_are_found() {
    let world = World::start().await;
    let first = date(2020, 1, 1);
    let dates: Vec<Date> = first.series(jiff::Span::new().days(1)).take(1100).collect();
    for date in &dates {
        world.put(&format!("{date}/a.csv"), "a");
    }
    let folders = world.bucket().date_folders(None, None).await.unwrap();
    assert_eq!(folders.dates, dates);
    assert_eq!(folders.list_requests, 2);
}

#[tokio::test]
async fn a_folder_is_listed_at_all_depths_page_by_page() {
    let world = World::start().await;
    let mut keys: Vec<String> = (0..1003).map(|n| format!("{PATH}/2026-11-23/{n:04}.csv")).collect();
    for key in &keys {
        world.put(key.strip_prefix(PATH).unwrap().trim_start_matches('/'), "abc");
    }
    world.put("2026-11-23/hour=7/part-0.csv", "abc");
    world.put("2026-11-23/hour=7/_SUCCESS", "");
    world.put("2026-11-23/.part", "");
    world.put("2026-11-24/other.csv", "");
    let marker = world.put("2026-11-23/hour=8/x", "");
    std::fs::remove_file(marker).unwrap();
    keys.push(format!("{PATH}/2026-11-23/hour=7/part-0.csv"));
    let mut pages = world.bucket().list_folder(date(2026, 11, 23));
    let mut found = Vec::new();
    while let Some(page) = pages.next_page().await.unwrap() {
        found.extend(page);
    }
    assert_eq!(found.iter().map(|object| &object.key).collect::<Vec<_>>(), keys.iter().collect::<Vec<_>>());
    assert_eq!((pages.list_requests(), pages.left_alone()), (2, 3));
    let object = &found[0];
    assert_eq!((object.size, object.etag.as_str()), (3, "900150983cd24fb0d6963f7d28e17f72"));
    assert!((jiff::Timestamp::now() - object.last_modified).as_hours() < 1);
}

#[tokio::test]
async fn a_key_with_odd_characters_comes_back_as_it_is() {
    let world = World::start().await;
    let name = "2026-11-23/a b+c%2F=é\u{1}&<.csv";
    world.put(name, "a");
    let bucket = world.bucket();
    let object = support::only_object(&bucket).await;
    assert_eq!(object.key, format!("{PATH}/{name}"));
    assert_eq!(support::read_all(support::reader(&bucket, &object)).await.unwrap(), b"a");
}

#[tokio::test]
async fn probing_says_what_is_missing() {
    let world = World::start().await;
    world.bucket().probe().await.unwrap();
    let probe = async |location: Location| Bucket::open(location, world.issued()).probe().await.unwrap_err();

    let err = probe(Location { path: "elsewhere".into(), ..world.location() }).await;
    assert_eq!(err.code(), "access_denied");
    assert!(err.advice().contains("s3:ListBucket on arn:aws:s3:::customer-bucket"), "{}", err.advice());

    let err = probe(Location { bucket: "no-such-bucket".into(), ..world.location() }).await;
    assert_eq!(err.code(), "no_such_bucket");

    let endpoint_url = Some("http://127.0.0.1:1".into());
    let err = probe(Location { endpoint_url, ..world.location() }).await;
    assert!(err.is_passing(), "{err}");
}

#[tokio::test]
async fn keys_that_s3_does_not_know_are_refused_credentials() {
    let world = World::start().await;
    let probe = async |id: &str, secret: &str| {
        Bucket::open(world.location(), static_keys(id, secret)).probe().await.unwrap_err()
    };
    assert_eq!(probe("AKIANOBODY", "secret").await.code(), "credentials_refused");
    let err = probe("AKIAPLATFORM", "guessed").await;
    assert_eq!(err.code(), "credentials_refused");
    assert!(!format!("{err} {err:?}").contains("guessed"));
}

#[tokio::test]
async fn a_registry_that_refuses_is_quoted_and_one_that_is_down_is_passing() {
    let world = World::start().await;
    world.registry.fail(tonic::Status::failed_precondition("the role does not trust the platform"));
    let err = world.bucket().probe().await.unwrap_err();
    assert!(matches!(err, BucketError::CredentialsRefused { .. }), "{err}");
    assert!(err.to_string().contains("the role does not trust the platform"), "{err}");
    world.registry.fail(tonic::Status::unavailable("starting"));
    assert!(world.bucket().probe().await.unwrap_err().is_passing());
}

#[tokio::test]
async fn a_session_is_asked_for_once_and_again_when_s3_refuses_it() {
    let world = World::start().await;
    let bucket = world.bucket();
    for _ in 0..3 {
        bucket.probe().await.unwrap();
    }
    assert_eq!(world.registry.asked(), 1);
    let first = world.registry.current_key();
    world.sessions.expire_all();
    bucket.probe().await.unwrap();
    assert_eq!(world.registry.refused(), std::slice::from_ref(&first));
    assert_ne!(world.registry.current_key(), first);
    assert_eq!(world.registry.asked(), 2);
}

#[tokio::test]
async fn a_session_that_is_issued_again_after_s3_refused_it_is_waited_for() {
    let world = World::start().await;
    let bucket = world.bucket();
    bucket.probe().await.unwrap();
    world.sessions.expire_all();
    world.registry.keep(true);
    let err = bucket.probe().await.unwrap_err();
    assert!(err.is_passing(), "{err}");
    world.registry.keep(false);
    bucket.probe().await.unwrap();
}
