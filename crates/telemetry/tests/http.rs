//! What a probe and a Prometheus server see, over real HTTP. One test: telemetry is installed once a process.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use telemetry::{Config, Health, TelemetryError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test]
async fn probes_and_metrics_are_served_until_shutdown() {
    let config = Config { service: "test".into(), log_filter: "warn".into(), ..Config::default() };
    let installed = telemetry::init(&config).unwrap();
    assert!(matches!(telemetry::init(&config), Err(TelemetryError::AlreadyInstalled)));

    let health = Health::new();
    health.set_not_ready("registry", "connection refused");
    let shutdown = CancellationToken::new();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let served = telemetry::serve_http(&installed, listen, health.clone(), shutdown.clone()).await.unwrap();
    assert_ne!(served.address.port(), 0);

    assert_eq!(get(served.address, "/healthz").await.0, 200);

    let (status, body) = get(served.address, "/readyz").await;
    assert_eq!(status, 503);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["ready"], false);
    assert_eq!(body["checks"]["registry"]["reason"], "connection refused");

    health.set_ready("registry");
    let (status, body) = get(served.address, "/readyz").await;
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"checks":{"registry":{"ready":true}}}"#));

    metrics::counter!("scans_total", "outcome" => "completed").increment(3);
    metrics::histogram!("scan_duration_seconds").record(0.3);
    let (status, body) = get(served.address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains(r#"scans_total{outcome="completed"} 3"#), "{body}");
    assert!(body.contains(r#"scan_duration_seconds_bucket{le="0.5"} 1"#), "{body}");

    let taken = telemetry::serve_http(&installed, served.address, health, shutdown.clone()).await;
    assert!(matches!(taken, Err(TelemetryError::Listen { address, .. }) if address == served.address));

    shutdown.cancel();
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
    installed.shutdown();
}
