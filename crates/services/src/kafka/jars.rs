//! Kafka's jars, and the Java that runs them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::maven::jars;

/// Where to look for jars: pinned in the pom.
const POM: &str = include_str!("../../kafka/pom.xml");
/// The folder of the cache; named after the version in the pom.
const FOLDER: &str = "kafka-4.1.0";
/// One logger says more than the others: the one that tells that a broker is ready.
const LOGS: [&str; 2] = [
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
];

/// How a Java virtual machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jvm {
    /// Small and quick to start: a broker that is alone in its test, and a tool.
    Small,
    /// The same with less memory: a broker beside others.
    Smaller,
    /// As `kafka-server-start.sh` runs a broker, with all of the compiler: for measurements.
    Shipped,
}

impl Jvm {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Small => &["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
            Self::Smaller => &["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
            Self::Shipped => &[
                "-Xms1G",
                "-Xmx1G",
                "-server",
                "-XX:+UseG1GC",
                "-XX:MaxGCPauseMillis=20",
                "-XX:InitiatingHeapOccupancyPercent=35",
                "-XX:+ExplicitGCInvokesConcurrent",
            ],
        }
    }
}

/// The jars, fetched by Maven at the first use.
pub(super) fn fetch() -> Result<PathBuf> {
    jars(FOLDER, POM)
}

/// A `java` command that lacks the class to run.
pub(super) fn java(jvm: Jvm) -> Result<Command> {
    let mut command = Command::new("java");
    command.args(jvm.options()).args(LOGS).arg("-cp").arg(fetch()?.join("*"));
    Ok(command)
}

/// One of Kafka's own tools, by its class.
///
/// # Errors
/// Where the jars are not there yet and cannot be fetched.
pub fn tool(class: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = java(Jvm::Small)?;
    command.arg(class).args(arguments);
    Ok(command)
}
