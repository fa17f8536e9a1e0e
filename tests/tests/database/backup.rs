//! The ledger restored from a backup, while Kafka and the bucket are what they are: as docs/operate.md tells an operator to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use end_to_end::consumer::read_committed;
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::world::World;
use prost::Message as _;
use records::v1::Event;
use services::Postgres;

const LARGE: u64 = 150_000;

#[test]
fn a_ledger_restored_to_its_last_transaction_goes_on_and_an_older_one_reads_again_what_it_does_not_know()
-> Result<()> {
    let mut world = World::start("restore", 1)?;
    world.source(&[])?;
    workers(&mut world)?;
    let mut customer = Customer::default();
    customer.put(&mut world, "2026-11-20/early.csv", 300)?;
    world.at_rest()?;

    // The database is lost in mid-work and recovered to its last transaction.
    customer.put(&mut world, "2026-11-23/large-1.csv", LARGE)?;
    world.in_the_middle("2026-11-23/large-1.csv")?;
    for process in world.processes.values_mut() {
        process.kill()?;
    }
    let recovered = backup(&world)?;
    restore(&mut world, &recovered, "recovered")?;
    registry(&mut world)?;
    workers(&mut world)?;
    customer.put(&mut world, "2026-11-22/recovered.csv", 300)?;
    world.each_row_once()?;

    // A dump from before, in mid-work too, and what has happened since.
    customer.put(&mut world, "2026-11-23/large-2.csv", LARGE)?;
    world.in_the_middle("2026-11-23/large-2.csv")?;
    let dump = backup(&world)?;
    let unknown: BTreeSet<(String, String)> = [
        customer.put(&mut world, "2026-11-22/since-1.csv", 300)?,
        customer.put(&mut world, "2026-11-22/since-2.csv", 400)?,
    ]
    .into();
    world.at_rest()?;
    customer.put(&mut world, "2026-11-20/early.csv", 250)?;
    world.at_rest()?;
    let twice = customer.put(&mut world, "2026-11-20/early.csv", 200)?;
    world.at_rest()?;
    for process in world.processes.values_mut() {
        process.terminate(std::time::Duration::from_secs(45))?;
    }
    restore(&mut world, &dump, "dumped")?;
    registry(&mut world)?;
    // Progress first: what was being read when the dump was made comes to rest by what its reader has said since.
    world.at_rest_of("2026-11-23/large-2.csv")?;
    workers(&mut world)?;
    world.at_rest()?;
    customer.finds_every_row_and_twice_those_of(&world, unknown.into_iter().chain([twice]).collect())?;
    audit_names(&world, ["since-1.csv", "since-2.csv", "early.csv"])
}

/// `pg_dump` of the ledger, in a folder of its own.
fn backup(world: &World) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    services::shared::postgres()?.dump(world.system.database(), &folder.path().join("ledger.dump"))?;
    Ok(folder)
}

/// Puts it into a database of its own, which the next registry uses.
fn restore(world: &mut World, backup: &tempfile::TempDir, name: &str) -> Result<()> {
    let postgres: &Postgres = services::shared::postgres()?;
    let direct = postgres.database(&format!("{}_{name}", world.account.replace('-', "_")))?;
    postgres.restore(&direct, &backup.path().join("ledger.dump"))?;
    world.system.use_database(&direct);
    Ok(())
}

fn registry(world: &mut World) -> Result<()> {
    // What a dump has is whole: nothing is to be migrated.
    let registry = world.system.registry_with(&[("CORTEX_DATABASE_MIGRATIONS", "by_command")])?;
    world.processes.insert("registry".to_owned(), registry);
    Ok(())
}

fn workers(world: &mut World) -> Result<()> {
    world.run("parser", "parser-1", &[])?;
    world.run("scanner", "scanner-1", &[])
}

/// What was uploaded: by key and ETag, the number of rows.
#[derive(Default)]
struct Customer {
    contents: BTreeMap<(String, String), u64>,
}

impl Customer {
    fn put(&mut self, world: &mut World, key: &str, rows: u64) -> Result<(String, String)> {
        let upload: Upload = events(key, rows, 0, Style::Csv, Packing::Plain)?;
        let etag = world.put(&upload)?;
        let content = (format!("events/{key}"), etag);
        self.contents.insert(content.clone(), rows);
        Ok(content)
    }

    /// A consumer that drops what it has had, by object, ETag and position, sees each row once; the contents that it has had
    /// twice are these.
    fn finds_every_row_and_twice_those_of(
        &self,
        world: &World,
        twice: BTreeSet<(String, String)>,
    ) -> Result<()> {
        let mut times: BTreeMap<(String, String), BTreeMap<u64, u32>> = BTreeMap::new();
        for message in read_committed(world.kafka.bootstrap(), "cortex.events.v1")? {
            let event = Event::decode(message.value.as_slice())?;
            let envelope = event.envelope.context("an event without envelope")?;
            let content = (envelope.object_key, envelope.etag);
            *times.entry(content).or_default().entry(envelope.position).or_default() += 1;
        }
        for (content, rows) in &self.contents {
            let seen = times.get(content).with_context(|| format!("nothing of {content:?}"))?;
            ensure!(seen.len() as u64 == *rows, "{content:?}: {} of {rows} rows", seen.len());
            let wanted = if twice.contains(content) { 2 } else { 1 };
            ensure!(seen.values().all(|times| *times == wanted), "{content:?}: not each row {wanted} times");
        }
        ensure!(times.len() == self.contents.len(), "{:?}", times.keys());
        Ok(())
    }
}

/// The audit tells of these files, and of no other.
fn audit_names<const N: usize>(world: &World, names: [&str; N]) -> Result<()> {
    let (agrees, found) = world.system.audit(&world.source)?;
    ensure!(!agrees, "the audit saw nothing: {found}");
    let differences = found["differences"].as_array().context("differences")?;
    let named: BTreeSet<&str> =
        differences.iter().filter_map(|one| one["object_key"].as_str()?.rsplit('/').next()).collect();
    ensure!(named == BTreeSet::from(names), "{found}");
    Ok(())
}
