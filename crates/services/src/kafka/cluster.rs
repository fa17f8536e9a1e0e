//! Several brokers, each of which can be killed, held and started again.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::broker::{Broker, layout};
use super::jars::{self, Jvm};

/// Brokers that were started here, counted from 0. Each is a controller too, so that whatever needs a majority (a new
/// leader, a broker's start) waits for more than half of them.
///
/// Topics get three copies (fewer where there are fewer brokers), and a write with `acks=all` needs two of them where
/// there are three brokers or more.
#[derive(Debug)]
pub struct KafkaCluster {
    brokers: Vec<Broker>,
    bootstrap: String,
}

impl KafkaCluster {
    /// Starts so many brokers, and returns once all of them have joined.
    ///
    /// # Errors
    /// Where `brokers` is 0, the jars cannot be fetched, or a broker does not start; the message has the end of its log.
    pub fn start(brokers: usize) -> Result<Self> {
        Self::start_on(brokers, if brokers == 1 { Jvm::Small } else { Jvm::Smaller })
    }

    /// Starts one broker that is to be measured, or measured against: its JVM has the memory and the options that Kafka's own
    /// script gives it. It takes longer to start.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_as_shipped() -> Result<Self> {
        Self::start_on(1, Jvm::Shipped)
    }

    fn start_on(brokers: usize, jvm: Jvm) -> Result<Self> {
        ensure!(brokers > 0, "a cluster has at least one broker");
        jars::fetch()?;
        let mut brokers = layout(brokers, jvm)?;
        format(&brokers)?;
        run(brokers.iter_mut())?;
        let bootstrap = brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",");
        Ok(Self { brokers, bootstrap })
    }

    /// `HOST:PORT,HOST:PORT,…`, every broker, whether it runs or not.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `HOST:PORT` of one broker.
    pub fn address(&self, broker: usize) -> Result<String> {
        Ok(self.broker(broker)?.address())
    }

    /// How many brokers it has, whether they run or not.
    #[allow(clippy::len_without_is_empty, reason = "there is no empty cluster")]
    pub fn len(&self) -> usize {
        self.brokers.len()
    }

    /// Kills a broker (SIGKILL) and keeps its data; does nothing to one that does not run.
    pub fn kill(&mut self, broker: usize) -> Result<()> {
        self.broker_mut(broker)?.kill();
        Ok(())
    }

    /// Has a broker hand over what it leads and end (SIGTERM), and waits for that; does nothing to one that does not run.
    ///
    /// # Errors
    /// Where it has not ended after a minute and a half, as without a majority of the controllers. It is killed then.
    pub fn stop(&mut self, broker: usize) -> Result<()> {
        self.broker_mut(broker)?.stop()
    }

    /// Starts a broker again on its data and its port, and waits until it serves; does nothing to one that runs.
    ///
    /// # Errors
    /// Where it does not serve after a minute and a half, as without a majority of the controllers:
    /// [`start_all`](Self::start_all) starts several at once.
    pub fn start_broker(&mut self, broker: usize) -> Result<()> {
        run(std::iter::once(self.broker_mut(broker)?))
    }

    /// Starts every broker that does not run, and waits until all serve.
    pub fn start_all(&mut self) -> Result<()> {
        run(self.brokers.iter_mut())
    }

    /// True while the broker's process is there, also where it is paused. False for a broker that the cluster lacks.
    pub fn is_running(&self, broker: usize) -> bool {
        self.brokers.get(broker).is_some_and(Broker::is_running)
    }

    /// Holds a broker (SIGSTOP): its connections stay open and nothing answers on them.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pause(&self, broker: usize) -> Result<()> {
        self.broker(broker)?.signal("STOP")
    }

    /// Lets a paused broker go on (SIGCONT).
    ///
    /// # Errors
    /// Where it does not run.
    pub fn resume(&self, broker: usize) -> Result<()> {
        self.broker(broker)?.signal("CONT")
    }

    /// One of Kafka's own tools, by its class.
    ///
    /// # Errors
    /// None: the jars are there since the start.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<Command> {
        jars::tool(class, arguments)
    }

    fn broker(&self, broker: usize) -> Result<&Broker> {
        self.brokers.get(broker).with_context(|| format!("no broker {broker} of {}", self.brokers.len()))
    }

    fn broker_mut(&mut self, broker: usize) -> Result<&mut Broker> {
        let all = self.brokers.len();
        self.brokers.get_mut(broker).with_context(|| format!("no broker {broker} of {all}"))
    }
}

/// Formats the storage of each, all at once: most of the time is the start of a Java.
fn format(brokers: &[Broker]) -> Result<()> {
    std::thread::scope(|scope| {
        let all: Vec<_> = brokers.iter().map(|broker| scope.spawn(|| broker.format())).collect();
        all.into_iter()
            .try_for_each(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Starts those that do not run, and only then waits for each: the first is not ready before a majority is there.
fn run<'a>(brokers: impl Iterator<Item = &'a mut Broker>) -> Result<()> {
    let down: Vec<_> = brokers.filter(|broker| !broker.is_running()).collect();
    let mut started = Vec::new();
    for broker in down {
        broker.spawn()?;
        started.push(broker);
    }
    started.into_iter().try_for_each(Broker::wait)
}
