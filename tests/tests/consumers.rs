//! The consumers in `examples/`, each run as its README says, and Confluent's own, against a real broker with records that Cortex
//! published in each form: while parsers died between writing their records and committing them, so that what they must not see
//! is there.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::{binary, cortex, free_address, http_get, until};
use end_to_end::system::Settings;
use end_to_end::world::{PATIENCE, World};
use serde_json::Value;
use services::{SchemaRegistry, TcpProxy};

const ROWS: u64 = 3_000;
/// Confluent's client with what reads protobuf by a schema registry.
const CONFLUENT: [&str; 4] = [
    "confluent-kafka[protobuf,schemaregistry]==2.12.1",
    "grpcio-tools==1.71.0",
    "protobuf==5.29.5",
    "setuptools==80.9.0",
];

fn examples() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the repository")?.join("examples"))
}

fn succeed(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}: {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// Each accepted row is there once, with its type and a number of its own.
fn sees_each_row_once(language: &str, printed: &str, accepted: &BTreeSet<String>) -> Result<()> {
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
    ensure!(users == *accepted, "{language}: {} of {}", users.len(), accepted.len());
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

/// Uploads a file, and has it read by a parser that dies and by another one. Gives the subjects of its valid rows.
fn read_though_a_parser_died(
    world: &mut World,
    name: &str,
    dying: Settings<'_>,
    living: Settings<'_>,
) -> Result<BTreeSet<String>> {
    let upload = events(&format!("2026-11-23/{name}.csv"), ROWS, 40, Style::Csv, Packing::Plain)?;
    world.put(&upload)?;
    let dying: Vec<_> = dying.iter().copied().chain([("FAILPOINTS", "queue.before-commit=return")]).collect();
    world.run("parser", "parser", &dying)?;
    world.ends("parser", PATIENCE)?;
    world.run("parser", "parser", living)?;
    world.at_rest()?;
    Ok(upload.accepted)
}

/// Runs `python/confluent.py`.
fn confluent(arguments: &[&str], input: &str) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/confluent.py");
    let folder = tempfile::tempdir()?;
    let mut python = services::python("confluent", &CONFLUENT, folder.path())?;
    python.arg(script).args(arguments);
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().context("standard input")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "confluent.py {arguments:?}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A parser that may register nothing waits for a registry that is away, and ends where that does not have the schemas; with what
/// `cortex topics schema` prints, registered by Confluent's client, it works. Gives what it is set to.
fn registered_by_an_operator(
    world: &mut World,
    registry: &SchemaRegistry,
) -> Result<Vec<(&'static str, String)>> {
    let proxy = TcpProxy::start(&registry.address())?;
    let url = SchemaRegistry::url_at(&proxy.address());
    let http = free_address()?;
    proxy.refuse();
    let settings = [
        ("CORTEX_VALUE_FORMAT", "confluent"),
        ("CORTEX_SCHEMA_REGISTRY_URL", url.as_str()),
        ("CORTEX_SCHEMA_REGISTRY_AUTO_REGISTER", "false"),
        ("CORTEX_HTTP_LISTEN", http.as_str()),
    ];
    world.run("parser", "parser", &settings)?;
    let says = "the schema registry does not answer";
    until("readiness to say what is lacking", PATIENCE, || {
        Ok(http_get(&http, "/readyz").is_ok_and(|(_, answer)| answer.contains(says)))
    })?;
    proxy.pass();
    world.ends("parser", PATIENCE)?;
    let status = world.process("parser")?.status()?.and_then(|status| status.code());
    ensure!(status == Some(1), "{status:?}");
    let log = world.system.log("parser");
    ensure!(log.contains("register what `cortex topics schema cortex.events.v1` prints"), "{log}");
    let mut schemas = BTreeMap::new();
    for (topic, _) in records::topic::VALUES {
        schemas.insert(topic, succeed(cortex()?.args(["topics", "schema", topic]))?);
    }
    confluent(&["register", &registry.url()], &serde_json::to_string(&schemas)?)?;
    let settings = settings.iter().take(3).map(|(name, value)| (*name, (*value).to_owned()));
    let mut settings: Vec<_> = settings.collect();
    settings[1].1 = registry.url();
    Ok(settings)
}

#[test]
fn each_example_sees_each_accepted_row_once_in_each_form_though_parsers_died() -> Result<()> {
    let mut world = World::start("consumers", 1)?;
    world.source(&[])?;
    world.run("scanner", "scanner", &[])?;
    let bootstrap = world.kafka.bootstrap().to_owned();
    let mut accepted = read_though_a_parser_died(&mut world, "protobuf", &[], &[])?;

    let registry = services::shared::schema_registry()?;
    let settings = registered_by_an_operator(&mut world, registry)?;
    let looks_up: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // One that registers gets what is there.
    let rows = read_though_a_parser_died(&mut world, "confluent", &looks_up, &looks_up[..2])?;
    let printed = confluent(&["read", &registry.url(), &bootstrap], "")?;
    sees_each_row_once("Confluent's deserializer", &printed, &rows)?;
    accepted.extend(rows);

    let json = [("CORTEX_VALUE_FORMAT", "json")];
    accepted.extend(read_though_a_parser_died(&mut world, "json", &json, &json)?);

    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
    for (language, mut command) in
        [("rust", rust()?), ("python", python(dirs[0].path())?), ("java", java(dirs[1].path())?)]
    {
        let group = format!("readers-in-{language}");
        let printed = succeed(command.args([bootstrap.as_str(), &group, "--until-end"]))?;
        sees_each_row_once(language, &printed, &accepted)?;
        let again = succeed(command.args(["--until-end"]));
        ensure!(again?.is_empty(), "{language}: offsets were not committed");
    }
    // What Cortex itself reads back.
    let tail = ["tail", "cortex.rejected-rows.v1", "--from-beginning", "--kafka", &bootstrap];
    let rejected = succeed(cortex()?.args(tail))?;
    ensure!(rejected.lines().count() == 3 * (ROWS / 40) as usize, "{rejected}");
    let samples = world.system.ask(&["source", "sample", &world.source])?;
    ensure!(samples.iter().all(|one| one.to_string().contains("user_id")), "{samples:?}");
    world.each_row_once()
}
