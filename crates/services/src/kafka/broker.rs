//! One broker of a cluster: its settings, its files, its process.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::jars::{Jvm, java};
use crate::cache::succeed;
use crate::server::{Server, accepts, free_ports};

/// The id that every cluster's storage is formatted with.
pub(super) const CLUSTER: &str = "Y29ydGV4LXRlc3RzLTAwMQ";
/// How long a start or an orderly end may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// Logged once the controllers count the broker among those that lead and copy. Its port opens a little before.
pub(super) const READY: &str = "Kafka Server started";

#[derive(Debug)]
pub(super) struct Broker {
    // Before the folder: the process is gone before its files are.
    server: Option<Server>,
    port: u16,
    jvm: Jvm,
    dir: TempDir,
}

/// The folders and settings of so many brokers that know one another.
pub(super) fn layout(brokers: usize, jvm: Jvm) -> Result<Vec<Broker>> {
    let ports = free_ports(2 * brokers)?;
    let (ports, controllers) = ports.split_at(brokers);
    let voters = controllers.iter().zip(1..).map(|(port, id)| format!("{id}@127.0.0.1:{port}"));
    let voters = voters.collect::<Vec<_>>().join(",");
    let each = ports.iter().zip(controllers).zip(1..);
    each.map(|((&port, &controller), id)| {
        let dir = tempfile::Builder::new().prefix("cortex-kafka-").tempdir()?;
        let broker = Broker { server: None, port, jvm, dir };
        let data = broker.dir.path().join("data");
        let settings = format!(
            "node.id={id}\n\
             controller.quorum.voters={voters}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
             log.dirs={}\n\
             {}",
            data.display(),
            common_settings(brokers)
        );
        std::fs::write(broker.properties(), settings)?;
        Ok(broker)
    })
    .collect()
}

/// What all brokers share. Time limits are short so that tests see what follows on them.
fn common_settings(brokers: usize) -> String {
    let copies = brokers.min(3);
    let needed = if brokers >= 3 { 2 } else { 1 };
    format!(
        "process.roles=broker,controller\n\
         controller.listener.names=CONTROLLER\n\
         num.partitions=4\n\
         default.replication.factor={copies}\n\
         min.insync.replicas={needed}\n\
         offsets.topic.replication.factor={copies}\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor={copies}\n\
         transaction.state.log.min.isr={needed}\n\
         transaction.state.log.num.partitions=4\n\
         transaction.abort.timed.out.transaction.cleanup.interval.ms=1000\n\
         unclean.leader.election.enable=false\n\
         controlled.shutdown.enable=true\n\
         replica.lag.time.max.ms=5000\n\
         broker.session.timeout.ms=6000\n\
         broker.heartbeat.interval.ms=1000\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=1000\n\
         group.coordinator.threads=1\n"
    )
}

impl Broker {
    /// `HOST:PORT`
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn properties(&self) -> PathBuf {
        self.dir.path().join("server.properties")
    }

    pub(super) fn format(&self) -> Result<()> {
        let arguments = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"];
        succeed(java(Jvm::Small)?.args(arguments).arg(self.properties()))
    }

    /// Starts the process on whatever data is there.
    pub(super) fn spawn(&mut self) -> Result<()> {
        self.kill();
        let mut command = java(self.jvm)?;
        command.arg("kafka.Kafka").arg(self.properties());
        self.server = Some(Server::start("kafka", &command, self.dir.path())?);
        Ok(())
    }

    /// Waits until a started one serves. One that does not is killed.
    pub(super) fn wait(&mut self) -> Result<()> {
        let port = self.port;
        let mut server = self.server.take().context("the broker was not started")?;
        server.wait(PATIENCE, |server| server.said(READY) && accepts(port))?;
        self.server = Some(server);
        Ok(())
    }

    pub(super) fn kill(&mut self) {
        self.server = None;
    }

    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        server.signal("TERM")?;
        server.wait_for_end(PATIENCE)
    }

    pub(super) fn is_running(&self) -> bool {
        self.server.as_ref().is_some_and(Server::is_running)
    }

    pub(super) fn signal(&self, signal: &str) -> Result<()> {
        self.server.as_ref().context("the broker does not run")?.signal(signal)
    }
}
