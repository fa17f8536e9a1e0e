//! A system with one source of events, on a broker of its own, a database of its own and an S3 server behind a proxy that
//! can break: what the fault tests stand on.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use services::{KafkaCluster, Postgres, S3Proxy, TcpProxy};

use crate::files::Upload;
use crate::process::{Process, until};
use crate::s3::Store;
use crate::system::System;
use crate::verdict::{Uploaded, Verdict, judge};

/// How long files may take to come to rest on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// See the module.
pub struct World {
    /// Its brokers.
    pub kafka: KafkaCluster,
    /// Between the registry and PostgreSQL.
    pub postgres: TcpProxy,
    /// Between Cortex and S3.
    pub s3: S3Proxy,
    /// S3 as the customer uploads to it.
    pub store: Store,
    /// The processes' settings.
    pub system: System,
    /// The account.
    pub account: String,
    /// The source's resource name; empty before [`World::source`].
    pub source: String,
    /// What was uploaded.
    pub uploaded: Uploaded,
    keys: (String, String),
    /// Processes by name; killed when the world ends.
    pub processes: BTreeMap<String, Process>,
    /// Whether all was found right.
    good: Cell<bool>,
}

/// A world that was not found right tells how its processes ended.
impl Drop for World {
    fn drop(&mut self) {
        if !self.good.get() {
            for process in self.processes.values() {
                eprintln!("{}", process.tail(25));
            }
        }
    }
}

impl World {
    /// Starts so many brokers; no process of Cortex runs yet.
    pub fn start(name: &str, brokers: usize) -> Result<Self> {
        Self::start_on(services::shared::postgres()?, name, brokers)
    }

    /// The same on a PostgreSQL that a test may stop.
    pub fn start_on(postgres: &Postgres, name: &str, brokers: usize) -> Result<Self> {
        let s3 = services::shared::s3()?;
        let kafka = KafkaCluster::start(brokers)?;
        let account = format!("{name}-{}", std::process::id());
        let direct = postgres.database(&account.replace('-', "_"))?;
        let (host, path) = direct
            .split_once('@')
            .and_then(|(_, rest)| rest.split_once('/'))
            .context("a database URL has a host")?;
        let proxy = TcpProxy::start(host)?;
        let database = format!("postgres://cortex@{}/{path}", proxy.address());
        let s3_proxy = S3Proxy::start(s3.endpoint())?;
        let system = System::on(kafka.bootstrap(), &database, &s3_proxy.endpoint())?;
        let store =
            Store::new(s3.endpoint(), s3.access_key(), s3.secret_key(), &format!("bucket-{account}"))?;
        let mut world = Self {
            kafka,
            postgres: proxy,
            s3: s3_proxy,
            store,
            system,
            account,
            source: String::new(),
            uploaded: Uploaded::default(),
            keys: (s3.access_key().to_owned(), s3.secret_key().to_owned()),
            processes: BTreeMap::new(),
            good: Cell::new(false),
        };
        // Small chunks: large files have many of them, and faults meet them in the middle. Members that died are missed soon.
        world.system.set("CORTEX_CHUNK_ROWS", "5000");
        world.system.set("CORTEX_CHUNK_MS", "500");
        world.system.set(
            "CORTEX_KAFKA_PROPERTIES",
            "session.timeout.ms=6000,topic.metadata.refresh.interval.ms=2000",
        );
        Ok(world)
    }

    /// Starts the registry, and makes the account and its live source.
    pub fn source(&mut self, registry: crate::system::Settings<'_>) -> Result<()> {
        let process = self.system.registry_with(registry)?;
        self.processes.insert("registry".to_owned(), process);
        self.live_source()
    }

    /// Makes the account and its live source, by a registry that answers.
    pub fn live_source(&mut self) -> Result<()> {
        self.system.ask(&["account", "create", "--id", &self.account])?;
        let keys = (self.keys.0.as_str(), self.keys.1.as_str());
        self.source = self.system.source(&self.account, "events", self.store.bucket(), keys)?;
        Ok(())
    }

    /// Starts a scanner or parser, or starts it anew, with settings of its own.
    pub fn run(&mut self, role: &str, name: &str, settings: crate::system::Settings<'_>) -> Result<()> {
        self.processes.remove(name);
        let process = self.system.worker(role, name, settings)?;
        self.processes.insert(name.to_owned(), process);
        Ok(())
    }

    /// A process by its name.
    pub fn process(&mut self, name: &str) -> Result<&mut Process> {
        self.processes.get_mut(name).with_context(|| format!("{name} was not started"))
    }

    /// Waits for a process to end by itself, as one does that crashes.
    pub fn ends(&mut self, name: &str, patience: Duration) -> Result<()> {
        until(&format!("{name} to end"), patience, || Ok(!self.process(name)?.is_running()?))
    }

    /// Uploads a file of events into the source's folder.
    pub fn put(&mut self, upload: &Upload) -> Result<String> {
        let key = format!("events/{}", upload.key);
        let etag = self.store.put(&key, &upload.bytes)?;
        self.uploaded.add(&key, &etag, upload);
        Ok(etag)
    }

    /// The source's files as the ledger has them.
    pub fn files(&self) -> Result<Vec<Value>> {
        self.system.ask(&["source", "files", &self.source])
    }

    /// The newest generation of a file.
    pub fn file(&self, key: &str) -> Result<Option<Value>> {
        let key = format!("events/{key}");
        let files = self.files()?.into_iter().filter(|file| file["object_key"] == key.as_str());
        Ok(files.max_by_key(|file| file["generation"].as_u64()))
    }

    /// Waits until a file is being read and rows of it are published.
    pub fn in_the_middle(&self, key: &str) -> Result<()> {
        until(&format!("{key} to be in the middle"), PATIENCE, || {
            Ok(self.file(key)?.is_some_and(|file| {
                file["state"] == "FILE_STATE_CLAIMED" && file["rows"].as_str().is_some_and(|rows| rows != "0")
            }))
        })
    }

    /// Waits until one file is at rest.
    pub fn at_rest_of(&self, key: &str) -> Result<()> {
        until(&format!("{key} to be at rest"), PATIENCE, || {
            let file = self.file(key);
            Ok(file.is_ok_and(|file| file.is_some_and(|file| file.get("finish_time").is_some())))
        })
    }

    /// Waits until what was uploaded last under each key is at rest.
    pub fn at_rest(&self) -> Result<Vec<Value>> {
        self.at_rest_within(PATIENCE)
    }

    /// The same, for as long.
    pub fn at_rest_within(&self, patience: Duration) -> Result<Vec<Value>> {
        let mut last = Vec::new();
        let done = until("every file to be at rest", patience, || {
            let Ok(files) = self.files() else { return Ok(false) };
            let is_done = |(key, etag): (&str, &str)| {
                let generations = files.iter().filter(|file| file["object_key"] == key);
                let newest = generations.max_by_key(|file| file["generation"].as_u64());
                newest.is_some_and(|file| file["etag"] == etag && file.get("finish_time").is_some())
            };
            let done = self.uploaded.newest().all(is_done);
            last = files;
            Ok(done)
        });
        let unfinished: Vec<_> = last.iter().filter(|file| file.get("finish_time").is_none()).collect();
        done.with_context(|| format!("not at rest: {unfinished:?}"))?;
        Ok(last)
    }

    /// What a consumer sees once all is at rest.
    pub fn verdict(&self) -> Result<Verdict> {
        let files = self.at_rest()?;
        judge(self.kafka.bootstrap(), &self.account, &self.uploaded, &files)
    }

    /// Each accepted row was seen once, and each rejected one; the ledger's audit says the same; and no process has written a
    /// secret.
    pub fn each_row_once(&self) -> Result<()> {
        let verdict = self.verdict()?;
        ensure!(verdict.is_good(), "{verdict}");
        let (agrees, found) = self.system.audit(&self.source)?;
        ensure!(agrees, "the audit disagrees: {found}");
        let logged = self.system.logged_secrets()?;
        ensure!(logged.is_empty(), "secrets are in {logged:?}");
        self.good.set(true);
        Ok(())
    }
}
