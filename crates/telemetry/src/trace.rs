//! Traces: the OTLP exporter, and W3C trace context from one process to the next.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::TelemetryError;

/// The W3C header, on messages and calls alike.
const TRACEPARENT: &str = "traceparent";

/// Crates that the exporter itself runs on: tracing them would make each export the cause of the next.
const TRANSPORT: [&str; 5] = ["h2", "hyper", "hyper_util", "tonic", "tower"];

pub(crate) fn provider(service: &str, endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let wrong = |reason: String| TelemetryError::Otlp { endpoint: endpoint.to_owned(), reason };
    // The exporter's connection lives on the runtime that is current when it is built; without one it panics.
    tokio::runtime::Handle::try_current()
        .map_err(|_| wrong("there is no tokio runtime to send them on".to_owned()))?;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(service.to_owned()).build())
        .build())
}

pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("cortex"))
        .with_filter(filter_fn(|metadata| !is_transport(metadata.target())))
}

fn is_transport(target: &str) -> bool {
    let root = target.split("::").next().unwrap_or(target);
    TRANSPORT.contains(&root)
}

/// The W3C `traceparent` of the current span, to be handed to another process; none where nothing is traced.
pub fn traceparent() -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes `span` the child of the span that `traceparent` names, in whatever process that ran. To be called before the
/// span is entered. A header that is not valid is left alone, as W3C wants it.
pub fn continue_from(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if parent.span().span_context().is_valid() {
        // It fails where nothing is traced or the span has begun: there is no trace to go on with then.
        let _ = span.set_parent(parent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn a_trace_goes_on_in_the_span_that_continues_it() {
        let provider = SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry().with(layer(&provider));
        tracing::subscriber::with_default(subscriber, || {
            let sent = tracing::info_span!("scan").in_scope(|| traceparent().unwrap());
            let received = tracing::info_span!("read");
            continue_from(&received, &sent);
            let next = received.in_scope(|| traceparent().unwrap());
            let (trace, span) = (sent.split('-').nth(1), sent.split('-').nth(2));
            assert_eq!(next.split('-').nth(1), trace);
            assert_ne!(next.split('-').nth(2), span);
        });
    }

    #[test]
    fn a_broken_header_starts_a_trace_of_its_own() {
        let provider = SdkTracerProvider::builder().build();
        let subscriber = tracing_subscriber::registry().with(layer(&provider));
        tracing::subscriber::with_default(subscriber, || {
            for header in ["", "00", "00-zz-1-1", "00-00000000000000000000000000000000-0000000000000000-01"] {
                let span = tracing::info_span!("read");
                continue_from(&span, header);
                assert!(span.in_scope(traceparent).is_some(), "{header:?}");
            }
        });
    }

    #[test]
    fn nothing_is_handed_on_where_nothing_is_traced() {
        assert_eq!(traceparent(), None);
        continue_from(
            &tracing::info_span!("read"),
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        );
    }

    #[test]
    fn the_exporters_own_transport_is_told_apart() {
        assert!(is_transport("h2::client"));
        assert!(is_transport("tonic"));
        assert!(!is_transport("towering::client"));
        assert!(!is_transport("scanner::publish"));
    }
}
