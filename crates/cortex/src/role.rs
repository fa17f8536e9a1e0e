//! The roles as separate processes: settings in, parts wired, run until told to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::client::{Channel, Worker, connect_with, transport};
use futures::FutureExt;
use queue::kafka::KafkaQueue;
use queue::{Queue, TopicSpec};
use records::topic::{ALL, FILE_PROGRESS, OBJECTS};
use registry::RegistryError;
use telemetry::{Health, Telemetry};
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::settings::{Migrations, Settings, SettingsError};
use crate::{kafka, sign_in, tls, values, web};

/// Between two looks whether a role can work.
const READINESS_EVERY: Duration = Duration::from_secs(1);
/// How long the registry may take to say how it is.
const ANSWER: Duration = Duration::from_secs(3);
/// What workers need of the registry, by its name in gRPC health.
const WORKER_SERVICE: &str = "cortex.worker.v1.WorkerService";
/// And what the console needs.
const CONSOLE_SERVICE: &str = "cortex.registry.v1.RegistryService";
/// What is lacking where it does not.
const NO_REGISTRY: &str = "the registry does not serve";

/// `cortex registry`
pub(crate) async fn registry(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-registry", &shutdown).await?;
    let config = registry_config(&settings)?;
    let queue = ready_queue(&settings, &[FILE_PROGRESS], &shutdown).await?;
    let server = bind_registry(config, queue, &shutdown).await?;
    tracing::info!(address = %server.local_addr(), "the registry listens");
    let probe = server.probe();
    let watching = watch(health, "registry", move || {
        let probe = probe.clone();
        async move { probe.lacks().await }
    });
    tokio::select! {
        ran = server.run(shutdown) => Ok(ran?),
        never = watching => match never {},
    }
}

/// `cortex scanner`
pub(crate) async fn scanner(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-scanner", &shutdown).await?;
    let worker = worker(&settings)?;
    let queue = ready_queue(&settings, &[OBJECTS], &shutdown).await?;
    let mut config = scanner::Config::new(settings.worker_id("scanner"));
    config.lease_ttl = Duration::from_secs(settings.lease_seconds.into());
    config.event_queues = settings.event_queues;
    let watching = watch(health, "scanner", worker_lacks(&settings, queue.clone())?);
    tokio::select! {
        ran = scanner::run(config, worker, queue, shutdown) => Ok(ran?),
        never = watching => match never {},
    }
}

/// `cortex parser`
pub(crate) async fn parser(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-parser", &shutdown).await?;
    let worker = worker(&settings)?;
    let config = parser::Config {
        values: values::ready(&settings, &health, &shutdown).await?,
        ..parser_config(&settings)
    };
    let queue = ready_queue(&settings, &ALL, &shutdown).await?;
    let watching = watch(health, "parser", worker_lacks(&settings, queue.clone())?);
    tokio::select! {
        ran = parser::run(config, worker, queue, shutdown) => Ok(ran?),
        never = watching => match never {},
    }
}

/// `cortex console`
pub(crate) async fn console(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-console", &shutdown).await?;
    let config = web::config(&settings)?;
    let registry = transport(&config.registry_url, &config.registry_tls)?;
    let server = console::Server::bind(config).await?;
    tracing::info!(address = %server.local_addr(), "the console listens");
    let registry = HealthClient::new(registry);
    let watching = watch(health, "console", move || {
        let mut registry = registry.clone();
        async move { (!serves(&mut registry, CONSOLE_SERVICE).await).then_some(NO_REGISTRY) }
    });
    tokio::select! {
        ran = server.run(shutdown) => Ok(ran?),
        never = watching => match never {},
    }
}

/// Waits for a database that is not up yet.
async fn bind_registry(
    config: registry::Config,
    queue: Arc<dyn Queue>,
    shutdown: &CancellationToken,
) -> Result<registry::Server> {
    let bind = || registry::Server::bind(config.clone(), queue.clone());
    let is_passing =
        |error: &RegistryError| matches!(error, RegistryError::Store(error) if error.is_transient());
    once_the_database_is_there(bind, is_passing, shutdown).await
}

/// Tries again, with pauses that grow, while the database is not up yet.
pub(crate) async fn once_the_database_is_there<T, E, F>(
    attempt: impl Fn() -> F,
    is_passing: impl Fn(&E) -> bool,
    shutdown: &CancellationToken,
) -> Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: std::error::Error + Send + Sync + 'static,
{
    let mut pause = Duration::from_millis(250);
    loop {
        match attempt().await {
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "the database is not there yet");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.cancelled() => anyhow::bail!("stopped before the database was there"),
                }
                pause = (pause * 2).min(Duration::from_secs(10));
            }
            done => return Ok(done?),
        }
    }
}

/// Keeps the readiness of a role up to date: ready while it lacks nothing that it works with. Never ends.
async fn watch<F>(health: Health, role: &str, lacks: impl Fn() -> F) -> Infallible
where
    F: Future<Output = Option<&'static str>>,
{
    let mut last = None;
    loop {
        let lacking = lacks().await;
        match lacking {
            None => health.set_ready(role),
            Some(reason) => health.set_not_ready(role, reason),
        }
        if let (Some(before), now) = (last, lacking)
            && before != now
        {
            match now {
                None => tracing::info!("ready again"),
                Some(reason) => tracing::warn!(reason, "not ready for now"),
            }
        }
        last = Some(lacking);
        tokio::time::sleep(READINESS_EVERY).await;
    }
}

/// What a scanner or parser lacks.
fn worker_lacks(
    settings: &Settings,
    queue: Arc<dyn Queue>,
) -> Result<impl Fn() -> futures::future::BoxFuture<'static, Option<&'static str>>> {
    let registry = HealthClient::new(connection(settings)?);
    Ok(move || {
        let (queue, mut registry) = (queue.clone(), registry.clone());
        async move {
            if !serves(&mut registry, WORKER_SERVICE).await {
                return Some(NO_REGISTRY);
            }
            match tokio::task::spawn_blocking(move || queue.ready()).await {
                Ok(true) => None,
                _ => Some("the queue does not answer"),
            }
        }
        .boxed()
    })
}

/// Whether the registry serves what is named.
async fn serves<T>(registry: &mut HealthClient<T>, service: &str) -> bool
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<tonic::codegen::StdError>,
    T::ResponseBody: tonic::codegen::Body<Data = tonic::codegen::Bytes> + Send + 'static,
    <T::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError> + Send,
{
    let request = HealthCheckRequest { service: service.to_owned() };
    match tokio::time::timeout(ANSWER, registry.check(request)).await {
        Ok(Ok(answer)) => answer.into_inner().status() == ServingStatus::Serving,
        _ => false,
    }
}

/// Logs, traces and metrics, and their HTTP server where one is set.
async fn observe(
    settings: &Settings,
    service: &str,
    shutdown: &CancellationToken,
) -> Result<(Telemetry, Health)> {
    let role = service.trim_start_matches("cortex-");
    let config = telemetry::Config {
        service: service.to_owned(),
        instance: settings.worker_id(role),
        log_filter: settings.log.clone(),
        log_format: settings.log_format.parse()?,
        otlp_endpoint: settings.otlp_endpoint.clone(),
        http_listen: settings.http_listen,
    };
    let telemetry = telemetry::init(&config)?;
    let health = Health::new();
    health.set_not_ready(role, "starting");
    if let Some(address) = settings.http_listen {
        let served = telemetry::serve_http(&telemetry, address, health.clone(), shutdown.clone()).await?;
        tracing::info!(address = %served.address, "health and metrics are served");
    }
    Ok((telemetry, health))
}

/// The registry's settings.
fn registry_config(settings: &Settings) -> Result<registry::Config, SettingsError> {
    let mut config = registry::Config::new(
        settings.grpc_listen,
        registry::Secret::new(settings.database_url()?.reveal()),
        registry::Secret::new(settings.admin_token()?.reveal()),
        registry::Secret::new(settings.worker_token()?.reveal()),
    );
    config.migrations = match settings.database_migrations {
        Migrations::AtStart => registry::Migrations::AtStart,
        Migrations::ByCommand => registry::Migrations::ByCommand,
    };
    config.tls = tls::server(settings)?;
    config.max_request_bytes = settings.max_request_bytes;
    config.sign_in = sign_in::registry(settings)?;
    config.allowed_endpoints = settings.allowed_endpoints.clone();
    config.sealing_key = settings.sealing_key()?.map(|key| registry::Secret::new(key.reveal()));
    let retired = settings.sealing_keys_retired()?;
    config.sealing_keys_retired = retired.iter().map(|key| registry::Secret::new(key.reveal())).collect();
    config.limits = limits(settings);
    config.most_record_bytes = parser::most_bytes(settings.max_message_bytes as usize);
    config.platform.account_id = settings.aws_account_id.clone();
    config.platform.region = settings.aws_region.clone();
    config.platform.sts_endpoint = settings.sts_endpoint.clone();
    config.scan_interval = Duration::from_millis(settings.scan_interval_ms);
    config.sweep_interval = Duration::from_millis(settings.sweep_interval_ms);
    config.relist_interval = Duration::from_millis(settings.relist_interval_ms);
    config.look_back_days = settings.look_back_days;
    config.max_unfinished_files = settings.max_unfinished_files;
    config.most_attempts = settings.most_attempts;
    config.stuck_after = Duration::from_millis(settings.stuck_after_ms);
    config.requests_per_second = settings.requests_per_second;
    config.max_sources = settings.max_sources;
    config.delete_grace = Duration::from_secs(u64::from(settings.delete_grace_hours) * 3600);
    config.ledger_retention_days = settings.ledger_retention_days;
    config.upkeep_interval = Duration::from_millis(settings.upkeep_interval_ms);
    Ok(config)
}

/// The parser's settings.
pub(crate) fn parser_config(settings: &Settings) -> parser::Config {
    let mut config = parser::Config::new(settings.worker_id("parser"));
    config.chunk = parser::ChunkLimits {
        rows: settings.chunk_rows,
        bytes: settings.chunk_bytes,
        time: Duration::from_millis(settings.chunk_ms),
    };
    config.stall_limit = Duration::from_millis(settings.stall_limit_ms);
    config.split.over = match settings.split_over_bytes {
        0 => u64::MAX,
        bytes => bytes,
    };
    config.split.range_bytes = settings.range_bytes;
    config.limits = limits(settings);
    config
}

/// Limits on what a file may hold.
fn limits(settings: &Settings) -> format::Limits {
    format::Limits {
        row_bytes: settings.max_row_bytes,
        columns: settings.max_columns,
        list_parts: settings.max_list_parts,
        nesting: settings.max_nesting,
        zip_entries: settings.max_entries,
        expansion_ratio: settings.max_expansion_ratio,
        expansion_floor: settings.expansion_floor_bytes,
    }
}

fn worker(settings: &Settings) -> Result<Worker> {
    Ok(Worker::new(connection(settings)?))
}

fn connection(settings: &Settings) -> Result<Channel> {
    let tls = tls::worker(settings)?;
    Ok(connect_with(settings.registry_url()?, settings.worker_token()?.reveal(), &tls)?)
}

/// Kafka with the topics of a role made; waits for a broker that is not up yet.
async fn ready_queue(
    settings: &Settings,
    topics: &[&str],
    shutdown: &CancellationToken,
) -> Result<Arc<dyn Queue>> {
    let queue: Arc<dyn Queue> = Arc::new(KafkaQueue::new(kafka::config(settings)?)?);
    ensure_topics(queue.clone(), topics, settings.topic_partitions, shutdown).await?;
    Ok(queue)
}

/// Makes the topics; tries again while the queue is not there.
pub(crate) async fn ensure_topics(
    queue: Arc<dyn Queue>,
    topics: &[&str],
    partitions: i32,
    shutdown: &CancellationToken,
) -> Result<()> {
    let topics: Vec<TopicSpec> =
        topics.iter().map(|name| TopicSpec { name: (*name).to_owned(), partitions }).collect();
    let mut pause = Duration::from_millis(250);
    loop {
        let (queue, topics) = (queue.clone(), topics.clone());
        match tokio::task::spawn_blocking(move || queue.ensure_topics(&topics)).await? {
            Ok(()) => return Ok(()),
            Err(queue::QueueError::Unavailable(reason)) => {
                tracing::warn!(reason, "the queue is not there yet");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shutdown.cancelled() => anyhow::bail!("stopped before the queue was there"),
                }
                pause = (pause * 2).min(Duration::from_secs(10));
            }
            Err(error) => return Err(error).context("making the topics"),
        }
    }
}
