//! Benthos: its own S3 input, CSV scanner, mapping and Kafka output, by the configuration in `tests/go/benthos`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use end_to_end::bench::folder;
use end_to_end::process::Process;
use serde_json::{Value, json};

use super::Outcome;
use super::contestant::{Arena, Contestant, has_types};

pub(super) const BENTHOS: Contestant = Contestant {
    name: "Benthos",
    what: "4.27.0",
    reads: "S3",
    writes: "JSON, typed by a mapping",
    guarantee: "at least once; begins anew with all files",
};
/// The build's name in the cache: changes with what is built.
const BUILD: &str = "benthos-4.27.0";
const TOPIC: &str = "rivals.benthos";

pub(super) fn run(arena: &Arena) -> Result<Outcome> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/benthos");
    let program = match services::go_program(BUILD, &source) {
        Ok(program) => program,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    arena.topic(TOPIC)?;
    let mut command = Command::new(program);
    command
        .arg("-c")
        .arg(source.join("ingest.yaml"))
        .env("INPUTS", inputs(arena)?)
        .env("KAFKA", arena.stage.kafka.bootstrap())
        .env("TOPIC", TOPIC)
        // Four times the heap of what is in use before it is collected: a fifth less processor time here than with Go's default.
        .env("GOGC", "400");
    let mut process = Process::start("benthos", command, arena.dir.path())?;
    let figures = arena.watch(&mut process, TOPIC, arena.rows())?;
    drop(process);
    arena.all_are_there(TOPIC, arena.rows()..=arena.rows(), has_types)?;
    Ok(Outcome::Ran(arena.told(&BENTHOS, figures)))
}

/// An S3 input a file: one alone reads them one after another, and its processors wait.
fn inputs(arena: &Arena) -> Result<String> {
    let s3 = services::shared::s3()?;
    let inputs = (0..arena.files).map(|file| {
        json!({ "aws_s3": {
            "bucket": arena.stage.store.bucket(),
            "prefix": format!("{}/{file}.csv", folder()),
            "endpoint": s3.endpoint(),
            "region": "us-east-1",
            "force_path_style_urls": true,
            "credentials": { "id": s3.access_key(), "secret": s3.secret_key() },
            "scanner": { "csv": {} },
        } })
    });
    Ok(Value::Array(inputs.collect()).to_string())
}
