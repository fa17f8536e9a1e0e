//! What is written is the record that the contract describes; what is refused says why, and leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ops::Range;

use dataset::{Refusal, RowChecker, Schema};
use format::{Columns, Fields, JsonValue, Named, Place, Row, Values};
use proptest::prelude::*;
use prost::Message;
use records::v1::value::Kind;
use records::v1::{Attributes, Event, Item, Value};

fn delimited(header: &[&str], schema: &str) -> RowChecker {
    let names: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
    RowChecker::new(&Schema::parse_json(schema).unwrap(), Columns::Header(&names), "UTC").unwrap()
}

fn check_fields(checker: &mut RowChecker, values: &[&str]) -> Result<Vec<u8>, Refusal> {
    let text = values.concat();
    let spans: Vec<Range<usize>> = values
        .iter()
        .scan(0, |end, value| {
            let begin = *end;
            *end += value.len();
            Some(begin..*end)
        })
        .collect();
    let fields = Fields { text: &text, spans: &spans };
    let row = Row { at: Place { position: 0, row: 1 }, raw: b"", values: Values::Fields(fields) };
    let mut out = b"before".to_vec();
    let checked = checker.check(&row, &mut out);
    match checked {
        Ok(()) => Ok(out.split_off(6)),
        Err(refusal) => {
            assert_eq!(out, b"before", "a refused row leaves nothing behind");
            Err(refusal)
        }
    }
}

fn check_named(checker: &mut RowChecker, values: &[(&str, JsonValue)]) -> Result<Vec<u8>, Refusal> {
    let values: Vec<(String, JsonValue)> =
        values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let row = Row { at: Place { position: 0, row: 1 }, raw: b"", values: Values::Named(Named::of(&values)) };
    let mut out = Vec::new();
    checker.check(&row, &mut out).map(|()| out)
}

fn kind(value: &Value) -> &Kind {
    value.kind.as_ref().unwrap()
}

const TYPED: &str = r#"{"dataset": "EVENTS", "columns": [
    {"name": "user_id", "from": "customer"},
    {"name": "quantity", "type": "INTEGER"}, {"name": "price", "type": "NUMBER", "required": true},
    {"name": "member", "type": "BOOLEAN"}, {"name": "tags", "type": "STRING_LIST"},
    {"name": "seen_at", "type": "TIMESTAMP", "format": "%d/%m/%Y %H:%M", "time_zone": "Europe/Paris"}]}"#;
const HEADER: [&str; 9] =
    ["customer", "timestamp", "type", "quantity", "price", "member", "tags", "seen_at", "note"];

#[test]
fn a_row_is_the_typed_record_of_its_schema() {
    let mut checker = delimited(&HEADER, TYPED);
    let row =
        ["u1", "2026-11-23T10:00:00.5Z", "buy", "-3", "9.5", "Yes", "a|b", "03/04/2021 12:30", "as it is"];
    let event = Event::decode(check_fields(&mut checker, &row).unwrap().as_slice()).unwrap();
    assert_eq!((event.user_id.as_str(), event.r#type.as_str(), &event.item_id), ("u1", "buy", &None));
    assert_eq!(event.timestamp.unwrap().nanos, 500_000_000);
    assert_eq!(checker.key(), b"u1");
    let property = |name: &str| kind(&event.properties[name]).clone();
    assert_eq!(property("quantity"), Kind::IntegerValue(-3));
    assert_eq!(property("price"), Kind::NumberValue(9.5));
    assert_eq!(property("member"), Kind::BooleanValue(true));
    assert_eq!(property("note"), Kind::StringValue("as it is".into()));
    let Kind::StringListValue(tags) = property("tags") else { panic!("a list") };
    assert_eq!(tags.values, ["a", "b"]);
    let Kind::TimestampValue(seen) = property("seen_at") else { panic!("a timestamp") };
    assert_eq!(seen.seconds, 1_617_445_800);
    assert_eq!(event.properties.len(), 6);
}

/// What a spreadsheet would run is text like any other: who writes one must escape it.
#[test]
fn formulas_stand_in_the_record_as_they_stood_in_the_file() {
    let mut checker = delimited(&["user_id", "timestamp", "type", "note"], r#"{"dataset": "EVENTS"}"#);
    for formula in ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "=HYPERLINK(\"https://example.com\")"] {
        let record = check_fields(&mut checker, &[formula, "2026-11-23", formula, formula]).unwrap();
        let event = Event::decode(record.as_slice()).unwrap();
        assert_eq!((event.user_id.as_str(), event.r#type.as_str()), (formula, formula));
        assert_eq!(kind(&event.properties["note"]), &Kind::StringValue(formula.to_owned()));
    }
}

#[test]
fn each_refusal_has_its_code_column_and_reason() {
    let mut checker = delimited(&HEADER, TYPED);
    let good = ["u1", "2026-11-23", "buy", "1", "2", "y", "", "", ""];
    for (index, value, code, column) in [
        (0, "", "missing_value", "user_id"),
        (4, "", "missing_value", "price"),
        (1, "soon", "invalid_type", "timestamp"),
        (1, "1950-01-01", "timestamp_out_of_range", "timestamp"),
        (1, "03/04/2021", "ambiguous_timestamp", "timestamp"),
        (3, "1.5", "invalid_type", "quantity"),
        (5, "maybe", "invalid_type", "member"),
    ] {
        let mut row = good;
        row[index] = value;
        let refusal = check_fields(&mut checker, &row).unwrap_err();
        assert_eq!((refusal.code, refusal.column.as_str()), (code, column), "{value:?}");
        assert!(refusal.reason.contains(value) && !refusal.advice.is_empty(), "{}", refusal.reason);
    }
    let long = "x".repeat(5_000);
    let mut row = good;
    row[3] = &long;
    assert!(check_fields(&mut checker, &row).unwrap_err().reason.len() < 200, "values are cut");
    assert!(check_fields(&mut checker, &good).is_ok(), "a refusal leaves nothing for the next row");
}

#[test]
fn undeclared_columns_are_kept_ignored_or_refused() {
    let header = ["original_id", "mapped_id", "note"];
    let row = ["a", "b", "c"];
    let schema = |word: &str| format!(r#"{{"dataset": "ID_MAPPINGS", "additional_columns": "{word}"}}"#);
    let properties = |word: &str| {
        let record = check_fields(&mut delimited(&header, &schema(word)), &row).unwrap();
        records::v1::IdMapping::decode(record.as_slice()).unwrap().properties.len()
    };
    assert_eq!((properties("keep"), properties("IGNORE")), (1, 0));
    let refusal = check_fields(&mut delimited(&header, &schema("REJECT")), &row).unwrap_err();
    assert_eq!((refusal.code, refusal.column.as_str()), ("unexpected_column", "note"));
}

#[test]
fn json_values_keep_their_kind_and_nulls_are_left_out() {
    let schema = Schema::parse_json(r#"{"dataset": "ATTRIBUTES"}"#).unwrap();
    let mut checker = RowChecker::new(&schema, Columns::Named, "UTC").unwrap();
    let number = |digits: &str| JsonValue::Number(digits.into());
    let record = check_named(
        &mut checker,
        &[
            ("USER_ID", number("42")),
            ("age", number("49")),
            ("score", number("0.5")),
            ("member", JsonValue::Bool(false)),
            ("gone", JsonValue::Null),
            ("tags", JsonValue::List(vec!["a".into()])),
            ("deep", JsonValue::Json(r#"[{"a":1}]"#.into())),
        ],
    );
    let attributes = Attributes::decode(record.unwrap().as_slice()).unwrap();
    assert_eq!(attributes.user_id, "42", "a number is taken as its digits where a string is wanted");
    let property = |name: &str| kind(&attributes.properties[name]).clone();
    assert_eq!(property("age"), Kind::IntegerValue(49));
    assert_eq!(property("score"), Kind::NumberValue(0.5));
    assert_eq!(property("member"), Kind::BooleanValue(false));
    assert_eq!(property("deep"), Kind::JsonValue(r#"[{"a":1}]"#.into()));
    assert!(!attributes.properties.contains_key("gone"));

    let alone = check_named(&mut checker, &[("user_id", JsonValue::String("u".into()))]).unwrap_err();
    assert_eq!(alone.code, "missing_value");
    let nested =
        check_named(&mut checker, &[("user_id", JsonValue::List(vec![])), ("a", number("1"))]).unwrap_err();
    assert_eq!((nested.code, nested.column.as_str()), ("invalid_type", "user_id"));
}

#[test]
fn schemas_that_do_not_hold_are_refused_with_the_reason() {
    for (text, part) in [
        (r#"{"dataset": "PURCHASES"}"#, "PURCHASES"),
        (r#"{"dataset": "EVENTS", "columns": [{"name": "x"}]}"#, "type"),
        (r#"{"dataset": "EVENTS", "columns": [{"name": "x", "type": "DECIMAL"}]}"#, "DECIMAL"),
        (r#"{"dataset": "EVENTS", "columns": [{"name": "user_id", "type": "INTEGER"}]}"#, "STRING"),
        (
            r#"{"dataset": "EVENTS", "columns": [{"name": "a", "type": "STRING"}, {"name": "a", "type": "STRING"}]}"#,
            "twice",
        ),
        (
            r#"{"dataset": "EVENTS", "columns": [{"name": "a", "type": "STRING", "from": "user_id"}]}"#,
            "user_id",
        ),
        (
            r#"{"dataset": "EVENTS", "columns": [{"name": "a", "type": "STRING", "format": "%Y"}]}"#,
            "timestamps",
        ),
        (
            r#"{"dataset": "EVENTS", "columns": [{"name": "a", "type": "TIMESTAMP", "time_zone": "Mars/X"}]}"#,
            "Mars/X",
        ),
        (
            r#"{"dataset": "EVENTS", "columns": [{"name": "a", "type": "TIMESTAMP", "format": "%H:%M"}]}"#,
            "no whole date",
        ),
        (r#"{"dataset": "EVENTS", "columns": [{"name": "timestamp", "format": "%F %T %Z"}]}"#, "%Z"),
        (r#"{"dataset": "EVENTS", "columns": [{"name": " ", "type": "STRING"}]}"#, "blank"),
        (r#"{"dataset": "EVENTS", "colums": []}"#, "colums"),
    ] {
        let error = Schema::parse_json(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn a_list_of_too_many_parts_is_refused_in_every_format() {
    let schema = r#"{"dataset": "ITEMS", "columns": [{"name": "tags", "type": "STRING_LIST"}]}"#;
    let mut named = RowChecker::new(&Schema::parse_json(schema).unwrap(), Columns::Named, "UTC").unwrap();
    let mut fields = delimited(&["item_id", "tags"], schema);
    for (parts, code) in [(65_536, None), (65_537, Some("row_too_large"))] {
        let list = vec!["a".to_owned(); parts];
        let quoted = format!("[\"{}\"]", list.join("\",\""));
        let values = [("item_id", JsonValue::String("i".into())), ("tags", JsonValue::List(list.clone()))];
        for checked in [
            check_named(&mut named, &values),
            check_fields(&mut fields, &["i", &list.join("|")]),
            check_fields(&mut fields, &["i", &quoted]),
        ] {
            assert_eq!(checked.as_ref().err().map(|refusal| refusal.code), code);
            assert!(checked.err().is_none_or(|refusal| refusal.reason.len() < 200));
        }
    }
}

#[test]
fn undeclared_whole_numbers_of_json_keep_their_digits() {
    let schema = Schema::parse_json(r#"{"dataset": "ITEMS"}"#).unwrap();
    let mut checker = RowChecker::new(&schema, Columns::Named, "UTC").unwrap();
    let number = |digits: &str| JsonValue::Number(digits.into());
    let record = check_named(
        &mut checker,
        &[("item_id", number("18446744073709551615")), ("n", number("18446744073709551615"))],
    );
    let item = Item::decode(record.unwrap().as_slice()).unwrap();
    assert_eq!(item.item_id, "18446744073709551615");
    assert_eq!(kind(&item.properties["n"]), &Kind::StringValue("18446744073709551615".into()));
}

proptest! {
    #[test]
    fn a_schema_reads_back_as_it_was_written(required in any::<bool>(), from in "[a-z]{1,9}", word in 0..6_usize) {
        let word = ["STRING", "INTEGER", "NUMBER", "BOOLEAN", "TIMESTAMP", "STRING_LIST"][word];
        let text = serde_json::json!({ "dataset": "ITEMS", "columns": [
            { "name": "own column", "type": word, "required": required, "from": from }] });
        let schema = Schema::parse_json(&text.to_string()).unwrap();
        let written = serde_json::to_string(&schema).unwrap();
        prop_assert_eq!(Schema::parse_json(&written).unwrap(), schema);
    }

    #[test]
    fn integers_and_numbers_come_back_as_they_were(integer in any::<i64>(), number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
        let mut checker = delimited(&HEADER, TYPED);
        let (integer_text, number_text) = (integer.to_string(), format!("{number:e}"));
        let row = ["u", "2026-11-23", "t", &integer_text, &number_text, "", "", "", ""];
        let event = Event::decode(check_fields(&mut checker, &row).unwrap().as_slice()).unwrap();
        prop_assert_eq!(kind(&event.properties["quantity"]), &Kind::IntegerValue(integer));
        prop_assert_eq!(kind(&event.properties["price"]), &Kind::NumberValue(number));
    }

    #[test]
    fn no_value_of_any_column_panics(values in prop::collection::vec("\\PC{0,30}", 9)) {
        let mut checker = delimited(&HEADER, TYPED);
        let row: Vec<&str> = values.iter().map(String::as_str).collect();
        if let Ok(record) = check_fields(&mut checker, &row) {
            prop_assert!(Event::decode(record.as_slice()).is_ok());
        }
    }
}
