#![doc = include_str!("../README.md")]

use std::borrow::Cow;
use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanContext, Status, TraceContextExt};
use opentelemetry::{Context, Key, Value};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The W3C header, on messages and calls alike.
pub const TRACEPARENT: &str = "traceparent";

/// Links that a span has at most, OpenTelemetry's own default: of more, no one needs to keep the origins.
pub const MOST_LINKS: usize = 128;

/// A span, of this process or another, by what can be said of it elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(SpanContext);

impl Origin {
    /// The span that is entered; none where nothing is traced.
    pub fn current() -> Option<Self> {
        Self::valid(&Context::current())
    }

    /// This span, which must have its parent by now; none where nothing is traced.
    pub fn of(span: &Span) -> Option<Self> {
        Self::valid(&span.context())
    }

    /// From a W3C `traceparent`; none where it is not valid.
    pub fn parse(traceparent: &str) -> Option<Self> {
        let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
        Self::valid(&TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier))
    }

    /// As W3C's `traceparent`.
    pub fn to_traceparent(&self) -> String {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&self.as_parent(), &mut carrier);
        carrier.remove(TRACEPARENT).unwrap_or_default()
    }

    /// The id of its trace and its own, as OpenTelemetry writes them in logs.
    pub fn ids(&self) -> (String, String) {
        (self.0.trace_id().to_string(), self.0.span_id().to_string())
    }

    fn valid(context: &Context) -> Option<Self> {
        let span = context.span();
        span.span_context().is_valid().then(|| Self(span.span_context().clone()))
    }

    fn as_parent(&self) -> Context {
        Context::new().with_remote_span_context(self.0.clone())
    }
}

/// Has `span` follow from these: the child of a single one, in a trace of its own with a link to each of several. To be
/// said before it is entered.
pub fn follow(span: &Span, origins: &[Origin]) {
    // It fails where nothing is traced or the span has begun: there is no trace to go on with then.
    let _ = match origins {
        [] => Ok(()),
        [one] => span.set_parent(one.as_parent()),
        several => {
            let begun = begin(span);
            several.iter().take(MOST_LINKS).for_each(|origin| span.add_link(origin.0.clone()));
            begun
        }
    };
}

/// Has `span` begin a trace of its own, whatever span is entered. To be said before it is entered.
pub fn begin_trace(span: &Span) {
    let _ = begin(span);
}

fn begin(span: &Span) -> Result<(), tracing_opentelemetry::SetParentError> {
    span.set_parent(Context::new())
}

/// Sets an attribute for who follows the trace, which log lines do not have.
pub fn set(span: &Span, name: &'static str, value: impl Into<Value>) {
    span.set_attribute(Key::from_static_str(name), value);
}

/// Marks what `span` stands for as failed.
pub fn fail(span: &Span, reason: impl Into<Cow<'static, str>>) {
    span.set_status(Status::error(reason));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    const SENT: [&str; 2] = [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ];

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().unwrap().extend(batch);
            Ok(())
        }
    }

    /// The spans that the work ended, in that order.
    fn traced(work: impl FnOnce()) -> Vec<SpanData> {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        drop(provider);
        kept.0.lock().unwrap().clone()
    }

    fn origins() -> Vec<Origin> {
        SENT.iter().map(|header| Origin::parse(header).unwrap()).collect()
    }

    #[test]
    fn a_span_that_follows_from_one_is_its_child_and_hands_its_own_name_on() {
        let mut handed_on = None;
        let spans = traced(|| {
            let span = info_span!("process");
            follow(&span, &origins()[..1]);
            assert_eq!(Origin::of(&span), span.in_scope(Origin::current));
            handed_on = span.in_scope(Origin::current);
        });
        assert_eq!(spans[0].span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(spans[0].parent_span_id.to_string(), "b7ad6b7169203331");
        assert_eq!(handed_on.unwrap().ids().1, spans[0].span_context.span_id().to_string());
    }

    #[test]
    fn a_span_that_follows_from_several_has_a_trace_of_its_own_and_a_link_to_each() {
        let spans = traced(|| {
            let outer = info_span!("outer").entered();
            let span = info_span!("commit");
            follow(&span, &origins());
            span.in_scope(|| {});
            drop(span);
            drop(outer);
        });
        let linked: Vec<_> = spans[0].links.iter().map(|link| Origin(link.span_context.clone())).collect();
        let headers: Vec<_> = linked.iter().map(Origin::to_traceparent).collect();
        assert_eq!(headers, SENT);
        assert_eq!(spans[0].parent_span_id, opentelemetry::trace::SpanId::INVALID);
        assert_ne!(spans[0].span_context.trace_id(), spans[1].span_context.trace_id());
    }

    #[test]
    fn what_is_set_is_an_attribute_and_no_more_than_the_most_links_are_kept() {
        let spans = traced(|| {
            let span = info_span!("commit");
            follow(&span, &std::iter::repeat_n(origins(), 100).flatten().collect::<Vec<_>>());
            set(&span, "messaging.batch.message_count", 200);
        });
        assert_eq!(spans[0].links.len(), MOST_LINKS);
        let set = spans[0].attributes.iter().find(|one| one.key.as_str() == "messaging.batch.message_count");
        assert_eq!(set.unwrap().value, Value::I64(200));
    }

    #[test]
    fn a_header_that_is_not_valid_is_left_alone() {
        for header in ["", "00", "00-zz-1-1", "00-00000000000000000000000000000000-0000000000000000-01"] {
            assert_eq!(Origin::parse(header), None, "{header:?}");
        }
    }

    #[test]
    fn nothing_is_handed_on_where_nothing_is_traced() {
        let span = info_span!("process");
        follow(&span, &origins());
        set(&span, "messaging.system", "kafka");
        assert_eq!((Origin::of(&span), span.in_scope(Origin::current)), (None, None));
    }
}
