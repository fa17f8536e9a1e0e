//! Kafka Connect, standalone, with Kafka's own file source: lines of local files as they are. No connector that reads CSV from
//! S3 is on Maven Central, so this tells what Connect's runtime costs without decoding or S3.

use std::fmt::Write as _;

use anyhow::Result;
use end_to_end::process::Process;

use super::Outcome;
use super::contestant::{Arena, Contestant};

pub(super) const CONNECT: Contestant = Contestant {
    name: "Kafka Connect",
    what: "4.1.0, Kafka's file source",
    reads: "local disk",
    writes: "lines as they are",
    guarantee: "at least once",
};
const POM: &str = include_str!("../../../java/kafka-connect/pom.xml");
/// The jars' name in the cache: changes with the pom.
const JARS: &str = "kafka-connect-4.1.0";
/// As Kafka's own `connect-standalone.sh` has it.
const JVM: [&str; 3] = ["-Xms256M", "-Xmx2G", "-XX:+UseG1GC"];
const TOPIC: &str = "rivals.connect";

pub(super) fn run(arena: &Arena) -> Result<Outcome> {
    let mut command = match services::java(JARS, POM) {
        Ok(command) => command,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    arena.topic(TOPIC)?;
    let dir = arena.dir.path();
    let worker = dir.join("worker.properties");
    std::fs::write(&worker, worker_settings(arena))?;
    command.args(JVM).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.arg("org.apache.kafka.connect.cli.ConnectStandalone").arg(&worker);
    // A task a file, all at once.
    for (at, file) in arena.on_disk().iter().enumerate() {
        let connector = dir.join(format!("file-{at}.properties"));
        let settings = format!(
            "name=file-{at}\n\
             connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector\n\
             tasks.max=1\n\
             topic={TOPIC}\n\
             file={}\n",
            file.display()
        );
        std::fs::write(&connector, settings)?;
        command.arg(&connector);
    }
    // It takes the names of the columns for a row, and may keep a file's last line back until more is written to the file.
    let lines = arena.rows()..=arena.rows() + arena.files;
    let mut process = Process::start("kafka-connect", command, dir)?;
    let figures = arena.watch(&mut process, TOPIC, *lines.start())?;
    drop(process);
    arena.all_are_there(TOPIC, lines, |line| line.starts_with(b"user-") || line.starts_with(b"user_id"))?;
    Ok(Outcome::Ran(arena.told(&CONNECT, figures)))
}

fn worker_settings(arena: &Arena) -> String {
    let offsets = arena.dir.path().join("offsets").display().to_string();
    let mut settings = String::new();
    for (name, value) in [
        ("bootstrap.servers", arena.stage.kafka.bootstrap()),
        ("key.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("value.converter", "org.apache.kafka.connect.storage.StringConverter"),
        ("offset.storage.file.filename", offsets.as_str()),
        ("listeners", "http://127.0.0.1:0"),
        ("plugin.discovery", "service_load"),
        // As the parser's producer; a batch larger than the 16 KiB by default, as one sets it for throughput.
        ("producer.compression.type", "lz4"),
        ("producer.linger.ms", "20"),
        ("producer.batch.size", "262144"),
        ("producer.buffer.memory", "67108864"),
    ] {
        let _ = writeln!(settings, "{name}={value}");
    }
    settings
}
