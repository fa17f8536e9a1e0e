//! What is known of the names of JSON rows from the rows before is a short cut, and must not show: a row is checked as it is
//! alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;

use dataset::{Checked, FileChecker, FileFacts, Schema};
use format::{Limits, Rows};
use proptest::prelude::*;

const SCHEMA: &str = r#"{"dataset": "ITEMS", "columns": [
    {"name": "item_id", "from": "ID"}, {"name": "price", "type": "NUMBER"},
    {"name": "seen", "type": "TIMESTAMP"}, {"name": "tags", "type": "STRING_LIST"}]}"#;

/// By row: its record without an envelope and its key, or the code and the reason of its refusal.
fn checked(rows: &[String]) -> Vec<(Vec<u8>, String)> {
    let file = rows.join("\n") + "\n";
    let mut rows = Rows::open(Box::new(Cursor::new(file)), "x.jsonl", Limits::default()).unwrap();
    let mut checker = FileChecker::new(Schema::parse_json(SCHEMA).unwrap(), FileFacts::default());
    let mut all = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        let mut record = Vec::new();
        match checker.check(&item, &mut record).unwrap() {
            Checked::Columns => continue,
            Checked::Accepted { key, .. } => {
                let key = String::from_utf8(key.to_vec()).unwrap();
                all.push((record, key));
            }
            Checked::Refused(row) => {
                all.push((record, format!("{} {}", row.refusal.code, row.refusal.reason)));
            }
        }
    }
    all
}

/// Rows of few names, each several times over: of one shape, and then of another.
fn rows() -> impl Strategy<Value = Vec<String>> {
    let name =
        prop::sample::select(vec!["ID", "id", "iD", "item_id", "price", "PRICE", "seen", "tags", "x", ""]);
    let value = prop::sample::select(vec![
        r#""a""#,
        r#""a\"b""#,
        r#""""#,
        "7",
        "-1.5",
        "1e3",
        "true",
        "null",
        r#"["a", 1, "b\n"]"#,
        "[[]]",
        r#""2026-11-23T10:00:00Z""#,
        "1795435200",
    ]);
    let shape = prop::collection::vec(name, 1..6);
    let rows =
        (shape, prop::collection::vec(prop::collection::vec(value, 6), 1..5)).prop_map(|(names, rows)| {
            let row = |values: Vec<&str>| {
                let fields = names.iter().zip(values).map(|(name, value)| format!("\"{name}\":{value}"));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            };
            rows.into_iter().map(row).collect::<Vec<_>>()
        });
    prop::collection::vec(rows, 1..4).prop_map(|rows| rows.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn a_row_is_checked_as_it_is_alone_whatever_stood_before(rows in rows()) {
        let alone: Vec<_> = rows.iter().flat_map(|row| checked(std::slice::from_ref(row))).collect();
        prop_assert_eq!(checked(&rows), alone);
    }
}
