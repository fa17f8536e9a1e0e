//! The names of the topics and of the headers on their messages.

/// Generations of objects, to be read by parsers.
pub const OBJECTS: &str = "cortex.objects.v1";
/// Typed events.
pub const EVENTS: &str = "cortex.events.v1";
/// Typed attributes of users.
pub const ATTRIBUTES: &str = "cortex.attributes.v1";
/// Typed items.
pub const ITEMS: &str = "cortex.items.v1";
/// Typed ID mappings.
pub const ID_MAPPINGS: &str = "cortex.id-mappings.v1";
/// Rows that were refused.
pub const REJECTED_ROWS: &str = "cortex.rejected-rows.v1";
/// One message a committed chunk; the registry reads it.
pub const FILE_PROGRESS: &str = "cortex.file-progress.v1";

/// Every topic, in the order data meets them.
pub const ALL: [&str; 7] = [OBJECTS, EVENTS, ATTRIBUTES, ITEMS, ID_MAPPINGS, REJECTED_ROWS, FILE_PROGRESS];

/// The consumer group of the parsers, on [`OBJECTS`].
pub const PARSERS: &str = "cortex-parsers";

/// The topics that consumers read, and the full name of the message on each.
pub const VALUES: [(&str, &str); 5] = [
    (EVENTS, "cortex.records.v1.Event"),
    (ATTRIBUTES, "cortex.records.v1.Attributes"),
    (ITEMS, "cortex.records.v1.Item"),
    (ID_MAPPINGS, "cortex.records.v1.IdMapping"),
    (REJECTED_ROWS, "cortex.records.v1.RejectedRow"),
];

/// Header: the media type of the value.
pub const HEADER_CONTENT_TYPE: &str = "content-type";
/// Header: the full protobuf message name of the value.
pub const HEADER_MESSAGE: &str = "cortex-message";
/// Header: W3C trace context.
pub const HEADER_TRACEPARENT: &str = "traceparent";
/// The value of [`HEADER_CONTENT_TYPE`] for protobuf values.
pub const CONTENT_TYPE_PROTOBUF: &str = "application/x-protobuf";
/// The value of [`HEADER_CONTENT_TYPE`] for protobuf values in Confluent's wire format.
pub const CONTENT_TYPE_CONFLUENT: &str = "application/x-confluent-protobuf";
/// The value of [`HEADER_CONTENT_TYPE`] for values in protobuf's JSON form.
pub const CONTENT_TYPE_JSON: &str = "application/json";
