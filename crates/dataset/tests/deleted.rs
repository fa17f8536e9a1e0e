//! Rows of people on the account's deletion list are refused, and leave nothing of them behind.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use dataset::{Checked, DatasetKind, DeletedSubjects, FileChecker, FileFacts, Schema, subject_hash};
use format::{Limits, Rows};

/// By row: its code, or none where it is accepted; and the text that is kept of what is refused.
fn read(schema: Schema, name: &str, text: &str, deleted: &[&str]) -> (Vec<Option<&'static str>>, String) {
    let hashes = deleted.iter().map(|subject| subject_hash("a", subject.as_bytes())).collect();
    let facts =
        FileFacts { deleted: Some(Arc::new(DeletedSubjects::new("a", hashes))), ..Default::default() };
    let file = std::io::Cursor::new(text.to_owned());
    let mut rows = Rows::open(Box::new(file), name, Limits::default()).unwrap();
    let mut checker = FileChecker::new(schema, facts);
    let (mut codes, mut kept) = (Vec::new(), String::new());
    while let Some(item) = rows.next().unwrap() {
        let mut record = b"envelope".to_vec();
        match checker.check(&item, &mut record).unwrap() {
            Checked::Columns => {}
            Checked::Accepted { .. } => codes.push(None),
            Checked::Refused(row) => {
                codes.push(Some(row.refusal.code));
                kept += &format!("{}{}", row.refusal, String::from_utf8_lossy(row.raw));
                assert_eq!(record, b"envelope", "a refused row leaves nothing behind");
            }
        }
    }
    let counted: u64 = checker.totals().rejections.values().sum();
    assert_eq!(counted, codes.iter().flatten().count() as u64);
    (codes, kept)
}

const DELETED: Option<&str> = Some("subject_deleted");

#[test]
fn a_row_is_refused_by_the_ids_of_people_in_it() {
    for (kind, header, rows, codes) in [
        (
            DatasetKind::EVENTS,
            "type,timestamp,user_id",
            ["a,2026-01-01,gone", "gone,2026-01-01,u"],
            [DELETED, None],
        ),
        (DatasetKind::ATTRIBUTES, "age,user_id", ["1,gone", "gone,u"], [DELETED, None]),
        (DatasetKind::ITEMS, "item_id,user_id", ["gone,x", "i,gone"], [None, None]),
        (DatasetKind::ID_MAPPINGS, "original_id,mapped_id", ["gone,u", "u,gone"], [DELETED, DELETED]),
    ] {
        let text = format!("{header}\n{}\n", rows.join("\n"));
        let (found, _) = read(Schema::default_for(kind), "a.csv", &text, &["gone"]);
        assert_eq!(found, codes, "{}", kind.name);
    }
}

#[test]
fn what_is_refused_for_another_reason_too_leaves_no_text() {
    let text = "timestamp,type,user_id\nsoon,view,gone\nsoon,view,u\n2026-01-01,,gone\n";
    let schema = Schema::parse_json(r#"{"dataset": "EVENTS", "columns": [{"name": "user_id"}]}"#).unwrap();
    let (codes, kept) = read(schema, "a.csv", text, &["gone"]);
    assert_eq!(codes, [DELETED, Some("invalid_type"), DELETED]);
    assert!(kept.contains("soon,view,u") && !kept.contains("gone"), "{kept}");
}

#[test]
fn objects_name_people_as_their_schema_says() {
    let schema = r#"{"dataset": "EVENTS", "columns": [{"name": "user_id", "from": "customer"}]}"#;
    let row = |subject: &str| format!(r#"{{"timestamp": 1, "type": "t", {subject}}}"#);
    let rows = [
        row(r#""customer": "gone""#),
        row(r#""Customer": "gone""#),
        row(r#""CUSTOMER": "gone", "customer": "u""#),
        row(r#""customer": 7"#),
        row(r#""customer": "u", "other": "gone""#),
        row(r#""customer": ["gone"]"#),
    ];
    let schema = Schema::parse_json(schema).unwrap();
    let (codes, _) = read(schema, "a.jsonl", &rows.join("\n"), &["gone", "7"]);
    assert_eq!(codes, [DELETED, DELETED, None, DELETED, None, Some("invalid_type")]);
}

#[test]
fn a_list_of_another_account_says_nothing() {
    let deleted = DeletedSubjects::new("a", vec![subject_hash("b", b"u"), subject_hash("b", b"u")]);
    assert_eq!((deleted.len(), deleted.is_empty(), deleted.contains(b"u")), (1, false, false));
    assert_eq!(format!("{deleted:?}"), "DeletedSubjects { len: 1, .. }");
}

#[test]
fn a_hash_is_the_one_that_the_contract_tells() {
    let known = [0xc2, 0xbc, 0xdb, 0x37];
    assert_eq!(subject_hash("acme", b"user-1")[..4], known);
}
