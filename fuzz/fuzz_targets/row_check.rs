//! The first byte chooses a schema, the second a format: an accepted row is a record of a person who is not deleted, a
//! refused one leaves nothing.
#![no_main]

use std::io::Cursor;
use std::sync::{Arc, LazyLock};

use dataset::{Checked, DeletedSubjects, FileChecker, FileFacts, Schema, subject_hash};
use format::Rows;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use records::v1::{Attributes, Event, IdMapping, Item};

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    [
        r#"{"dataset": "EVENTS"}"#,
        r#"{"dataset": "EVENTS", "additional_columns": "REJECT", "columns": [
            {"name": "n", "type": "NUMBER"}, {"name": "i", "type": "INTEGER"}, {"name": "b", "type": "BOOLEAN"},
            {"name": "l", "type": "STRING_LIST"}, {"name": "t", "type": "TIMESTAMP", "time_zone": "Europe/Brussels"},
            {"name": "d", "type": "TIMESTAMP", "format": "%d/%m/%Y %H:%M"}, {"name": "s", "type": "STRING"}]}"#,
        r#"{"dataset": "ATTRIBUTES"}"#,
        r#"{"dataset": "ITEMS", "additional_columns": "IGNORE", "columns": [
            {"name": "price", "type": "NUMBER", "required": true}, {"name": "from", "type": "STRING", "from": "Von"}]}"#,
        r#"{"dataset": "ID_MAPPINGS"}"#,
    ]
    .map(|text| Schema::parse_json(text).expect("a schema that holds"))
    .to_vec()
});

static DELETED: LazyLock<Arc<DeletedSubjects>> = LazyLock::new(|| {
    let hashes = ["u2", "u-2", "2", "a"].map(|id| subject_hash("acme", id.as_bytes())).to_vec();
    Arc::new(DeletedSubjects::new("acme", hashes))
});

fuzz_target!(|data: &[u8]| {
    let [schema, name, text @ ..] = data else { return };
    let schema = &SCHEMAS[usize::from(*schema) % SCHEMAS.len()];
    let name = ["x.csv", "x.jsonl"][usize::from(*name) % 2];
    let facts = FileFacts {
        time_zone: "America/New_York".to_owned(),
        now: 1_795_428_307,
        folder_date: "2026-11-23".to_owned(),
        last_columns: vec!["user_id".to_owned(), "gone".to_owned()],
        most_bytes: Some(4096),
        deleted: Some(Arc::clone(&DELETED)),
        json: None,
    };
    let Ok(mut rows) = Rows::open(Box::new(Cursor::new(text.to_vec())), name, fuzz::limits()) else { return };
    let mut checker = FileChecker::new(schema.clone(), facts);
    let (mut record, mut accepted, mut refused) = (Vec::new(), 0, 0);
    while let Ok(Some(item)) = rows.next() {
        record.clear();
        match checker.check(&item, &mut record) {
            Ok(Checked::Columns) => {}
            Ok(Checked::Accepted { key, .. }) => {
                assert!(!key.is_empty(), "a record has a key");
                // An item is no person, whatever its id.
                let is_of_person = schema.dataset().name != "ITEMS";
                assert!(!(is_of_person && DELETED.contains(key)), "a deleted subject has no record");
                accepted += 1;
                decode(schema.dataset().name, &record);
            }
            Ok(Checked::Refused(row)) => {
                let refusal = &row.refusal;
                assert!(!refusal.reason.is_empty() && !refusal.advice.is_empty(), "{refusal:?}");
                refused += 1;
                assert!(record.is_empty(), "a refused row leaves nothing");
            }
            Err(fault) => {
                assert!(!fault.reason.is_empty() && !fault.advice.is_empty(), "{fault:?}");
                return;
            }
        }
    }
    checker.finish();
    let totals = checker.totals();
    assert_eq!((totals.accepted, totals.rejected, totals.rows), (accepted, refused, accepted + refused));
});

fn decode(dataset: &str, record: &[u8]) {
    let decoded = match dataset {
        "EVENTS" => Event::decode(record).map(|record| !record.user_id.is_empty()),
        "ATTRIBUTES" => Attributes::decode(record).map(|record| !record.user_id.is_empty()),
        "ITEMS" => Item::decode(record).map(|record| !record.item_id.is_empty()),
        _ => IdMapping::decode(record).map(|record| !record.original_id.is_empty()),
    };
    assert!(decoded.is_ok_and(|has_subject| has_subject), "{dataset}: {record:?}");
}
