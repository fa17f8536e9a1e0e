//! Values of sensitive columns are seen by consumers, and by nobody who looks at samples, previews and errors.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use dataset::{Checked, DatasetKind, EnvelopeConst, EnvelopeWriter, FileChecker, FileFacts, Schema, mask};
use format::{Item, Limits, Rows};
use prost::{Message, Name};
use records::v1::value::Kind;
use records::v1::{Attributes, Event, IdMapping, Value};

const SENSITIVE: &str = r#"{"dataset": "EVENTS", "columns": [
    {"name": "user_id", "from": "customer", "sensitive": true}, {"name": "timestamp", "sensitive": true},
    {"name": "item_id", "sensitive": true},
    {"name": "email", "from": "mail", "type": "STRING", "sensitive": true},
    {"name": "price", "type": "NUMBER", "sensitive": true}, {"name": "count", "type": "INTEGER"}]}"#;

/// The records of a file, and what is refused of it: code and the reason as it is shown.
fn read(schema: &Schema, text: &str) -> (Vec<Vec<u8>>, Vec<(&'static str, String)>) {
    let file = std::io::Cursor::new(text.to_owned());
    let mut rows = Rows::open(Box::new(file), "a.csv", Limits::default()).unwrap();
    let facts = FileFacts { now: 1_795_000_000, ..FileFacts::default() };
    let mut checker = FileChecker::new(schema.clone(), facts);
    let envelope = EnvelopeWriter::new(&EnvelopeConst {
        account_id: "a",
        source_id: "s",
        object_key: "k",
        etag: "e",
        generation: 1,
        replaces_generation: 0,
        ingest_seconds: 1,
        ingest_nanos: 0,
        file_id: [7; 16],
    });
    let (mut records, mut refused) = (Vec::new(), Vec::new());
    while let Some(item) = rows.next().unwrap() {
        let mut record = Vec::new();
        if let Item::Row(row) = &item {
            envelope.write(row.at, Some(row.at.row), &mut record);
        }
        match checker.check(&item, &mut record).unwrap() {
            Checked::Accepted { .. } => records.push(record),
            Checked::Refused(row) => {
                refused.push((
                    row.refusal.code,
                    schema
                        .shown_reason(row.refusal.code, &row.refusal.column, &row.refusal.reason)
                        .into_owned(),
                ));
            }
            Checked::Columns => {}
        }
    }
    (records, refused)
}

fn text(of: &str) -> Value {
    Value { kind: Some(Kind::StringValue(of.into())) }
}

#[test]
fn sensitive_values_of_a_record_are_masked_and_all_else_stays() {
    let schema = Schema::parse_json(SENSITIVE).unwrap();
    let file = "customer,timestamp,type,item_id,mail,price,count,note\n\
                u-1,2026-01-02T03:04:05Z,buy,i-1,a@b.example,9.5,3,kept\n\
                u-2,2026-01-02T03:04:05Z,buy,,,,,\n";
    let (records, _) = read(&schema, file);
    let event = |bytes: &[u8]| Event::decode(bytes).unwrap();
    let masked = |bytes: &[u8]| event(&mask(&schema, &Event::full_name(), bytes).unwrap());
    let (before, after) = (event(&records[0]), masked(&records[0]));
    assert_eq!((before.user_id.as_str(), before.properties.len()), ("u-1", 4), "a record has all of it");
    assert_eq!(after.envelope, before.envelope);
    assert_eq!((after.user_id.as_str(), after.r#type.as_str()), ("***", "buy"));
    assert_eq!((after.timestamp, after.item_id.as_deref()), (None, Some("***")));
    assert_eq!((&after.properties["email"], &after.properties["price"]), (&text("***"), &text("***")));
    assert_eq!(after.properties["count"], before.properties["count"]);
    assert_eq!(after.properties["note"], text("kept"));
    assert_eq!(after.properties.len(), 4);
    let bare = masked(&records[1]);
    assert_eq!((bare.item_id, bare.properties.len()), (None, 0), "what is not there is not made up");
}

#[test]
fn a_record_that_was_made_before_its_column_was_declared_is_masked_too() {
    let schema = Schema::parse_json(SENSITIVE).unwrap();
    let properties = [("mail".to_owned(), text("a@b.example"))].into();
    let event = Event { user_id: "u".into(), properties, ..Event::default() };
    let masked = mask(&schema, &Event::full_name(), &event.encode_to_vec()).unwrap();
    assert_eq!(Event::decode(masked.as_slice()).unwrap().properties["mail"], text("***"));
}

#[test]
fn every_dataset_is_masked_by_its_own_columns() {
    let mapping = IdMapping { original_id: "o".into(), mapped_id: "m".into(), ..IdMapping::default() };
    for kind in DatasetKind::ALL {
        for own in kind.columns {
            let json = format!(
                r#"{{"dataset": "{}", "columns": [{{"name": "{}", "sensitive": true}}]}}"#,
                kind.name, own.name
            );
            let schema = Schema::parse_json(&json).unwrap();
            let names: Vec<&str> = schema.sensitive().map(|column| column.name.as_str()).collect();
            assert_eq!((schema.has_sensitive(), names), (true, vec![own.name]));
            if kind == DatasetKind::ID_MAPPINGS {
                let masked = mask(&schema, &IdMapping::full_name(), &mapping.encode_to_vec()).unwrap();
                let masked = IdMapping::decode(masked.as_slice()).unwrap();
                let ids = [masked.original_id.as_str(), masked.mapped_id.as_str()];
                assert_eq!(ids.iter().filter(|id| **id == "***").count(), 1, "{ids:?}");
            }
        }
    }
    assert!(!Schema::default_for(DatasetKind::EVENTS).has_sensitive());
}

#[test]
fn what_cannot_be_masked_is_an_error_and_never_shown() {
    let schema = Schema::parse_json(SENSITIVE).unwrap();
    let record = Attributes { user_id: "u".into(), ..Attributes::default() }.encode_to_vec();
    let error = mask(&schema, &Attributes::full_name(), &record).unwrap_err();
    assert!(error.to_string().contains("cortex.records.v1.Event was expected"), "{error}");
    for broken in [&b"\x12\x05u"[..], b"\x7a\x03\x0a\x05x", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
        assert!(mask(&schema, &Event::full_name(), broken).is_err(), "{broken:?}");
    }
}

#[test]
fn a_refusal_of_a_sensitive_column_is_shown_without_the_value() {
    let schema = Schema::parse_json(SENSITIVE).unwrap();
    let file = "customer,timestamp,type,item_id,mail,price,count,note\n\
                u,03/04/2021,buy,,,,,\nu,1969-01-01,buy,,,,,\nu,2026-01-02,buy,,,secret,,\n\
                ,2026-01-02,buy,,,,,\nu,2026-01-02,buy,,,,many,\n";
    let (_, refused) = read(&schema, file);
    let shown: Vec<(&str, &str)> = refused.iter().map(|(code, reason)| (*code, reason.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("ambiguous_timestamp", "the value could be more than one date"),
            ("timestamp_out_of_range", "the value is not between 1970-01-01 and 2200-01-01"),
            ("invalid_type", "the value is not of the column's type"),
            ("missing_value", r#"the required column "user_id" (read from "customer") is empty"#),
            ("invalid_type", r#""many" is not a whole number of 64 bits"#),
        ]
    );
}

#[test]
fn a_warning_of_a_sensitive_column_is_shown_without_the_value() {
    for (sensitive, is_told) in [("original_id", false), ("mapped_id", true)] {
        let json = format!(
            r#"{{"dataset": "ID_MAPPINGS", "columns": [{{"name": "{sensitive}", "sensitive": true}}]}}"#
        );
        let schema = Schema::parse_json(&json).unwrap();
        let file = std::io::Cursor::new("original_id,mapped_id\nsecret,a\nsecret,b\n");
        let mut rows = Rows::open(Box::new(file), "a.csv", Limits::default()).unwrap();
        let mut checker = FileChecker::new(schema.clone(), FileFacts::default());
        while let Some(item) = rows.next().unwrap() {
            checker.check(&item, &mut Vec::new()).unwrap();
        }
        let reason = schema.shown_warning(&checker.warnings()[0]);
        assert_eq!(reason.contains("secret"), is_told, "{reason}");
    }
}

#[test]
fn sensitive_is_part_of_the_schemas_json_form() {
    let schema = Schema::parse_json(SENSITIVE).unwrap();
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(Schema::parse_json(&json).unwrap(), schema);
    assert_eq!(json.matches(r#""sensitive":true"#).count(), 5, "{json}");
    assert!(!json.contains(r#""sensitive":false"#), "{json}");
    let wrong = r#"{"dataset": "EVENTS", "columns": [{"name": "user_id", "sensitive": "yes"}]}"#;
    assert!(Schema::parse_json(wrong).is_err());
}

#[test]
fn making_a_column_sensitive_or_not_breaks_nothing() {
    let sensitive = Schema::parse_json(SENSITIVE).unwrap();
    let open = Schema::parse_json(&SENSITIVE.replace(r#", "sensitive": true"#, "")).unwrap();
    assert!(!open.has_sensitive());
    assert_eq!(sensitive.breaking_changes_since(&open), []);
    assert_eq!(open.breaking_changes_since(&sensitive), []);
}
