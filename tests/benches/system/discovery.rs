//! What discovery costs: a scanner and a registry over a generated listing of many objects, phase by phase, told as one JSON
//! object. Everything runs in this process, the listing too, so the memory is that of all together.
//!
//! `CORTEX_BENCH_OBJECTS` (1,000,000) objects over `CORTEX_BENCH_DATES` (1,000) dates, then `CORTEX_BENCH_NEW` (10,000) new ones;
//! every LIST takes `CORTEX_BENCH_LIST_MS` (0) more. The ledger is SQLite, or a database of its own on the server that
//! `CORTEX_TEST_POSTGRES` names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use api::client::{Registry, Worker, connect};
use api::registry::{
    ActivateSourceRequest, CreateAccountRequest, CreateSourceRequest, Dataset, GetSourceRequest,
    ListDaysRequest, PauseSourceRequest, ResumeSourceRequest, Source, StaticKeys,
};
use api::worker::{CompleteScanRequest, LeaseScanRequest};
use jiff::ToSpan;
use jiff::civil::Date;
use queue::embedded::EmbeddedQueue;
use queue::{Queue, TopicSpec};
use records::topic;
use registry::{Secret, Server};
use serde_json::{Value, json};
use services::GeneratedS3;
use tokio_util::sync::CancellationToken;

/// 32 bytes in base64.
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const HOURS: Duration = Duration::from_secs(6 * 3600);
/// Days that one ListDays call tells of.
const DAYS_AT_ONCE: usize = 400;

pub(crate) fn run() -> Result<()> {
    let (objects, dates) = (setting("OBJECTS", 1_000_000)?, setting("DATES", 1_000)?);
    let (new, pause) = (setting("NEW", 10_000)?, setting("LIST_MS", 0)?);
    let days: Vec<Date> = (0..dates).map(day).collect::<Result<_>>()?;
    // The listing and a shared PostgreSQL block, so they start outside of the runtime.
    let s3 = GeneratedS3::start("customer-bucket", "events", [], 0)?;
    let folder = tempfile::tempdir()?;
    let database = database(folder.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let phases = runtime.block_on(async {
        let mut bench = Bench::new(s3, folder.path(), database.clone(), days).await?;
        bench.fill(objects);
        bench.s3.slow(Duration::from_millis(pause));
        let phases = bench.phases(new).await;
        bench.stop.cancel();
        phases
    })?;
    let store = if database.starts_with("sqlite") { "sqlite" } else { "postgresql" };
    let told =
        json!({ "objects": objects, "dates": dates, "list_ms": pause, "store": store, "phases": phases });
    println!("{told}");
    // The registry's reader of progress waits in a thread of its own.
    runtime.shutdown_background();
    Ok(())
}

fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(format!("CORTEX_BENCH_{name}")) {
        Ok(value) => value.parse().with_context(|| format!("CORTEX_BENCH_{name} is {value:?}, not a number")),
        Err(_) => Ok(default),
    }
}

fn database(folder: &std::path::Path) -> Result<String> {
    if std::env::var_os("CORTEX_TEST_POSTGRES").is_some() {
        return services::shared::postgres()?.database("discovery_cost");
    }
    Ok(format!("sqlite://{}?mode=rwc", folder.join("registry.db").display()))
}

/// So many days ago.
fn day(ago: u64) -> Result<Date> {
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    Ok(today.checked_sub(i64::try_from(ago)?.days())?)
}

struct Bench {
    s3: GeneratedS3,
    database: String,
    /// Today first.
    days: Vec<Date>,
    queue: Arc<dyn Queue>,
    stop: CancellationToken,
    registry: Registry,
    worker: Worker,
    source: String,
}

impl Bench {
    async fn new(
        s3: GeneratedS3,
        folder: &std::path::Path,
        database: String,
        days: Vec<Date>,
    ) -> Result<Self> {
        let topics = topic::ALL.map(|name| TopicSpec { name: name.to_owned(), partitions: 3 });
        let path = folder.join("queue.db");
        let queue = tokio::task::spawn_blocking(move || -> Result<_> {
            let queue = EmbeddedQueue::open(&path)?;
            queue.ensure_topics(&topics)?;
            Ok(queue)
        });
        let queue: Arc<dyn Queue> = Arc::new(queue.await??);
        let stop = CancellationToken::new();
        let (registry, worker) = serve(&s3, &database, &queue, HOURS, &stop).await?;
        let source = live_source(registry.clone(), &s3).await?;
        Ok(Self { s3, database, days, queue, stop, registry, worker, source })
    }

    /// Spreads so many objects evenly over the dates.
    fn fill(&self, objects: u64) {
        let each = objects / self.days.len() as u64;
        self.days.iter().for_each(|day| self.s3.append(&day.to_string(), each));
    }

    async fn phases(&mut self, new: u64) -> Result<Value> {
        let today = self.days.first().context("no date")?.to_string();
        let first = self.scan().await?;
        let idle = self.scan().await?;
        self.s3.append(&today, new);
        let in_order = self.scan().await?;
        // A registry for which every large folder is due to be listed in full.
        self.stop.cancel();
        self.stop = CancellationToken::new();
        (self.registry, self.worker) =
            serve(&self.s3, &self.database, &self.queue, Duration::ZERO, &self.stop).await?;
        self.s3.scatter(&today, new);
        let out_of_order = self.scan().await?;
        self.make_sweep_due().await?;
        let sweep = self.scan().await?;
        Ok(json!({
            "first_scan": first, "idle_scan": idle, "new_in_order": in_order, "new_out_of_order": out_of_order,
            "sweep": sweep,
        }))
    }

    /// One scan: what it asked, how long it took, what it recorded, and the most memory meanwhile.
    async fn scan(&self) -> Result<Value> {
        let name = self.source.clone();
        let (requests, recorded) = (self.s3.list_requests(), self.recorded().await?);
        let before = self.last_scan().await?;
        self.registry.clone().pause_source(PauseSourceRequest { name: name.clone() }).await?;
        self.registry.clone().resume_source(ResumeSourceRequest { name }).await?;
        // The kernel counts the peak anew from here on.
        std::fs::write("/proc/self/clear_refs", "5")?;
        let (begun, stop) = (Instant::now(), CancellationToken::new());
        let mut config = scanner::Config::new("scanner");
        config.idle_poll_min = Duration::from_millis(10);
        let (worker, queue) = (self.worker.clone(), self.queue.clone());
        let scanner = tokio::spawn(scanner::run(config, worker, queue, stop.clone()));
        while self.last_scan().await? == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        stop.cancel();
        scanner.await??;
        Ok(json!({
            "requests": self.s3.list_requests() - requests,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "objects_recorded": self.recorded().await? - recorded,
            "peak_kib": peak_kib()?,
        }))
    }

    async fn last_scan(&self) -> Result<Option<prost_types::Timestamp>> {
        let request = GetSourceRequest { name: self.source.clone() };
        let source = self.registry.clone().get_source(request).await?.into_inner().source;
        Ok(source.and_then(|source| source.discovery).and_then(|found| found.last_scan_time))
    }

    /// Objects in the ledger.
    async fn recorded(&self) -> Result<u64> {
        let mut objects = 0;
        for days in self.days.chunks(DAYS_AT_ONCE) {
            let (Some(newest), Some(oldest)) = (days.first(), days.last()) else { continue };
            let request = ListDaysRequest {
                parent: self.source.clone(),
                start_date: oldest.to_string(),
                end_date: newest.to_string(),
            };
            let days = self.registry.clone().list_days(request).await?.into_inner().days;
            objects += days.iter().map(|day| day.objects).sum::<u64>();
        }
        Ok(objects)
    }

    /// As a scanner that was stopped before the sweep's first folder.
    async fn make_sweep_due(&self) -> Result<()> {
        let name = self.source.clone();
        self.registry.clone().pause_source(PauseSourceRequest { name: name.clone() }).await?;
        self.registry.clone().resume_source(ResumeSourceRequest { name }).await?;
        let request = LeaseScanRequest { worker_id: "by-hand".into(), ttl_seconds: 30 };
        let lease =
            self.worker.clone().lease_scan(request).await?.into_inner().lease.context("nothing is due")?;
        let interrupted = CompleteScanRequest {
            token: lease.token,
            sweep_cursor: "0001-01-01".into(),
            ..Default::default()
        };
        self.worker.clone().complete_scan(interrupted).await?;
        Ok(())
    }
}

async fn serve(
    s3: &GeneratedS3,
    database: &str,
    queue: &Arc<dyn Queue>,
    relist_interval: Duration,
    stop: &CancellationToken,
) -> Result<(Registry, Worker)> {
    let (admin, worker) = (Secret::new("admin"), Secret::new("worker"));
    let mut config = registry::Config::new(([127, 0, 0, 1], 0).into(), Secret::new(database), admin, worker);
    config.scan_interval = HOURS;
    config.relist_interval = relist_interval;
    config.requests_per_second = 0;
    config.allowed_endpoints = vec![s3.endpoint()];
    config.sealing_key = Some(Secret::new(SEALING_KEY));
    let server = Server::bind(config, queue.clone()).await?;
    let address = format!("http://{}", server.local_addr());
    tokio::spawn(server.run(stop.clone()));
    Ok((Registry::new(connect(&address, "admin")?), Worker::new(connect(&address, "worker")?)))
}

async fn live_source(mut registry: Registry, s3: &GeneratedS3) -> Result<String> {
    let request = CreateAccountRequest { account_id: "customer".into(), ..Default::default() };
    let account = registry.create_account(request).await?.into_inner().account.context("no account")?;
    let source = Source {
        display_name: "Events".into(),
        dataset: Dataset::Events as i32,
        bucket: "customer-bucket".into(),
        path: "events".into(),
        endpoint_url: s3.endpoint(),
        ..Source::default()
    };
    let request = CreateSourceRequest {
        parent: account.name,
        source: Some(source),
        static_keys: Some(StaticKeys { access_key_id: "AKIA".into(), secret_access_key: "secret".into() }),
        ..Default::default()
    };
    let draft = registry.create_source(request).await?.into_inner().source.context("no source")?;
    let request = ActivateSourceRequest { name: draft.name };
    let live = registry.activate_source(request).await?.into_inner().source.context("no source")?;
    Ok(live.name)
}

/// The most resident memory since the count was begun anew, in KiB.
fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
