//! Values as JSON, read by a foreign library: Google's protobuf for Python.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::{Message, Name};
use prost_types::Timestamp;
use records::JsonEncoder;
use records::topic::{CONTENT_TYPE_JSON, HEADER_CONTENT_TYPE, HEADER_MESSAGE};
use records::v1::value::Kind;
use records::v1::{Envelope, Event, RejectedRow, StringList, Value};
use services::Python;

fn timestamp() -> impl Strategy<Value = Timestamp> {
    // 1970 to 2200, as the checks take it.
    (0..7_258_118_400_i64, 0..1_000_000_000).prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..12).prop_map(|chars| chars.into_iter().collect())
}

fn envelope() -> impl Strategy<Value = Envelope> {
    (text(), any::<u32>(), timestamp(), any::<u64>(), any::<Option<u64>>(), vec(any::<u8>(), 28)).prop_map(
        |(object_key, generation, ingest_time, position, row_number, record_id)| Envelope {
            object_key,
            generation,
            ingest_time: Some(ingest_time),
            position,
            row_number,
            record_id,
            ..Envelope::default()
        },
    )
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Kind::StringValue),
        any::<i64>().prop_map(Kind::IntegerValue),
        // Neither NaN nor infinite, as the checks take it.
        (prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO)
            .prop_map(Kind::NumberValue),
        any::<bool>().prop_map(Kind::BooleanValue),
        timestamp().prop_map(Kind::TimestampValue),
        vec(text(), 0..3).prop_map(|values| Kind::StringListValue(StringList { values })),
        text().prop_map(Kind::JsonValue),
    ]
    .prop_map(|kind| Value { kind: Some(kind) })
}

fn event() -> impl Strategy<Value = Event> {
    let properties = btree_map(text(), value(), 0..6);
    (envelope(), text(), timestamp(), text(), any::<Option<bool>>(), properties).prop_map(
        |(envelope, user_id, timestamp, r#type, item, properties): (_, _, _, _, _, BTreeMap<_, _>)| Event {
            envelope: Some(envelope),
            user_id,
            timestamp: Some(timestamp),
            r#type,
            // One that is empty is told from none.
            item_id: item.map(|named| if named { "i".to_owned() } else { String::new() }),
            properties,
        },
    )
}

fn rejected() -> impl Strategy<Value = RejectedRow> {
    (envelope(), text(), vec(any::<u8>(), 0..40), any::<bool>()).prop_map(
        |(envelope, reason, raw, raw_truncated)| RejectedRow {
            envelope: Some(envelope),
            reason,
            raw,
            raw_truncated,
            ..RejectedRow::default()
        },
    )
}

/// The JSON that is written says to Python what the bytes say, and what Python writes says it here.
fn agrees<M: Message + Name + PartialEq + Default + std::fmt::Debug>(python: &mut Python, message: &M) {
    let name = M::full_name();
    let bytes = message.encode_to_vec();
    let mut json = Vec::new();
    JsonEncoder::of(&name).unwrap().write(&bytes, &mut json).unwrap();
    let json = String::from_utf8(json).unwrap();
    let question = format!("{name}\t{}\t{json}", STANDARD.encode(&bytes));
    let answer = python.ask(&question).unwrap();
    assert!(answer.starts_with('{'), "{json}: {answer}");
    let pair = |key: &str, value: &str| (key.to_owned(), value.as_bytes().to_vec());
    let headers = [pair(HEADER_CONTENT_TYPE, CONTENT_TYPE_JSON), pair(HEADER_MESSAGE, &name)];
    for text in [&json, &answer] {
        let read = records::plain(&headers, text.as_bytes()).unwrap();
        assert_eq!(&M::decode(read.as_ref()).unwrap(), message, "{text}");
    }
}

#[test]
fn json_says_to_a_foreign_library_what_the_protobuf_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pinned = std::fs::read_to_string(root.join("../../examples/python/requirements.txt")).unwrap();
    let pinned: Vec<&str> = pinned.lines().collect();
    let script = root.join("tests/python/json_format.py");
    let python = Python::with("consume-events", &pinned, &script).unwrap();
    let python = std::cell::RefCell::new(python);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    runner
        .run(&(event(), rejected()), |(event, rejected)| {
            agrees(&mut python.borrow_mut(), &event);
            agrees(&mut python.borrow_mut(), &rejected);
            Ok(())
        })
        .unwrap();
}
