//! A lane's spans, by OpenTelemetry's conventions for messaging.
//!
//! A message has one from when it is taken off the queue to when its rows are in the chunk, as the child of the span that sent
//! it. What is done for several messages at once, as claiming small files and committing them, is linked to each.

use queue::{Incoming, Lane};
use records::topic::{HEADER_TRACEPARENT, OBJECTS};
use trace::Origin;
use tracing::{Span, debug_span};

/// The work on one message.
pub(crate) fn process(group: &str, incoming: &Incoming) -> Span {
    let span = debug_span!("process", otel.name = "process cortex.objects.v1", otel.kind = "consumer");
    if span.is_disabled() {
        return span;
    }
    let sent = std::str::from_utf8(header(incoming, HEADER_TRACEPARENT)).ok().and_then(Origin::parse);
    trace::follow(&span, sent.as_slice());
    describe(&span, "process", "process", incoming.partition);
    trace::set(&span, "messaging.consumer.group.name", group.to_owned());
    trace::set(&span, "messaging.kafka.offset", incoming.offset);
    span
}

/// The claim of several messages by one call.
pub(crate) fn claim(messages: &[Origin]) -> Span {
    let span = debug_span!("claim");
    trace::follow(&span, messages);
    span
}

/// The commit of a chunk, which these messages are in.
pub(crate) fn commit(lane: &dyn Lane, messages: &[Origin]) -> Span {
    let span = debug_span!("commit", otel.name = "commit cortex.objects.v1", otel.kind = "client");
    trace::follow(&span, messages);
    describe(&span, "settle", "commit", lane.partition());
    span
}

fn describe(span: &Span, operation_type: &'static str, operation_name: &'static str, partition: i32) {
    if span.is_disabled() {
        return;
    }
    trace::set(span, "messaging.system", "kafka");
    trace::set(span, "messaging.operation.type", operation_type);
    trace::set(span, "messaging.operation.name", operation_name);
    trace::set(span, "messaging.destination.name", OBJECTS);
    trace::set(span, "messaging.destination.partition.id", partition.to_string());
}

/// The trace context that goes with what is published of a file: that of its own span, or where nothing is traced here the
/// one that the message came with.
pub(crate) fn traceparent(file: &Span, incoming: &Incoming) -> Vec<u8> {
    match Origin::of(file) {
        Some(origin) => origin.to_traceparent().into_bytes(),
        None => header(incoming, HEADER_TRACEPARENT).to_vec(),
    }
}

/// A message's header; empty where it has none of that name.
fn header<'a>(incoming: &'a Incoming, name: &str) -> &'a [u8] {
    incoming.headers.iter().find(|(key, _)| key == name).map_or(&[], |(_, value)| value)
}
