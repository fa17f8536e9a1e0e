//! PostgreSQL that is cut off and refuses: services wait, say that they are not ready, and go on.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::until;
use end_to_end::world::{PATIENCE, World};
use services::Postgres;

/// The status of an HTTP GET.
fn status(address: &str, path: &str) -> Result<u16> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).context("a status")?;
    Ok(status.parse()?)
}

fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

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
            if status(address, path)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    };
    until("all roles to be ready", PATIENCE, || all("/readyz", 200))?;

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
    world.each_row_once()
}

#[test]
fn a_registry_that_starts_before_its_database_waits_for_it() -> Result<()> {
    let mut world = World::start("early", 1)?;
    world.postgres.refuse();
    let registry = world.system.start_registry(&[])?;
    world.processes.insert("registry".to_owned(), registry);
    std::thread::sleep(Duration::from_secs(6));
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
