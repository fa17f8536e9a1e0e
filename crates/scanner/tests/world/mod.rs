//! What a scanner works with, all of it real: a registry over SQLite, the embedded queue, S3 and STS by the sandbox,
//! and one live source.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

pub mod large;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::client::{Registry, Worker, connect};
use api::registry::{
    Account, ActivateSourceRequest, CreateAccountRequest, CreateSourceRequest, Dataset, Discovery,
    GetSourceRequest, Source,
};
use api::worker::{LeaseScanRequest, ScanLease};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use prost::Message;
use queue::embedded::EmbeddedQueue;
use queue::{Incoming, Queue, Start, TopicSpec};
use records::queue::ObjectFound;
use records::topic;
use registry::{PlatformIdentity, Secret, Server};
use sandbox::{Grant, Identity, Principal, Role, Roles, Sandbox, Sessions, Trust};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const BUCKET: &str = "customer-bucket";
pub const PATH: &str = "events";
const ROLE: &str = "arn:aws:iam::111122223333:role/cortex-events";
/// So long a test waits for a state that must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub queue: Arc<dyn Queue>,
    pub registry: Registry,
    pub worker: Worker,
    pub account: Account,
    pub source: Source,
    pub sessions: Sessions,
    roles: Roles,
    folder: TempDir,
    platform: Identity,
    stop: CancellationToken,
}

impl World {
    /// With sweeps hours apart, and files that are listed at once.
    pub async fn new() -> Self {
        Self::with(Duration::from_secs(6 * 3600), Duration::from_millis(20)).await
    }

    /// A listing waits until each file that it meets is as old as `settle`.
    pub async fn with(sweep_interval: Duration, settle: Duration) -> Self {
        let stop = CancellationToken::new();
        let folder = tempfile::tempdir().unwrap();
        let platform = platform();
        std::fs::create_dir_all(folder.path().join("s3").join(BUCKET).join(PATH)).unwrap();
        let mut s3 = sandbox::Config::new(folder.path().join("s3"));
        s3.identities.push(platform.clone());
        s3.settle = settle;
        let s3 = Sandbox::bind(s3).await.unwrap();
        let (url, roles, sessions) = (s3.endpoint_url(), s3.roles(), s3.sessions());
        tokio::spawn(s3.run(stop.clone()));

        let queue = open_queue(folder.path().join("queue.db")).await;
        let mut config = registry_config(([127, 0, 0, 1], 0).into(), folder.path().join("registry.db"));
        config.sweep_interval = sweep_interval;
        config.platform = PlatformIdentity {
            account_id: platform.account_id.clone(),
            region: "us-east-1".to_owned(),
            sts_endpoint: Some(url.clone()),
            s3_endpoint: Some(url),
            keys: Some((platform.access_key_id.clone(), Secret::new(&platform.secret_access_key))),
        };
        let address = serve(config, queue.clone(), stop.clone()).await;
        let mut registry = Registry::new(connect(&address, "admin").unwrap());
        let worker = Worker::new(connect(&address, "worker").unwrap());
        let request = CreateAccountRequest {
            account_id: "customer".into(),
            display_name: "Customer".into(),
            ..Default::default()
        };
        let account = registry.create_account(request).await.unwrap().into_inner().account.unwrap();
        let source = Source::default();
        let mut world =
            Self { queue, registry, worker, account, source, sessions, roles, folder, platform, stop };
        world.grant(true);
        world.source = world.live_source().await;
        world
    }

    async fn live_source(&mut self) -> Source {
        let request = CreateSourceRequest {
            parent: self.account.name.clone(),
            source: Some(Source {
                display_name: "Events".into(),
                dataset: Dataset::Events as i32,
                bucket: BUCKET.into(),
                path: PATH.into(),
                role_arn: ROLE.into(),
                ..Source::default()
            }),
            ..Default::default()
        };
        let draft = self.registry.create_source(request).await.unwrap().into_inner().source.unwrap();
        let request = ActivateSourceRequest { name: draft.name };
        self.registry.activate_source(request).await.unwrap().into_inner().source.unwrap()
    }

    /// The customer's role, with or without the right to read.
    pub fn grant(&self, readable: bool) {
        let grant = Grant { bucket: BUCKET.into(), prefix: PATH.into() };
        self.roles.put(Role {
            arn: ROLE.into(),
            trust: Trust {
                principal: Principal::Arn(self.platform.arn.clone()),
                external_id: Some(self.account.external_id.clone()),
            },
            grants: if readable { vec![grant] } else { vec![] },
        });
        // A session has the rights that the role had when it was issued.
        self.sessions.expire_all();
    }

    /// Puts a file at `name` under the source's path; gives its key.
    pub fn put(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join("s3").join(BUCKET).join(PATH).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        format!("{PATH}/{name}")
    }

    pub fn source_id(&self) -> &str {
        self.source.name.rsplit('/').next().unwrap()
    }

    /// What the source shows of its last scan.
    pub async fn discovery(&self) -> Discovery {
        let request = GetSourceRequest { name: self.source.name.clone() };
        let source = self.registry.clone().get_source(request).await.unwrap().into_inner().source.unwrap();
        source.discovery.unwrap_or_default()
    }

    pub fn scanner(&self, config: scanner::Config) -> Scanner {
        Scanner::start(config, self.worker.clone(), self.queue.clone())
    }

    /// Runs a scanner until it has completed a scan that began after this call.
    pub async fn scan(&self) -> Discovery {
        let before = self.discovery().await.last_scan_time;
        let scanner = self.scanner(config());
        let found = async {
            loop {
                let found = self.discovery().await;
                if found.last_scan_time != before {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await.unwrap();
        scanner.stop().await;
        found
    }

    /// The registry's database, as another process opens it.
    pub async fn store(&self) -> registry::store::Store {
        let url = format!("sqlite://{}?mode=rwc", self.folder.path().join("registry.db").display());
        registry::store::Store::open(&url).await.unwrap()
    }

    /// Leases the source by hand, as a scanner that will die.
    pub async fn lease(&self, ttl_seconds: u32) -> ScanLease {
        let lease = async {
            loop {
                let request = LeaseScanRequest { worker_id: "by-hand".into(), ttl_seconds };
                let answer = self.worker.clone().lease_scan(request).await.unwrap().into_inner();
                match answer.lease {
                    Some(lease) => return lease,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, lease).await.unwrap()
    }

    /// True where the source is due and no scanner holds it; takes it then.
    pub async fn is_free(&self) -> bool {
        let request = LeaseScanRequest { worker_id: "by-hand".into(), ttl_seconds: 3 };
        self.worker.clone().lease_scan(request).await.unwrap().into_inner().lease.is_some()
    }

    /// Everything on the topic.
    pub async fn messages(&self) -> Vec<(Incoming, ObjectFound)> {
        let queue = self.queue.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut reader = queue.reader(topic::OBJECTS, Start::Beginning).unwrap();
            let mut messages = Vec::new();
            while !reader.at_end().unwrap() {
                messages.extend(reader.next(Duration::from_millis(100)).unwrap());
            }
            messages
        });
        let read = tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
        let decoded = |message: Incoming| {
            let found = ObjectFound::decode(message.value.as_slice()).unwrap();
            (message, found)
        };
        read.into_iter().map(decoded).collect()
    }

    /// The keys on the topic with their generations, sorted.
    pub async fn published(&self) -> Vec<(String, u32)> {
        let messages = self.messages().await;
        let mut published: Vec<_> =
            messages.into_iter().map(|(_, found)| (found.object_key, found.generation)).collect();
        published.sort();
        published
    }

    pub async fn count(&self) -> u64 {
        let queue = self.queue.clone();
        tokio::task::spawn_blocking(move || queue.count(topic::OBJECTS).unwrap()).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A scanner in this process.
pub struct Scanner {
    stop: CancellationToken,
    pub task: JoinHandle<Result<(), scanner::ScannerError>>,
}

impl Scanner {
    pub fn start(config: scanner::Config, worker: Worker, queue: Arc<dyn Queue>) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(scanner::run(config, worker, queue, stop.clone()));
        Self { stop, task }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

pub fn config() -> scanner::Config {
    let mut config = scanner::Config::new("scanner-1");
    config.idle_poll_min = Duration::from_millis(10);
    config.idle_poll_max = Duration::from_millis(50);
    config
}

/// The folder of so many days ago.
pub fn day(ago: i64) -> Date {
    let today = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    today.checked_sub(ago.days()).unwrap()
}

pub async fn open_queue(path: PathBuf) -> Arc<dyn Queue> {
    let open = move || {
        let queue = EmbeddedQueue::open(&path).unwrap();
        let topics = topic::ALL.map(|name| TopicSpec { name: name.to_owned(), partitions: 3 });
        queue.ensure_topics(&topics).unwrap();
        queue
    };
    Arc::new(tokio::task::spawn_blocking(open).await.unwrap())
}

pub fn registry_config(listen: SocketAddr, database: PathBuf) -> registry::Config {
    let database = format!("sqlite://{}?mode=rwc", database.display());
    let mut config =
        registry::Config::new(listen, Secret::new(database), Secret::new("admin"), Secret::new("worker"));
    config.scan_interval = Duration::from_millis(100);
    config
}

/// Runs a registry; gives its address.
pub async fn serve(config: registry::Config, queue: Arc<dyn Queue>, stop: CancellationToken) -> String {
    let server = Server::bind(config, queue).await.unwrap();
    let address = format!("http://{}", server.local_addr());
    tokio::spawn(server.run(stop));
    address
}

fn platform() -> Identity {
    Identity {
        access_key_id: "AKIAPLATFORM".into(),
        secret_access_key: "platform-secret".into(),
        arn: "arn:aws:iam::357420518195:user/cortex".into(),
        account_id: "357420518195".into(),
    }
}
