//! Traces by OTLP: what is sent, as whose, and to whom.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::{Config, TelemetryError};

/// Crates that the exporter itself runs on: tracing them would make each export the cause of the next.
const TRANSPORT: [&str; 5] = ["h2", "hyper", "hyper_util", "tonic", "tower"];
/// Crates whose spans are traced at `DEBUG` too: ours, and what makes a span of each request to S3 and STS.
const DETAILED: [&str; 7] = ["scanner", "parser", "registry", "bucket", "queue", "aws_sdk_s3", "aws_sdk_sts"];

/// Where spans go, in the name of the role. `OTEL_TRACES_SAMPLER` and the SDK's other variables are heeded.
pub(crate) fn provider(config: &Config, endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let wrong = |reason: String| TelemetryError::Otlp { endpoint: endpoint.to_owned(), reason };
    // The exporter's connection lives on the runtime that is current when it is built; without one it panics.
    tokio::runtime::Handle::try_current()
        .map_err(|_| wrong("there is no tokio runtime to send them on".to_owned()))?;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let resource = Resource::builder().with_service_name(config.service.clone()).with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", config.instance.clone()),
    ]);
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}

/// Traces do not follow the log filter: a trace with holes leads nowhere.
pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("cortex"))
        // Where in the source a span is made tells little, and its fields tell it.
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_filter(filter_fn(is_traced).with_max_level_hint(LevelFilter::DEBUG))
}

fn is_traced(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let root = target.split("::").next().unwrap_or(target);
    let most = if metadata.is_span() && DETAILED.contains(&root) { Level::DEBUG } else { Level::INFO };
    !TRANSPORT.contains(&root) && *metadata.level() <= most
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// What the filter lets through, by name.
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<&'static str>>>);

    impl<S: Subscriber> Layer<S> for Seen {
        fn on_new_span(
            &self,
            attributes: &tracing::span::Attributes<'_>,
            _: &tracing::span::Id,
            _: tracing_subscriber::layer::Context<'_, S>,
        ) {
            self.0.lock().unwrap().push(attributes.metadata().name());
        }

        fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            self.0.lock().unwrap().push(event.metadata().target());
        }
    }

    #[test]
    fn requests_to_s3_are_traced_and_the_exporters_own_transport_is_not() {
        let seen = Seen::default();
        let filtered = seen.clone().with_filter(filter_fn(is_traced));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filtered), || {
            tracing::debug_span!(target: "aws_sdk_s3::operation::get_object", "S3.GetObject");
            tracing::debug_span!(target: "parser::chunk", "commit");
            tracing::info_span!(target: "console", "page");
            tracing::info!(target: "scanner::scan", "scanned");
            tracing::debug_span!(target: "console", "detail");
            tracing::trace_span!(target: "parser::chunk", "row");
            tracing::debug!(target: "parser::ahead", "claims given back");
            tracing::info_span!(target: "h2::client", "connection");
            tracing::info_span!(target: "tonic", "call");
            tracing::warn!(target: "hyper_util::client", "closed");
        });
        assert_eq!(*seen.0.lock().unwrap(), ["S3.GetObject", "commit", "page", "scanner::scan"]);
    }
}
