//! The consumers in `examples/`, each run as its README says, against a real broker with records that Cortex published: while a
//! parser died between writing its records and committing them, so that what they must not see is there.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, Upload, events};
use end_to_end::process::binary;
use end_to_end::world::{PATIENCE, World};
use serde_json::Value;

const ROWS: u64 = 8_000;

fn examples() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the repository")?.join("examples"))
}

fn succeed(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Each accepted row of the file is there once, with its type and a number of its own.
fn sees_each_row_once(language: &str, printed: &str, upload: &Upload) -> Result<()> {
    let mut users = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for line in printed.lines() {
        let record: Value = serde_json::from_str(line).with_context(|| format!("{language}: {line}"))?;
        ensure!(record["type"] == "view", "{language}: {line}");
        ensure!(record["properties"]["price"]["string_value"].is_string(), "{language}: {line}");
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| line.to_owned());
        ensure!(users.insert(text(&record["user_id"])?), "{language}: twice: {line}");
        ensure!(numbers.insert(text(&record["envelope"]["record_id"])?), "{language}: twice: {line}");
    }
    ensure!(users == upload.accepted, "{language}: {} of {}", users.len(), upload.accepted.len());
    Ok(())
}

fn rust() -> Result<Command> {
    Ok(Command::new(binary()?.with_file_name("consume-events")))
}

fn python(dir: &Path) -> Result<Command> {
    let folder = examples()?.join("python");
    let pinned = std::fs::read_to_string(folder.join("requirements.txt"))?;
    let pinned: Vec<&str> = pinned.lines().collect();
    let proto = examples()?.join("../proto");
    let mut generate = services::python("consume-events", &pinned, dir)?;
    generate
        .args(["-m", "grpc_tools.protoc", "-I"])
        .arg(proto)
        .arg(format!("--python_out={}", dir.display()));
    succeed(generate.arg("cortex/records/v1/records.proto"))?;
    let mut command = services::python("consume-events", &pinned, dir)?;
    command.arg(folder.join("consume_events.py"));
    Ok(command)
}

fn java(dir: &Path) -> Result<Command> {
    let pom = examples()?.join("java/pom.xml");
    let out = format!("-Dbuild.dir={}", dir.display());
    succeed(Command::new("mvn").args(["-q", "-B", "package", &out, "-f"]).arg(pom))?;
    let mut command = Command::new("java");
    let path = format!("{0}/classes:{0}/libs/*", dir.display());
    command.args([
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        &path,
        "com.example.ConsumeEvents",
    ]);
    Ok(command)
}

#[test]
fn each_example_sees_each_accepted_row_once_though_a_parser_died() -> Result<()> {
    let mut world = World::start("consumers", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    let upload = events("2026-11-23/file.csv", ROWS, 40, Style::Csv, Packing::Plain)?;
    world.put(&upload)?;
    world.run("parser", "parser", &[("FAILPOINTS", "queue.before-commit=return")])?;
    world.ends("parser", PATIENCE)?;
    world.run("parser", "parser", &[])?;
    world.at_rest()?;
    let bootstrap = world.kafka.bootstrap().to_owned();
    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
    for (language, mut command) in
        [("rust", rust()?), ("python", python(dirs[0].path())?), ("java", java(dirs[1].path())?)]
    {
        let group = format!("readers-in-{language}");
        let printed = succeed(command.args([bootstrap.as_str(), &group, "--until-end"]))?;
        sees_each_row_once(language, &printed, &upload)?;
        let again = succeed(command.args(["--until-end"]));
        ensure!(again?.is_empty(), "{language}: offsets were not committed");
    }
    world.each_row_once()
}
