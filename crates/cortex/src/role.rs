//! The roles as separate processes: settings in, parts wired, run until told to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use api::client::{Worker, connect};
use queue::kafka::{KafkaConfig, KafkaQueue};
use queue::{Queue, TopicSpec};
use telemetry::{Health, Telemetry};
use tokio_util::sync::CancellationToken;

use crate::settings::{Settings, SettingsError};

/// `cortex registry`
pub(crate) async fn registry(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-registry", &shutdown).await?;
    let config = registry_config(&settings)?;
    let queue = ready_queue(&settings, &shutdown).await?;
    let server = registry::Server::bind(config, queue).await?;
    tracing::info!(address = %server.local_addr(), "the registry listens");
    health.set_ready("registry");
    Ok(server.run(shutdown).await?)
}

/// `cortex scanner`
pub(crate) async fn scanner(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-scanner", &shutdown).await?;
    let worker = worker(&settings)?;
    let queue = ready_queue(&settings, &shutdown).await?;
    let mut config = scanner::Config::new(settings.worker_id("scanner"));
    config.traceparent = telemetry::traceparent;
    health.set_ready("scanner");
    Ok(scanner::run(config, worker, queue, shutdown).await?)
}

/// `cortex parser`
pub(crate) async fn parser(settings: Settings, shutdown: CancellationToken) -> Result<()> {
    let (_telemetry, health) = observe(&settings, "cortex-parser", &shutdown).await?;
    let worker = worker(&settings)?;
    let queue = ready_queue(&settings, &shutdown).await?;
    health.set_ready("parser");
    Ok(parser::run(parser_config(&settings), worker, queue, shutdown).await?)
}

/// Logs, traces and metrics, and their HTTP server where one is set.
async fn observe(
    settings: &Settings,
    service: &str,
    shutdown: &CancellationToken,
) -> Result<(Telemetry, Health)> {
    let config = telemetry::Config {
        service: service.to_owned(),
        log_filter: settings.log.clone(),
        log_format: settings.log_format.parse()?,
        otlp_endpoint: settings.otlp_endpoint.clone(),
        http_listen: settings.http_listen,
    };
    let telemetry = telemetry::init(&config)?;
    let health = Health::new();
    let role = service.trim_start_matches("cortex-");
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
    config.allowed_endpoints = settings.allowed_endpoints.clone();
    config.sealing_key = settings.sealing_key()?.map(|key| registry::Secret::new(key.reveal()));
    config.platform.account_id = settings.aws_account_id.clone();
    config.platform.region = settings.aws_region.clone();
    config.platform.sts_endpoint = settings.sts_endpoint.clone();
    config.scan_interval = Duration::from_millis(settings.scan_interval_ms);
    config.sweep_interval = Duration::from_millis(settings.sweep_interval_ms);
    config.look_back_days = settings.look_back_days;
    config.max_unfinished_files = settings.max_unfinished_files;
    Ok(config)
}

/// The parser's settings.
pub(crate) fn parser_config(settings: &Settings) -> parser::Config {
    let mut config = parser::Config::new(settings.worker_id("parser"));
    config.continue_trace = telemetry::continue_from;
    config.chunk = parser::ChunkLimits {
        rows: settings.chunk_rows,
        bytes: settings.chunk_bytes,
        time: Duration::from_millis(settings.chunk_ms),
    };
    config
}

fn worker(settings: &Settings) -> Result<Worker> {
    let channel = connect(settings.registry_url()?, settings.worker_token()?.reveal())?;
    Ok(Worker::new(channel))
}

/// Kafka with its topics made; waits for a broker that is not up yet.
async fn ready_queue(settings: &Settings, shutdown: &CancellationToken) -> Result<Arc<dyn Queue>> {
    let properties = settings.kafka_properties.0.clone();
    let queue: Arc<dyn Queue> =
        Arc::new(kafka_queue(settings.kafka()?, properties, settings.topic_replication)?);
    ensure_topics(queue.clone(), settings.topic_partitions, shutdown).await?;
    Ok(queue)
}

/// The queue on Kafka.
pub(crate) fn kafka_queue(
    bootstrap: &str,
    properties: BTreeMap<String, String>,
    replication: i32,
) -> Result<KafkaQueue> {
    Ok(KafkaQueue::new(KafkaConfig { bootstrap: bootstrap.to_owned(), properties, replication })?)
}

/// Makes the topics; tries again while the queue is not there.
pub(crate) async fn ensure_topics(
    queue: Arc<dyn Queue>,
    partitions: i32,
    shutdown: &CancellationToken,
) -> Result<()> {
    let topics: Vec<TopicSpec> =
        records::topic::ALL.iter().map(|name| TopicSpec { name: (*name).to_owned(), partitions }).collect();
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
