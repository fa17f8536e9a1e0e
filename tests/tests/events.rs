//! A source with an event queue, on an S3 and SQS that are not ours, with scans hours apart: what is put is on Kafka by its
//! event alone, once, and what has no event is still found by a scan.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::consumer::read_committed;
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::process::until;
use end_to_end::system::System;
use prost::Message;
use records::v1::Event;
use serde_json::{Value, json};
use services::Moto;

const PATIENCE: Duration = Duration::from_secs(120);
const HOURS: (&str, &str) = ("CORTEX_SCAN_INTERVAL_MS", "14400000");
const SWEEPS: (&str, &str) = ("CORTEX_SWEEP_INTERVAL_MS", "86400000");

struct World {
    moto: &'static Moto,
    kafka: &'static str,
    system: System,
    account: String,
    source: String,
    queue: String,
    put: Vec<Upload>,
}

impl World {
    fn shown(&self) -> Result<Value> {
        self.system.ask(&["source", "show", &self.source])?.pop().context("a source")
    }

    fn put(&mut self, upload: Upload) -> Result<()> {
        self.moto.put(&self.account, &format!("events/{}", upload.key), &upload.bytes)?;
        self.put.push(upload);
        Ok(())
    }

    /// Waits until so many files are at rest.
    fn at_rest(&self, files: usize) -> Result<()> {
        until(&format!("{files} files to be at rest"), PATIENCE, || {
            let known = self.system.ask(&["source", "files", &self.source])?;
            Ok(known.iter().filter(|file| file.get("finish_time").is_some()).count() >= files)
        })
    }

    /// Each valid row of what was put is on the topic, and no row twice.
    fn each_row_once(&self) -> Result<()> {
        let mut times: BTreeMap<String, u32> = BTreeMap::new();
        for message in read_committed(self.kafka, "cortex.events.v1")? {
            let event = Event::decode(message.value.as_slice())?;
            if event.envelope.context("a record without envelope")?.account_id == self.account {
                *times.entry(event.user_id).or_default() += 1;
            }
        }
        let expected: BTreeMap<String, u32> =
            self.put.iter().flat_map(|upload| &upload.accepted).map(|one| (one.clone(), 1)).collect();
        ensure!(times == expected, "{} subjects were seen, {} are valid", times.len(), expected.len());
        Ok(())
    }
}

fn world() -> Result<World> {
    let (kafka, postgres, moto) =
        (services::shared::kafka()?, services::shared::postgres()?, services::shared::moto()?);
    let account = format!("events-{}", std::process::id());
    moto.bucket(&account, None)?;
    let queue = moto.queue(&account)?;
    moto.notify(&account, &account)?;
    let rights = json!([{ "Effect": "Allow", "Action": ["s3:*", "sqs:*"], "Resource": "*" }]);
    let user = moto.user(&account, rights)?;
    let database = postgres.database(&account.replace('-', "_"))?;
    let system = System::on(kafka.bootstrap(), &database, moto.endpoint())?;
    Ok(World {
        moto,
        kafka: kafka.bootstrap(),
        source: format!("{}:{}", user.access_key, user.secret_key),
        system,
        account,
        queue,
        put: Vec::new(),
    })
}

#[test]
fn what_is_put_is_read_by_its_event_once_and_without_a_queue_by_a_scan() -> Result<()> {
    let mut world = world()?;
    let _registry = world.system.registry_with(&[HOURS, SWEEPS])?;
    world.system.ask(&["account", "create", "--id", &world.account])?;
    let keys = std::mem::take(&mut world.source);
    let keys = keys.split_once(':').context("keys")?;
    world.source = world.system.source(&world.account, "events", &world.account, keys)?;
    world.system.event_queue(&world.source, &world.queue)?;
    let _scanner = world.system.scanner()?;
    let _parser = world.system.parser("parser-1", &[])?;
    until("the first scan", PATIENCE, || Ok(world.shown()?["discovery"].get("last_scan_time").is_some()))?;

    let first = events("2026-11-22/first.csv", 300, 50, Style::Csv, Packing::Plain)?;
    world.put(first.clone())?;
    world.at_rest(1)?;
    // The same content again: two more events, and nothing new.
    for _ in 0..2 {
        world.moto.put(&world.account, &format!("events/{}", first.key), &first.bytes)?;
    }
    world.put(events("2026-11-23/second.json.gz", 300, 0, Style::JsonLines, Packing::Gzip)?)?;
    world.at_rest(2)?;
    until("every message to be deleted", PATIENCE, || Ok(world.moto.messages(&world.queue)? == 0))?;
    world.each_row_once()?;

    world.moto.delete_queue(&world.queue)?;
    until("the source to show that its queue is gone", PATIENCE, || {
        Ok(world.shown()?["attention"]["problem"]["code"] == "no_such_event_queue")
    })?;
    // A scan between two sweeps looks at the folders of the last days alone.
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    world.put(events(&format!("{today}/third.csv"), 300, 0, Style::Csv, Packing::Plain)?)?;
    // A source that is taken up again is scanned at once.
    world.system.ask(&["source", "pause", &world.source])?;
    world.system.ask(&["source", "activate", &world.source])?;
    world.at_rest(3)?;
    world.each_row_once()
}
