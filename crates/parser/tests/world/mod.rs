//! What a parser works with, all of it real: a registry over SQLite, the embedded queue, S3 and STS by the sandbox, a
//! scanner, and one live source.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::client::{Registry, Worker, connect};
use api::registry::{
    Account, ActivateSourceRequest, AddDeletedSubjectsRequest, CreateAccountRequest, CreateSourceRequest,
    Dataset, File, FileState, ListFilesRequest, Source,
};
use parser::{ParserError, Values};
use prost::Message;
use queue::embedded::EmbeddedQueue;
use queue::{Incoming, Queue, Start, TopicSpec};
use records::topic::{self, HEADER_CONTENT_TYPE};
use registry::{PlatformIdentity, Secret, Server};
use sandbox::{Grant, Identity, Principal, Role, Roles, Sandbox, Sessions, Trust};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const BUCKET: &str = "customer-bucket";
const PATH: &str = "events";
const ROLE: &str = "arn:aws:iam::111122223333:role/cortex-events";
/// So long a test waits for a state that must come.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct World {
    pub queue: Arc<dyn Queue>,
    pub registry: Registry,
    pub account: Account,
    pub source: Source,
    worker: Worker,
    sessions: Sessions,
    roles: Roles,
    folder: TempDir,
    platform: Identity,
    stop: CancellationToken,
}

/// A live source of events, before it says otherwise.
pub fn events() -> Source {
    Source {
        display_name: "Events".into(),
        dataset: Dataset::Events as i32,
        bucket: BUCKET.into(),
        path: PATH.into(),
        role_arn: ROLE.into(),
        ..Source::default()
    }
}

impl World {
    /// With a scanner, and no parser yet. All on one partition, so that what blocks it is seen.
    pub async fn with(source: Source) -> Self {
        let stop = CancellationToken::new();
        let folder = tempfile::tempdir().unwrap();
        let platform = platform();
        std::fs::create_dir_all(folder.path().join("s3").join(BUCKET).join(PATH)).unwrap();
        let mut s3 = sandbox::Config::new(folder.path().join("s3"));
        s3.identities.push(platform.clone());
        s3.settle = Duration::from_millis(20);
        let s3 = Sandbox::bind(s3).await.unwrap();
        let (url, roles, sessions) = (s3.endpoint_url(), s3.roles(), s3.sessions());
        tokio::spawn(s3.run(stop.clone()));

        let path = folder.path().join("queue.db");
        let open = move || {
            let queue = EmbeddedQueue::open(&path).unwrap();
            let topics = topic::ALL.map(|name| TopicSpec { name: name.to_owned(), partitions: 1 });
            queue.ensure_topics(&topics).unwrap();
            queue
        };
        let queue: Arc<dyn Queue> = Arc::new(tokio::task::spawn_blocking(open).await.unwrap());
        let database = format!("sqlite://{}?mode=rwc", folder.path().join("registry.db").display());
        let secret = |text: &str| Secret::new(text);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = registry::Config::new(listen, secret(&database), secret("admin"), secret("worker"));
        config.scan_interval = Duration::from_millis(100);
        config.sweep_interval = Duration::from_millis(100);
        config.platform = PlatformIdentity {
            account_id: platform.account_id.clone(),
            region: "us-east-1".to_owned(),
            sts_endpoint: Some(url.clone()),
            s3_endpoint: Some(url),
            keys: Some((platform.access_key_id.clone(), secret(&platform.secret_access_key))),
        };
        let server = Server::bind(config, queue.clone()).await.unwrap();
        let address = format!("http://{}", server.local_addr());
        tokio::spawn(server.run(stop.clone()));

        let mut registry = Registry::new(connect(&address, "admin").unwrap());
        let worker = Worker::new(connect(&address, "worker").unwrap());
        let request = CreateAccountRequest {
            account_id: "customer".into(),
            display_name: "Customer".into(),
            ..Default::default()
        };
        let account = registry.create_account(request).await.unwrap().into_inner().account.unwrap();
        let mut world = Self {
            queue,
            registry,
            account,
            source: Source::default(),
            worker,
            sessions,
            roles,
            folder,
            platform,
            stop,
        };
        world.give_access();
        world.source = world.live(source).await;
        let mut config = scanner::Config::new("scanner-1");
        config.idle_poll_min = Duration::from_millis(10);
        config.idle_poll_max = Duration::from_millis(50);
        tokio::spawn(scanner::run(config, world.worker.clone(), world.queue.clone(), world.stop.clone()));
        world
    }

    async fn live(&mut self, source: Source) -> Source {
        let request = CreateSourceRequest {
            parent: self.account.name.clone(),
            source: Some(source),
            ..Default::default()
        };
        let draft = self.registry.create_source(request).await.unwrap().into_inner().source.unwrap();
        let request = ActivateSourceRequest { name: draft.name };
        self.registry.activate_source(request).await.unwrap().into_inner().source.unwrap()
    }

    /// The customer's role lets the platform in.
    pub fn give_access(&self) {
        self.roles.put(Role {
            arn: ROLE.into(),
            trust: Trust {
                principal: Principal::Arn(self.platform.arn.clone()),
                external_id: Some(self.account.external_id.clone()),
            },
            grants: vec![Grant { bucket: BUCKET.into(), prefix: PATH.into() }],
        });
    }

    /// The customer's role is gone, with the sessions that were issued for it.
    pub fn take_access(&self) {
        self.roles.remove(ROLE);
        self.sessions.expire_all();
    }

    /// Puts a file at `name` under the source's path.
    pub fn put(&self, name: &str, content: &(impl AsRef<[u8]> + ?Sized)) {
        let path = self.folder.path().join("s3").join(BUCKET).join(PATH).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Puts people on the account's deletion list.
    pub async fn delete(&self, subjects: &[&str]) {
        let request = AddDeletedSubjectsRequest {
            parent: self.account.name.clone(),
            subject_ids: subjects.iter().map(|one| (*one).to_owned()).collect(),
        };
        self.registry.clone().add_deleted_subjects(request).await.unwrap();
    }

    /// A parser of chunks of so many rows.
    pub fn parser(&self, chunk_rows: u64) -> Parser {
        self.parser_of(Values::default(), chunk_rows)
    }

    /// The same, which publishes values in this form.
    pub fn parser_of(&self, values: Values, chunk_rows: u64) -> Parser {
        let mut config = parser::Config::new("parser-1");
        config.values = values;
        config.chunk.rows = chunk_rows;
        let stop = CancellationToken::new();
        let task = tokio::spawn(parser::run(config, self.worker.clone(), self.queue.clone(), stop.clone()));
        Parser { stop, task }
    }

    /// The newest generation of each file, by its name.
    pub async fn files(&self) -> BTreeMap<String, File> {
        let request =
            ListFilesRequest { parent: self.source.name.clone(), page_size: 1000, ..Default::default() };
        let files = self.registry.clone().list_files(request).await.unwrap().into_inner().files;
        let mut newest: BTreeMap<String, File> = BTreeMap::new();
        for file in files {
            let name = file.object_key.trim_start_matches("events/").to_owned();
            let known = newest.get(&name).map_or(0, |one| one.generation);
            if file.generation > known {
                newest.insert(name, file);
            }
        }
        newest
    }

    /// Waits until the newest generation of the file is that one or a later, and is at rest.
    pub async fn at_rest(&self, name: &str, generation: u32) -> File {
        self.until(name, |file| file.generation >= generation && file.finish_time.is_some()).await
    }

    /// Waits until the newest generation of the file is as it should be.
    pub async fn until(&self, name: &str, holds: impl Fn(&File) -> bool) -> File {
        let begun = Instant::now();
        loop {
            let files = self.files().await;
            match files.get(name) {
                Some(file) if holds(file) => return file.clone(),
                other => assert!(begun.elapsed() < PATIENCE, "waited in vain for {name}: {other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The content types of a topic's messages.
    pub async fn content_types(&self, topic: &'static str) -> BTreeSet<String> {
        let messages = self.incoming(topic).await.into_iter();
        let headers = messages.flat_map(|message| message.headers);
        let headers = headers.filter(|(name, _)| name == HEADER_CONTENT_TYPE);
        headers.map(|(_, value)| String::from_utf8(value).unwrap()).collect()
    }

    /// The values of a topic as they stand there.
    pub async fn values(&self, topic: &'static str) -> Vec<Vec<u8>> {
        self.incoming(topic).await.into_iter().map(|message| message.value).collect()
    }

    /// All messages of a topic, in whichever form.
    pub async fn messages<M: Message + Default>(&self, topic: &'static str) -> Vec<M> {
        let plain = |message: Incoming| {
            M::decode(records::plain(&message.headers, &message.value).unwrap().as_ref()).unwrap()
        };
        self.incoming(topic).await.into_iter().map(plain).collect()
    }

    async fn incoming(&self, topic: &'static str) -> Vec<Incoming> {
        let queue = self.queue.clone();
        let read = move || {
            let mut reader = queue.reader(topic, Start::Beginning).unwrap();
            let mut messages = Vec::new();
            while !reader.at_end().unwrap() {
                messages.extend(reader.next(Duration::from_millis(100)).unwrap());
            }
            messages
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A parser in this process.
pub struct Parser {
    stop: CancellationToken,
    task: JoinHandle<Result<(), ParserError>>,
}

impl Parser {
    /// Lets it commit what it has in hand, and end.
    pub async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, &mut self.task).await.unwrap().unwrap().unwrap();
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn outcome(file: &File) -> (FileState, &str) {
    (file.state(), file.error.as_ref().map_or("", |error| error.code.as_str()))
}

fn platform() -> Identity {
    Identity {
        access_key_id: "AKIAPLATFORM".into(),
        secret_access_key: "platform-secret".into(),
        arn: "arn:aws:iam::357420518195:user/cortex".into(),
        account_id: "357420518195".into(),
    }
}
