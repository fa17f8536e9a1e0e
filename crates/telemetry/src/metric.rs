//! The Prometheus recorder behind the `metrics` facade.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::TelemetryError;

const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Upper bounds in seconds: from one LIST request to one large file.
const SECONDS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0];

/// The installed recorder. Drains histograms every few seconds while it lives; they would grow without bound where
/// nobody reads `/metrics`.
#[derive(Debug)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    _running: Sender<()>,
}

impl Metrics {
    /// Reads all metrics.
    pub(crate) fn handle(&self) -> PrometheusHandle {
        self.handle.clone()
    }
}

pub(crate) fn recorder() -> Result<PrometheusRecorder, TelemetryError> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
    Ok(builder.build_recorder())
}

pub(crate) fn install(recorder: PrometheusRecorder) -> Result<Metrics, TelemetryError> {
    let handle = recorder.handle();
    let drained = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::AlreadyInstalled)?;
    metrics::gauge!("cortex_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let (running, ended) = channel::<()>();
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            while ended.recv_timeout(UPKEEP_EVERY) == Err(RecvTimeoutError::Timeout) {
                drained.run_upkeep();
            }
        })
        .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
    Ok(Metrics { handle, _running: running })
}
