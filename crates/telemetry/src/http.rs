//! `/healthz`, `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Check, Health, Telemetry, TelemetryError};

/// Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A running server.
#[derive(Debug)]
pub struct Served {
    /// Where it listens; with the port that the system chose where port 0 was asked for.
    pub address: SocketAddr,
    /// Ends once shutdown was asked for and the last answer is out.
    pub task: JoinHandle<()>,
}

#[derive(serde::Serialize)]
struct Readiness {
    ready: bool,
    checks: BTreeMap<String, Check>,
}

/// Serves `/healthz`, `/readyz` of `health` and `/metrics` of the whole process on `address` until `shutdown`.
///
/// # Errors
/// [`TelemetryError::Listen`] where the address cannot be listened on.
pub async fn serve_http(
    telemetry: &Telemetry,
    address: SocketAddr,
    health: Health,
    shutdown: CancellationToken,
) -> Result<Served, TelemetryError> {
    let refused = |source| TelemetryError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    let metrics = telemetry.metrics.handle();
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route(
            "/metrics",
            get(move || async move { ([(header::CONTENT_TYPE, METRICS_TYPE)], metrics.render()) }),
        )
        .with_state(health);
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, address = %bound, "health and metrics are no longer served");
        }
    });
    Ok(Served { address: bound, task })
}

async fn readyz(State(health): State<Health>) -> impl IntoResponse {
    let checks = health.checks();
    let ready = checks.values().all(|check| check.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, checks }))
}
