//! The same work as one writes it first: rows as maps of strings, values by `chrono` and `parse`, records as structs that
//! `prost` encodes.

use std::collections::HashMap;

use chrono::DateTime;
use prost::Message as _;
use records::v1::value::Kind;
use records::v1::{Envelope, Event, Value};

fn timestamp(text: &str) -> Option<prost_types::Timestamp> {
    let at = DateTime::parse_from_rfc3339(text).ok()?;
    Some(prost_types::Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() as i32 })
}

fn envelope(position: u64, row: u64) -> Envelope {
    let id = [[7; 16].as_slice(), &1_u32.to_be_bytes(), &position.to_be_bytes()].concat();
    Envelope {
        account_id: "acme".to_owned(),
        source_id: "7d1f0c7e".to_owned(),
        object_key: "events/2026-11-23/part-0001.csv".to_owned(),
        etag: "9e107d9d372bb6826bd81d3542a419d6".to_owned(),
        generation: 1,
        ingest_time: Some(prost_types::Timestamp { seconds: 1_795_428_307, nanos: 0 }),
        position,
        row_number: Some(row),
        record_id: id,
        replaces_generation: 0,
    }
}

fn property(name: &str, text: &str) -> Option<Kind> {
    Some(match name {
        "price" => Kind::NumberValue(text.parse().ok()?),
        "quantity" => Kind::IntegerValue(text.parse().ok()?),
        "is_member" => Kind::BooleanValue(text.parse().ok()?),
        _ => Kind::StringValue(text.to_owned()),
    })
}

fn event(position: u64, row: u64, mut values: HashMap<String, String>) -> Option<Event> {
    let mut event = Event {
        envelope: Some(envelope(position, row)),
        user_id: values.remove("user_id").filter(|id| !id.is_empty())?,
        timestamp: Some(timestamp(&values.remove("timestamp")?)?),
        r#type: values.remove("type").filter(|kind| !kind.is_empty())?,
        item_id: values.remove("item_id"),
        ..Event::default()
    };
    for (name, text) in values {
        let kind = property(&name, &text)?;
        event.properties.insert(name, Value { kind: Some(kind) });
    }
    Some(event)
}

pub(crate) fn csv(file: &[u8]) -> u64 {
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().expect("there is one").clone();
    let mut bytes = 0;
    for (row, record) in reader.records().enumerate() {
        let record = record.expect("a row");
        let position = record.position().map_or(0, csv::Position::byte);
        let values =
            header.iter().zip(&record).map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let event = event(position, row as u64 + 1, values).expect("it is valid");
        bytes += event.encode_to_vec().len() as u64;
    }
    bytes
}

pub(crate) fn json_lines(file: &[u8]) -> u64 {
    let text = std::str::from_utf8(file).expect("it is text");
    let (mut bytes, mut position) = (0, 0);
    for (row, line) in text.lines().enumerate() {
        let value: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
        let object = value.as_object().expect("it is an object");
        let text = |name: &str| object.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let mut event = Event {
            envelope: Some(envelope(position, row as u64 + 1)),
            user_id: text("user_id").expect("it has one"),
            timestamp: timestamp(&text("timestamp").expect("it has one")),
            r#type: text("type").expect("it has one"),
            item_id: text("item_id"),
            ..Event::default()
        };
        for (name, value) in object {
            let kind = match (name.as_str(), value) {
                ("user_id" | "timestamp" | "type" | "item_id", _) => continue,
                ("price", value) => value.as_f64().map(Kind::NumberValue),
                (_, serde_json::Value::Number(number)) => number.as_i64().map(Kind::IntegerValue),
                (_, serde_json::Value::Bool(value)) => Some(Kind::BooleanValue(*value)),
                (_, value) => value.as_str().map(|text| Kind::StringValue(text.to_owned())),
            };
            event.properties.insert(name.clone(), Value { kind });
        }
        bytes += event.encode_to_vec().len() as u64;
        position += line.len() as u64 + 1;
    }
    bytes
}
