//! `OTEL_TRACES_SAMPLER` decides which traces are sent. Telemetry and the environment are a process's own, so that each setting
//! has one.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use support::collector;
use telemetry::Config;

/// Where the process that is started sends its spans.
const COLLECTOR: &str = "CORTEX_TEST_COLLECTOR";

/// Ends three spans: one that begins a trace, one in a trace that its beginner samples, and one in a trace that it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other test runs it, as a process of its own"]
async fn sends_spans() {
    let endpoint = std::env::var(COLLECTOR).unwrap();
    let config = Config { otlp_endpoint: Some(endpoint), ..Config::default() };
    let installed = telemetry::init(&config).unwrap();
    drop(tracing::info_span!("own").entered());
    for (flags, span) in [("01", tracing::info_span!("sampled")), ("00", tracing::info_span!("unsampled"))] {
        let origin = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        trace::follow(&span, &[trace::Origin::parse(&origin).unwrap()]);
        drop(span.entered());
    }
    tokio::task::spawn_blocking(move || installed.shutdown()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sampler_that_the_environment_names_decides_what_is_sent() {
    let (endpoint, mut received) = collector().await;
    for (sampler, argument, expected) in [
        // OpenTelemetry's default: what begins here, and what others sample.
        ("parentbased_always_on", "", &["own", "sampled"][..]),
        ("always_on", "", &["own", "sampled", "unsampled"]),
        ("always_off", "", &[]),
        ("parentbased_traceidratio", "0.0", &["sampled"]),
        ("parentbased_traceidratio", "1.0", &["own", "sampled"]),
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["sends_spans", "--exact", "--ignored"])
            .env(COLLECTOR, &endpoint)
            .env("OTEL_TRACES_SAMPLER", sampler)
            .env("OTEL_TRACES_SAMPLER_ARG", argument)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await.unwrap().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        // It waited for the answer before it ended.
        let mut sent = BTreeSet::new();
        while let Ok(request) = received.try_recv() {
            let scopes = request.resource_spans.into_iter().flat_map(|one| one.scope_spans);
            sent.extend(scopes.flat_map(|one| one.spans).map(|span| span.name));
        }
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(sent, expected, "{sampler} {argument}");
    }
}
