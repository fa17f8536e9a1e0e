//! A rolling upgrade, and taking it back: processes of two versions side by side on one ledger while files come in.
//!
//! `CORTEX_TEST_PREVIOUS_BINARY` names the version before (`cargo xtask upgrade --from REVISION` builds it and sets it). Without
//! it this build plays both, and the ledger's tables are a migration ahead of what it knows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::process::{binary, free_address, http_get, until};
use end_to_end::s3::Store;
use end_to_end::system::Settings;
use end_to_end::world::{PATIENCE, World};

const REGISTRIES: [&str; 2] = ["registry-0", "registry-1"];
const WORKERS: [(&str, &str); 5] = [
    ("scanner", "scanner-1"),
    ("scanner", "scanner-2"),
    ("parser", "parser-1"),
    ("parser", "parser-2"),
    ("parser", "parser-3"),
];
/// As long as an orchestrator waits before it kills.
const GRACE: Duration = Duration::from_secs(45);
/// Between two small files.
const FILE_EVERY: Duration = Duration::from_millis(250);

/// What is run, with settings that only it knows.
struct Version<'a> {
    binary: &'a Path,
    registry: Settings<'a>,
}

#[test]
fn each_row_is_seen_once_while_every_process_is_replaced_by_the_next_version_and_back() -> Result<()> {
    let present = binary()?;
    let previous = std::env::var_os("CORTEX_TEST_PREVIOUS_BINARY").map(PathBuf::from);
    let old = Version { binary: previous.as_ref().unwrap_or(&present), registry: &[] };
    let new = Version { binary: &present, registry: &[("CORTEX_DATABASE_MIGRATIONS", "by_command")] };

    let mut world = World::start("upgrade", 1)?;
    world.system.balance(REGISTRIES.len())?;
    a_registry_that_is_not_to_migrate_refuses_an_empty_database(&world, &new)?;
    start_all(&mut world, &old)?;
    world.live_source()?;
    let customer = Customer::start(world.store.clone())?;
    world.put(&large("before")?)?;
    world.in_the_middle("2026-11-23/before.csv")?;

    // What the chart's job does before the first process is replaced.
    let (status, said) = world.system.migrate(&[])?;
    ensure!(status == Some(0), "{said}");
    if previous.is_none() {
        migrate_ahead(&world)?;
    }
    replace_all(&mut world, &new)?;
    let (status, said) = world.system.migrate(&["--check"])?;
    ensure!(status == Some(0), "{said}");
    ensure!(previous.is_some() || said.contains("of a newer version: 9000 things to come"), "{said}");

    world.put(&large("behind")?)?;
    world.in_the_middle("2026-11-23/behind.csv")?;
    replace_all(&mut world, &old)?;
    for (etag, upload) in customer.stop()? {
        world.uploaded.add(&format!("events/{}", upload.key), &etag, &upload);
    }
    world.each_row_once()
}

fn a_registry_that_is_not_to_migrate_refuses_an_empty_database(
    world: &World,
    version: &Version<'_>,
) -> Result<()> {
    let (status, said) = world.system.migrate(&["--check"])?;
    ensure!(status == Some(7) && said.starts_with("pending: 0001 ledger\n"), "{status:?}: {said}");
    let mut registry = world.system.start_balanced(0, version.registry)?;
    until("a registry without tables to end", PATIENCE, || Ok(!registry.is_running()?))?;
    let (status, log) = (registry.status()?.and_then(|status| status.code()), registry.log());
    ensure!(status == Some(7) && log.contains("cortex migrate"), "{status:?}: {log}");
    Ok(())
}

fn large(name: &str) -> Result<Upload> {
    events(&format!("2026-11-23/{name}.csv"), 120_000, 1_000, Style::Csv, Packing::Plain)
}

/// Expands the tables as a version to come would.
fn migrate_ahead(world: &World) -> Result<()> {
    let expansion = "\
        ALTER TABLE sources ADD COLUMN to_come TEXT NOT NULL DEFAULT 'x'; \
        ALTER TABLE generations ADD COLUMN to_come TEXT NOT NULL DEFAULT 'x'; \
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
        VALUES (9000, 'things to come', true, '\\x07', 0)";
    services::shared::postgres()?.run(world.system.database(), expansion)
}

fn start_all(world: &mut World, version: &Version<'_>) -> Result<()> {
    for name in REGISTRIES {
        start_registry(world, name, version)?;
    }
    for (role, name) in WORKERS {
        start_worker(world, role, name, version)?;
    }
    Ok(())
}

/// One process after the other: told to end, and started anew once it has.
fn replace_all(world: &mut World, version: &Version<'_>) -> Result<()> {
    for name in REGISTRIES {
        stop(world, name)?;
        start_registry(world, name, version)?;
    }
    for (role, name) in WORKERS {
        stop(world, name)?;
        start_worker(world, role, name, version)?;
    }
    Ok(())
}

fn stop(world: &mut World, name: &str) -> Result<()> {
    let status = world.process(name)?.terminate(GRACE)?;
    ensure!(status.success(), "{name} ended with {status}: {}", world.process(name)?.tail(25));
    Ok(())
}

fn start_registry(world: &mut World, name: &str, version: &Version<'_>) -> Result<()> {
    let http = free_address()?;
    let mut settings = vec![("CORTEX_HTTP_LISTEN", http.as_str())];
    settings.extend(version.registry);
    let number = REGISTRIES.iter().position(|one| *one == name).unwrap_or(0);
    world.system.run_by(version.binary);
    let process = world.system.start_balanced(number, &settings)?;
    world.processes.insert(name.to_owned(), process);
    is_ready(world, name, &http)
}

fn start_worker(world: &mut World, role: &str, name: &str, version: &Version<'_>) -> Result<()> {
    let http = free_address()?;
    world.system.run_by(version.binary);
    world.run(role, name, &[("CORTEX_HTTP_LISTEN", http.as_str())])?;
    is_ready(world, name, &http)
}

fn is_ready(world: &mut World, name: &str, http: &str) -> Result<()> {
    until(&format!("{name} to be ready"), PATIENCE, || {
        let process = world.process(name)?;
        ensure!(process.is_running()?, "{}", process.tail(25));
        Ok(http_get(http, "/readyz").is_ok_and(|(status, _)| status == 200))
    })
}

/// One who uploads a small file again and again, whatever happens at Cortex.
struct Customer {
    uploads: JoinHandle<Result<Vec<(String, Upload)>>>,
    enough: Arc<AtomicBool>,
}

impl Customer {
    fn start(store: Store) -> Result<Self> {
        let enough = Arc::new(AtomicBool::new(false));
        let is_enough = enough.clone();
        let uploads = std::thread::Builder::new().spawn(move || {
            let mut uploads = Vec::new();
            while !is_enough.load(Ordering::Relaxed) {
                let key = format!("2026-11-22/small-{}.csv", uploads.len());
                let upload = events(&key, 100, 20, Style::Csv, Packing::Plain)?;
                let etag = store.put(&format!("events/{key}"), &upload.bytes)?;
                uploads.push((etag, upload));
                std::thread::sleep(FILE_EVERY);
            }
            Ok(uploads)
        })?;
        Ok(Self { uploads, enough })
    }

    /// What was uploaded, with each one's ETag.
    fn stop(self) -> Result<Vec<(String, Upload)>> {
        self.enough.store(true, Ordering::Relaxed);
        self.uploads.join().map_err(|_| anyhow!("the uploads died"))?
    }
}
