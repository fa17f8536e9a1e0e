//! Scanners and registries that die between what they do and what they note, and keys that are published more than once,
//! on real Kafka, PostgreSQL and S3.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use anyhow::{Result, ensure};
use end_to_end::consumer::read_committed;
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::until;
use end_to_end::republish::{is_through, republish};
use end_to_end::world::{PATIENCE, World};
use services::kafka_tool;

const OBJECTS: &str = "cortex.objects.v1";

/// Files of one day; `from` is the number of the first.
fn files(world: &mut World, from: usize, count: usize) -> Result<()> {
    for number in from..from + count {
        let key = format!("2026-11-22/file-{number}.csv");
        world.put(&events(&key, 300, 50, Style::Csv, Packing::Plain)?)?;
    }
    Ok(())
}

/// A system without scanner, with a parser and ten files.
fn world(name: &str, registry: &[(&str, &str)]) -> Result<World> {
    let mut world = World::start(name, 1)?;
    world.source(registry)?;
    world.run("parser", "parser-1", &[])?;
    files(&mut world, 0, 10)?;
    Ok(world)
}

/// Reads what is on the topic of objects and puts it there again, so many times.
fn publish_again(world: &World, times: usize) -> Result<()> {
    let bootstrap = world.kafka.bootstrap();
    let published = read_committed(bootstrap, OBJECTS)?;
    ensure!(!published.is_empty(), "nothing was published");
    republish(bootstrap, OBJECTS, &published, times)
}

#[test]
fn a_scanner_that_dies_before_or_behind_publishing_loses_and_doubles_nothing() -> Result<()> {
    let mut world = world("scanner", &[])?;
    for (number, step) in ["scanner.before-publish", "scanner.before-mark"].into_iter().enumerate() {
        files(&mut world, 10 + 10 * number, 10)?;
        let faults = format!("{step}=1*return");
        world.run("scanner", "scanner", &[("FAILPOINTS", &faults)])?;
        world.ends("scanner", PATIENCE)?;
    }
    world.run("scanner", "scanner", &[])?;
    world.each_row_once()
}

#[test]
fn a_scanner_that_lost_its_lease_while_frozen_does_no_harm() -> Result<()> {
    let mut world = world("lease", &[])?;
    // Frozen for as long as it likes between publishing and marking, with the lease in its hands.
    world.run(
        "scanner",
        "scanner-1",
        &[("FAILPOINTS", "scanner.before-mark=1*pause"), ("CORTEX_LEASE_SECONDS", "3")],
    )?;
    until("the first scanner to publish", PATIENCE, || {
        Ok(world.files()?.iter().any(|file| file["state"] != "FILE_STATE_DISCOVERED"))
    })?;
    world.process("scanner-1")?.signal("STOP")?;
    world.run("scanner", "scanner-2", &[("CORTEX_LEASE_SECONDS", "3")])?;
    files(&mut world, 10, 10)?;
    world.at_rest()?;
    world.process("scanner-1")?.signal("CONT")?;
    files(&mut world, 20, 10)?;
    world.each_row_once()
}

#[test]
fn a_registry_that_dies_before_or_behind_applying_progress_counts_each_chunk_once() -> Result<()> {
    let mut world = world("progress", &[])?;
    world.run("scanner", "scanner", &[])?;
    world.at_rest()?;
    for (number, step) in ["registry.before-apply", "registry.after-apply"].into_iter().enumerate() {
        let faults = format!("{step}=2*off->return");
        world.processes.remove("registry");
        let registry = world.system.registry_with(&[("FAILPOINTS", &faults)])?;
        world.processes.insert("registry".to_owned(), registry);
        files(&mut world, 10 + 10 * number, 10)?;
        world.ends("registry", PATIENCE)?;
        let registry = world.system.registry()?;
        world.processes.insert("registry".to_owned(), registry);
    }
    world.each_row_once()
}

#[test]
fn a_registry_that_is_killed_again_and_again_loses_and_doubles_nothing() -> Result<()> {
    let mut world = world("registry", &[])?;
    world.run("scanner", "scanner", &[])?;
    world.put(&events("2026-11-23/large.csv", 200_000, 1_000, Style::Csv, Packing::Plain)?)?;
    for number in 0..8 {
        files(&mut world, 10 + 5 * number, 5)?;
        std::thread::sleep(Duration::from_millis(400 + 171 * (number as u64 % 5)));
        world.process("registry")?.kill()?;
        let registry = world.system.start_registry(&[])?;
        world.processes.insert("registry".to_owned(), registry);
    }
    world.system.registry_answers()?;
    world.each_row_once()
}

#[test]
fn a_key_that_is_published_thrice_and_on_other_partitions_is_read_once() -> Result<()> {
    let mut world = world("thrice", &[])?;
    world.run("scanner", "scanner", &[])?;
    world.at_rest()?;
    publish_again(&world, 2)?;
    // With more partitions the same keys come onto others, and both copies of a new file may be read at once.
    let alter =
        ["--bootstrap-server", world.kafka.bootstrap(), "--alter", "--topic", OBJECTS, "--partitions", "11"];
    let status = kafka_tool("org.apache.kafka.tools.TopicCommand", &alter)?.status()?;
    ensure!(status.success(), "the partitions were not increased");
    publish_again(&world, 1)?;
    world.run("parser", "parser-2", &[])?;
    files(&mut world, 10, 30)?;
    until("new files to be published", PATIENCE, || Ok(world.files()?.len() >= 40))?;
    publish_again(&world, 1)?;
    until("the group to be through", PATIENCE, || through(&world))?;
    world.each_row_once()
}

/// The same, with the claim switched off: what the other tests look at would see it.
#[test]
fn without_the_claim_a_key_that_is_published_again_doubles_rows() -> Result<()> {
    let mut world = world("unclaimed", &[("FAILPOINTS", "ledger.unclaimed=return")])?;
    world.run("scanner", "scanner", &[])?;
    world.at_rest()?;
    publish_again(&world, 1)?;
    until("the group to be through", PATIENCE, || through(&world))?;
    let verdict = world.verdict()?;
    ensure!(verdict.duplicates > 0, "{verdict}");
    let (agrees, found) = world.system.audit(&world.source)?;
    ensure!(!agrees, "the audit saw nothing: {found}");
    Ok(())
}

#[test]
fn a_file_that_no_one_reads_is_shown_as_stuck_and_may_be_opened_again() -> Result<()> {
    let mut world = World::start("stuck", 1)?;
    world.source(&[("CORTEX_STUCK_AFTER_MS", "2000")])?;
    world.run("scanner", "scanner", &[])?;
    files(&mut world, 0, 1)?;
    let key = "2026-11-22/file-0.csv";
    until("the file to be shown as stuck", PATIENCE, || {
        Ok(world.file(key)?.is_some_and(|file| file["stuck"]["code"] == "not_claimed"))
    })?;
    world.system.ask(&["source", "reprocess", &world.source, &format!("events/{key}")])?;
    // Both messages are on the queue by now; the older one finds its generation ended.
    world.run("parser", "parser-1", &[])?;
    world.each_row_once()?;
    let states: Vec<_> =
        world.files()?.into_iter().map(|file| (file["generation"].clone(), file["state"].clone())).collect();
    ensure!(states.contains(&(1.into(), "FILE_STATE_SUPERSEDED".into())), "{states:?}");
    ensure!(states.contains(&(2.into(), "FILE_STATE_ACCEPTED_WITH_REJECTIONS".into())), "{states:?}");
    Ok(())
}

/// True once the parsers have committed what is on the topic.
fn through(world: &World) -> Result<bool> {
    is_through(world.kafka.bootstrap(), "cortex-parsers", OBJECTS)
}
