//! What AWS refuses beside External IDs and policies: owners, regions, archived objects, keys.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use aws_sdk_s3::types::ObjectStorageClass;
use support::{BUCKET, World, is, platform, refused};

const KEY: &str = "events/2026-11-23/a.csv";

#[tokio::test]
async fn another_expected_owner_is_denied_whoever_asks_and_whatever_for() {
    let world = World::start().await;
    world.drop_file(KEY, "a");
    for s3 in [world.s3_in_session().await, world.s3_as_owner()] {
        let list = |owner: &str| {
            s3.list_objects_v2().bucket(BUCKET).prefix("events/").expected_bucket_owner(owner).send()
        };
        let get = |owner: &str| s3.get_object().bucket(BUCKET).key(KEY).expected_bucket_owner(owner).send();
        let head = |owner: &str| s3.head_object().bucket(BUCKET).key(KEY).expected_bucket_owner(owner).send();
        let locate =
            |owner: &str| s3.get_bucket_location().bucket(BUCKET).expected_bucket_owner(owner).send();
        let right = "111111111111";
        list(right).await.unwrap();
        get(right).await.unwrap();
        head(right).await.unwrap();
        locate(right).await.unwrap();
        let (denied, other) = (is(403, "AccessDenied"), "333333333333");
        assert_eq!(refused(list(other).await.unwrap_err()), denied);
        assert_eq!(refused(get(other).await.unwrap_err()), denied);
        assert_eq!(refused(locate(other).await.unwrap_err()), denied);
        // An answer to HEAD has no body to name its error in.
        assert_eq!(refused(head(other).await.unwrap_err()).0, 403);
    }
    let head = world.s3_as_owner().head_bucket().bucket(BUCKET).expected_bucket_owner("333333333333");
    assert_eq!(refused(head.send().await.unwrap_err()).0, 403);
}

#[tokio::test]
async fn a_session_policy_without_the_location_denies_it_though_the_role_allows_it() {
    let world = World::start().await;
    let policy = format!(
        r#"{{"Statement": {{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{BUCKET}/*"}}}}"#
    );
    let narrowed = world.s3(world.session(|assume| assume.policy(policy)).await);
    let locate = |s3: &aws_sdk_s3::Client| s3.get_bucket_location().bucket(BUCKET).send();
    locate(&world.s3_in_session().await).await.unwrap();
    assert_eq!(refused(locate(&narrowed).await.unwrap_err()), is(403, "AccessDenied"));
}

#[tokio::test]
async fn a_role_for_one_folder_may_not_look_at_the_bucket_as_a_whole() {
    let world = World::start().await;
    let s3 = world.s3_in_session().await;
    assert_eq!(refused(s3.head_bucket().bucket(BUCKET).send().await.unwrap_err()).0, 403);
    world.s3_as_owner().head_bucket().bucket(BUCKET).send().await.unwrap();
    let other = s3.get_bucket_location().bucket("another-bucket").send().await.unwrap_err();
    assert_eq!(refused(other), is(403, "AccessDenied"));
}

#[tokio::test]
async fn a_request_for_another_region_is_told_the_bucket_s() {
    // The clients of these tests sign for us-east-1.
    let world = World::start_with(|config| config.region = Some("eu-central-1".into())).await;
    let s3 = world.s3_in_session().await;
    let region = |err: &aws_sdk_s3::config::http::HttpResponse| {
        err.headers().get("x-amz-bucket-region").map(str::to_owned)
    };
    let err = s3.list_objects_v2().bucket(BUCKET).prefix("events/").send().await.unwrap_err();
    assert_eq!(region(err.raw_response().unwrap()).as_deref(), Some("eu-central-1"));
    assert_eq!(refused(err), is(301, "PermanentRedirect"));
    let here = World::start_with(|config| config.region = Some("us-east-1".into())).await;
    let s3 = here.s3_in_session().await;
    s3.list_objects_v2().bucket(BUCKET).prefix("events/").send().await.unwrap();
    let told = s3.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    assert!(told.location_constraint().is_none_or(|region| region.as_str().is_empty()), "{told:?}");
    let err = s3.head_bucket().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(region(err.raw_response().unwrap()).as_deref(), Some("us-east-1"), "a refusal tells it too");
}

#[tokio::test]
async fn sts_answers_wherever_the_buckets_are() {
    let world = World::start_with(|config| config.region = Some("ap-south-1".into())).await;
    world.sts(&platform()).get_caller_identity().send().await.unwrap();
}

#[tokio::test]
async fn an_archived_object_is_listed_and_not_read_before_it_is_restored() {
    let world = World::start().await;
    world.drop_file(KEY, "a");
    world.objects.archive(BUCKET, KEY);
    let s3 = world.s3_in_session().await;
    let class = async || {
        let page = s3.list_objects_v2().bucket(BUCKET).prefix("events/").send().await.unwrap();
        page.contents()[0].storage_class().cloned().unwrap()
    };
    let get = || s3.get_object().bucket(BUCKET).key(KEY).send();
    assert_eq!(class().await, ObjectStorageClass::Glacier);
    assert_eq!(refused(get().await.unwrap_err()), is(403, "InvalidObjectState"));
    let head = s3.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    assert_eq!(head.storage_class().unwrap().as_str(), "GLACIER");
    world.objects.restore(BUCKET, KEY);
    get().await.unwrap();
    assert_eq!(class().await, ObjectStorageClass::Standard);
}

#[tokio::test]
async fn an_object_whose_key_is_denied_is_refused_in_kms_s_words() {
    let world = World::start().await;
    world.drop_file(KEY, "a");
    world.objects.deny_key(BUCKET, KEY);
    let s3 = world.s3_in_session().await;
    let err = s3.get_object().bucket(BUCKET).key(KEY).send().await.unwrap_err();
    let message = aws_sdk_s3::error::ProvideErrorMetadata::message(&err).unwrap().to_owned();
    assert_eq!(refused(err), is(403, "AccessDenied"));
    assert!(
        message.contains("assumed-role/cortex/test is not authorized to perform: kms:Decrypt"),
        "{message}"
    );
    s3.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
}
