//! Reading and listing as AWS does.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use support::{BUCKET, World, is, refused};

#[tokio::test]
async fn a_dropped_file_is_an_object_with_the_etag_of_its_content() {
    let world = World::start().await;
    let path = world.drop_file("events/2026-11-23/a.csv", "hello");
    let s3 = world.s3_in_session().await;
    let list = async || {
        let page = s3.list_objects_v2().bucket(BUCKET).prefix("events/").send().await.unwrap();
        page.contents().iter().map(|object| object.e_tag().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let md5_of_hello = "\"5d41402abc4b2a76b9719d911017c592\"";
    assert_eq!(list().await, [md5_of_hello]);
    let head = s3.head_object().bucket(BUCKET).key("events/2026-11-23/a.csv").send().await.unwrap();
    assert_eq!((head.e_tag(), head.content_length()), (Some(md5_of_hello), Some(5)));
    assert!(head.last_modified().unwrap().secs() > 1_700_000_000);
    std::fs::write(path, "other").unwrap();
    let changed = list().await;
    assert!(changed.len() == 1 && changed[0] != md5_of_hello, "{changed:?}");
}

#[tokio::test]
async fn if_match_is_checked_on_get_and_head() {
    let world = World::start().await;
    let path = world.drop_file("events/a.csv", "hello");
    let s3 = world.s3_in_session().await;
    let etag = "\"5d41402abc4b2a76b9719d911017c592\"";
    let get = async || {
        let get =
            s3.get_object().bucket(BUCKET).key("events/a.csv").if_match(etag).range("bytes=1-").send().await;
        get.map(drop).map_err(refused)
    };
    assert_eq!(get().await, Ok(()));
    std::fs::write(path, "hullo").unwrap();
    assert_eq!(get().await, Err(is(412, "PreconditionFailed")));
    let head = s3.head_object().bucket(BUCKET).key("events/a.csv").if_match(etag).send().await;
    assert_eq!(refused(head.unwrap_err()).0, 412);
    let head = s3.head_object().bucket(BUCKET).key("events/a.csv").if_match("*").send().await;
    head.unwrap();
}

#[tokio::test]
async fn ranges_are_served() {
    let world = World::start().await;
    let content: Vec<u8> = (0..400_000u32).flat_map(u32::to_le_bytes).collect();
    world.drop_file("events/a.bin", &content);
    world.drop_file("events/empty", "");
    let s3 = world.s3_in_session().await;
    let get = async |key: &str, range: &str| {
        let get = s3.get_object().bucket(BUCKET).key(format!("events/{key}")).range(range).send().await;
        let get = get.map_err(refused)?;
        let header = get.content_range().unwrap().to_owned();
        Ok((header, get.body.collect().await.unwrap().to_vec()))
    };
    let (header, bytes) = get("a.bin", "bytes=100-199").await.unwrap();
    assert_eq!((header.as_str(), &bytes[..]), ("bytes 100-199/1600000", &content[100..200]));
    let (header, bytes) = get("a.bin", "bytes=900001-").await.unwrap();
    assert_eq!((header.as_str(), &bytes[..]), ("bytes 900001-1599999/1600000", &content[900_001..]));
    let (_, bytes) = get("a.bin", "bytes=-7").await.unwrap();
    assert_eq!(bytes, &content[content.len() - 7..]);
    assert_eq!(get("a.bin", "bytes=1600000-").await, Err(is(416, "InvalidRange")));
    assert_eq!(get("empty", "bytes=0-").await, Err(is(416, "InvalidRange")));
    let whole = s3.get_object().bucket(BUCKET).key("events/empty").send().await.unwrap();
    assert_eq!(whole.body.collect().await.unwrap().to_vec(), b"");
}

#[tokio::test]
async fn a_listing_pages_through_folders_and_objects() {
    let world = World::start().await;
    for day in 1..=7 {
        world.drop_file(&format!("events/2026-11-0{day}/a.csv"), "a");
    }
    world.drop_file("events/readme.txt", "a");
    world.drop_file("events/.hidden", "a");
    world.drop_file("items/2026-11-01/a.csv", "a");
    let s3 = world.s3_in_session().await;
    let mut found = Vec::new();
    let mut token = None;
    let mut pages = 0;
    loop {
        let list = s3.list_objects_v2().bucket(BUCKET).prefix("events/").delimiter("/").max_keys(2);
        let page = list.start_after("events/2026-11-03").set_continuation_token(token).send().await.unwrap();
        pages += 1;
        assert!(page.key_count().unwrap() <= 2);
        found.extend(page.common_prefixes().iter().map(|folder| folder.prefix().unwrap().to_owned()));
        found.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        token = page.next_continuation_token().map(str::to_owned);
        assert_eq!(page.is_truncated(), Some(token.is_some()));
        if token.is_none() {
            break;
        }
    }
    let days = (3..=7).map(|day| format!("events/2026-11-0{day}/"));
    assert_eq!(found, days.chain(["events/readme.txt".into()]).collect::<Vec<_>>());
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn keys_with_odd_characters_are_listed_in_url_form() {
    let world = World::start().await;
    let key = "events/a b+c%d=é\u{1}.csv";
    world.drop_file(key, "a");
    let list = world.s3_in_session().await.list_objects_v2().bucket(BUCKET).prefix("events/");
    let page = list.encoding_type(EncodingType::Url).send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("events/a+b%2Bc%25d%3D%C3%A9%01.csv"));
}

#[tokio::test]
async fn what_the_owner_puts_is_listed_at_once_and_nothing_else_with_it() {
    let world = World::start().await;
    let owner = world.s3_as_owner();
    let put = owner.put_object().bucket(BUCKET).key("events/2026-11-23/a.csv").content_type("text/csv");
    let put = put.body(ByteStream::from_static(b"hello")).send().await.unwrap();
    let started = Instant::now();
    let page = owner.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(400), "{:?}", started.elapsed());
    let listed: Vec<_> =
        page.contents().iter().map(|object| (object.key().unwrap(), object.e_tag())).collect();
    assert_eq!(listed, [("events/2026-11-23/a.csv", put.e_tag())]);
    let buckets = owner.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 1);
    owner.delete_object().bucket(BUCKET).key("events/2026-11-23/a.csv").send().await.unwrap();
    let err = owner.get_object().bucket(BUCKET).key("events/2026-11-23/a.csv").send().await.unwrap_err();
    assert_eq!(refused(err), is(404, "NoSuchKey"));
}

#[tokio::test]
async fn a_listing_waits_for_a_file_that_is_being_copied_in() {
    let world = World::start().await;
    let s3 = world.s3_in_session().await;
    let path = world.drop_file("events/a.csv", "first half,");
    let list = async || s3.list_objects_v2().bucket(BUCKET).prefix("events/").send().await.unwrap();
    let write_on = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        std::fs::write(&path, "first half, second half").unwrap();
    };
    let (page, ()) = tokio::join!(list(), write_on);
    assert_eq!(page.contents().len(), 0, "it was written to while the listing waited");
    let page = list().await;
    assert_eq!(page.contents()[0].size(), Some(23));
}

#[tokio::test]
async fn a_file_that_is_overwritten_while_it_is_read_breaks_the_answer_off() {
    let world = World::start().await;
    let path = world.drop_file("events/a.bin", vec![b'a'; 32 << 20]);
    let s3 = world.s3_in_session().await;
    let mut body = s3.get_object().bucket(BUCKET).key("events/a.bin").send().await.unwrap().body;
    body.next().await.unwrap().unwrap();
    std::fs::write(path, vec![b'b'; 32 << 20]).unwrap();
    let mut failed = false;
    while let Some(bytes) = body.next().await {
        match bytes {
            Ok(bytes) => assert!(bytes.iter().all(|byte| *byte == b'a')),
            Err(_) => {
                failed = true;
                break;
            }
        }
    }
    assert!(failed);
}

#[tokio::test]
async fn what_is_not_there_is_told_to_those_who_may_list_and_denied_to_others() {
    let world = World::start().await;
    let get = async |s3: aws_sdk_s3::Client, bucket: &str| {
        refused(s3.get_object().bucket(bucket).key("events/no.csv").send().await.unwrap_err())
    };
    assert_eq!(get(world.s3_as_owner(), BUCKET).await, is(404, "NoSuchKey"));
    assert_eq!(get(world.s3_as_owner(), "no-such-bucket").await, is(404, "NoSuchBucket"));
    assert_eq!(get(world.s3_in_session().await, BUCKET).await, is(403, "AccessDenied"));
}

#[tokio::test]
async fn keys_cannot_leave_the_bucket() {
    let world = World::start().await;
    std::fs::write(world.root.path().join("outside"), "secret").unwrap();
    let err = world.s3_as_owner().get_object().bucket(BUCKET).key("../outside").send().await.unwrap_err();
    assert_eq!(refused(err).0, 404);
    let put = world.s3_as_owner().put_object().bucket(BUCKET).key("a/../../outside");
    let err = put.body(ByteStream::from_static(b"x")).send().await.unwrap_err();
    assert_eq!(refused(err), is(400, "InvalidArgument"));
}
