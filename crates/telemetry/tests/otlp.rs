//! Spans reach an OTLP collector over gRPC, at the latest when telemetry is shut down.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use telemetry::Config;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_that_ended_before_shutdown_reach_the_collector() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, mut received) = mpsc::unbounded_channel();
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Collector(sender)))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );

    let config = Config {
        service: "cortex-test".into(),
        otlp_endpoint: Some(format!("http://{address}")),
        ..Config::default()
    };
    let installed = telemetry::init(&config).unwrap();
    let handed_on =
        tracing::info_span!("scan", source = "s-1").in_scope(|| telemetry::traceparent().unwrap());
    tokio::task::spawn_blocking(move || installed.shutdown()).await.unwrap();

    let request = received.recv().await.unwrap();
    let spans = &request.resource_spans[0];
    let service = &spans.resource.as_ref().unwrap().attributes;
    assert!(format!("{service:?}").contains("cortex-test"), "{service:?}");
    let span = &spans.scope_spans[0].spans[0];
    assert_eq!(span.name, "scan");
    let trace: String = span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(handed_on.contains(&trace), "{handed_on} is of trace {trace}");
}
