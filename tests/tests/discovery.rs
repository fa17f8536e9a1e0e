//! What discovery costs real processes, on real Kafka and PostgreSQL, over a generated listing that counts what it is asked:
//! scanners that are killed in the midst of a full sweep, and what they and the registry hold in memory.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::consumer::read_committed;
use end_to_end::process::until;
use end_to_end::system::System;
use end_to_end::world::PATIENCE;
use jiff::ToSpan;
use jiff::civil::Date;
use prost::Message;
use records::queue::ObjectFound;
use services::{GeneratedS3, KafkaCluster, Postgres};

const PATH: &str = "events";
/// What a scanner or a registry may grow by, over six times the objects: the last pages in hand, and what the allocator keeps.
const MOST_GROWTH: u64 = 12 << 20;
/// Folders of the look-back window, and those behind it, which a sweep alone lists.
const RECENT: i64 = 4;
const OLDER: i64 = 200;
/// Objects of each folder, and how many the endpoint gives at once.
const OBJECTS: usize = 110;
const PAGE: usize = 100;
const PAGES: u64 = 2;
/// A lease that is renewed every second, and tells the cursor then.
const LEASE: (&str, &str) = ("CORTEX_LEASE_SECONDS", "3");
/// Files that a scanner publishes before it marks them: after its death they may come twice.
const BATCH: usize = 500;

/// A registry with one source over the listing, on servers of its own.
struct World {
    s3: GeneratedS3,
    kafka: KafkaCluster,
    postgres: &'static Postgres,
    database: String,
    system: System,
}

impl World {
    /// Without objects; sweeps and full listings of the window are hours apart.
    fn start(name: &str) -> Result<Self> {
        let s3 = GeneratedS3::start("customer-bucket", PATH, [], 0)?;
        let kafka = KafkaCluster::start(1)?;
        let postgres = services::shared::postgres()?;
        let database = postgres.database(&format!("{name}_{}", std::process::id()))?;
        let mut system = System::on(kafka.bootstrap(), &database, &s3.endpoint())?;
        system.set("CORTEX_SWEEP_INTERVAL_MS", "21600000");
        system.set("CORTEX_RELIST_INTERVAL_MS", "21600000");
        system.set(LEASE.0, LEASE.1);
        Ok(Self { s3, kafka, postgres, database, system })
    }

    /// A live source. It is to be empty: the connection test would read an object, and the listing has none to give.
    fn source(&self) -> Result<String> {
        self.system.ask(&["account", "create", "--id", "customer"])?;
        self.system.source("customer", PATH, "customer-bucket", ("AKIA", "secret"))
    }

    /// Adds so many objects to each folder of these days ago.
    fn fill(&self, days: std::ops::Range<i64>, objects: u64) -> Result<()> {
        for ago in days {
            self.s3.append(&day(ago)?.to_string(), objects);
        }
        Ok(())
    }

    /// The last folder that the sweep has behind it, as the registry has it; none before the first.
    fn cursor(&self) -> Result<Option<Date>> {
        let cursor = self.postgres.ask(&self.database, "SELECT sweep_cursor FROM scans")?;
        if cursor.is_empty() { Ok(None) } else { Ok(Some(cursor.parse()?)) }
    }

    fn has_swept(&self) -> Result<bool> {
        Ok(self.postgres.ask(&self.database, "SELECT next_sweep_at IS NOT NULL FROM scans")? == "t")
    }

    /// LIST requests for each folder so far.
    fn lists(&self) -> BTreeMap<Date, u64> {
        let of = |(prefix, count): (String, u64)| {
            let date = prefix.strip_prefix("events/")?.trim_end_matches('/').parse().ok()?;
            Some((date, count))
        };
        self.s3.lists().into_iter().filter_map(of).collect()
    }
}

/// So many days ago.
fn day(ago: i64) -> Result<Date> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    Ok(today.checked_sub(ago.days())?)
}

#[test]
fn a_sweep_goes_on_where_the_killed_scanners_were_and_finds_each_object_once() -> Result<()> {
    let mut world = World::start("discovery_kill")?;
    world.s3.short_pages(PAGE);
    world.system.set("CORTEX_MAX_UNFINISHED_FILES", "1000000");
    let _registry = world.system.registry()?;
    let source = world.source()?;
    world.fill(0..RECENT + OLDER, OBJECTS as u64)?;
    world.s3.slow(Duration::from_millis(150));

    // Two scanners die, each in the midst of its part of the sweep.
    let mut reached = Vec::new();
    for (name, done) in [("scanner-1", 30), ("scanner-2", 110)] {
        let aim = day(RECENT + OLDER - done)?;
        let mut scanner = world.system.worker("scanner", name, &[])?;
        until("the sweep's cursor to be told", PATIENCE, || {
            ensure!(!world.has_swept()?, "the sweep was over before {name} was killed");
            Ok(world.cursor()?.is_some_and(|cursor| cursor >= aim))
        })?;
        scanner.kill()?;
        // What is behind the cursor is in the log by now, as it is in the ledger.
        reached.push((world.cursor()?.context("a cursor")?, world.lists()));
    }
    let [(first, before_first), (second, before_second)] = reached.as_slice() else {
        unreachable!("two were killed")
    };
    ensure!(first < second, "the second went from {first} to {second}");
    ensure!(!world.has_swept()?, "the sweep is over already");
    world.s3.slow(Duration::ZERO);
    let _scanner = world.system.worker("scanner", "scanner-3", &[])?;
    until("the sweep to end", PATIENCE, || world.has_swept())?;

    // No folder behind a stored cursor was listed again, by whoever came after.
    let lists = world.lists();
    for (cursor, before) in [(first, before_first), (second, before_second)] {
        let behind = before.iter().filter(|(date, _)| *date <= cursor);
        let again: Vec<_> = behind.filter(|(date, count)| lists[date] != **count).collect();
        ensure!(again.is_empty(), "behind {cursor}, and listed again: {again:?}");
    }
    for ago in RECENT..RECENT + OLDER {
        let (date, mut most) = (day(ago)?, PAGES);
        for cursor in [first, second] {
            most += if date > *cursor { PAGES } else { 0 };
        }
        let count = lists.get(&date).copied().unwrap_or_default();
        ensure!((PAGES..=most).contains(&count), "{count} LIST requests for {date}");
    }

    let days = world.system.ask(&[
        "source",
        "days",
        &source,
        "--from",
        &day(RECENT + OLDER)?.to_string(),
        "--to",
        &day(0)?.to_string(),
    ])?;
    for ago in 0..RECENT + OLDER {
        let date = day(ago)?.to_string();
        let found = days.iter().find(|day| day["date"] == date.as_str()).with_context(|| date.clone())?;
        ensure!(found["objects"] == OBJECTS.to_string().as_str(), "{found}");
    }
    each_object_is_on_the_queue(&world)
}

/// With its first generation, and no more than a batch twice for each that died.
fn each_object_is_on_the_queue(world: &World) -> Result<()> {
    let all = OBJECTS * usize::try_from(RECENT + OLDER)?;
    let unpublished = "SELECT COUNT(*) FROM generations WHERE published_at IS NULL";
    until("all files to be published", PATIENCE, || {
        Ok(world.postgres.ask(&world.database, unpublished)? == "0")
    })?;
    let messages = read_committed(world.kafka.bootstrap(), "cortex.objects.v1")?;
    let mut keys = BTreeSet::new();
    for message in &messages {
        let found = ObjectFound::decode(message.value.as_slice())?;
        ensure!(found.generation == 1, "{found:?}");
        keys.insert(found.object_key);
    }
    ensure!(keys.len() == all, "{} of {all} objects are on the queue", keys.len());
    ensure!(messages.len() <= all + 2 * BATCH, "{} messages about {all} objects", messages.len());
    Ok(())
}

#[test]
fn memory_does_not_follow_the_number_of_objects() -> Result<()> {
    let world = World::start("discovery_memory")?;
    let registry = world.system.registry()?;
    world.source()?;
    world.fill(0..RECENT, 5_000)?;
    let scanner = world.system.worker("scanner", "scanner", &[])?;
    let shown = |objects: usize| {
        let shown = world.postgres.ask(&world.database, "SELECT objects FROM scans")?;
        Ok(shown == objects.to_string())
    };
    until("the first objects to be found", PATIENCE, || shown(20_000))?;
    let before = [scanner.peak_bytes()?, registry.peak_bytes()?];
    world.fill(0..RECENT, 25_000)?;
    until("all objects to be found", PATIENCE, || shown(120_000))?;
    let after = [scanner.peak_bytes()?, registry.peak_bytes()?];
    for (name, (before, after)) in ["scanner", "registry"].into_iter().zip(before.into_iter().zip(after)) {
        println!("{name}: {} KiB, then {} KiB", before >> 10, after >> 10);
        ensure!(after - before < MOST_GROWTH, "the {name} grew from {before} to {after} bytes");
    }
    Ok(())
}
