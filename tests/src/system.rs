//! The whole system as separate processes on Kafka, PostgreSQL and a foreign S3 server.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::client::{Registry, connect};
use api::registry::{Source, UpdateSourceRequest};
use prost_types::FieldMask;
use serde_json::Value;
use services::TcpProxy;
use tempfile::TempDir;

use crate::process::{Process, binary, command_of, cortex, free_address, until};

/// The static keys' sealing key: 32 bytes, base64.
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Where the parts are, and what they were started with.
pub struct System {
    dir: TempDir,
    kafka: String,
    database: String,
    s3_endpoint: String,
    registry_url: String,
    /// Where each registry listens.
    registries: Vec<String>,
    /// In front of them, where they are several.
    balancer: Option<TcpProxy>,
    /// What runs the roles that are started from now on.
    binary: PathBuf,
    settings: BTreeMap<String, String>,
}

/// Settings of one process, or environment of its own, besides those of all.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

impl System {
    /// On these servers; nothing is started yet.
    pub fn on(kafka: &str, database: &str, s3_endpoint: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        for (name, text) in [("admin", "admin-token-of-this-test"), ("worker", "worker-token-of-this-test")] {
            std::fs::write(dir.path().join(name), text)?;
        }
        let grpc_listen = free_address()?;
        Ok(Self {
            kafka: kafka.to_owned(),
            database: database.to_owned(),
            s3_endpoint: s3_endpoint.to_owned(),
            registry_url: format!("http://{grpc_listen}"),
            registries: vec![grpc_listen],
            balancer: None,
            binary: binary()?,
            settings: BTreeMap::new(),
            dir,
        })
    }

    /// Sets a variable for every role that is started from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// Has so many registries behind one address, which every other role asks.
    pub fn balance(&mut self, registries: usize) -> Result<()> {
        self.registries = (0..registries).map(|_| free_address()).collect::<Result<_>>()?;
        let balancer = TcpProxy::before(&self.registries)?;
        self.registry_url = format!("http://{}", balancer.address());
        self.balancer = Some(balancer);
        Ok(())
    }

    /// Has the roles that are started from now on run by another binary.
    pub fn run_by(&mut self, binary: &Path) {
        self.binary = binary.to_owned();
    }

    /// The ledger's database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Has registries that are started from now on use another database.
    pub fn use_database(&mut self, url: &str) {
        self.database = url.to_owned();
    }

    /// What a process of this name has written so far.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default()
    }

    /// What processes have written of secrets: the log's name for each.
    pub fn logged_secrets(&self) -> Result<Vec<String>> {
        let mut secrets = vec![SEALING_KEY.to_owned()];
        for file in ["admin", "worker", "s3-secret"] {
            secrets.extend(std::fs::read_to_string(self.path(file)));
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let log = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
                let has = |secret: &String| !secret.is_empty() && log.contains(secret.as_str());
                found.extend(secrets.iter().any(has).then(|| path.display().to_string()));
            }
        }
        Ok(found)
    }

    /// `HOST:PORT` of the registry.
    pub fn grpc_address(&self) -> &str {
        self.registry_url.trim_start_matches("http://")
    }

    /// The operator's token.
    pub fn admin_token(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.path("admin"))?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn role(&self, role: &str) -> Command {
        let mut command = command_of(&self.binary);
        command
            .arg(role)
            .env("CORTEX_KAFKA", &self.kafka)
            .env("CORTEX_REGISTRY_URL", &self.registry_url)
            .env("CORTEX_WORKER_TOKEN_FILE", self.path("worker"))
            .env("CORTEX_ADMIN_TOKEN_FILE", self.path("admin"))
            .env("CORTEX_TOPIC_PARTITIONS", "6")
            .env("CORTEX_TOPIC_REPLICATION", "-1")
            .envs(&self.settings);
        command
    }

    /// Starts the registry and waits until it answers.
    pub fn registry(&self) -> Result<Process> {
        self.registry_with(&[])
    }

    /// The same with settings of its own.
    pub fn registry_with(&self, settings: Settings<'_>) -> Result<Process> {
        let process = self.start_registry(settings)?;
        self.registry_answers()?;
        Ok(process)
    }

    /// Waits until the registry answers.
    pub fn registry_answers(&self) -> Result<()> {
        until("the registry to answer", Duration::from_secs(120), || {
            Ok(self.client(&["account", "show", "nobody"])?.output()?.stderr.starts_with(b"cortex: NotFound"))
        })
    }

    /// Starts the registry and does not wait for it.
    pub fn start_registry(&self, settings: Settings<'_>) -> Result<Process> {
        self.start_registry_at("registry", &self.registries[0], settings)
    }

    /// Starts the registry of this number, of those behind one address, and does not wait for it.
    pub fn start_balanced(&self, number: usize, settings: Settings<'_>) -> Result<Process> {
        let listen = self.registries.get(number).context("the system has fewer registries")?;
        self.start_registry_at(&format!("registry-{number}"), listen, settings)
    }

    fn start_registry_at(&self, name: &str, listen: &str, settings: Settings<'_>) -> Result<Process> {
        let mut command = self.role("registry");
        command
            .env("CORTEX_DATABASE_URL", &self.database)
            .env("CORTEX_GRPC_LISTEN", listen)
            .env("CORTEX_ALLOWED_ENDPOINTS", &self.s3_endpoint)
            .env("CORTEX_SEALING_KEY", SEALING_KEY)
            .env("CORTEX_SCAN_INTERVAL_MS", "1000")
            .env("CORTEX_SWEEP_INTERVAL_MS", "2000")
            .env("CORTEX_RELIST_INTERVAL_MS", "2000")
            .envs(&self.settings)
            .envs(settings.iter().copied());
        Process::start(name, command, self.dir.path())
    }

    /// Starts a scanner.
    pub fn scanner(&self) -> Result<Process> {
        self.worker("scanner", "scanner", &[])
    }

    /// Starts the parser of this name, with settings besides.
    pub fn parser(&self, name: &str, settings: Settings<'_>) -> Result<Process> {
        self.worker("parser", name, settings)
    }

    /// Starts the scanner or parser of this name, with settings besides.
    pub fn worker(&self, role: &str, name: &str, settings: Settings<'_>) -> Result<Process> {
        let mut command = self.role(role);
        command.env("CORTEX_WORKER_ID", name).envs(settings.iter().copied());
        Process::start(name, command, self.dir.path())
    }

    /// Starts a console and waits until it listens; gives its address besides.
    pub fn console(&self) -> Result<(Process, String)> {
        let listen = free_address()?;
        let mut command = self.role("console");
        command.env("CORTEX_CONSOLE_LISTEN", &listen);
        let mut process = Process::start("console", command, self.dir.path())?;
        until("the console to listen", Duration::from_secs(120), || {
            ensure!(process.is_running()?, "the console has ended: {}", process.tail(25));
            Ok(TcpStream::connect(&listen).is_ok())
        })?;
        Ok((process, format!("http://{listen}")))
    }

    /// Whether the ledger agrees with the topics, by `cortex audit`; gives what it printed.
    pub fn audit(&self, source: &str) -> Result<(bool, Value)> {
        let output = self.client(&["audit", source, "--kafka", &self.kafka])?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let found = serde_json::from_slice(&output.stdout).with_context(|| format!("audit: {said}"))?;
        Ok((output.status.success(), found))
    }

    /// `cortex migrate` of this build on the ledger's database, with these arguments: its status and what it printed.
    pub fn migrate(&self, arguments: &[&str]) -> Result<(Option<i32>, String)> {
        let mut command = cortex()?;
        command.arg("migrate").args(arguments).env("CORTEX_DATABASE_URL", &self.database);
        let output = command.output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn client(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = cortex()?;
        command.args(arguments).args(["--json", "--registry-url", &self.registry_url, "--token-file"]);
        command.arg(self.path("admin"));
        Ok(command)
    }

    /// A client command's JSON lines.
    pub fn ask(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let output = self.client(arguments)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {said}");
        let text = String::from_utf8(output.stdout)?;
        text.lines().map(|line| serde_json::from_str(line).context("a line of JSON")).collect()
    }

    /// Makes a live source with static keys; gives its resource name.
    pub fn source(&self, account: &str, dataset: &str, bucket: &str, keys: (&str, &str)) -> Result<String> {
        std::fs::write(self.path("s3-secret"), keys.1)?;
        let secret = self.path("s3-secret");
        let secret = secret.to_str().context("a path in UTF-8")?;
        let made = self.ask(&[
            "source",
            "create",
            "--account",
            account,
            "--name",
            dataset,
            "--dataset",
            dataset,
            "--bucket",
            bucket,
            "--path",
            dataset,
            "--endpoint-url",
            &self.s3_endpoint,
            "--access-key-id",
            keys.0,
            "--secret-key-file",
            secret,
        ])?;
        let name = made[0]["name"].as_str().context("a source's name")?.to_owned();
        self.ask(&["source", "activate", &name])?;
        Ok(name)
    }
}

impl System {
    /// Names a source's event queue; the empty URL takes it away.
    pub fn event_queue(&self, source: &str, url: &str) -> Result<()> {
        let wanted = Source { event_queue_url: url.to_owned(), ..Source::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.update(source, "event_queue_url", wanted))
    }

    /// Has a source read from this system's S3 server and no other.
    pub async fn on_its_s3(&self, source: &str) -> Result<()> {
        let wanted = Source { endpoint_url: self.s3_endpoint.clone(), ..Source::default() };
        self.update(source, "endpoint_url", wanted).await
    }

    async fn update(&self, source: &str, path: &str, wanted: Source) -> Result<()> {
        let update = UpdateSourceRequest {
            source: Some(Source { name: source.to_owned(), ..wanted }),
            update_mask: Some(FieldMask { paths: vec![path.to_owned()] }),
            ..Default::default()
        };
        let mut registry = Registry::new(connect(&self.registry_url, &self.admin_token()?)?);
        registry.update_source(update).await?;
        Ok(())
    }
}
