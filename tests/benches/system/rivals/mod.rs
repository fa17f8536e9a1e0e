//! What one would pick instead, on the same files, S3 server, broker and machine, one after another: this system's parser, a
//! Python script, Benthos, and Kafka Connect. Tells one JSON object.
//!
//! `CORTEX_BENCH_ROWS` (1,000,000) rows over `CORTEX_BENCH_FILES` (4) files. Each writes to a topic of as many partitions, with
//! `acks=all`, an idempotent producer, lz4, and up to 20 ms to fill a batch. Seconds go from the first record, for the parser from
//! the opening of the first file, to the moment at which all are there for a consumer of committed records. Processor time and
//! memory are those of the contestant's process, its start included, and neither the broker's nor the S3 server's. One that
//! cannot be had on this machine is skipped, and says why.

mod benthos;
mod connect;
mod contestant;

use anyhow::{Context, Result, ensure};
use end_to_end::bench::{Parsed, Stage, Usage, setting};
use serde_json::{Value, json};
use services::Python;

use self::contestant::{Arena, Contestant, Figures, has_types};

const PARSER: Contestant = Contestant {
    name: "cortex parser",
    what: "one process, with the registry beside it",
    reads: "S3",
    writes: "protobuf, typed; refused rows with their reasons",
    guarantee: "exactly once",
};
const PYTHON: Contestant = Contestant {
    name: "Python script",
    what: "csv, confluent-kafka 2.12.1",
    reads: "local disk",
    writes: "JSON, typed by the script",
    guarantee: "at least once; begins anew with the file",
};

pub(crate) fn run() -> Result<()> {
    let (rows, files) = (setting("ROWS", 1_000_000)?, setting("FILES", 4)?.max(1));
    let mut arena = Arena::new(Stage::start()?, rows / files, files)?;
    let contestants = [
        parser(&mut arena)?,
        tell(&PYTHON, python(&arena))?,
        tell(&benthos::BENTHOS, benthos::run(&arena))?,
        tell(&connect::CONNECT, connect::run(&arena))?,
    ];
    println!(
        "{}",
        json!({ "rows": arena.rows(), "files": files, "bytes": arena.bytes, "contestants": contestants })
    );
    Ok(())
}

/// What a contestant came to: its figures, or why there are none.
enum Outcome {
    Ran(Value),
    /// It cannot be had here.
    Skipped(anyhow::Error),
}

/// A failure is the benchmark's own; one that is not to be had is not.
fn tell(contestant: &Contestant, outcome: Result<Outcome>) -> Result<Value> {
    let name = contestant.name;
    match outcome.with_context(|| name.to_owned())? {
        Outcome::Ran(told) => Ok(told),
        Outcome::Skipped(why) => {
            eprintln!("rivals: {name} is skipped: {why:#}");
            let why = format!("{why:#}");
            let reason = why.lines().next().unwrap_or_default();
            Ok(json!({ "name": name, "skipped": reason }))
        }
    }
}

fn parser(arena: &mut Arena) -> Result<Value> {
    let Parsed { accepted, seconds, used } = arena.stage.parse(arena.files, "the files")?;
    ensure!(accepted == arena.rows(), "{accepted} rows were accepted");
    Ok(arena.told(&PARSER, Figures { seconds, used }))
}

/// The files are on this machine's disk for it, which spares it S3.
fn python(arena: &Arena) -> Result<Outcome> {
    const TOPIC: &str = "rivals.python";
    arena.topic(TOPIC)?;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/ingest.py");
    let mut python = match Python::with("confluent-kafka", &["confluent-kafka==2.12.1"], &script) {
        Ok(python) => python,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let (mut rows, mut seconds, mut last) = (0, 0.0, Value::Null);
    for file in arena.on_disk() {
        let question = json!({ "bootstrap": arena.stage.kafka.bootstrap(), "topic": TOPIC, "file": file });
        last = serde_json::from_str(&python.ask(&question.to_string())?)?;
        rows += last["rows"].as_u64().context("rows")?;
        seconds += last["seconds"].as_f64().context("seconds")?;
    }
    ensure!(rows == arena.rows(), "{rows} rows were produced");
    arena.all_are_there(TOPIC, rows..=rows, has_types)?;
    let used = Usage {
        cpu_seconds: last["cpu_seconds"].as_f64().context("CPU seconds")?,
        peak_bytes: last["peak_bytes"].as_u64().context("a peak")?,
    };
    Ok(Outcome::Ran(arena.told(&PYTHON, Figures { seconds, used })))
}
