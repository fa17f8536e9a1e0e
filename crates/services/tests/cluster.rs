//! A cluster of brokers loses some of them and gets them back.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use services::KafkaCluster;

/// Runs one of Kafka's tools on the cluster.
fn run(cluster: &KafkaCluster, class: &str, arguments: &[&str], input: &str) -> Output {
    let mut all = vec!["--bootstrap-server", cluster.bootstrap()];
    all.extend(arguments);
    let mut command = cluster.tool(&format!("org.apache.kafka.tools.{class}"), &all).unwrap();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn create(cluster: &KafkaCluster, topic: &str, more: &[&str]) {
    let mut arguments = vec!["--create", "--topic", topic, "--partitions", "4"];
    arguments.extend(more);
    let output = run(cluster, "TopicCommand", &arguments, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a message with `acks=all`; the complaint where it is not acknowledged in so many seconds.
fn write_within(cluster: &KafkaCluster, topic: &str, message: &str, seconds: u32) -> Result<(), String> {
    let limit = format!("delivery.timeout.ms={}", seconds * 1_000);
    let block = format!("max.block.ms={}", seconds * 1_000);
    let mut arguments = vec!["--topic", topic, "--sync"];
    for property in ["acks=all", "linger.ms=0", "request.timeout.ms=4000", &limit, &block] {
        arguments.extend(["--producer-property", property]);
    }
    let output = run(cluster, "ConsoleProducer", &arguments, &format!("{message}\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.success() && !said.contains("Exception") { Ok(()) } else { Err(said) }
}

/// Writes a message; on a busy machine a new leader may be long in coming.
fn write(cluster: &KafkaCluster, topic: &str, message: &str) {
    write_within(cluster, topic, message, 90).unwrap();
}

/// The complaint of a write that is not acknowledged.
fn refusal(cluster: &KafkaCluster, topic: &str, message: &str) -> String {
    write_within(cluster, topic, message, 12).unwrap_err()
}

/// What is read from the topic's start, in order of the text: at most so many messages, or until no more come.
fn read(cluster: &KafkaCluster, topic: &str, most: usize) -> Vec<String> {
    let count = most.to_string();
    let arguments = ["--topic", topic, "--from-beginning", "--max-messages", &count, "--timeout-ms", "40000"];
    let output = run(cluster, "consumer.ConsoleConsumer", &arguments, "");
    let mut messages: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    messages.sort();
    messages
}

#[test]
fn a_cluster_serves_with_one_broker_down_and_refuses_writes_with_two_until_they_are_back() {
    let mut cluster = KafkaCluster::start(3).unwrap();
    assert_eq!(cluster.len(), 3);
    assert_eq!(cluster.bootstrap().split(',').count(), 3);
    create(&cluster, "kept", &[]);
    create(&cluster, "strict", &["--config", "min.insync.replicas=3"]);
    write(&cluster, "kept", "a");
    write(&cluster, "strict", "a");

    cluster.kill(0).unwrap();
    assert!(!cluster.is_running(0) && cluster.is_running(1));
    write(&cluster, "kept", "b");
    assert_eq!(read(&cluster, "kept", 2), ["a", "b"]);
    let refused = refusal(&cluster, "strict", "b");
    assert!(refused.contains("NotEnoughReplicas") || refused.contains("in-sync"), "{refused}");

    cluster.kill(1).unwrap();
    // Two of three controllers are gone too, so no one takes the dead brokers off the list of copies: the write is not
    // refused by name, it runs out of time.
    let refused = refusal(&cluster, "kept", "unsure");
    assert!(refused.contains("TimeoutException") || refused.contains("NotEnoughReplicas"), "{refused}");

    cluster.start_all().unwrap();
    assert!((0..3).all(|broker| cluster.is_running(broker)));
    write(&cluster, "kept", "c");
    write(&cluster, "strict", "c");
    let mut kept = read(&cluster, "kept", 3);
    if kept.contains(&"unsure".to_owned()) {
        // The one broker that was left kept what it did not acknowledge, as it may.
        kept = read(&cluster, "kept", 4);
        kept.retain(|message| message != "unsure");
    }
    assert_eq!(kept, ["a", "b", "c"]);
}

#[test]
fn a_paused_broker_is_left_out_and_catches_up_and_one_that_is_stopped_hands_over() {
    let mut cluster = KafkaCluster::start(3).unwrap();
    create(&cluster, "kept", &[]);
    cluster.pause(2).unwrap();
    assert!(cluster.is_running(2));
    write(&cluster, "kept", "a");
    cluster.resume(2).unwrap();
    in_sync_again(&cluster, "kept");

    cluster.stop(1).unwrap();
    assert!(!cluster.is_running(1));
    assert!(cluster.pause(1).is_err());
    write(&cluster, "kept", "b");
    cluster.start_broker(1).unwrap();
    in_sync_again(&cluster, "kept");
    assert_eq!(read(&cluster, "kept", 2), ["a", "b"]);
    assert!(cluster.kill(3).is_err());
}

/// Waits until every copy of the topic is up to date.
fn in_sync_again(cluster: &KafkaCluster, topic: &str) {
    let begun = Instant::now();
    loop {
        let arguments = ["--describe", "--under-replicated-partitions", "--topic", topic];
        let output = run(cluster, "TopicCommand", &arguments, "");
        if output.status.success() && output.stdout.is_empty() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
