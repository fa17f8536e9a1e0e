//! Kafka's jars, and the Java that runs them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::maven::jars;

/// Where to look for jars: pinned in the pom.
const POM: &str = include_str!("../../kafka/pom.xml");
/// The folder of the cache; named after the version in the pom.
const FOLDER: &str = "kafka-4.1.0";
/// Small and quick to start. One logger says more than the others: the one that tells that a broker is ready.
const JVM: [&str; 4] = [
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
];
/// Heap of a broker that is alone, and of a tool.
pub(super) const HEAP: &str = "-Xmx512m";
/// Heap of a broker beside others.
pub(super) const HEAP_BESIDE_OTHERS: &str = "-Xmx384m";

/// The jars, fetched by Maven at the first use.
pub(super) fn fetch() -> Result<PathBuf> {
    jars(FOLDER, POM)
}

/// A `java` command that lacks the class to run.
pub(super) fn java(heap: &str) -> Result<Command> {
    let mut command = Command::new("java");
    command.arg(heap).args(JVM).arg("-cp").arg(fetch()?.join("*"));
    Ok(command)
}

/// One of Kafka's own tools, by its class.
///
/// # Errors
/// Where the jars are not there yet and cannot be fetched.
pub fn tool(class: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = java(HEAP)?;
    command.arg(class).args(arguments);
    Ok(command)
}
