//! Kafka that loses brokers, one and then two of three, moves its coordinators and times transactions out.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::until;
use end_to_end::world::{PATIENCE, World};

const LARGE: &str = "2026-11-23/large.csv";

fn reading_a_large_file(name: &str, brokers: usize, parser: &[(&str, &str)]) -> Result<World> {
    let mut world = World::start(name, brokers)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.run("parser", "parser-1", parser)?;
    world.put(&events(LARGE, 400_000, 1_000, Style::Csv, Packing::Plain)?)?;
    for number in 0..10 {
        let key = format!("2026-11-22/file-{number}.json.gz");
        world.put(&events(&key, 300, 50, Style::JsonLines, Packing::Gzip)?)?;
    }
    world.in_the_middle(LARGE)?;
    Ok(world)
}

fn rows(world: &World) -> Result<u64> {
    let file = world.file(LARGE)?.context("the large file")?;
    Ok(file["rows"].as_str().unwrap_or("0").parse()?)
}

#[test]
fn a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing() -> Result<()> {
    let mut world = reading_a_large_file("broker", 1, &[])?;
    for _ in 0..2 {
        world.kafka.kill(0)?;
        std::thread::sleep(Duration::from_secs(2));
        world.kafka.start_broker(0)?;
        let at = rows(&world)?;
        until("the file to go on", PATIENCE, || {
            let finished = world.file(LARGE)?.is_some_and(|file| file.get("finish_time").is_some());
            Ok(finished || rows(&world)? > at)
        })?;
    }
    world.each_row_once()
}

/// Every broker is killed in turn, and with it the coordinators of groups and transactions that it has; then two at once,
/// which stops all work.
#[test]
fn three_brokers_that_lose_one_go_on_and_that_lose_two_stop_and_resume() -> Result<()> {
    let mut world = reading_a_large_file("brokers", 3, &[])?;
    for broker in 0..3 {
        world.kafka.kill(broker)?;
        world.put(&events(
            &format!("2026-11-22/without-{broker}.csv"),
            300,
            50,
            Style::Csv,
            Packing::Plain,
        )?)?;
        // With two of three in sync the work goes on, once the coordinators have moved.
        world.at_rest_of(&format!("2026-11-22/without-{broker}.csv"))?;
        world.kafka.start_broker(broker)?;
    }
    world.kafka.kill(0)?;
    world.kafka.kill(1)?;
    let waiting = "2026-11-22/without-two.csv";
    world.put(&events(waiting, 300, 50, Style::Csv, Packing::Plain)?)?;
    std::thread::sleep(Duration::from_secs(20));
    let file = world.file(waiting)?;
    ensure!(file.as_ref().is_none_or(|file| file.get("finish_time").is_none()), "{file:?}");
    world.kafka.start_all()?;
    world.each_row_once()
}

/// The session outlives the pause and the transaction does not: the broker aborts it under the parser.
#[test]
fn a_transaction_that_times_out_is_read_again_from_its_checkpoint() -> Result<()> {
    let settings = [("CORTEX_KAFKA_PROPERTIES", "session.timeout.ms=45000,transaction.timeout.ms=5000")];
    let mut world = reading_a_large_file("timeout", 1, &settings)?;
    for _ in 0..2 {
        world.process("parser-1")?.signal("STOP")?;
        std::thread::sleep(Duration::from_secs(8));
        world.process("parser-1")?.signal("CONT")?;
        std::thread::sleep(Duration::from_secs(1));
    }
    world.each_row_once()
}
