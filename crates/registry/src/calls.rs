//! Each gRPC call as a span of its caller's trace, and in the metrics by method and code.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use metrics::{counter, histogram};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, debug_span};

/// The label of whatever is no method of ours: what a stranger asks for makes no series of its own.
const OTHER: &str = "other";

/// A method, as labels name it.
#[derive(Debug, PartialEq, Eq)]
struct Method {
    service: String,
    method: String,
}

/// The methods of this server, by the path that a call of each has.
#[derive(Debug, Clone)]
pub(crate) struct Observed(Arc<Methods>);

#[derive(Debug)]
struct Methods {
    known: BTreeMap<String, Arc<Method>>,
    other: Arc<Method>,
}

impl Observed {
    /// Those of both APIs and of gRPC health.
    pub(crate) fn new() -> Result<Self, prost::DecodeError> {
        let mut known = BTreeMap::new();
        for descriptors in [api::DESCRIPTORS, tonic_health::pb::FILE_DESCRIPTOR_SET] {
            for file in FileDescriptorSet::decode(descriptors)?.file {
                for service in &file.service {
                    let name = format!("{}.{}", file.package(), service.name());
                    known.extend(service.method.iter().map(|one| {
                        let method = Method { service: name.clone(), method: one.name().to_owned() };
                        (format!("/{name}/{}", one.name()), Arc::new(method))
                    }));
                }
            }
        }
        let other = Arc::new(Method { service: OTHER.to_owned(), method: OTHER.to_owned() });
        Ok(Self(Arc::new(Methods { known, other })))
    }

    fn method(&self, path: &str) -> &Arc<Method> {
        self.0.known.get(path).unwrap_or(&self.0.other)
    }
}

impl<S> Layer<S> for Observed {
    type Service = ObservedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ObservedService { methods: self.clone(), inner }
    }
}

/// Whatever serves the calls, observed.
#[derive(Debug, Clone)]
pub(crate) struct ObservedService<S> {
    methods: Observed,
    inner: S,
}

impl<S> Service<Request<Body>> for ObservedService<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<ObservedBody>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = self.methods.method(request.uri().path());
        let span = span(method, request.headers());
        let mut call = Call { method: method.clone(), begun: Instant::now(), code: None, span: span.clone() };
        let answer = span.in_scope(|| self.inner.call(request));
        let observed = async move {
            let answer = answer.await?;
            // Where there is nothing but a status, it stands before the body rather than behind it.
            call.ended_by(answer.headers());
            Ok(answer.map(|body| ObservedBody { body, call }))
        };
        Box::pin(observed.instrument(span))
    }
}

/// The child of the caller's span. Without one it begins a trace, unless it only asks how the server is.
fn span(method: &Method, headers: &HeaderMap) -> Span {
    let caller = headers.get(trace::TRACEPARENT).and_then(|header| header.to_str().ok());
    let caller = caller.and_then(trace::Origin::parse);
    let is_ours = method.service.starts_with("cortex.");
    if caller.is_none() && !is_ours {
        return Span::none();
    }
    let full = if is_ours { format!("{}/{}", method.service, method.method) } else { "_OTHER".to_owned() };
    let span = debug_span!("call", otel.name = full, otel.kind = "server");
    trace::follow(&span, caller.as_slice());
    trace::set(&span, "rpc.system.name", "grpc");
    trace::set(&span, "rpc.method", full);
    span
}

/// A call under way. It ends, and is counted, when it is dropped: behind the last byte of the answer, or where the caller
/// has gone away.
#[derive(Debug)]
struct Call {
    method: Arc<Method>,
    begun: Instant,
    code: Option<Code>,
    span: Span,
}

impl Call {
    /// Keeps the status, where these headers or trailers have one.
    fn ended_by(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status");
        self.code = status.map(|code| Code::from_bytes(code.as_bytes())).or(self.code);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let code = name(self.code.unwrap_or(Code::Cancelled));
        let Method { service, method } = &*self.method;
        let labels = [("service", service.clone()), ("method", method.clone())];
        histogram!("cortex_grpc_request_duration_seconds", &labels).record(self.begun.elapsed());
        let [service, method] = labels;
        counter!("cortex_grpc_requests_total", &[service, method, ("code", code.to_owned())]).increment(1);
        trace::set(&self.span, "rpc.response.status_code", code);
        if is_fault(self.code) {
            trace::set(&self.span, "error.type", code);
            trace::fail(&self.span, code);
        }
    }
}

/// True of what a server is to blame for, by OpenTelemetry's conventions for gRPC.
fn is_fault(code: Option<Code>) -> bool {
    matches!(
        code,
        Some(
            Code::Unknown
                | Code::DeadlineExceeded
                | Code::Unimplemented
                | Code::Internal
                | Code::Unavailable
                | Code::DataLoss
        )
    )
}

/// As gRPC's own documents write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// An answer's body, whose trailers tell how the call ended.
#[derive(Debug)]
pub(crate) struct ObservedBody {
    body: Body,
    call: Call,
}

impl http_body::Body for ObservedBody {
    type Data = <Body as http_body::Body>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let this = &mut *self;
        let frame = std::task::ready!(Pin::new(&mut this.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                frame.trailers_ref().into_iter().for_each(|trailers| this.call.ended_by(trailers))
            }
            Some(Err(status)) => this.call.code = Some(status.code()),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_ours_has_a_label_and_whatever_else_is_asked_for_shares_one() {
        let observed = Observed::new().unwrap();
        let method = |path| {
            let Method { service, method } = &**observed.method(path);
            (service.clone(), method.clone())
        };
        let own = |service: &str, name: &str| (service.to_owned(), name.to_owned());
        assert_eq!(
            method("/cortex.worker.v1.WorkerService/ClaimFiles"),
            own("cortex.worker.v1.WorkerService", "ClaimFiles")
        );
        assert_eq!(method("/grpc.health.v1.Health/Check"), own("grpc.health.v1.Health", "Check"));
        for stranger in ["/", "/cortex.worker.v1.WorkerService/Drop", "/x.y.Z/ClaimFiles", "/wp-admin"] {
            assert_eq!(method(stranger), own(OTHER, OTHER), "{stranger}");
        }
    }
}
