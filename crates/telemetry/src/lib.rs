#![doc = include_str!("../README.md")]

mod health;
mod http;
mod log;
mod metric;
mod otlp;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

pub use health::{Check, Health};
pub use http::{Served, serve_http};

/// How long the last spans may take to reach the collector when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(TelemetryError::LogFormat(other.to_owned())),
        }
    }
}

/// What a role observes and where to.
#[derive(Debug, Clone)]
pub struct Config {
    /// Names the role in traces, such as `cortex-scanner`.
    pub service: String,
    /// Names this process among those of its role in traces.
    pub instance: String,
    /// Which log lines are kept, as `tracing-subscriber` writes it: `info`, `info,scanner=debug`.
    pub log_filter: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The OTLP collector for traces, gRPC, `http://HOST:4317`; none: traces are not sent.
    pub otlp_endpoint: Option<String>,
    /// Where the role serves health and metrics, for [`serve_http`]; none: it does not.
    pub http_listen: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service: "cortex".to_owned(),
            instance: String::new(),
            log_filter: "info".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: None,
            http_listen: None,
        }
    }
}

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The process has a subscriber or a metrics recorder already.
    #[error("telemetry is installed in this process already; call telemetry::init once, in main")]
    AlreadyInstalled,
    /// The log filter does not parse.
    #[error("log filter {filter:?} is wrong: {reason}; write it like \"info\" or \"info,scanner=debug\"")]
    LogFilter {
        /// As it was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such log format.
    #[error("there is no log format {0:?}; use \"text\" or \"json\"")]
    LogFormat(String),
    /// The collector's address cannot be used.
    #[error("traces cannot be sent to {endpoint:?}: {reason}; give the collector as http://HOST:4317")]
    Otlp {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Metrics could not be set up.
    #[error("metrics could not be set up: {0}")]
    Metrics(String),
    /// The address for health and metrics cannot be listened on.
    #[error("health and metrics cannot be served on {address}: {source}; choose another address")]
    Listen {
        /// As it was given.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What [`init`] installed; keep it until the process ends. Dropping it sends the last spans.
#[derive(Debug)]
#[must_use = "spans are sent and metrics kept up only while it is held"]
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: metric::Metrics,
}

impl Telemetry {
    /// Sends the spans that have ended and stops; blocks up to five seconds.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take()
            && let Err(error) = traces.shutdown_with_timeout(FLUSH_TIMEOUT)
        {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}

/// Installs logs, traces and metrics for the whole process. With an OTLP endpoint it must be called within a tokio
/// runtime.
///
/// # Errors
/// [`TelemetryError`]: a wrong setting, or telemetry that is installed already.
pub fn init(config: &Config) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::try_new(&config.log_filter).map_err(|error| TelemetryError::LogFilter {
        filter: config.log_filter.clone(),
        reason: error.to_string(),
    })?;
    let recorder = metric::recorder()?;
    let traces =
        config.otlp_endpoint.as_deref().map(|endpoint| otlp::provider(config, endpoint)).transpose()?;

    let lines = lines(config.log_format, std::io::stderr().is_terminal(), std::io::stderr);
    tracing_subscriber::registry()
        .with(traces.as_ref().map(otlp::layer))
        .with(lines.with_filter(filter))
        .try_init()
        .map_err(|_| TelemetryError::AlreadyInstalled)?;
    let metrics = metric::install(recorder)?;
    Ok(Telemetry { traces, metrics })
}

/// Writes lines of this format. Boxed, so that either is a layer of one type.
fn lines<S, W>(format: LogFormat, in_colour: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => lines.with_ansi(in_colour).boxed(),
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(log::JsonLines::new()).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_refused_with_its_text() {
        let config = Config { log_filter: "scanner=loud".into(), ..Config::default() };
        let error = init(&config).unwrap_err();
        assert!(matches!(error, TelemetryError::LogFilter { .. }));
        assert!(error.to_string().contains("scanner=loud"), "{error}");
    }

    #[test]
    fn log_formats_are_read_by_name() {
        assert_eq!("json".parse::<LogFormat>().unwrap(), LogFormat::Json);
        assert_eq!("text".parse::<LogFormat>().unwrap(), LogFormat::Text);
        assert!("xml".parse::<LogFormat>().is_err());
    }

    #[test]
    fn an_endpoint_outside_of_a_runtime_is_an_error_and_no_panic() {
        let config = Config { otlp_endpoint: Some("http://127.0.0.1:4317".into()), ..Config::default() };
        assert!(matches!(init(&config), Err(TelemetryError::Otlp { .. })));
    }
}
