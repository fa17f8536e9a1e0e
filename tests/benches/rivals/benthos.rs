//! Benthos: its own S3 input, CSV scanner, mapping and Kafka output, by the configuration in `tests/go/benthos`.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use end_to_end::process::Process;

use super::contestant::{Arena, has_types};
use super::{FOLDER, Outcome};

pub(super) const NAME: &str = "Benthos 4.27.0";
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
    let s3 = services::shared::s3()?;
    let mut command = Command::new(program);
    command
        .arg("-c")
        .arg(source.join("ingest.yaml"))
        .env("S3_ENDPOINT", s3.endpoint())
        .env("S3_ACCESS_KEY", s3.access_key())
        .env("S3_SECRET_KEY", s3.secret_key())
        .env("S3_BUCKET", arena.stage.store.bucket())
        .env("S3_PREFIX", FOLDER)
        .env("KAFKA", arena.stage.kafka.bootstrap())
        .env("TOPIC", TOPIC);
    let mut process = Process::start("benthos", command, arena.dir.path())?;
    let figures = arena.watch(&mut process, TOPIC, arena.rows())?;
    drop(process);
    arena.all_are_there(TOPIC, arena.rows(), has_types)?;
    Ok(Outcome::Ran(arena.told(NAME, "S3", "JSON, typed by a mapping", "at least once", figures)))
}
