//! Apache Kafka, one broker in KRaft mode.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::cache::{folder, succeed};
use crate::server::{Server, accepts, free_port};

/// Where to look for jars: pinned in the pom.
const POM: &str = include_str!("../kafka/pom.xml");
/// The folder of the cache; named after the version in the pom.
const FOLDER: &str = "kafka-4.1.0";
/// Small and quick to start.
const JVM: [&str; 4] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A broker: one that was started here, or one that runs already.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    server: Option<Server>,
    port: u16,
    dir: TempDir,
}

impl Kafka {
    /// Starts a broker, or takes the one that `CORTEX_TEST_KAFKA` points at.
    pub fn start() -> Result<Self> {
        match std::env::var("CORTEX_TEST_KAFKA") {
            Ok(bootstrap) => Ok(Self { bootstrap, own: None }),
            Err(_) => Self::start_own(),
        }
    }

    /// Starts a broker of its own, whatever runs already: for tests that stop it.
    pub fn start_own() -> Result<Self> {
        jars()?;
        let dir = tempfile::Builder::new().prefix("cortex-kafka-").tempdir()?;
        let (port, controller) = (free_port()?, free_port()?);
        let properties = dir.path().join("server.properties");
        std::fs::write(&properties, settings(dir.path(), port, controller))?;
        let file = properties.display().to_string();
        succeed(java()?.args([
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "Y29ydGV4LXRlc3RzLTAwMQ",
            "-c",
            &file,
        ]))?;
        let mut own = Own { server: None, port, dir };
        own.run()?;
        Ok(Self { bootstrap: format!("127.0.0.1:{port}"), own: Some(own) })
    }

    /// `HOST:PORT`
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills the broker that was started here and starts it again on its data; does nothing to one that ran already.
    pub fn restart(&mut self) -> Result<()> {
        let Some(own) = &mut self.own else { return Ok(()) };
        own.server = None;
        own.run()
    }

    /// One of Kafka's own tools, by its class.
    ///
    /// # Errors
    /// None once a broker was started here; with a foreign broker the jars are fetched at the first use.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = java()?;
        command.arg(class).args(arguments);
        Ok(command)
    }
}

impl Own {
    fn run(&mut self) -> Result<()> {
        let mut command = java()?;
        command.arg("kafka.Kafka").arg(self.dir.path().join("server.properties"));
        let mut server = Server::start("kafka", &command, self.dir.path())?;
        let port = self.port;
        server.wait(PATIENCE, || accepts(port))?;
        self.server = Some(server);
        Ok(())
    }
}

/// The jars, fetched by Maven at the first use.
pub(crate) fn jars() -> Result<PathBuf> {
    folder(FOLDER, |partial| {
        let pom = partial.join("pom.xml");
        std::fs::write(&pom, POM)?;
        let libs = format!("-DoutputDirectory={}", partial.join("libs").display());
        succeed(
            Command::new("mvn")
                .args(["-q", "-B", "-f"])
                .arg(&pom)
                .args(["dependency:copy-dependencies", &libs]),
        )
    })
}

fn java() -> Result<Command> {
    let mut command = Command::new("java");
    command.args(JVM).arg("-cp").arg(jars()?.join("libs/*"));
    Ok(command)
}

fn settings(dir: &Path, port: u16, controller: u16) -> String {
    let logs = dir.join("data").display().to_string();
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={logs}\n\
         num.partitions=4\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         group.initial.rebalance.delay.ms=0\n\
         group.coordinator.threads=1\n"
    )
}
