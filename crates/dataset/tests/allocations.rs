//! A row that is accepted costs no allocation: what is allocated going through a file does not grow with its rows.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;

use allocation_counter::measure;
use dataset::{Checked, EnvelopeConst, EnvelopeWriter, FileChecker, FileFacts, Schema};
use format::{Item, Limits, Rows};

const SCHEMA: &str = r#"{"dataset": "EVENTS", "columns": [
    {"name": "price", "type": "NUMBER"}, {"name": "quantity", "type": "INTEGER"},
    {"name": "is_member", "type": "BOOLEAN"}, {"name": "seen", "type": "TIMESTAMP"}]}"#;

const ENVELOPE: EnvelopeConst<'_> = EnvelopeConst {
    account_id: "acme",
    source_id: "s",
    object_key: "events/2026-11-23/a.csv",
    etag: "e",
    generation: 1,
    replaces_generation: 0,
    ingest_seconds: 1_795_428_307,
    ingest_nanos: 0,
    file_id: [7; 16],
};

/// Allocations of going through a file of so many rows, all of which are accepted.
fn allocations(rows: u64, name: &str, text: impl Fn(u64) -> String, header: &str) -> u64 {
    let file = (0..rows).fold(header.to_owned(), |file, row| file + &text(row) + "\n");
    let schema = Schema::parse_json(SCHEMA).unwrap();
    let mut accepted = 0;
    let counted = measure(|| {
        let mut rows =
            Rows::open(Box::new(Cursor::new(file.as_bytes().to_vec())), name, Limits::default()).unwrap();
        let mut checker =
            FileChecker::new(schema.clone(), FileFacts { now: 1_795_428_307, ..FileFacts::default() });
        let envelope = EnvelopeWriter::new(&ENVELOPE);
        let mut record = Vec::new();
        while let Some(item) = rows.next().unwrap() {
            record.clear();
            if let Item::Row(row) = &item {
                envelope.write(row.at, Some(row.at.row), &mut record);
            }
            accepted +=
                u64::from(matches!(checker.check(&item, &mut record).unwrap(), Checked::Accepted { .. }));
        }
    });
    assert_eq!(accepted, rows);
    counted.count_total
}

fn cost_nothing(name: &str, text: impl Fn(u64) -> String, header: &str) {
    let few = allocations(1_000, name, &text, header);
    let many = allocations(21_000, name, &text, header);
    // What grows a few times with the longest row is not of each row.
    assert!(many <= few + 20, "{name}: {few} for 1,000 rows, {many} for 21,000");
}

const HEADER: &str = "user_id,timestamp,type,item_id,price,quantity,referrer,is_member,seen\n";

#[test]
fn a_row_of_csv_costs_no_allocation() {
    let row = |row: u64| {
        format!(
            "u{row},2026-11-23T01:02:03Z,view,i{row},{row}.25,{row},\"https://example.com/?q=1,2\",true,2026-11-23"
        )
    };
    cost_nothing("a.csv", row, HEADER);
}

#[test]
fn a_row_of_csv_that_is_read_with_all_the_rules_costs_no_allocation() {
    let row = |row: u64| {
        format!("u{row},2026-11-23T01:02:03Z,view,i{row},{row}.25,{row},\"a \"\"b\"\"\nü\",true,2026-11-23")
    };
    cost_nothing("a.csv", row, HEADER);
}

#[test]
fn a_row_of_json_costs_no_allocation() {
    let row = |row: u64| {
        format!(
            r#"{{"user_id": "u{row}", "timestamp": "2026-11-23T01:02:03Z", "type": "view", "price": {row}.5,
                "quantity": {row}, "referrer": "a\"b", "device": {{"os": "x", "level": {row}}}, "is_member": true}}"#
        )
        .replace('\n', "")
    };
    cost_nothing("a.jsonl", row, "");
}

#[test]
fn a_row_of_json_costs_no_allocation_for_its_lists_nor_where_its_names_are_not_those_of_the_row_before() {
    let row = |row: u64| {
        let other = ["b", "c"][(row / 3 % 2) as usize];
        format!(
            r#"{{"user_id":"u{row}","timestamp":"2026-11-23T01:02:03Z","type":"view","{other}":[{row},"ü\t",true]}}"#
        )
    };
    cost_nothing("a.jsonl", row, "");
}
