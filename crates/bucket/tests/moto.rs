//! The bucket and its events on an AWS that is not ours, which checks keys, tokens, trust and policies.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Read;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use bucket::{Bucket, BucketError, EventQueue, Events, EventsError, ListedObject, Location, Received};
use jiff::civil::date;
use serde_json::{Value, json};
use services::shared::moto;
use services::{Moto, MotoUser};

const EXTERNAL_ID: &str = "cortex-5f2e";

/// A customer of his own: bucket, queue, role; and a platform.
struct Customer {
    moto: &'static Moto,
    name: &'static str,
    platform: MotoUser,
    role: String,
    queue: String,
}

fn all_rights() -> Value {
    let actions =
        ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation", "sqs:ReceiveMessage", "sqs:DeleteMessage*"];
    json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }])
}

impl Customer {
    /// With a role that may do what the statements allow.
    async fn new(name: &'static str, statements: Value) -> Self {
        let set_up = move || {
            let moto = moto().unwrap();
            let platform = moto.platform(&format!("platform-{name}")).unwrap();
            let role = moto.role(&format!("role-{name}"), &platform.arn, EXTERNAL_ID, statements).unwrap();
            moto.bucket(name, None).unwrap();
            let queue = moto.queue(name).unwrap();
            moto.notify(name, name).unwrap();
            Self { moto, name, platform, role, queue }
        };
        tokio::task::spawn_blocking(set_up).await.unwrap()
    }

    async fn put(&self, key: &str, content: &'static str) {
        let (moto, name, key) = (self.moto, self.name, key.to_owned());
        tokio::task::spawn_blocking(move || moto.put(name, &key, content).unwrap()).await.unwrap();
    }

    async fn send(&self, body: &'static str) {
        let (moto, queue) = (self.moto, self.queue.clone());
        tokio::task::spawn_blocking(move || moto.send(&queue, body).unwrap()).await.unwrap();
    }

    async fn left(&self) -> u64 {
        let (moto, queue) = (self.moto, self.queue.clone());
        tokio::task::spawn_blocking(move || moto.messages(&queue).unwrap()).await.unwrap()
    }

    /// Assumes the role; the HTTP status where STS refuses.
    async fn assume(&self, external_id: Option<&str>) -> Result<SharedCredentialsProvider, u16> {
        let keys = Credentials::new(&self.platform.access_key, &self.platform.secret_key, None, None, "test");
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.moto.endpoint())
            .credentials_provider(keys);
        let sts = aws_sdk_sts::Client::from_conf(config.build());
        let assume = sts.assume_role().role_arn(&self.role).role_session_name("test");
        let answer = assume.set_external_id(external_id.map(str::to_owned)).send().await;
        let answer = answer.map_err(|err| err.raw_response().expect("an answer").status().as_u16())?;
        let issued = answer.credentials().unwrap();
        let token = Some(issued.session_token().to_owned());
        let session =
            Credentials::new(issued.access_key_id(), issued.secret_access_key(), token, None, "test");
        Ok(SharedCredentialsProvider::new(session))
    }

    fn location(&self) -> Location {
        Location {
            bucket: self.name.to_owned(),
            path: "events".into(),
            region: None,
            endpoint_url: Some(self.moto.endpoint().to_owned()),
            expected_bucket_owner: None,
        }
    }

    async fn bucket(&self) -> Bucket {
        Bucket::open(self.location(), self.assume(Some(EXTERNAL_ID)).await.unwrap())
    }

    async fn events_of(&self, url: &str) -> Events {
        let queue = EventQueue::parse(url, Some(self.moto.endpoint())).unwrap();
        Events::open(queue, self.location(), self.assume(Some(EXTERNAL_ID)).await.unwrap())
    }

    async fn events(&self) -> Events {
        self.events_of(&self.queue).await
    }
}

/// What is received, until so many messages were.
async fn receive(events: &Events, messages: usize) -> Vec<Received> {
    let mut all = Vec::new();
    let mut count = 0;
    while count < messages {
        let received = events.receive(100).await.unwrap();
        count += received.messages;
        all.push(received);
    }
    all
}

async fn read(bucket: &Bucket, object: &ListedObject) -> std::io::Result<String> {
    let mut reader =
        bucket.reader(&object.key, &object.etag, Some(object.size), tokio::runtime::Handle::current());
    let read = move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_external_id_opens_the_role_and_a_wrong_one_does_not() {
    let customer = Customer::new("external-ids", all_rights()).await;
    customer.assume(Some(EXTERNAL_ID)).await.unwrap();
    assert_eq!(customer.assume(Some("another")).await.unwrap_err(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_opened_to_the_principal_of_its_trust_policy_alone() {
    let mut customer = Customer::new("principals", all_rights()).await;
    let moto = customer.moto;
    let stranger = tokio::task::spawn_blocking(|| moto.platform("stranger").unwrap()).await.unwrap();
    customer.platform = stranger;
    assert_eq!(customer.assume(Some(EXTERNAL_ID)).await.unwrap_err(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn dated_folders_are_listed_and_their_objects_read_as_they_were() {
    let customer = Customer::new("listing", all_rights()).await;
    for key in ["2026-11-22/a.csv", "2026-11-23/b c+d.csv", "2026-11-23/_SUCCESS", "23-11-2026/e.csv"] {
        customer.put(&format!("events/{key}"), "one").await;
    }
    let bucket = customer.bucket().await;
    bucket.probe().await.unwrap();
    assert_eq!(bucket.region().await.unwrap(), "us-east-1");
    let folders = bucket.date_folders(Some(date(2026, 11, 23)), None).await.unwrap();
    assert_eq!(folders.dates, [date(2026, 11, 23)]);
    let all = bucket.date_folders(None, None).await.unwrap();
    assert_eq!((all.dates.len(), all.outside_examples), (2, vec!["events/23-11-2026/".to_owned()]));
    let objects = bucket.list_folder(date(2026, 11, 23)).next_page().await.unwrap().unwrap();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].key, "events/2026-11-23/b c+d.csv");
    assert_eq!(read(&bucket, &objects[0]).await.unwrap(), "one");

    customer.put(&objects[0].key, "two").await;
    let err = read(&bucket, &objects[0]).await.unwrap_err();
    assert_eq!(BucketError::of(&err).unwrap().code(), "object_changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_another_region_is_told() {
    let customer = Customer::new("home", all_rights()).await;
    let moto = customer.moto;
    tokio::task::spawn_blocking(|| moto.bucket("abroad", Some("eu-central-1")).unwrap()).await.unwrap();
    let location = Location { bucket: "abroad".into(), ..customer.location() };
    let bucket = Bucket::open(location, customer.assume(Some(EXTERNAL_ID)).await.unwrap());
    assert_eq!(bucket.region().await.unwrap(), "eu-central-1");
    let location = Location { bucket: "nowhere-to-be-found".into(), ..customer.location() };
    let bucket = Bucket::open(location, customer.assume(Some(EXTERNAL_ID)).await.unwrap());
    assert_eq!(bucket.region().await.unwrap_err().code(), "no_such_bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_read_objects_is_denied_and_told_the_permission() {
    let lists = json!([{ "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "*" }]);
    let customer = Customer::new("no-reading", lists).await;
    customer.put("events/2026-11-23/a.csv", "one").await;
    let bucket = customer.bucket().await;
    let objects = bucket.newest_objects(1).await.unwrap();
    let err = read(&bucket, &objects[0]).await.unwrap_err();
    let err = BucketError::of(&err).unwrap();
    assert!(matches!(err, BucketError::AccessDenied { action: "s3:GetObject", .. }), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_put_arrives_as_an_event_until_it_is_deleted() {
    let customer = Customer::new("arrivals", all_rights()).await;
    customer.put("events/2026-11-23/a b+c.csv", "one").await;
    customer.put("events/2026-11-23/_SUCCESS", "").await;
    customer.put("elsewhere/2026-11-23/a.csv", "one").await;
    let events = customer.events().await;
    // Beside them the test event, which came when the notification was set up.
    let received = receive(&events, 4).await;
    let objects: Vec<_> = received.iter().flat_map(|one| &one.objects).collect();
    assert_eq!(objects.len(), 1, "{objects:?}");
    let listed = customer.bucket().await.list_folder(date(2026, 11, 23)).next_page().await.unwrap().unwrap();
    let (found, listed) = (&objects[0].object, &listed[0]);
    assert_eq!(objects[0].date, date(2026, 11, 23));
    assert_eq!((&found.key, &found.etag, found.size), (&listed.key, &listed.etag, listed.size));
    assert!((found.last_modified - listed.last_modified).abs().as_secs() < 60);

    assert_eq!(customer.left().await, 4, "nothing is deleted before it is recorded");
    for received in &received {
        events.delete(received).await.unwrap();
    }
    assert_eq!(customer.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_understood_stays_and_holds_up_no_other() {
    let customer = Customer::new("nonsense", all_rights()).await;
    for _ in 0..12 {
        customer.send("{\"hello\": 1}").await;
    }
    customer.put("events/2026-11-23/a.csv", "one").await;
    let events = customer.events().await;
    let received = receive(&events, 14).await;
    assert_eq!(received.iter().map(|one| one.not_understood).sum::<usize>(), 12);
    assert_eq!(received.iter().map(|one| one.objects.len()).sum::<usize>(), 1);
    for received in &received {
        events.delete(received).await.unwrap();
    }
    assert_eq!(customer.left().await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_or_not_allowed_is_told() {
    let customer = Customer::new("refused", all_rights()).await;
    let err = customer.events_of(&format!("{}x", customer.queue)).await.probe().await.unwrap_err();
    assert_eq!(err.code(), "no_such_event_queue");
    let moto = customer.moto;
    let reads = json!([{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*" }]);
    tokio::task::spawn_blocking(|| moto.allow("role-refused", reads).unwrap()).await.unwrap();
    let err = customer.events().await.probe().await.unwrap_err();
    assert!(matches!(err, EventsError::AccessDenied { action: "sqs:ReceiveMessage", .. }), "{err}");
}
