//! A whole file checked: its counts, its warnings, and what a checkpoint carries on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Cursor;

use dataset::{Checked, DatasetKind, FileChecker, FileFacts, Schema, Warning};
use format::{Limits, Rows};
use records::JsonEncoder;
use records::queue::Counters;

/// 2026-11-23T12:00:00Z
const NOW: i64 = 1_795_435_200;

#[test]
fn a_row_whose_record_the_queue_would_not_take_is_refused_and_the_next_is_read() {
    let text = format!(
        "user_id,timestamp,type,note\nu1,2026-11-23,view,{}\nu2,2026-11-23,view,short\n",
        "x".repeat(900)
    );
    let mut rows = Rows::open(Box::new(Cursor::new(text.into_bytes())), "e.csv", Limits::default()).unwrap();
    let facts = FileFacts { most_bytes: Some(500), ..facts() };
    let mut checker = FileChecker::new(Schema::default_for(DatasetKind::EVENTS), facts);
    let mut record = b"envelope".to_vec();
    let mut codes = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        record.truncate(8);
        match checker.check(&item, &mut record).unwrap() {
            Checked::Refused(row) => codes.push((row.at.row, row.refusal.code)),
            Checked::Accepted { .. } => codes.push((0, "accepted")),
            Checked::Columns => continue,
        }
        // Nothing of the refused row's record is left behind the envelope.
        assert!(record.len() < 500);
    }
    assert_eq!(codes, [(1, "row_too_large"), (0, "accepted")]);
    assert_eq!((checker.totals().accepted, checker.totals().rejected), (1, 1));
}

#[test]
fn where_records_are_published_as_json_it_is_the_json_that_must_not_be_too_large() {
    // Six bytes in JSON for each: the record itself has less than a third of what it may have.
    let text = format!("user_id,timestamp,type,note\nu1,2026-11-23,view,{}\n", "\u{1}".repeat(100));
    let json = JsonEncoder::of(DatasetKind::EVENTS.message).unwrap();
    let checked = |most_bytes: usize| {
        let facts = FileFacts { most_bytes: Some(most_bytes), json: Some(json.clone()), ..facts() };
        let mut checker = FileChecker::new(Schema::default_for(DatasetKind::EVENTS), facts);
        let (mut rows, mut record) = (rows("e.csv", &text), Vec::new());
        rows.next().unwrap().map(|columns| checker.check(&columns, &mut record).map(drop)).unwrap().unwrap();
        let row = rows.next().unwrap().unwrap();
        match checker.check(&row, &mut record).unwrap() {
            Checked::Accepted { key, json } => Ok(key.len() + json.len()),
            Checked::Refused(row) => Err((row.refusal.code, row.refusal.reason)),
            Checked::Columns => panic!("a row was expected"),
        }
    };
    let bytes = checked(usize::MAX).unwrap();
    assert!(bytes > 700, "{bytes}");
    assert_eq!(checked(bytes), Ok(bytes));
    let (code, reason) = checked(bytes - 1).unwrap_err();
    assert_eq!(code, "row_too_large");
    assert!(reason.contains(&format!("has {bytes} bytes")), "{reason}");
}

fn facts() -> FileFacts {
    FileFacts { now: NOW, folder_date: "2026-11-23".to_owned(), ..FileFacts::default() }
}

fn rows(name: &str, text: &str) -> Rows {
    Rows::open(Box::new(std::io::Cursor::new(text.to_owned())), name, Limits::default()).unwrap()
}

fn check(kind: &'static DatasetKind, facts: FileFacts, name: &str, text: &str) -> FileChecker {
    let mut checker = FileChecker::new(Schema::default_for(kind), facts);
    read(&mut checker, &mut rows(name, text));
    checker
}

fn read(checker: &mut FileChecker, rows: &mut Rows) {
    let mut record = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        checker.check(&item, &mut record).unwrap();
    }
    checker.finish();
}

fn counted(counters: &Counters) -> Vec<(&str, u64)> {
    counters.warnings.iter().map(|(code, count)| (code.as_str(), *count)).collect()
}

fn seen(warnings: &[Warning]) -> Vec<(&str, &str, u64)> {
    warnings.iter().map(|one| (one.code.as_str(), one.column.as_str(), one.at.row)).collect()
}

#[test]
fn a_time_after_the_time_of_reading_is_warned_of_and_accepted() {
    let text = "user_id,timestamp,type\nu,2026-11-23T12:04:59Z,a\nu,2026-11-23T12:05:01Z,a\n\
                u,2026-11-24T12:00:00Z,a\n";
    let checker = check(DatasetKind::EVENTS, facts(), "a.csv", text);
    assert_eq!(checker.totals().accepted, 3);
    assert_eq!(counted(checker.totals()), [("timestamp_in_future", 2)], "clocks may differ by five minutes");
    assert_eq!(seen(checker.warnings()), [("timestamp_in_future", "timestamp", 2)]);
    let reason = &checker.warnings()[0].reason;
    assert!(reason.contains("2026-11-23T12:05:01Z") && reason.contains("2026-11-23T12:00:00Z"), "{reason}");
}

#[test]
fn the_first_digits_of_a_column_are_the_rule_for_its_unit() {
    let schema = r#"{"dataset": "EVENTS", "columns": [{"name": "seen_at", "type": "TIMESTAMP"}]}"#;
    let mut checker = FileChecker::new(Schema::parse_json(schema).unwrap(), facts());
    let text = "user_id,timestamp,type,seen_at\nu,1795428307,a,1795428307000\nu,1795428307000,a,1795428307000\n\
                u,2026-11-23,a,1795428307\nu,1795428307,a,\n";
    read(&mut checker, &mut rows("a.csv", text));
    assert_eq!(checker.totals().accepted, 4);
    assert_eq!(counted(checker.totals()), [("timestamp_unit_differs", 2)]);
    assert_eq!(
        seen(checker.warnings()),
        [("timestamp_unit_differs", "timestamp", 2), ("timestamp_unit_differs", "seen_at", 3)]
    );
    assert!(checker.warnings()[0].reason.contains("milliseconds"));
}

#[test]
fn an_event_far_from_its_folders_date_is_warned_of() {
    let text = "user_id,timestamp,type\nu,2026-10-23T00:00:00Z,a\nu,2026-10-22T23:59:59Z,a\nu,2019-01-01,a\n";
    let checker = check(DatasetKind::EVENTS, facts(), "a.csv", text);
    assert_eq!(counted(checker.totals()), [("date_far_from_folder", 2)]);
    assert!(checker.warnings()[0].reason.contains("32 days before"), "{}", checker.warnings()[0].reason);

    let nowhere = FileFacts { folder_date: String::new(), ..facts() };
    assert_eq!(counted(check(DatasetKind::EVENTS, nowhere, "a.csv", text).totals()), []);
    // An attribute may be as old as it likes: its time says when it was set.
    let attribute = "user_id,timestamp,plan\nu,2019-01-01,free\n";
    assert_eq!(counted(check(DatasetKind::ATTRIBUTES, facts(), "a.csv", attribute).totals()), []);
}

#[test]
fn one_original_id_with_two_mapped_ids_is_warned_of() {
    let text = "original_id,mapped_id\na,1\nb,2\na,1\na,2\nb,3\nb,2\n";
    let checker = check(DatasetKind::ID_MAPPINGS, facts(), "a.csv", text);
    assert_eq!(checker.totals().accepted, 6);
    assert_eq!(counted(checker.totals()), [("conflicting_mapping", 2)]);
    assert_eq!(seen(checker.warnings()), [("conflicting_mapping", "mapped_id", 4)]);
    assert!(checker.warnings()[0].reason.contains("\"a\""));
}

#[test]
fn columns_that_came_or_went_since_the_last_file_are_warned_of() {
    let last = |names: &[&str]| FileFacts {
        last_columns: names.iter().map(|name| (*name).to_owned()).collect(),
        ..facts()
    };
    let header = "user_id,timestamp,type,price,colour\nu,2026-11-23,a,1,red\n";
    let checker =
        check(DatasetKind::EVENTS, last(&["user_id", "timestamp", "type", "size"]), "a.csv", header);
    assert_eq!(counted(checker.totals()), [("column_appeared", 2), ("column_vanished", 1)]);
    assert_eq!(
        seen(checker.warnings()),
        [("column_appeared", "price", 0), ("column_appeared", "colour", 0), ("column_vanished", "size", 0)]
    );
    assert_eq!(checker.columns(), ["user_id", "timestamp", "type", "price", "colour"]);

    let lines = "{\"user_id\":\"u\",\"timestamp\":\"2026-11-23\",\"type\":\"a\"}\n\
                 {\"user_id\":\"u\",\"timestamp\":\"2026-11-23\",\"type\":\"a\",\"size\":{\"w\":1}}\n";
    let checker =
        check(DatasetKind::EVENTS, last(&["user_id", "timestamp", "type", "size.h"]), "a.json", lines);
    assert_eq!(counted(checker.totals()), [("column_appeared", 1), ("column_vanished", 1)]);
    assert_eq!(counted(check(DatasetKind::EVENTS, facts(), "a.json", lines).totals()), [], "no last file");
}

#[test]
fn columns_are_compared_by_the_schemas_names() {
    let last = ["user_id", "timestamp", "type"].map(str::to_owned).to_vec();
    let facts = FileFacts { last_columns: last.clone(), ..facts() };
    for (name, text) in [
        ("a.csv", "User_ID,TIMESTAMP,Type\nu,2026-11-23,a\n"),
        ("a.json", "{\"User_ID\":\"u\",\"TIMESTAMP\":\"2026-11-23\",\"Type\":\"a\"}\n"),
    ] {
        let checker = check(DatasetKind::EVENTS, facts.clone(), name, text);
        assert_eq!(counted(checker.totals()), [], "{name}");
        assert_eq!(checker.columns(), last);
    }
}

#[test]
fn a_refused_row_warns_of_nothing() {
    let text = "user_id,timestamp,type\nu,2030-01-01,\n";
    let checker = check(DatasetKind::EVENTS, facts(), "a.csv", text);
    assert_eq!((checker.totals().accepted, checker.totals().rejected), (0, 1));
    assert_eq!(counted(checker.totals()), []);
}

#[test]
fn warnings_are_bounded_whatever_the_file_holds() {
    let mut header = String::from("user_id,timestamp,type");
    let mut row = String::from("u,2026-11-23,a");
    for column in 0..2_000 {
        header.push_str(&format!(",new_{column}"));
        row.push_str(",1");
    }
    let facts = FileFacts { last_columns: vec!["user_id".to_owned()], ..facts() };
    let checker = check(DatasetKind::EVENTS, facts, "a.csv", &format!("{header}\n{row}\n"));
    assert_eq!(counted(checker.totals()), [("column_appeared", 2_002)]);
    assert_eq!(checker.warnings().len(), 20);
}

#[test]
fn names_that_never_end_are_not_compared() {
    let mut lines = String::new();
    for row in 0..6_000 {
        lines.push_str(&format!(
            "{{\"user_id\":\"u\",\"timestamp\":\"2026-11-23\",\"type\":\"a\",\"k{row}\":1}}\n"
        ));
    }
    let facts = FileFacts { last_columns: vec!["user_id".to_owned()], ..facts() };
    let checker = check(DatasetKind::EVENTS, facts, "a.json", &lines);
    assert_eq!(checker.totals().accepted, 6_000);
    assert_eq!(counted(checker.totals()), []);
    assert_eq!(checker.columns(), [] as [String; 0]);
}

#[test]
fn a_checker_that_resumes_counts_on() {
    let text =
        "user_id,timestamp,type\nu1,2026-11-23,a\nu2,soon,a\nu3,2030-01-01,a\nu4,never,a\nu5,2030-01-01,a\n";
    let whole = check(DatasetKind::EVENTS, facts(), "a.csv", text);
    let schema = || Schema::default_for(DatasetKind::EVENTS);
    for stop in 0..=5 {
        let mut first = FileChecker::new(schema(), facts());
        let mut reader = rows("a.csv", text);
        let mut record = Vec::new();
        for _ in 0..=stop {
            let item = reader.next().unwrap().unwrap();
            first.check(&item, &mut record).unwrap();
        }
        let place = reader.place();
        let source = Box::new(std::io::Cursor::new(text));
        let mut rest = Rows::open_at(source, "a.csv", Limits::default(), place).unwrap();
        let mut second = FileChecker::resume(schema(), facts(), first.totals().clone());
        read(&mut second, &mut rest);
        assert_eq!(second.totals(), whole.totals(), "stopped behind row {stop}");
    }
}

/// A file of which a first checker has read so many rows, read on by a second.
fn resumed(facts: FileFacts, name: &str, text: &str, rows_before: usize, one_document: bool) -> FileChecker {
    let schema = || Schema::default_for(DatasetKind::EVENTS);
    let mut first = FileChecker::new(schema(), facts.clone());
    let mut reader = rows(name, text);
    for _ in 0..=rows_before {
        first.check(&reader.next().unwrap().unwrap(), &mut Vec::new()).unwrap();
    }
    let place = reader.place();
    let source = Box::new(std::io::Cursor::new(text.to_owned()));
    let mut rest = Rows::open_at(source, name, Limits::default(), place).unwrap();
    let mut second = FileChecker::resume(schema(), facts, first.totals().clone());
    if one_document {
        second.one_document();
    }
    read(&mut second, &mut rest);
    second
}

#[test]
fn a_header_that_comes_again_tells_all_columns_of_one_document() {
    let text = "user_id,timestamp,type,price\nu,2026-11-23,a,1\nu,2026-11-23,a,2\n";
    let last = ["user_id", "timestamp", "type", "size"].map(str::to_owned).to_vec();
    let facts = FileFacts { last_columns: last, ..facts() };
    let whole = check(DatasetKind::EVENTS, facts.clone(), "a.csv", text);
    let checker = resumed(facts.clone(), "a.csv", text, 1, true);
    assert_eq!(counted(checker.totals()), [("column_appeared", 1), ("column_vanished", 1)]);
    assert_eq!(checker.totals(), whole.totals());
    assert_eq!(seen(checker.warnings()), seen(whole.warnings()));
    assert_eq!(checker.columns(), ["user_id", "timestamp", "type", "price"]);

    // Of a zip, other documents may have had more.
    let checker = resumed(facts.clone(), "a.csv", text, 1, false);
    assert_eq!(counted(checker.totals()), [("column_appeared", 1)]);
    assert_eq!(checker.columns(), [] as [String; 0]);

    // As may other rows of JSON.
    let lines = "{\"user_id\":\"u\",\"timestamp\":\"2026-11-23\",\"type\":\"a\",\"price\":1}\n".repeat(2);
    let checker = resumed(facts, "a.json", &lines, 1, true);
    assert_eq!(counted(checker.totals()), [("column_appeared", 1)]);
    assert_eq!(checker.columns(), [] as [String; 0]);
}

#[test]
fn warnings_begin_anew_in_a_file_that_resumes() {
    let text = "user_id,timestamp,type\nu,1795428307,a\nu,1795428307000,a\nu,1795428307000,a\n";
    let whole = check(DatasetKind::EVENTS, facts(), "a.csv", text);
    assert_eq!(counted(whole.totals()), [("timestamp_unit_differs", 2)]);
    let rest = resumed(facts(), "a.csv", text, 2, true);
    assert_eq!(counted(rest.totals()), [("timestamp_unit_differs", 1)], "what was counted stays so");
    assert_eq!(seen(rest.warnings()), []);
}

#[test]
fn a_row_that_is_refused_is_told_with_its_bytes() {
    let mut checker = FileChecker::new(Schema::default_for(DatasetKind::EVENTS), facts());
    let mut reader = rows("a.csv", "user_id,timestamp,type\nu1,soon,a\nu2,2026-11-23\n");
    let mut told = Vec::new();
    let mut record = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        if let Checked::Refused(row) = checker.check(&item, &mut record).unwrap() {
            let raw = String::from_utf8_lossy(row.raw).into_owned();
            told.push((row.at.row, row.at.position, row.refusal.code, raw));
        }
    }
    assert_eq!(
        told,
        [
            (1, 23, "invalid_type", "u1,soon,a".to_owned()),
            (2, 33, "wrong_field_count", "u2,2026-11-23".to_owned())
        ]
    );
    assert!(record.is_empty());
}
