//! The role: listener, both APIs, health, reflection, the progress reader, and an orderly end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::registry::registry_service_server::RegistryServiceServer;
use api::worker::worker_service_server::WorkerServiceServer;
use jiff::Timestamp;
use metrics::gauge;
use queue::{Positions, Queue};
use records::topic::{FILE_PROGRESS, OBJECTS, PARSERS};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic_health::server::HealthReporter;

use crate::auth::Authenticator;
use crate::calls::Observed;
use crate::config::{Config, Migrations, ServerTls};
use crate::credentials::Issuer;
use crate::error::RegistryError;
use crate::service::{Looks, Service, stuck_since};
use crate::store::Store;
use crate::{progress, upkeep};

/// Calls in flight may take this long to end after shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(8);
/// Between two looks whether the store answers.
const HEALTH_EVERY: Duration = Duration::from_secs(2);
/// Calls that a client may have in flight on one connection; further ones wait on its side.
const MAX_CONCURRENT_CALLS: u32 = 256;
/// A TLS handshake may take this long.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Between two counts of the files that are still to be read.
const COUNT_EVERY: Duration = Duration::from_secs(15);

/// Whether a registry can work: see [`Server::probe`].
#[derive(Clone)]
pub struct Probe {
    store: Store,
    queue: Arc<dyn Queue>,
}

impl Probe {
    /// What it lacks; none where it lacks nothing.
    pub async fn lacks(&self) -> Option<&'static str> {
        let queue = self.queue.clone();
        if !self.store.ready().await {
            return Some("the database does not answer");
        }
        match tokio::task::spawn_blocking(move || queue.ready()).await {
            Ok(true) => None,
            _ => Some("the queue does not answer"),
        }
    }
}

/// A registry that is bound to its address and not yet running.
pub struct Server {
    service: Service,
    queue: Arc<dyn Queue>,
    grpc: tonic::transport::Server,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Opens the store, migrating it where the configuration says so, and binds the address.
    pub async fn bind(config: Config, queue: Arc<dyn Queue>) -> Result<Self, RegistryError> {
        let grpc = grpc(config.tls.as_ref())?;
        let listen_failed = |source| RegistryError::Listen { address: config.grpc_listen, source };
        let store = match config.migrations {
            Migrations::AtStart => Store::open(config.database_url.reveal()).await?,
            Migrations::ByCommand => Store::open_migrated(config.database_url.reveal()).await?,
        };
        let listener = TcpListener::bind(config.grpc_listen).await.map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let issuer = Arc::new(Issuer::new(&config, store.clone()).await?);
        let resealed = issuer.seal_anew().await?;
        if resealed > 0 {
            tracing::info!(resealed, "static keys of sources were sealed anew");
        }
        let auth = Authenticator::new(&config, store.clone())?;
        let service = Service { config: Arc::new(config), store, auth, issuer, looks: Looks::default() };
        Ok(Self { service, queue, grpc, listener, address })
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// A look whether the registry can work, for as long as it runs.
    pub fn probe(&self) -> Probe {
        Probe { store: self.service.store.clone(), queue: self.queue.clone() }
    }

    /// Serves until `shutdown`; then calls in flight end, and the progress reader stops behind its last batch.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), RegistryError> {
        let (reporter, health) = tonic_health::server::health_reporter();
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(api::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let watching = tokio::spawn(watch_store(self.service.store.clone(), reporter, shutdown.clone()));
        let stuck_after = self.service.config.stuck_after;
        let counting = tokio::spawn(count_files(self.service.store.clone(), stuck_after, shutdown.clone()));
        // Dropped at the end, whatever it waits for.
        let _behind =
            AbortOnDropHandle::new(tokio::spawn(tell_lag(self.service.store.clone(), self.queue.clone())));
        let keeping = {
            let service = self.service.clone();
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                upkeep::run(&service.config, &service.store, &service.auth, &shutdown).await;
            })
        };
        let reading = {
            let (store, queue, shutdown) = (self.service.store.clone(), self.queue.clone(), shutdown.clone());
            let handle = Handle::current();
            tokio::task::spawn_blocking(move || progress::run(&store, &queue, &handle, &shutdown))
        };
        let most = self.service.config.max_request_bytes;
        let control_plane = RegistryServiceServer::new(self.service.clone()).max_decoding_message_size(most);
        let workers = WorkerServiceServer::new(self.service.clone()).max_decoding_message_size(most);
        let mut grpc = self.grpc.layer(Observed::new()?);
        let serving = grpc
            .add_service(health)
            .add_service(reflection().build_v1()?)
            // What many clients still ask for.
            .add_service(reflection().build_v1alpha()?)
            .add_service(control_plane)
            .add_service(workers)
            .serve_with_incoming_shutdown(
                TcpListenerStream::new(self.listener),
                shutdown.clone().cancelled_owned(),
            );
        let served = tokio::select! {
            served = serving => served.map_err(RegistryError::from),
            // A client that keeps a call open for ever must not keep the process.
            () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
        };
        shutdown.cancel();
        for task in [watching, counting, keeping, reading] {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the registry died");
            }
        }
        self.service.store.close().await;
        served
    }
}

/// The gRPC server, with TLS where it is set. An error names the setting that cannot be used.
fn grpc(tls: Option<&ServerTls>) -> Result<tonic::transport::Server, RegistryError> {
    let server = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .max_concurrent_streams(MAX_CONCURRENT_CALLS);
    let Some(tls) = tls else { return Ok(server) };
    let mut config = ServerTlsConfig::new()
        .identity(Identity::from_pem(&tls.certificate, tls.key.reveal()))
        .timeout(HANDSHAKE);
    if let Some(ca) = &tls.client_ca {
        config = config.client_ca_root(Certificate::from_pem(ca));
    }
    server.tls_config(config).map_err(|error| RegistryError::Setting {
        name: "tls",
        reason: format!(
            "the certificate, its key or the client CA cannot be used: {}; each is a PEM file, and the key is the \
             certificate's",
            innermost(&error)
        ),
    })
}

/// What lies at the bottom of an error: tonic's own words are "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Tells how many files are still to be read, how many of them are stuck, since when the longest has not moved, and how the
/// rest of the ledger is.
async fn count_files(store: Store, stuck_after: Duration, shutdown: CancellationToken) {
    loop {
        match store.unfinished(stuck_since(stuck_after)).await {
            Ok(files) => {
                gauge!("cortex_files_unfinished", "state" => "published").set(files.published as f64);
                gauge!("cortex_files_unfinished", "state" => "claimed").set(files.claimed as f64);
                gauge!("cortex_files_stuck").set(files.stuck as f64);
                gauge!("cortex_files_longest_unmoved_age").set(age(files.oldest));
            }
            Err(error) => tracing::debug!(%error, "the files that are to be read were not counted"),
        }
        match store.count_attention().await {
            Ok(sources) => gauge!("cortex_sources_needing_attention").set(sources as f64),
            Err(error) => tracing::debug!(%error, "the sources that need attention were not counted"),
        }
        match store.scanned_longest_ago().await {
            Ok(since) => gauge!("cortex_scans_longest_age").set(age(since)),
            Err(error) => tracing::debug!(%error, "how long ago sources were scanned was not seen"),
        }
        let (in_use, idle) = store.connections();
        gauge!("cortex_ledger_connections", "state" => "in_use").set(in_use);
        gauge!("cortex_ledger_connections", "state" => "idle").set(idle);
        tokio::select! {
            () = tokio::time::sleep(COUNT_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Seconds since then; 0 where there is none.
fn age(since: Option<Timestamp>) -> f64 {
    since.map_or(0.0, |at| Timestamp::now().duration_since(at).as_secs_f64()).max(0.0)
}

/// Tells how many messages parsers have not committed, and how many of progress are not in the ledger. The registry does, so
/// that it is told also where no parser is up, and once rather than by each of them. Never ends.
async fn tell_lag(store: Store, queue: Arc<dyn Queue>) {
    loop {
        match store.reader_positions(FILE_PROGRESS).await {
            Ok(read) => {
                let queue = queue.clone();
                let look = move || {
                    show_lag(OBJECTS, queue.lag(OBJECTS, Positions::Group(PARSERS)));
                    show_lag(FILE_PROGRESS, queue.lag(FILE_PROGRESS, Positions::Offsets(&read)));
                };
                if let Err(error) = tokio::task::spawn_blocking(look).await {
                    tracing::error!(%error, "the look at the queue died");
                }
            }
            Err(error) => tracing::debug!(%error, "how far progress is read was not seen"),
        }
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

fn show_lag(topic: &'static str, lag: queue::Result<BTreeMap<i32, u64>>) {
    match lag {
        Ok(lag) => {
            for (partition, messages) in lag {
                gauge!("cortex_queue_lag", "topic" => topic, "partition" => partition.to_string())
                    .set(messages as f64);
            }
        }
        Err(error) => tracing::debug!(%error, topic, "the lag was not seen"),
    }
}

/// Health says "serving" while the store answers.
async fn watch_store(store: Store, reporter: HealthReporter, shutdown: CancellationToken) {
    loop {
        if store.ready().await {
            reporter.set_serving::<RegistryServiceServer<Service>>().await;
            reporter.set_serving::<WorkerServiceServer<Service>>().await;
        } else {
            reporter.set_not_serving::<RegistryServiceServer<Service>>().await;
            reporter.set_not_serving::<WorkerServiceServer<Service>>().await;
        }
        tokio::select! {
            () = tokio::time::sleep(HEALTH_EVERY) => {}
            () = shutdown.cancelled() => break,
        }
    }
    reporter.set_not_serving::<RegistryServiceServer<Service>>().await;
    reporter.set_not_serving::<WorkerServiceServer<Service>>().await;
}
