//! Parsers that die, freeze, come and go while files are read, on real Kafka, PostgreSQL and S3: a consumer of committed
//! messages sees each accepted row of each generation once.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::process::until;
use end_to_end::world::{PATIENCE, World};

const LARGE: u64 = 300_000;

fn large() -> Result<Upload> {
    events("2026-11-23/large.csv", LARGE, 1_000, Style::Csv, Packing::Plain)
}

fn small(number: usize) -> Result<Upload> {
    let (style, packing) = match number % 4 {
        0 => (Style::Csv, Packing::Plain),
        1 => (Style::JsonLines, Packing::Gzip),
        2 => (Style::Tsv, Packing::Zip),
        _ => (Style::JsonArray, Packing::Plain),
    };
    let ending = if matches!(style, Style::Csv) {
        "csv"
    } else if matches!(style, Style::Tsv) {
        "tsv"
    } else {
        "json"
    };
    let packed = match packing {
        Packing::Plain => "",
        Packing::Gzip => ".gz",
        Packing::Zip => ".zip",
    };
    events(&format!("2026-11-22/small-{number}.{ending}{packed}"), 200, 50, style, packing)
}

/// The parser that reads the large file, once it is in the middle of it.
fn reader_of_large(world: &World) -> Result<String> {
    world.in_the_middle("2026-11-23/large.csv")?;
    let file = world.file("2026-11-23/large.csv")?.context("the large file")?;
    Ok(file["worker_id"].as_str().unwrap_or_default().to_owned())
}

/// The rows of a file that the ledger knows to be committed.
fn rows(world: &World, key: &str) -> Result<u64> {
    let Some(file) = world.file(key)? else { return Ok(0) };
    Ok(file["rows"].as_str().and_then(|rows| rows.parse().ok()).unwrap_or(0))
}

/// A world with one large file in the middle of being read by one of two parsers, which then is frozen for longer than its
/// session, and wakes.
fn frozen_and_woken(name: &str) -> Result<World> {
    let mut world = World::start(name, 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    for parser in ["parser-1", "parser-2"] {
        world.run("parser", parser, &[])?;
    }
    world.put(&large()?)?;
    let frozen = reader_of_large(&world)?;
    world.process(&frozen)?.signal("STOP")?;
    let at = rows(&world, "2026-11-23/large.csv")?;
    until("the other parser to go on", PATIENCE, || Ok(rows(&world, "2026-11-23/large.csv")? > at + 20_000))?;
    world.process(&frozen)?.signal("CONT")?;
    Ok(world)
}

#[test]
fn a_parser_that_was_frozen_beyond_its_session_is_fenced_when_it_wakes() -> Result<()> {
    frozen_and_woken("frozen")?.each_row_once()
}

/// The same, with the fence switched off: what the other tests look at would see it. The parser is frozen outside of a commit,
/// where it is made to rest: one that is frozen within has nothing left to double when it wakes.
#[test]
fn without_the_fence_a_parser_that_wakes_doubles_rows() -> Result<()> {
    const KEY: &str = "2026-11-23/poison.csv";
    let mut world = World::start("unfenced", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    let rests = "queue.unfenced=return;parser.row=1000*off->1*sleep(20000)->off";
    world.run("parser", "parser-1", &[("FAILPOINTS", rests)])?;
    world.put(&events(KEY, LARGE, 1_000, Style::Csv, Packing::Plain)?)?;
    let mut rests_at = 0;
    until("the parser to rest", PATIENCE, || {
        let before = std::mem::replace(&mut rests_at, rows(&world, KEY)?);
        std::thread::sleep(Duration::from_secs(3));
        Ok(before > 0 && before == rests_at)
    })?;
    world.process("parser-1")?.signal("STOP")?;
    world.run("parser", "parser-2", &[("FAILPOINTS", "queue.unfenced=return")])?;
    until("the other parser to go on", PATIENCE, || Ok(rows(&world, KEY)? > rests_at + 20_000))?;
    world.process("parser-1")?.signal("CONT")?;
    let verdict = world.verdict()?;
    ensure!(verdict.duplicates > 0, "no row was doubled: {verdict:?}");
    let (agrees, found) = world.system.audit(&world.source)?;
    ensure!(!agrees, "the audit saw nothing: {found}");
    Ok(())
}

#[test]
fn a_parser_that_dies_at_any_step_of_a_commit_loses_and_doubles_nothing() -> Result<()> {
    let mut world = World::start("steps", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.put(&large()?)?;
    for number in 0..12 {
        world.put(&small(number)?)?;
    }
    for (step, passes) in [("queue.before-offsets", 3), ("queue.before-commit", 5), ("queue.after-commit", 4)]
    {
        let faults = format!("{step}={passes}*off->return");
        world.run("parser", "parser-1", &[("FAILPOINTS", &faults)])?;
        world.ends("parser-1", PATIENCE)?;
    }
    world.run("parser", "parser-1", &[])?;
    world.each_row_once()
}

#[test]
fn parsers_that_are_killed_again_and_again_lose_and_double_nothing() -> Result<()> {
    let mut world = World::start("killed", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    let parsers = ["parser-1", "parser-2", "parser-3"];
    for parser in parsers {
        world.run("parser", parser, &[])?;
    }
    world.put(&large()?)?;
    for number in 0..30 {
        world.put(&small(number)?)?;
        let parser = parsers[number % 3];
        std::thread::sleep(Duration::from_millis(200 + 137 * (number as u64 % 7)));
        world.process(parser)?.kill()?;
        world.run("parser", parser, &[])?;
    }
    world.each_row_once()
}

#[test]
fn parsers_come_and_go_while_a_large_file_is_read() -> Result<()> {
    let mut world = World::start("scaled", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.run("parser", "parser-1", &[])?;
    world.put(&large()?)?;
    for number in 0..24 {
        world.put(&small(number)?)?;
    }
    reader_of_large(&world)?;
    for parser in ["parser-2", "parser-3", "parser-4"] {
        world.run("parser", parser, &[])?;
    }
    // One after another, as a rolling restart does.
    for parser in ["parser-1", "parser-2", "parser-3", "parser-4"] {
        let status = world.process(parser)?.terminate(Duration::from_secs(10))?;
        ensure!(status.success(), "{parser} ended with {status}");
        world.run("parser", parser, &[])?;
        std::thread::sleep(Duration::from_secs(1));
    }
    for parser in ["parser-4", "parser-3", "parser-2"] {
        let status = world.process(parser)?.terminate(Duration::from_secs(10))?;
        ensure!(status.success(), "{parser} ended with {status}");
    }
    world.each_row_once()
}

/// One file crashes, one panics and one hangs whoever reads it; each is on one partition with others.
#[test]
fn a_file_that_kills_its_readers_is_set_aside_and_read_again_on_request() -> Result<()> {
    let mut world = World::start("poison", 1)?;
    world.system.set("CORTEX_TOPIC_PARTITIONS", "1");
    world.source(&[("CORTEX_MOST_ATTEMPTS", "2")])?;
    world.run("scanner", "scanner", &[])?;
    for (how, settings) in [
        ("crash", vec![("FAILPOINTS", "parser.row=return(crash)")]),
        ("panic", vec![("FAILPOINTS", "parser.row=return(panic)")]),
        ("hang", vec![("FAILPOINTS", "parser.row=return(hang)"), ("CORTEX_STALL_LIMIT_MS", "1500")]),
    ] {
        // One that does not fall for the poison must not read it first.
        world.processes.remove("parser-1");
        let key = format!("2026-11-21/poison-{how}.csv");
        world.put(&events(&key, 500, 0, Style::Csv, Packing::Plain)?)?;
        for number in 0..5 {
            let key = format!("2026-11-22/beside-{how}-{number}.csv");
            world.put(&events(&key, 200, 50, Style::Csv, Packing::Plain)?)?;
        }
        // An orchestrator starts what has ended.
        until(&format!("the file that {how}es to be set aside"), PATIENCE, || {
            if !world.processes.contains_key("parser-1") || !world.process("parser-1")?.is_running()? {
                world.run("parser", "parser-1", &settings)?;
            }
            Ok(world.file(&key)?.is_some_and(|file| file.get("finish_time").is_some()))
        })?;
        let file = world.file(&key)?.context("the poison")?;
        ensure!(file["state"] == "FILE_STATE_REJECTED" && file["error"]["code"] == "set_aside", "{file}");
        // Those behind it are read, by the same parsers.
        until("the files beside it", PATIENCE, || {
            if !world.process("parser-1")?.is_running()? {
                world.run("parser", "parser-1", &settings)?;
            }
            let files = world.files()?;
            Ok(files
                .iter()
                .filter(|file| file["object_key"] != format!("events/{key}"))
                .all(|file| file.get("finish_time").is_some()))
        })?;
        world.run("parser", "parser-1", &[])?;
        let opened = world.system.ask(&["source", "reprocess", &world.source, &format!("events/{key}")])?;
        ensure!(opened[0]["generation"] == 2, "{opened:?}");
        until("the file to be read as its next generation", PATIENCE, || {
            Ok(world.file(&key)?.is_some_and(|file| file["state"] == "FILE_STATE_ACCEPTED"))
        })?;
    }
    world.each_row_once()
}

#[test]
fn rows_up_to_the_limit_of_a_row_pass_and_larger_records_are_refused() -> Result<()> {
    let mut world = World::start("wide", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.run("parser", "parser-1", &[])?;
    let mut text = String::from("user_id,timestamp,type,note\n");
    for row in 1..=6 {
        text.push_str(&format!(
            "2026-11-23/wide.csv#{row},2026-11-20T10:00:00Z,view,{}\n",
            "x".repeat(1_000_000)
        ));
    }
    let upload = Upload {
        key: "2026-11-23/wide.csv".to_owned(),
        bytes: text.into_bytes(),
        accepted: (1..=6).map(|row| format!("2026-11-23/wide.csv#{row}")).collect(),
        rejected: Default::default(),
    };
    world.put(&upload)?;
    world.put(&small(0)?)?;
    world.each_row_once()
}
