//! Who gets a session, and what it may do.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use sandbox::{Principal, Role, Trust};
use support::{BUCKET, EXTERNAL_ID, ROLE, World, is, keys, owner, platform, refused, role};

/// Reading `events/a/` of the bucket, as the registry narrows a session to a source.
fn policy() -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [
            {{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{BUCKET}/events/a/*"}},
            {{"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["arn:aws:s3:::{BUCKET}"],
              "Condition": {{"StringLike": {{"s3:prefix": ["events/a", "events/a/*"]}}}}}}]}}"#
    )
}

#[tokio::test]
async fn the_right_external_id_gets_a_session() {
    let world = World::start().await;
    let credentials = world.session(|assume| assume.duration_seconds(900)).await;
    assert!(credentials.access_key_id().starts_with("ASIA"));
    let left = credentials.expiry().unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(880) && left <= Duration::from_secs(900), "{left:?}");
    let who = world.sts_with(credentials).get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:sts::111111111111:assumed-role/cortex/test"));
    assert_eq!(who.account(), Some("111111111111"));
}

#[tokio::test]
async fn a_wrong_or_missing_external_id_is_denied() {
    let world = World::start().await;
    let denied = is(403, "AccessDenied");
    assert_eq!(world.assume(|assume| assume.external_id("another")).await.unwrap_err(), denied);
    assert_eq!(
        world.assume(|assume| assume.external_id(EXTERNAL_ID.to_uppercase())).await.unwrap_err(),
        denied
    );
    assert_eq!(world.assume(|assume| assume.set_external_id(None)).await.unwrap_err(), denied);
    assert_eq!(world.sessions.count(), 0);
}

#[tokio::test]
async fn a_role_that_asks_for_no_external_id_gives_a_session_with_any() {
    let world = World::start().await;
    let trust = Trust { principal: Principal::Account("222222222222".into()), external_id: None };
    world.roles.put(Role { trust, ..role() });
    world.session(|assume| assume.external_id("any")).await;
    world.session(|assume| assume.set_external_id(None)).await;
}

#[tokio::test]
async fn only_the_principal_of_the_trust_policy_is_let_in() {
    let world = World::start().await;
    let as_owner = world.sts(&owner()).assume_role().role_arn(ROLE).role_session_name("test");
    let err = as_owner.external_id(EXTERNAL_ID).send().await.unwrap_err();
    assert_eq!(refused(err), is(403, "AccessDenied"));
    let session = world.session(|assume| assume).await;
    let in_session = world.sts_with(session).assume_role().role_arn(ROLE).role_session_name("test");
    let err = in_session.external_id(EXTERNAL_ID).send().await.unwrap_err();
    assert_eq!(refused(err), is(403, "AccessDenied"));
}

#[tokio::test]
async fn roles_come_and_go_while_it_runs() {
    let world = World::start().await;
    let arn = "arn:aws:iam::111111111111:role/late";
    assert_eq!(world.assume(|assume| assume.role_arn(arn)).await.unwrap_err(), is(403, "AccessDenied"));
    world.roles.put(Role { arn: arn.into(), ..role() });
    world.session(|assume| assume.role_arn(arn)).await;
    assert!(world.roles.remove(arn));
    assert_eq!(world.assume(|assume| assume.role_arn(arn)).await.unwrap_err(), is(403, "AccessDenied"));
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_key_are_refused() {
    let world = World::start().await;
    let mut identity = platform();
    identity.secret_access_key = "guessed".into();
    let err = world.sts(&identity).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused(err), is(403, "SignatureDoesNotMatch"));
    identity.access_key_id = "AKIANOBODY".into();
    let err = world.sts(&identity).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused(err), is(403, "InvalidClientTokenId"));
}

#[tokio::test]
async fn a_form_without_signature_is_refused() {
    let world = World::start().await;
    let address = world.endpoint.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("<Code>MissingAuthenticationToken</Code>"), "{answer}");
}

#[tokio::test]
async fn what_sts_finds_malformed_is_refused() {
    let world = World::start().await;
    let code = async |change: fn(_) -> _| world.assume(change).await.unwrap_err();
    assert_eq!(code(|assume| assume.duration_seconds(899)).await, is(400, "ValidationError"));
    assert_eq!(code(|assume| assume.duration_seconds(3601)).await, is(400, "ValidationError"));
    assert_eq!(code(|assume| assume.role_session_name("a b")).await, is(400, "ValidationError"));
    assert_eq!(code(|assume| assume.external_id("a b")).await, is(400, "ValidationError"));
    assert_eq!(code(|assume| assume.policy("{}")).await, is(400, "MalformedPolicyDocument"));
}

#[tokio::test]
async fn a_session_reads_what_the_role_may_and_no_more() {
    let world = World::start().await;
    world.drop_file("events/a/1.csv", "1");
    world.drop_file("items/1.csv", "1");
    let s3 = world.s3_in_session().await;
    s3.get_object().bucket(BUCKET).key("events/a/1.csv").send().await.unwrap();
    s3.get_bucket_location().bucket(BUCKET).send().await.unwrap();
    let denied = is(403, "AccessDenied");
    let err = s3.get_object().bucket(BUCKET).key("items/1.csv").send().await.unwrap_err();
    assert_eq!(refused(err), denied);
    let err = s3.list_objects_v2().bucket(BUCKET).prefix("items/").send().await.unwrap_err();
    assert_eq!(refused(err), denied);
    let err = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(refused(err), denied);
    let put = s3.put_object().bucket(BUCKET).key("events/a/2.csv").body(b"2".to_vec().into());
    assert_eq!(refused(put.send().await.unwrap_err()), denied);
    assert_eq!(refused(s3.list_buckets().send().await.unwrap_err()), denied);
}

#[tokio::test]
async fn a_session_policy_narrows_and_never_widens() {
    let world = World::start().await;
    world.drop_file("events/a/1.csv", "1");
    world.drop_file("events/b/1.csv", "1");
    world.drop_file("items/1.csv", "1");
    let narrowed = world.s3(world.session(|assume| assume.policy(policy())).await);
    let get = async |s3: &aws_sdk_s3::Client, key: &str| {
        s3.get_object().bucket(BUCKET).key(key).send().await.map(drop).map_err(refused)
    };
    let list = async |s3: &aws_sdk_s3::Client, prefix: &str| {
        s3.list_objects_v2().bucket(BUCKET).prefix(prefix).send().await.map(drop).map_err(refused)
    };
    let denied = Err(is(403, "AccessDenied"));
    assert_eq!(get(&narrowed, "events/a/1.csv").await, Ok(()));
    assert_eq!(list(&narrowed, "events/a/").await, Ok(()));
    assert_eq!(get(&narrowed, "events/b/1.csv").await, denied);
    assert_eq!(list(&narrowed, "events/").await, denied);
    let all = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#;
    let wide = world.s3(world.session(|assume| assume.policy(all)).await);
    assert_eq!(get(&wide, "events/b/1.csv").await, Ok(()));
    assert_eq!(get(&wide, "items/1.csv").await, denied);
}

#[tokio::test]
async fn an_expired_session_is_refused() {
    let world = World::start().await;
    world.drop_file("events/a/1.csv", "1");
    let session = world.session(|assume| assume).await;
    let s3 = world.s3(session.clone());
    let get = async || s3.get_object().bucket(BUCKET).key("events/a/1.csv").send().await.map_err(refused);
    get().await.unwrap();
    assert_eq!(world.sessions.expire_all(), 1);
    assert_eq!(get().await.unwrap_err(), is(400, "ExpiredToken"));
    let err = world.sts_with(session).get_caller_identity().send().await.unwrap_err();
    assert_eq!(refused(err), is(403, "ExpiredToken"));
    world.s3_in_session().await.get_object().bucket(BUCKET).key("events/a/1.csv").send().await.unwrap();
}

#[tokio::test]
async fn a_session_is_nothing_without_its_own_token() {
    let world = World::start().await;
    world.drop_file("events/a/1.csv", "1");
    let session = world.session(|assume| assume).await;
    let with_token = |token: Option<&str>| {
        let (id, secret) = (session.access_key_id(), session.secret_access_key());
        world.s3(Credentials::new(id, secret, token.map(str::to_owned), None, "test"))
    };
    let get = async |s3: aws_sdk_s3::Client| {
        refused(s3.get_object().bucket(BUCKET).key("events/a/1.csv").send().await.unwrap_err())
    };
    assert_eq!(get(with_token(None)).await, is(403, "InvalidAccessKeyId"));
    assert_eq!(get(with_token(Some("another"))).await, is(400, "InvalidToken"));
}

#[tokio::test]
async fn an_identity_has_no_rights_but_by_roles() {
    let world = World::start().await;
    world.drop_file("events/a/1.csv", "1");
    let s3 = world.s3(keys(&platform()));
    let err = s3.get_object().bucket(BUCKET).key("events/a/1.csv").send().await.unwrap_err();
    assert_eq!(refused(err), is(403, "AccessDenied"));
}
