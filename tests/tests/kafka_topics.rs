//! `cortex topics plan` and `apply` against a real broker, and what Kafka's own tools then say of the topics.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::process::{cortex, until};
use serde_json::Value;
use services::KafkaCluster;

/// How long a change may take to be seen.
const SEEN: Duration = Duration::from_secs(30);
const TOPICS: usize = 7;

/// `cortex topics COMMAND --json` with settings; its status and what it printed.
fn topics(kafka: &KafkaCluster, command: &[&str], settings: &[&str]) -> Result<(i32, Value)> {
    let mut cortex = cortex()?;
    cortex.arg("topics").args(command).args(["--json", "--kafka", kafka.bootstrap()]);
    for pair in settings {
        cortex.args(["--set", pair]);
    }
    let output = cortex.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let printed = serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?}: {said}"))?;
    Ok((output.status.code().context("a status")?, printed))
}

/// What each change is: its topic, what of it, and its effect.
fn changes(printed: &Value, list: &str) -> Vec<(String, String, String)> {
    let text = |change: &Value, name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let all = printed[list].as_array().cloned().unwrap_or_default();
    let named = |change: &Value| match text(change, "what").as_str() {
        "setting" => text(change, "setting"),
        what => what.to_owned(),
    };
    all.iter().map(|change| (text(change, "topic"), named(change), text(change, "effect"))).collect()
}

/// What Kafka's own tool says of a topic.
fn described(kafka: &KafkaCluster, topic: &str) -> Result<String> {
    let arguments = ["--bootstrap-server", kafka.bootstrap(), "--describe", "--topic", topic];
    let output = kafka.tool("org.apache.kafka.tools.TopicCommand", &arguments)?.output()?;
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn a_plan_is_applied_once_and_nothing_is_lost_unasked() -> Result<()> {
    let kafka = KafkaCluster::start(1)?;
    let (status, planned) = topics(&kafka, &["plan"], &[])?;
    ensure!(status == 2 && changes(&planned, "changes").len() == TOPICS, "{status}: {planned}");
    let (status, applied) = topics(&kafka, &["apply"], &[])?;
    ensure!(status == 0 && changes(&applied, "made").len() == TOPICS, "{status}: {applied}");
    until("the topics to be as planned", SEEN, || Ok(topics(&kafka, &["plan"], &[])?.0 == 0))?;
    let events = described(&kafka, "cortex.events.v1")?;
    for part in
        ["PartitionCount: 12", "ReplicationFactor: 1", "retention.ms=604800000", "min.insync.replicas=1"]
    {
        ensure!(events.contains(part), "{part}: {events}");
    }
    let (status, again) = topics(&kafka, &["apply"], &[])?;
    ensure!(status == 0 && changes(&again, "made").is_empty(), "{again}");

    // What someone else has set stays.
    let configs = ["--bootstrap-server", kafka.bootstrap(), "--alter", "--topic", "cortex.events.v1"];
    let other = [&configs[..], &["--add-config", "segment.bytes=123456789"]].concat();
    let set = kafka.tool("kafka.admin.ConfigCommand", &other)?.output()?;
    ensure!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));

    let settings =
        ["topic_overrides=events.partitions=18,events.retention.ms=1000,events.compression.type=lz4"];
    let event =
        |what: &str, effect: &str| ("cortex.events.v1".to_owned(), what.to_owned(), effect.to_owned());
    let (status, planned) = topics(&kafka, &["plan"], &settings)?;
    let found = changes(&planned, "changes");
    let wanted =
        [event("partitions", "safe"), event("compression.type", "safe"), event("retention.ms", "may_lose")];
    ensure!(status == 2 && found == wanted, "{found:?}");
    ensure!(
        planned["changes"][0]["note"].as_str().is_some_and(|note| note.contains("keys move")),
        "{planned}"
    );

    let (status, applied) = topics(&kafka, &["apply"], &settings)?;
    ensure!(status == 2 && changes(&applied, "made") == wanted[..2], "{applied}");
    ensure!(changes(&applied, "changes") == wanted[2..], "{applied}");
    until("the new partitions to be seen", SEEN, || {
        Ok(changes(&topics(&kafka, &["plan"], &settings)?.1, "changes") == wanted[2..])
    })?;
    let events = described(&kafka, "cortex.events.v1")?;
    for part in
        ["PartitionCount: 18", "retention.ms=604800000", "compression.type=lz4", "segment.bytes=123456789"]
    {
        ensure!(events.contains(part), "{part}: {events}");
    }
    let (status, applied) = topics(&kafka, &["apply", "--allow-loss"], &settings)?;
    ensure!(status == 0 && changes(&applied, "made") == wanted[2..], "{applied}");
    ensure!(described(&kafka, "cortex.events.v1")?.contains("retention.ms=1000"));

    // Back to the defaults: partitions are not taken away, and a longer retention loses nothing.
    let (status, applied) = topics(&kafka, &["apply"], &[])?;
    ensure!(status == 2 && changes(&applied, "changes") == [event("partitions", "by_hand")], "{applied}");
    ensure!(changes(&applied, "made") == [event("retention.ms", "safe")], "{applied}");
    ensure!(described(&kafka, "cortex.events.v1")?.contains("PartitionCount: 18"));
    Ok(())
}

#[test]
fn a_cluster_that_is_not_there_and_more_copies_than_brokers_are_told() -> Result<()> {
    let output = cortex()?.args(["topics", "plan", "--kafka", "127.0.0.1:1"]).output()?;
    ensure!(output.status.code() == Some(6), "{output:?}");
    let kafka = KafkaCluster::start(1)?;
    let copies = ["topics", "apply", "--set", "topic_replication=3", "--kafka", kafka.bootstrap()];
    let output = cortex()?.args(copies).output()?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1) && said.contains("topic_replication"), "{said}");
    Ok(())
}
