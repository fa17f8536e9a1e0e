//! Large objects that are read in ranges by several parsers, on real Kafka, PostgreSQL and S3, while they die: each row is
//! seen once, under its own number.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::consumer::read_committed;
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::process::until;
use end_to_end::world::{PATIENCE, World};
use prost::Message as _;
use records::queue::{FileProgress, ObjectFound};
use records::topic::{FILE_PROGRESS, OBJECTS};

/// Ranges of the least size.
const SPLIT: [(&str, &str); 2] = [("CORTEX_SPLIT_OVER_BYTES", "1000000"), ("CORTEX_RANGE_BYTES", "1")];
const ROWS: u64 = 250_000;

fn world(name: &str) -> Result<World> {
    world_of(name, 12)
}

fn world_of(name: &str, partitions: u32) -> Result<World> {
    let mut world = World::start(name, 1)?;
    for (name, value) in SPLIT {
        world.system.set(name, value);
    }
    world.system.set("CORTEX_TOPIC_PARTITIONS", &partitions.to_string());
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    Ok(world)
}

/// Events with a note each that goes over two lines, of which every other one looks like a row.
fn noted(key: &str) -> Upload {
    let mut upload = Upload {
        key: key.to_owned(),
        bytes: Vec::new(),
        accepted: BTreeSet::new(),
        rejected: BTreeSet::new(),
    };
    let mut text = "user_id,timestamp,type,note\n".to_owned();
    for row in 1..=ROWS {
        let time = if row % 1_000 == 0 { "soon" } else { "2026-11-20T10:00:00Z" };
        let _ = writeln!(
            text,
            "{key}#{row},{time},view,\"first line, and a \"\"second\"\" one\n{key}#x{row},{time},view,not a row\""
        );
        if row % 1_000 == 0 {
            upload.rejected.insert(row);
        } else {
            upload.accepted.insert(format!("{key}#{row}"));
        }
    }
    upload.bytes = text.into_bytes();
    upload
}

/// The ranges of every generation as they stand on the queue, by key and generation.
fn ranges(world: &World) -> Result<BTreeMap<(String, u32), Vec<u32>>> {
    let mut ranges: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for message in read_committed(world.kafka.bootstrap(), OBJECTS)? {
        let object = ObjectFound::decode(message.value.as_slice())?;
        if let Some(range) = object.range {
            ranges.entry((object.object_key, object.generation)).or_default().push(range.number);
        }
    }
    ranges.values_mut().for_each(|numbers| numbers.sort_unstable());
    Ok(ranges)
}

/// Each generation has all of its ranges once.
fn planned_once(world: &World, generations: usize) -> Result<()> {
    let ranges = ranges(world)?;
    ensure!(ranges.len() == generations, "{ranges:?}");
    for (of, numbers) in ranges {
        let all: Vec<u32> = (1..=numbers.len() as u32).collect();
        ensure!(numbers == all && numbers.len() > 2, "{of:?}: {numbers:?}");
    }
    Ok(())
}

/// Who read ranges of each key.
fn workers_of_ranges(world: &World) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut workers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in read_committed(world.kafka.bootstrap(), FILE_PROGRESS)? {
        let progress = FileProgress::decode(message.value.as_slice())?;
        if progress.range.is_some() {
            workers.entry(progress.object_key).or_default().insert(progress.worker_id);
        }
    }
    Ok(workers)
}

#[test]
fn a_large_object_is_shared_by_several_parsers_and_each_row_seen_once() -> Result<()> {
    let mut world = world("shared")?;
    for parser in ["parser-1", "parser-2"] {
        world.run("parser", parser, &[])?;
    }
    world.put(&noted("2026-11-23/noted.csv"))?;
    world.put(&events("2026-11-23/lines.json", ROWS, 1_000, Style::JsonLines, Packing::Plain)?)?;
    world.put(&events("2026-11-23/tabs.tsv", ROWS * 2, 1_000, Style::Tsv, Packing::Plain)?)?;
    // These cannot be split.
    world.put(&events("2026-11-23/array.json", ROWS, 1_000, Style::JsonArray, Packing::Plain)?)?;
    world.put(&events("2026-11-23/packed.csv.gz", ROWS, 1_000, Style::Csv, Packing::Gzip)?)?;
    // The first ranges may all be read before the second parser has a partition.
    let mut large = 3;
    world.at_rest()?;
    until("the parsers to have shared an object", PATIENCE, || {
        let workers = workers_of_ranges(&world)?;
        ensure!(workers.len() == large, "{workers:?}");
        let shared = workers.values().any(|workers| workers.len() == 2);
        if !shared {
            world.put(&noted(&format!("2026-11-23/noted-{large}.csv")))?;
            large += 1;
            world.at_rest()?;
        }
        Ok(shared)
    })?;
    world.each_row_once()?;
    planned_once(&world, large)?;
    let file = world.file("2026-11-23/noted.csv")?.context("the file")?;
    ensure!(file["state"] == "FILE_STATE_ACCEPTED_WITH_REJECTIONS" && file["format"] == "csv", "{file}");
    Ok(())
}

/// Whoever puts the ranges on the queue dies before and after the commit of it.
#[test]
fn a_plan_is_made_once_whatever_becomes_of_its_maker() -> Result<()> {
    let mut world = world("planner")?;
    for (number, step) in
        ["queue.before-offsets", "queue.before-commit", "queue.after-commit"].into_iter().enumerate()
    {
        world.put(&noted(&format!("2026-11-23/noted-{number}.csv")))?;
        world.run("parser", "parser-1", &[("FAILPOINTS", &format!("{step}=return"))])?;
        world.ends("parser-1", PATIENCE)?;
        world.run("parser", "parser-1", &[])?;
        world.at_rest()?;
        world.processes.remove("parser-1");
    }
    world.each_row_once()?;
    planned_once(&world, 3)
}

#[test]
fn parsers_that_are_killed_in_the_middle_of_ranges_lose_and_double_nothing() -> Result<()> {
    let mut world = world("ranges-killed")?;
    let parsers = ["parser-1", "parser-2", "parser-3"];
    for parser in parsers {
        world.run("parser", parser, &[])?;
    }
    for number in 0..2 {
        world.put(&noted(&format!("2026-11-23/noted-{number}.csv")))?;
    }
    for number in 0..15 {
        std::thread::sleep(Duration::from_millis(300 + 137 * (number % 7)));
        let parser = parsers[number as usize % 3];
        world.process(parser)?.kill()?;
        world.run("parser", parser, &[])?;
    }
    world.each_row_once()?;
    planned_once(&world, 2)
}

#[test]
fn an_object_that_is_replaced_while_its_ranges_are_read_is_superseded() -> Result<()> {
    // One after another, so that the last range is asked for when the object is another.
    let mut world = world_of("ranges-replaced", 1)?;
    let key = "2026-11-23/noted.csv";
    world.run("parser", "parser-1", &[])?;
    world.put(&noted(key))?;
    world.in_the_middle(key)?;
    world.put(&events(key, 1_000, 100, Style::Csv, Packing::Plain)?)?;
    until("the first generation to be superseded", PATIENCE, || {
        let files = world.files()?;
        let first = files.iter().find(|file| file["generation"] == 1).context("the first")?;
        Ok(first["state"] == "FILE_STATE_SUPERSEDED")
    })?;
    world.at_rest()?;
    let file = world.file(key)?.context("the file")?;
    ensure!(file["generation"] == 2 && file["rows"] == "1000", "{file}");
    Ok(())
}
