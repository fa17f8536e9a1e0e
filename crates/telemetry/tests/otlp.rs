//! Spans reach an OTLP collector over gRPC, at the latest when telemetry is shut down.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::collector;
use telemetry::Config;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_ended_before_shutdown_reach_the_collector() {
    let (endpoint, mut received) = collector().await;
    let config = Config {
        service: "cortex-test".into(),
        instance: "test-1".into(),
        // Traces do not follow it.
        log_filter: "warn".into(),
        otlp_endpoint: Some(endpoint),
        ..Config::default()
    };
    let installed = telemetry::init(&config).unwrap();
    let handed_on =
        tracing::info_span!("scan", source = "s-1").in_scope(|| trace::Origin::current().unwrap());
    tokio::task::spawn_blocking(move || installed.shutdown()).await.unwrap();

    let request = received.recv().await.unwrap();
    let spans = &request.resource_spans[0];
    let resource = format!("{:?}", spans.resource);
    for told in ["cortex-test", "test-1", env!("CARGO_PKG_VERSION")] {
        assert!(resource.contains(told), "{resource}");
    }
    let span = &spans.scope_spans[0].spans[0];
    assert_eq!(span.name, "scan");
    let ids = [&span.trace_id, &span.span_id].map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
    let [trace, id]: [String; 2] = ids;
    assert_eq!(handed_on.ids(), (trace, id));
}
