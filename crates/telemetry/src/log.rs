//! Log lines as JSON, with the trace that each belongs to.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// One JSON object a line. Within a span that is traced it has `trace_id` and `span_id`, as OpenTelemetry names them in logs of
/// other formats than its own.
pub(crate) struct JsonLines(Format<Json>);

impl JsonLines {
    pub(crate) fn new() -> Self {
        Self(tracing_subscriber::fmt::format().json().flatten_event(true))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(origin) = trace::Origin::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let (trace_id, span_id) = origin.ids();
        let rest = line.strip_prefix('{').unwrap_or(&line);
        write!(writer, r#"{{"trace_id":"{trace_id}","span_id":"{span_id}",{rest}"#)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use serde_json::Value;
    use tracing_subscriber::fmt::format::JsonFields;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::LogFormat;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a key, in either format.
    fn logged(format: LogFormat, key: &str) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = crate::lines(format, false, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::info_span!("file", key).in_scope(|| tracing::warn!(key, "read again"));
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_key_forges_no_line_in_either_format() {
        let key = "a\n2026-11-23T10:00:00Z  INFO forged\r\u{1b}[2J.csv";
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, key);
            assert!(text.contains("forged"), "{text}");
            assert_eq!(text.trim_end_matches('\n').chars().filter(|c| c.is_control()).count(), 0, "{text:?}");
        }
    }

    #[test]
    fn a_line_within_a_traced_span_has_its_ids_and_any_other_has_none() {
        let written = Written::default();
        let writer = written.clone();
        let provider = SdkTracerProvider::builder().build();
        let lines = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines::new())
            .with_writer(move || writer.clone());
        let traces = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(lines).with(traces);
        let ids = tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            tracing::info_span!("file", key = "a.csv").in_scope(|| {
                tracing::info!(rows = 3, "within");
                trace::Origin::current().unwrap().ids()
            })
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["message"], lines[0].get("trace_id")), (&Value::from("before"), None));
        assert_eq!(lines[1]["trace_id"], ids.0);
        assert_eq!(lines[1]["span_id"], ids.1);
        assert_eq!((&lines[1]["rows"], &lines[1]["span"]["key"]), (&Value::from(3), &Value::from("a.csv")));
    }
}
