//! S3 that fails in every way that it has, on a foreign S3 server behind a proxy that breaks its answers.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::process::until;
use end_to_end::world::{PATIENCE, World};
use services::{Match, Operation, S3Fault};

fn world(name: &str) -> Result<World> {
    let mut world = World::start(name, 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.run("parser", "parser-1", &[])?;
    Ok(world)
}

fn get(part: &str) -> Match {
    Match::part(Operation::GetObject, part)
}

/// A byte behind this one in the middle of a value that may be anything, so that no row is refused for it.
fn in_a_value(upload: &Upload, behind: usize) -> Result<u64> {
    let at = upload.bytes[behind..].windows(4).position(|bytes| bytes == b"view").context("a value")?;
    Ok((behind + at) as u64)
}

#[test]
fn reads_that_break_are_taken_up_behind_the_last_byte() -> Result<()> {
    let mut world = world("breaks")?;
    let status = |status, code| S3Fault::Status { status, code };
    let megabyte = 1 << 20;
    let faults = [
        ("internal", 3, status(500, "InternalError")),
        ("slow", 3, status(503, "SlowDown")),
        ("reset", 2, S3Fault::ResetAfter(megabyte)),
        ("short", 2, S3Fault::ShortBody(megabyte)),
        ("silent", 1, S3Fault::SilenceAfter { bytes: megabyte, lasting: Duration::from_secs(40) }),
        ("delayed", 2, S3Fault::Delay(Duration::from_secs(2))),
    ];
    for (name, times, fault) in faults {
        world.s3.break_next(get(&format!("23/{name}")), times, fault);
        world.put(&events(&format!("2026-11-23/{name}.csv"), 60_000, 1_000, Style::Csv, Packing::Plain)?)?;
        world.put(&events(
            &format!("2026-11-22/{name}.json.gz"),
            2_000,
            100,
            Style::JsonLines,
            Packing::Gzip,
        )?)?;
    }
    world.each_row_once()?;
    for (name, ..) in [("reset", 0), ("short", 0), ("silent", 0)] {
        let resumed = world.s3.requests().into_iter().any(|seen| {
            let from = seen
                .range
                .as_deref()
                .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            seen.path.ends_with(&format!("2026-11-23/{name}.csv"))
                && from.is_some_and(|from: u64| from >= 1 << 18)
        });
        ensure!(resumed, "{name}: nothing was read from where it broke off");
    }
    Ok(())
}

#[test]
fn bytes_that_are_altered_on_their_way_are_not_believed() -> Result<()> {
    let mut world = world("altered")?;
    // One that ends within its first chunk, one that has published chunks before its end, one that is packed.
    for (name, rows, byte) in [("small", 1_000, 2_000), ("large", 60_000, 100_000)] {
        let upload = events(&format!("2026-11-23/{name}.csv"), rows, 100, Style::Csv, Packing::Plain)?;
        world.s3.break_next(get(name), 1, S3Fault::AlterByte(in_a_value(&upload, byte)?));
        world.put(&upload)?;
    }
    world.s3.break_next(get("packed"), 1, S3Fault::AlterByte(3_000));
    world.put(&events("2026-11-23/packed.csv.gz", 20_000, 1_000, Style::Csv, Packing::Gzip)?)?;
    until("the large file to be read again", PATIENCE, || {
        Ok(world.file("2026-11-23/large.csv")?.is_some_and(|file| file["generation"] == 2))
    })?;
    let files = world.at_rest()?;
    let first = files
        .iter()
        .find(|file| file["object_key"] == "events/2026-11-23/large.csv" && file["generation"] == 1);
    let first = first.context("the first generation")?;
    ensure!(
        first["state"] == "FILE_STATE_SUPERSEDED" && first["error"]["code"] == "object_altered",
        "{first}"
    );
    // Of the generations that are not superseded each row is right; the altered one has rows that were never uploaded.
    let verdict = world.verdict()?;
    ensure!(verdict.duplicates == 0 && verdict.lost == 0, "{verdict}");
    let injected = world.s3.faults_injected();
    ensure!(injected.get("AlterByte") == Some(&3), "{injected:?}");
    Ok(())
}

#[test]
fn an_object_that_is_replaced_deleted_or_denied_ends_its_generation_and_no_other() -> Result<()> {
    let mut world = world("replaced")?;
    world.s3.break_next(get("denied"), 100, S3Fault::Status { status: 403, code: "AccessDenied" });
    world.store.put("events/2026-11-23/denied.csv", b"user_id,timestamp,type\nu#1,2026-11-20,view\n")?;
    world.s3.break_next(get("gone"), 100, S3Fault::Status { status: 404, code: "NoSuchKey" });
    world.store.put("events/2026-11-23/gone.csv", b"user_id,timestamp,type\nu#1,2026-11-20,view\n")?;
    world.s3.break_next(get("large"), 1, S3Fault::ResetAfter(4 << 20));
    world.put(&events("2026-11-23/large.csv", 200_000, 1_000, Style::Csv, Packing::Plain)?)?;
    world.in_the_middle("2026-11-23/large.csv")?;
    world.put(&events("2026-11-23/large.csv", 50_000, 500, Style::Csv, Packing::Plain)?)?;
    world.put(&events("2026-11-22/beside.csv", 500, 100, Style::Csv, Packing::Plain)?)?;
    world.each_row_once()?;
    for (name, code) in [("denied", "access_denied"), ("gone", "not_found")] {
        let key = format!("2026-11-23/{name}.csv");
        until(&format!("{name} to end"), PATIENCE, || {
            Ok(world.file(&key)?.is_some_and(|file| file.get("finish_time").is_some()))
        })?;
        let file = world.file(&key)?.context("the file")?;
        ensure!(file["state"] == "FILE_STATE_REJECTED" && file["error"]["code"] == code, "{file}");
    }
    Ok(())
}

#[test]
fn a_session_that_ends_in_mid_file_is_replaced() -> Result<()> {
    let mut world = world("session")?;
    // What takes the read up again is refused once, as with a session that has expired meanwhile.
    world.s3.break_next(get("large"), 1, S3Fault::ResetAfter(2 << 20));
    world.s3.break_next(get("large"), 1, S3Fault::Status { status: 400, code: "ExpiredToken" });
    world.put(&events("2026-11-23/large.csv", 100_000, 1_000, Style::Csv, Packing::Plain)?)?;
    world.each_row_once()?;
    let injected = world.s3.faults_injected();
    ensure!(injected.get("Status") == Some(&1) && injected.get("ResetAfter") == Some(&1), "{injected:?}");
    Ok(())
}

#[test]
fn listings_that_fail_repeat_or_skip_find_each_object_once_in_the_end() -> Result<()> {
    let mut world = world("listings")?;
    let listing = || Match::from(Operation::ListObjectsV2);
    world.s3.break_next(listing(), 3, S3Fault::Status { status: 503, code: "SlowDown" });
    for number in 0..1_100 {
        let upload = events(&format!("2026-11-23/{number:04}.csv"), 3, 0, Style::Csv, Packing::Plain)?;
        world.put(&upload)?;
        if number % 300 == 0 {
            world.s3.break_next(listing(), 1, S3Fault::SkipKeys(50));
            world.s3.break_next(listing(), 1, S3Fault::RepeatPage);
        }
    }
    world.s3.break_next(listing(), 2, S3Fault::RepeatPage);
    world.s3.break_next(listing(), 1, S3Fault::ResetAfter(200));
    world.each_row_once()
}
