//! Apache Kafka in KRaft mode: one broker, or several.

mod broker;
mod cluster;
mod jars;
mod secure;

use std::process::Command;

use anyhow::Result;

pub use cluster::KafkaCluster;
pub use jars::tool as kafka_tool;
pub use secure::SecureKafka;

/// A broker: one that was started here, or one that runs already.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    own: Option<KafkaCluster>,
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
        let own = KafkaCluster::start(1)?;
        Ok(Self { bootstrap: own.bootstrap().to_owned(), own: Some(own) })
    }

    /// `HOST:PORT`
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills the broker that was started here and starts it again on its data; does nothing to one that ran already.
    pub fn restart(&mut self) -> Result<()> {
        let Some(own) = &mut self.own else { return Ok(()) };
        own.kill(0)?;
        own.start_broker(0)
    }

    /// One of Kafka's own tools, by its class.
    ///
    /// # Errors
    /// None once a broker was started here; with a foreign broker the jars are fetched at the first use.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<Command> {
        jars::tool(class, arguments)
    }
}
