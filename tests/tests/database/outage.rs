//! PostgreSQL that is cut off and refuses: services wait, say that they are not ready, and go on.

use std::time::Duration;

use anyhow::{Result, ensure};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::{cortex, free_address, http_get, until};
use end_to_end::world::{PATIENCE, World};
use services::Postgres;

#[test]
fn a_database_that_is_cut_off_and_refuses_is_waited_for() -> Result<()> {
    let mut world = World::start("database", 1)?;
    let roles = [("registry", free_address()?), ("scanner", free_address()?), ("parser", free_address()?)];
    let http = |role: usize| [("CORTEX_HTTP_LISTEN", roles[role].1.as_str())];
    world.source(&http(0))?;
    world.run("scanner", "scanner", &http(1))?;
    world.run("parser", "parser-1", &http(2))?;
    world.put(&events("2026-11-23/large.csv", 300_000, 1_000, Style::Csv, Packing::Plain)?)?;
    world.in_the_middle("2026-11-23/large.csv")?;
    let all = |path: &str, wanted: u16| -> Result<bool> {
        for (_, address) in &roles {
            if http_get(address, path)?.0 != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    };
    until("all roles to be ready", PATIENCE, || all("/readyz", 200))?;
    let healthy = |arguments: &[&str]| -> Result<Vec<Option<i32>>> {
        roles.iter().map(|(_, address)| health(address, arguments)).collect()
    };
    ensure!(healthy(&[])? == [Some(0); 3], "{:?}", healthy(&[])?);
    ensure!(health(&free_address()?, &[])? == Some(6), "where nothing listens");

    // Connections that are cut are made anew.
    for number in 0..5 {
        world.postgres.cut();
        let key = format!("2026-11-22/cut-{number}.csv");
        world.put(&events(&key, 300, 50, Style::Csv, Packing::Plain)?)?;
        std::thread::sleep(Duration::from_millis(700));
    }
    // Half a minute of refusal: not ready, and alive.
    world.postgres.refuse();
    world.put(&events("2026-11-22/refused.csv", 300, 50, Style::Csv, Packing::Plain)?)?;
    until("no role to be ready", Duration::from_secs(25), || all("/readyz", 503))?;
    ensure!(healthy(&[])? == [Some(1); 3] && healthy(&["--live"])? == [Some(0); 3], "{:?}", healthy(&[])?);
    for _ in 0..20 {
        ensure!(all("/healthz", 200)?, "a role is not alive");
        std::thread::sleep(Duration::from_secs(1));
    }
    world.postgres.pass();
    until("all roles to be ready again", PATIENCE, || all("/readyz", 200))?;
    // One that answers nothing at all, for longer than a call waits.
    world.postgres.stall();
    std::thread::sleep(Duration::from_secs(15));
    world.postgres.pass();
    world.postgres.cut();
    world.each_row_once()?;
    // What every role serves to whoever asks tells how much, and not whose and what.
    for (role, address) in &roles {
        let (status, served) = http_get(address, "/metrics")?;
        ensure!(status == 200 && served.contains(&format!("cortex_{}", metric_of(role))), "{role}: {served}");
        for private in [&world.account, ".csv", world.store.bucket(), "token", "postgres://"] {
            ensure!(!served.contains(private), "{role} serves {private}");
        }
    }
    Ok(())
}

/// The status of `cortex health`, as an image's health check runs it.
fn health(address: &str, arguments: &[&str]) -> Result<Option<i32>> {
    let mut command = cortex()?;
    Ok(command.arg("health").args(arguments).env("CORTEX_HTTP_LISTEN", address).output()?.status.code())
}

/// The beginning of one of its metrics.
fn metric_of(role: &str) -> &'static str {
    match role {
        "registry" => "progress_",
        "scanner" => "scanner_",
        _ => "parser_",
    }
}

#[test]
fn a_registry_that_starts_before_its_database_waits_for_it() -> Result<()> {
    let mut world = World::start("early", 1)?;
    world.postgres.refuse();
    let registry = world.system.start_registry(&[])?;
    world.processes.insert("registry".to_owned(), registry);
    std::thread::sleep(Duration::from_secs(6));
    let (status, said) = world.system.migrate(&["--check"])?;
    ensure!(status == Some(6), "{status:?}: {said}");
    ensure!(world.process("registry")?.is_running()?, "{}", world.system.log("registry"));
    world.postgres.pass();
    world.system.registry_answers()
}

#[test]
fn a_database_that_is_restarted_loses_and_doubles_nothing() -> Result<()> {
    let mut postgres = Postgres::start_own()?;
    let mut world = World::start_on(&postgres, "restarted", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    world.run("parser", "parser-1", &[])?;
    world.put(&events("2026-11-23/large.csv", 200_000, 1_000, Style::Csv, Packing::Plain)?)?;
    world.in_the_middle("2026-11-23/large.csv")?;
    for number in 0..3 {
        world.put(&events(&format!("2026-11-22/{number}.csv"), 300, 50, Style::Csv, Packing::Plain)?)?;
        postgres.restart()?;
        std::thread::sleep(Duration::from_secs(1));
    }
    world.each_row_once()
}
