//! What a connection test asks of a bucket, on the sandbox.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, SystemTime};

use bucket::{Bucket, BucketError, DatedFolders, Location};
use jiff::ToSpan;
use jiff::civil::Date;
use support::{PATH, World, owner, static_keys};

async fn read(bucket: &Bucket, key: &str, etag: &str) -> &'static str {
    support::code(support::read_all(bucket.reader(key, etag, None, tokio::runtime::Handle::current())).await)
}

async fn in_frankfurt() -> World {
    World::start_with(|config| {
        config.region = Some("eu-central-1".into());
        config.owner_keys = Some(owner());
    })
    .await
}

#[tokio::test]
async fn the_region_is_told_wherever_it_is_asked_from() {
    let world = in_frankfurt().await;
    for region in [None, Some("eu-central-1"), Some("ap-south-1")] {
        let location = Location { region: region.map(str::to_owned), ..world.location() };
        let bucket = Bucket::open(location, world.issued());
        assert_eq!(bucket.region().await.unwrap(), "eu-central-1", "asked in {region:?}");
    }
    assert_eq!(World::start().await.bucket().region().await.unwrap(), "us-east-1");
}

#[tokio::test]
async fn a_refusal_tells_the_region_too() {
    let world = in_frankfurt().await;
    world.roles.put(support::role(vec![]));
    let here = Location { region: Some("eu-central-1".into()), ..world.location() };
    let bucket = Bucket::open(here, world.issued());
    assert_eq!(bucket.probe().await.unwrap_err().code(), "access_denied");
    assert_eq!(bucket.region().await.unwrap(), "eu-central-1");
}

#[tokio::test]
async fn a_bucket_of_another_region_is_named_with_it() {
    let world = in_frankfurt().await;
    let there = Location { region: Some("us-west-2".into()), ..world.location() };
    let err = Bucket::open(there, world.issued()).probe().await.unwrap_err();
    assert_eq!(err.code(), "wrong_region");
    assert_eq!(err.advice(), "Set the source's region to eu-central-1.");
}

#[tokio::test]
async fn a_missing_bucket_has_no_region() {
    let world = World::start().await;
    let missing = Location { bucket: "no-such-bucket".into(), ..world.location() };
    let err = Bucket::open(missing, world.issued()).region().await.unwrap_err();
    assert_eq!(err.code(), "no_such_bucket");
}

#[tokio::test]
async fn a_denied_location_is_told_where_the_store_has_no_region() {
    let world = World::start().await;
    let err = Bucket::open(world.location(), static_keys("AKIAPLATFORM", "platform-secret")).region().await;
    let err = err.unwrap_err();
    assert!(matches!(err, BucketError::AccessDenied { action: "s3:GetBucketLocation", .. }), "{err}");
    assert!(err.advice().contains("on arn:aws:s3:::customer-bucket in"), "{}", err.advice());
}

#[tokio::test]
async fn another_owner_is_told_from_a_lacking_right() {
    let world = World::start_with(|config| config.owner_keys = Some(owner())).await;
    let owned_by = |account: &str, path: &str| {
        let expected_bucket_owner = Some(account.to_owned());
        Bucket::open(
            Location { expected_bucket_owner, path: path.into(), ..world.location() },
            world.issued(),
        )
    };
    owned_by("111111111111", PATH).probe().await.unwrap();
    let err = owned_by("333333333333", PATH).probe().await.unwrap_err();
    assert_eq!(err.code(), "owner_mismatch");
    assert_eq!(err.to_string(), "the bucket \"customer-bucket\" does not belong to the account 333333333333");
    assert_eq!(owned_by("333333333333", PATH).region().await.unwrap_err().code(), "owner_mismatch");
    assert_eq!(owned_by("111111111111", "elsewhere").probe().await.unwrap_err().code(), "access_denied");
    assert_eq!(owned_by("333333333333", "elsewhere").probe().await.unwrap_err().code(), "access_denied");
}

#[tokio::test]
async fn the_newest_dated_folders_come_first_in_one_request() {
    let world = World::start().await;
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let ago = |days: i32| -> Date { today.checked_sub(days.days()).unwrap() };
    for days in [1, 2, 3, 90, 3000] {
        world.put(&format!("{}/a.csv", ago(days)), "a");
    }
    let bucket = world.bucket();
    let found = bucket.dated_folders(2).await.unwrap();
    assert_eq!(found.dates, [ago(1), ago(2)]);
    assert_eq!(found.seen.list_requests, 1, "years of folders cost nothing");
    let found = bucket.dated_folders(10).await.unwrap();
    assert_eq!(found.dates, [1, 2, 3, 90, 3000].map(ago));
    assert!(found.complete);
}

#[tokio::test]
async fn without_dated_folders_it_is_told_what_lies_there() {
    let world = World::start().await;
    let bucket = world.bucket();
    assert_eq!(bucket.dated_folders(5).await.unwrap().seen.outside, 0);
    for name in ["23-11-2026/a.csv", "events.csv", "_SUCCESS", "year=2026/month=11/a.csv"] {
        world.put(name, "a");
    }
    let DatedFolders { dates, seen, complete } = bucket.dated_folders(5).await.unwrap();
    assert!(dates.is_empty() && complete);
    assert_eq!((seen.outside, seen.left_alone), (3, 1));
    let names = ["23-11-2026/", "events.csv", "year=2026/"].map(|name| format!("{PATH}/{name}"));
    let mut examples = seen.outside_examples;
    examples.sort();
    assert_eq!(examples, names);
}

#[tokio::test]
async fn the_newest_objects_are_found_behind_markers_and_empty_folders() {
    let world = World::start().await;
    let at = |name: &str, seconds_ago: u64| {
        let path = world.put(name, "a");
        let time = SystemTime::now() - Duration::from_secs(seconds_ago);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    at("2026-11-25/_SUCCESS", 5);
    at("2026-11-24/a.csv", 300);
    at("2026-11-24/b.csv", 100);
    at("2026-11-24/hour=1/c.csv", 200);
    at("2026-11-24/.part", 1);
    at("2026-11-23/d.csv", 10);
    let newest = async |limit| {
        let objects = world.bucket().newest_objects(limit).await.unwrap();
        objects.iter().map(|one| one.key[PATH.len() + 1..].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(newest(2).await, ["2026-11-24/b.csv", "2026-11-24/hour=1/c.csv"]);
    assert_eq!(
        newest(9).await,
        ["2026-11-24/b.csv", "2026-11-24/hour=1/c.csv", "2026-11-24/a.csv", "2026-11-23/d.csv"]
    );
}

#[tokio::test]
async fn an_object_that_cannot_be_read_says_why() {
    let world = World::start().await;
    world.put("2026-11-23/a.csv", "a");
    let bucket = world.bucket();
    let object = support::only_object(&bucket).await;
    world.objects.archive(support::BUCKET, &object.key);
    assert_eq!(read(&bucket, &object.key, &object.etag).await, "object_archived");
    world.objects.deny_key(support::BUCKET, &object.key);
    assert_eq!(read(&bucket, &object.key, &object.etag).await, "kms_denied");
    world.objects.restore(support::BUCKET, &object.key);
    support::read_all(support::reader(&bucket, &object)).await.unwrap();
}
