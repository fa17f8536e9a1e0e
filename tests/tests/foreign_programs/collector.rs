//! What a collector of the OpenTelemetry project's own contracts is sent while files are read, and what logs and metrics say
//! beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::cloud::{Cloud, ROLE};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::{Process, until};
use end_to_end::system::System;
use end_to_end::world::PATIENCE;
use serde_json::Value;
use services::Python;

const PACKAGES: [&str; 3] = ["opentelemetry-proto==1.45.2", "grpcio==1.71.0", "protobuf==5.29.5"];
/// So many small files that three of them are on one of six partitions.
const SMALL: usize = 13;
const PROCESS: &str = "process cortex.objects.v1";

/// A span as the collector was sent it.
struct Span(Value);

impl Span {
    fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> &Value {
        &self.0["attributes"][name]
    }

    /// Role and name.
    fn is(&self, role: &str, name: &str) -> bool {
        self.0["resource"]["service.name"] == format!("cortex-{role}") && self.text("name") == name
    }

    fn links(&self) -> Vec<&str> {
        let links = self.0["links"].as_array().map_or(&[][..], Vec::as_slice);
        links.iter().filter_map(|link| link["span"].as_str()).collect()
    }
}

/// All spans of the run.
struct Spans(Vec<Span>);

impl Spans {
    fn named(&self, role: &str, name: &str) -> impl Iterator<Item = &Span> {
        self.0.iter().filter(move |span| span.is(role, name))
    }

    /// The only span of this name below that one.
    fn child(&self, parent: &Span, role: &str, name: &str) -> Result<&Span> {
        let children: Vec<_> =
            self.named(role, name).filter(|span| span.text("parent") == parent.text("span")).collect();
        ensure!(children.len() == 1, "{} of {role}'s {name} below {}", children.len(), parent.0);
        Ok(children[0])
    }

    fn parent(&self, child: &Span, role: &str, name: &str) -> Result<&Span> {
        let parent = self.0.iter().find(|span| span.text("span") == child.text("parent"));
        let parent = parent.with_context(|| format!("no parent of {}", child.0))?;
        ensure!(parent.is(role, name), "{} is below {}", child.0, parent.0);
        ensure!(parent.text("trace") == child.text("trace"), "{}", child.0);
        Ok(parent)
    }
}

struct World {
    collector: Python,
    cloud: Cloud,
    system: System,
    source: String,
    processes: BTreeMap<&'static str, Process>,
}

impl World {
    fn start() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/otlp_collector.py");
        let mut collector = Python::with("otlp", &PACKAGES, &script)?;
        let account = format!("traced{}", std::process::id());
        let cloud = Cloud::start("traced-bucket")?;
        let database = services::shared::postgres()?.database(&account)?;
        let mut system = System::on(services::shared::kafka()?.bootstrap(), &database, cloud.endpoint())?;
        cloud.give_identity(&mut system);
        system.set("CORTEX_OTLP_ENDPOINT", &collector.ask("address")?);
        // Spans are sent when a process ends, if not before: they must not be lost then.
        system.set("OTEL_BSP_SCHEDULE_DELAY", "600000");
        system.set("CORTEX_LOG_FORMAT", "json");
        system.set("CORTEX_HTTP_LISTEN", "127.0.0.1:0");
        let mut processes = BTreeMap::from([("registry", system.registry()?)]);
        let made = system.ask(&["account", "create", "--id", &account])?.remove(0);
        cloud.trust(made["external_id"].as_str().context("an External ID")?);
        let endpoint = cloud.endpoint().to_owned();
        let mut create =
            vec!["source", "create", "--account", &account, "--name", "Clicks", "--dataset", "events"];
        create.extend(["--bucket", "traced-bucket", "--path", "events", "--role-arn", ROLE]);
        create.extend(["--endpoint-url", endpoint.as_str()]);
        let source = system.ask(&create)?[0]["name"].as_str().context("a name")?.to_owned();
        processes.insert("scanner", system.scanner()?);
        processes.insert("parser", system.parser("parser", &[])?);
        Ok(Self { collector, cloud, system, source, processes })
    }

    fn put(&self, key: &str, rows: u64, bad_every: u64) -> Result<String> {
        self.cloud.put("events", &events(key, rows, bad_every, Style::Csv, Packing::Plain)?)
    }

    /// Waits until the source has so many files in these states.
    fn in_states(&self, count: usize, states: &[&str]) -> Result<()> {
        until(&format!("{count} files to be {states:?}"), PATIENCE, || {
            let files = self.system.ask(&["source", "files", &self.source])?;
            let state = |file: &Value| states.iter().any(|one| file["state"] == format!("FILE_STATE_{one}"));
            Ok(files.iter().filter(|file| state(file)).count() == count)
        })
    }

    fn stop(&mut self, role: &str) -> Result<()> {
        let mut process = self.processes.remove(role).context("it runs")?;
        let status = process.terminate(Duration::from_secs(20))?;
        ensure!(status.success(), "{role} ended with {status}");
        Ok(())
    }

    /// The log lines of a process, each of which must be JSON.
    fn lines(&self, role: &str) -> Result<Vec<Value>> {
        let log = self.system.log(role);
        log.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// The series of a role, by family, as it serves them now.
    fn series(&self, role: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let lines = self.lines(role)?;
        let address = lines.iter().rev().find_map(|line| {
            line["address"].as_str().filter(|_| {
                line["message"].as_str().is_some_and(|message| message.starts_with("health and metrics"))
            })
        });
        let address = address.with_context(|| format!("{role} serves no metrics"))?;
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let mut series: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in answer.lines().filter(|line| line.starts_with("cortex_")) {
            let family = line.split(['{', ' ']).next().unwrap_or_default().to_owned();
            series.entry(family).or_default().push(line.to_owned());
        }
        Ok(series)
    }
}

#[test]
fn one_trace_follows_a_file_from_its_scan_to_the_ledger_and_is_named_in_the_logs() -> Result<()> {
    let _alone = super::one_at_a_time();
    let mut world = World::start()?;
    let key = world.put("2026-11-23/first.csv", 300, 30)?;
    world.system.ask(&["source", "activate", &world.source])?;
    world.in_states(1, &["ACCEPTED_WITH_REJECTIONS"])?;
    metrics_tell_of_it(&world, &key)?;

    // Those that are claimed and committed together.
    world.stop("parser")?;
    for number in 0..SMALL {
        world.put(&format!("2026-11-24/{number}.csv"), 5, 0)?;
    }
    world.in_states(SMALL, &["PUBLISHED"])?;
    world.processes.insert("parser", world.system.parser("parser", &[])?);
    world.in_states(SMALL, &["ACCEPTED"])?;
    for role in ["parser", "scanner", "registry"] {
        world.stop(role)?;
    }

    let sent: Value = serde_json::from_str(&world.collector.ask("spans")?)?;
    let spans = Spans(sent.as_array().context("spans")?.iter().cloned().map(Span).collect());
    let trace = one_trace(&spans, &key)?;
    batches_are_linked(&spans)?;
    for (role, message) in [("scanner", "scanned"), ("parser", "file ended")] {
        let lines = world.lines(role)?;
        let told = lines.iter().find(|line| line["message"] == message && line["trace_id"] == trace);
        let told = told.with_context(|| format!("{role} does not say {message:?} of trace {trace}"))?;
        let known = spans.0.iter().any(|span| told["span_id"] == span.text("span"));
        ensure!(known, "no span is as the log says: {told}");
    }
    world.lines("registry").map(drop)
}

/// From the scan to the ledger; gives the trace's id.
fn one_trace<'s>(spans: &'s Spans, key: &str) -> Result<&'s str> {
    let file = spans.named("parser", "file").find(|span| span.attribute("key") == key);
    let file = file.context("the file was not traced")?;
    let process = spans.parent(file, "parser", PROCESS)?;
    let send = spans.parent(process, "scanner", "send cortex.objects.v1")?;
    let scan = spans.parent(send, "scanner", "scan")?;
    ensure!(scan.text("parent").is_empty(), "{}", scan.0);
    ensure!(scan.attribute("cortex.scan.list_requests").as_i64() > Some(0), "{}", scan.0);
    ensure!(file.attribute("cortex.file.rejected") == 10, "{}", file.0);
    for (span, kind, partition) in
        [(send, "SPAN_KIND_PRODUCER", false), (process, "SPAN_KIND_CONSUMER", true)]
    {
        ensure!(span.text("kind") == kind, "{}", span.0);
        ensure!(span.attribute("messaging.system") == "kafka", "{}", span.0);
        ensure!(span.attribute("messaging.destination.name") == "cortex.objects.v1", "{}", span.0);
        ensure!(span.attribute("messaging.destination.partition.id").is_string() == partition, "{}", span.0);
    }

    let commit = spans.child(process, "parser", "commit cortex.objects.v1")?;
    ensure!(commit.attribute("messaging.operation.type") == "settle", "{}", commit.0);
    let applied = spans.child(file, "registry", "process cortex.file-progress.v1")?;
    ensure!(applied.attribute("messaging.batch.message_count") == 1, "{}", applied.0);

    // Calls are below whoever made them.
    let claim = spans.child(process, "registry", "cortex.worker.v1.WorkerService/ClaimFiles")?;
    ensure!(claim.text("kind") == "SPAN_KIND_SERVER", "{}", claim.0);
    ensure!(claim.attribute("rpc.response.status_code") == "OK", "{}", claim.0);
    for method in ["RecordObjects", "MarkPublished", "CompleteScan"] {
        let name = format!("cortex.worker.v1.WorkerService/{method}");
        ensure!(
            spans.named("registry", &name).any(|call| call.text("parent") == scan.text("span")),
            "{method} is not below the scan"
        );
    }
    let of_trace = |role, name| spans.named(role, name).any(|span| span.text("trace") == file.text("trace"));
    ensure!(of_trace("parser", "S3.GetObject") && of_trace("scanner", "S3.ListObjectsV2"), "S3 is not in it");
    let instance = &process.0["resource"];
    ensure!(
        instance["service.instance.id"] == "parser" && instance["service.version"].is_string(),
        "{instance}"
    );
    Ok(file.text("trace"))
}

/// What is done for several messages at once has a trace of its own, and is linked to each.
fn batches_are_linked(spans: &Spans) -> Result<()> {
    let processes: BTreeSet<_> = spans.named("parser", PROCESS).map(|span| span.text("span")).collect();
    for name in ["claim", "commit cortex.objects.v1"] {
        let several: Vec<_> = spans.named("parser", name).filter(|span| span.links().len() > 1).collect();
        ensure!(!several.is_empty(), "no {name} is of several messages");
        for span in several {
            ensure!(span.text("parent").is_empty(), "{}", span.0);
            ensure!(span.links().iter().all(|link| processes.contains(link)), "{}", span.0);
        }
    }
    Ok(())
}

/// The families of each role, and what labels they have: none is open to what customers name.
fn metrics_tell_of_it(world: &World, key: &str) -> Result<()> {
    let of_role: [(&str, &[&str]); 3] = [
        (
            "registry",
            &[
                "cortex_build_info",
                "cortex_credential_refreshes_total",
                "cortex_grpc_request_duration_seconds_bucket",
                "cortex_grpc_requests_total",
                "cortex_ledger_acquire_duration_seconds_bucket",
                "cortex_ledger_connections",
                "cortex_queue_lag",
                "cortex_scans_longest_age",
                "cortex_source_files_total",
                "cortex_source_rows_total",
            ],
        ),
        ("scanner", &["cortex_build_info", "cortex_scanner_list_requests_total"]),
        (
            "parser",
            &[
                "cortex_build_info",
                "cortex_files_total",
                "cortex_parser_commit_duration_seconds_bucket",
                "cortex_rows_accepted_total",
                "cortex_rows_rejected_total",
            ],
        ),
    ];
    for (role, families) in of_role {
        // Some are looked at every quarter of a minute.
        until(&format!("the metrics of the {role}"), PATIENCE, || {
            let series = world.series(role)?;
            Ok(families.iter().all(|family| series.contains_key(*family)))
        })
        .with_context(|| {
            format!("{:?}", world.series(role).map(|series| series.into_keys().collect::<Vec<_>>()))
        })?;
        let series = world.series(role)?;
        for line in series.values().flatten() {
            ensure!(!line.contains(key) && !line.contains("traced-bucket"), "{line}");
        }
    }
    let has = |role: &str, family: &str, labels: &[&str], value: &str| -> Result<()> {
        let series = world.series(role)?.remove(family).unwrap_or_default();
        let found = series.iter().any(|line| {
            labels.iter().all(|label| line.contains(label)) && line.ends_with(&format!(" {value}"))
        });
        ensure!(found, "{role} has no {family} of {labels:?} that is {value}: {series:?}");
        Ok(())
    };
    let source = world.source.rsplit('/').next().context("a source's id")?;
    let source = format!(r#"source="{source}""#);
    let rejected = [r#"dataset="EVENTS""#, r#"code="invalid_type""#];
    has("parser", "cortex_rows_rejected_total", &rejected, "10")?;
    has("parser", "cortex_rows_accepted_total", &[r#"dataset="EVENTS""#], "290")?;
    has("registry", "cortex_source_rows_total", &[&source, r#"outcome="accepted""#], "290")?;
    let ended = r#"outcome="OUTCOME_ACCEPTED_WITH_REJECTIONS""#;
    has("registry", "cortex_source_files_total", &[&source, ended], "1")?;
    has("registry", "cortex_grpc_requests_total", &[r#"method="ClaimFiles""#, r#"code="OK""#], "1")?;
    has("registry", "cortex_credential_refreshes_total", &[r#"outcome="issued""#], "1")
}
