//! Event queues: what a bucket tells by SQS is on the topic long before a scan is due. S3 and SQS are moto's.

#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;
use std::time::Duration;

use api::client::{Registry, Worker, connect};
use api::registry::{
    ActivateSourceRequest, CreateAccountRequest, CreateSourceRequest, Dataset, GetSourceRequest, Source,
    SourceAttention, StaticKeys, UpdateSourceRequest,
};
use prost::Message;
use queue::{Queue, Start};
use records::queue::ObjectFound;
use records::topic;
use registry::Secret;
use serde_json::json;
use services::Moto;
use services::shared::moto;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use world::{Scanner, day};

const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// So long a test waits for a state that must come: longer than a message is hidden that someone took and lost.
const PATIENCE: Duration = Duration::from_secs(150);

/// A registry whose scans are hours apart, and one live source with an event queue.
struct EventWorld {
    bucket: &'static str,
    event_queue: String,
    queue: Arc<dyn Queue>,
    registry: Registry,
    worker: Worker,
    source: String,
    stop: CancellationToken,
    _folder: TempDir,
}

async fn with_moto<T: Send + 'static>(work: impl FnOnce(&'static Moto) -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(move || work(moto().unwrap())).await.unwrap()
}

impl EventWorld {
    async fn new(bucket: &'static str) -> Self {
        let (endpoint, user, event_queue) = with_moto(move |moto| {
            let actions = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation", "sqs:*"];
            let rights = json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }]);
            let user = moto.user(bucket, rights).unwrap();
            moto.bucket(bucket, None).unwrap();
            let event_queue = moto.queue(bucket).unwrap();
            moto.notify(bucket, bucket).unwrap();
            (moto.endpoint(), user, event_queue)
        })
        .await;
        let (stop, folder) = (CancellationToken::new(), tempfile::tempdir().unwrap());
        let queue = world::open_queue(folder.path().join("queue.db")).await;
        let mut config =
            world::registry_config(([127, 0, 0, 1], 0).into(), folder.path().join("registry.db"));
        config.scan_interval = Duration::from_secs(6 * 3600);
        config.allowed_endpoints = vec![endpoint.to_owned()];
        config.sealing_key = Some(Secret::new(SEALING_KEY));
        let address = world::serve(config, queue.clone(), stop.clone()).await;
        let mut registry = Registry::new(connect(&address, "admin").unwrap());
        let worker = Worker::new(connect(&address, "worker").unwrap());
        let request = CreateAccountRequest { account_id: "customer".into(), ..Default::default() };
        let account = registry.create_account(request).await.unwrap().into_inner().account.unwrap();
        let request = CreateSourceRequest {
            parent: account.name,
            source: Some(Source {
                display_name: "Events".into(),
                dataset: Dataset::Events as i32,
                bucket: bucket.into(),
                path: "events".into(),
                endpoint_url: endpoint.to_owned(),
                event_queue_url: event_queue.clone(),
                ..Source::default()
            }),
            static_keys: Some(StaticKeys {
                access_key_id: user.access_key,
                secret_access_key: user.secret_key,
            }),
            ..Default::default()
        };
        let draft = registry.create_source(request).await.unwrap().into_inner().source.unwrap();
        let request = ActivateSourceRequest { name: draft.name };
        let source = registry.activate_source(request).await.unwrap().into_inner().source.unwrap().name;
        Self { bucket, event_queue, queue, registry, worker, source, stop, _folder: folder }
    }

    fn scanner(&self, event_queues: usize) -> Scanner {
        let config = scanner::Config { event_queues, ..world::config() };
        Scanner::start(config, self.worker.clone(), self.queue.clone())
    }

    async fn get(&self) -> Source {
        let request = GetSourceRequest { name: self.source.clone() };
        self.registry.clone().get_source(request).await.unwrap().into_inner().source.unwrap()
    }

    /// Waits until the first scan is over; the next one is hours away.
    async fn first_scan(&self) {
        let scanned = async {
            while self.get().await.discovery.is_none_or(|found| found.last_scan_time.is_none()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, scanned).await.unwrap();
    }

    async fn put(&self, name: &str, content: &'static str) -> String {
        let (bucket, key) = (self.bucket, format!("events/{}/{name}", day(0)));
        let at = key.clone();
        with_moto(move |moto| moto.put(bucket, &at, content).unwrap()).await;
        key
    }

    /// The keys on the topic with their generations, sorted, once there are so many.
    async fn published(&self, count: usize) -> Vec<(String, u32)> {
        let published = async {
            loop {
                let found = self.on_topic().await;
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, published).await.unwrap()
    }

    async fn on_topic(&self) -> Vec<(String, u32)> {
        let queue = self.queue.clone();
        let read = move || {
            let mut reader = queue.reader(topic::OBJECTS, Start::Beginning).unwrap();
            let mut found = Vec::new();
            while !reader.at_end().unwrap() {
                found.extend(reader.next(Duration::from_millis(100)).unwrap().map(|message| {
                    let object = ObjectFound::decode(message.value.as_slice()).unwrap();
                    (object.object_key, object.generation)
                }));
            }
            found.sort();
            found
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// Waits until the source shows this of its event queue.
    async fn shows(&self, code: Option<&str>) -> Option<SourceAttention> {
        let shown = async {
            loop {
                let attention = self.get().await.attention;
                let found = attention.as_ref().and_then(|one| one.problem.as_ref()).map(|one| &*one.code);
                if found == code {
                    return attention;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, shown).await.unwrap()
    }

    async fn send(&self, body: String) {
        let queue = self.event_queue.clone();
        with_moto(move |moto| moto.send(&queue, &body).unwrap()).await;
    }

    /// Waits until the queue is empty.
    async fn all_deleted(&self) {
        let deleted = async {
            loop {
                let queue = self.event_queue.clone();
                if with_moto(move |moto| moto.messages(&queue).unwrap()).await == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, deleted).await.unwrap();
    }
}

impl Drop for EventWorld {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// S3's message for an object, as it was with this ETag.
fn event(bucket: &str, key: &str, etag: &str) -> String {
    json!({ "Records": [{
        "eventName": "ObjectCreated:Put", "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": { "bucket": { "name": bucket }, "object": { "key": key, "size": 1, "eTag": etag } }
    }]})
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_brings_its_file_to_the_topic_while_the_next_scan_is_hours_away() {
    let world = EventWorld::new("hastened").await;
    let scanner = world.scanner(10);
    world.first_scan().await;
    let first = world.put("a b+c.csv", "1").await;
    assert_eq!(world.published(1).await, [(first.clone(), 1)]);
    let second = world.put("d.csv", "2").await;
    assert_eq!(world.published(2).await, [(first, 1), (second, 1)]);
    world.all_deleted().await;
    scanner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_twice_late_or_for_nothing_publish_nothing_more() {
    let world = EventWorld::new("repeated").await;
    let scanner = world.scanner(10);
    world.first_scan().await;
    let key = world.put("a.csv", "1").await;
    world.published(1).await;
    let now = "c4ca4238a0b923820dcc509a6f75849b";
    for etag in [now, now, "00000000000000000000000000000000"] {
        world.send(event(world.bucket, &key, etag)).await;
    }
    world.send(event(world.bucket, &format!("events/{}/gone.csv", day(0)), now)).await;
    world.send(event("another-bucket", &key, now)).await;
    world.all_deleted().await;
    let other = world.put("b.csv", "2").await;
    assert_eq!(world.published(2).await, [(key, 1), (other, 1)]);
    scanner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_gone_is_shown_until_it_is_there_again() {
    let world = EventWorld::new("shown").await;
    let scanner = world.scanner(10);
    world.first_scan().await;
    let queue = world.event_queue.clone();
    with_moto(move |moto| moto.delete_queue(&queue).unwrap()).await;
    let attention = world.shows(Some("no_such_event_queue")).await.unwrap();
    assert_eq!(attention.kind, "events");
    let problem = attention.problem.unwrap();
    assert!(problem.reason.contains(&world.event_queue), "{}", problem.reason);
    with_moto(|moto| moto.queue("shown").unwrap()).await;
    world.shows(None).await;
    let key = world.put("a.csv", "1").await;
    assert_eq!(world.published(1).await, [(key, 1)]);
    scanner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_let_go_where_the_source_has_none_any_more_and_taken_where_it_has_one_again() {
    let world = EventWorld::new("changed").await;
    let scanner = world.scanner(10);
    world.first_scan().await;
    let change = async |event_queue_url: &str| {
        let source = Source {
            name: world.source.clone(),
            event_queue_url: event_queue_url.to_owned(),
            ..Source::default()
        };
        let request = UpdateSourceRequest {
            source: Some(source),
            update_mask: Some(prost_types::FieldMask { paths: vec!["event_queue_url".into()] }),
            ..Default::default()
        };
        world.registry.clone().update_source(request).await.unwrap();
    };
    change("").await;
    let elsewhere = with_moto(|moto| moto.queue("changed-later").unwrap()).await;
    change(&elsewhere).await;
    let key = world.put("a.csv", "1").await;
    let body = event(world.bucket, &key, "c4ca4238a0b923820dcc509a6f75849b");
    with_moto(move |moto| moto.send(&elsewhere, &body).unwrap()).await;
    assert_eq!(world.published(1).await, [(key, 1)]);
    scanner.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_scanners_share_queues_and_one_takes_over_from_the_other() {
    let world = EventWorld::new("shared").await;
    let start = |name: &str| {
        let mut config = world::config();
        config.worker_id = name.to_owned();
        config.lease_ttl = Duration::from_secs(3);
        Scanner::start(config, world.worker.clone(), world.queue.clone())
    };
    let first = start("scanner-1");
    world.first_scan().await;
    let one = world.put("a.csv", "1").await;
    world.published(1).await;
    first.stop().await;
    let second = start("scanner-2");
    let two = world.put("b.csv", "2").await;
    assert_eq!(world.published(2).await, [(one, 1), (two, 1)]);
    second.stop().await;
}
