//! Which column of the schema a name in a file is, and what becomes of those that are none.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use dataset::{Checked, FileChecker, FileFacts, HeaderFault, Schema};
use format::{Limits, Rows};
use serde_json::{Value, json};

/// What became of a file's rows: the properties of records, and code, column and reason of refusals.
type Read = (Vec<Value>, Vec<(String, String, String)>);

fn read(schema: &str, name: &str, text: &str) -> Result<Read, HeaderFault> {
    let mut rows =
        Rows::open(Box::new(std::io::Cursor::new(text.to_owned())), name, Limits::default()).unwrap();
    let schema = Schema::parse_json(schema).unwrap();
    let message = schema.dataset().message;
    let mut checker = FileChecker::new(schema, FileFacts::default());
    let (mut records, mut refusals) = (Vec::new(), Vec::new());
    while let Some(item) = rows.next().unwrap() {
        let mut record = Vec::new();
        match checker.check(&item, &mut record)? {
            Checked::Columns => {}
            Checked::Accepted { .. } => {
                records.push(records::to_json(message, &record).unwrap()["properties"].clone());
            }
            Checked::Refused(row) => {
                refusals.push((row.refusal.code.to_owned(), row.refusal.column, row.refusal.reason));
            }
        }
    }
    Ok((records, refusals))
}

fn items(more: &str) -> String {
    format!(r#"{{"dataset": "ITEMS", {more}}}"#)
}

/// The one record's properties.
fn properties(schema: &str, name: &str, text: &str) -> Value {
    let (records, refusals) = read(schema, name, text).unwrap();
    assert_eq!((records.len(), &refusals[..]), (1, &[][..]), "{text}");
    records[0].clone()
}

/// Code, column and reason of the one refusal.
fn refused(schema: &str, name: &str, text: &str) -> (String, String, String) {
    let (records, mut refusals) = read(schema, name, text).unwrap();
    assert_eq!((records.len(), refusals.len()), (0, 1), "{text}");
    refusals.remove(0)
}

const PRICE: &str = r#""columns": [{"name": "price", "from": "amount", "type": "NUMBER"}]"#;

#[test]
fn an_undeclared_column_never_takes_the_place_of_a_declared_one() {
    for (name, text) in [
        ("a.csv", "item_id,amount,price\ni,9.5,cheap\n"),
        ("a.csv", "item_id,price,amount\ni,cheap,9.5\n"),
        ("a.csv", "item_id,price\ni,cheap\n"),
        ("a.json", r#"{"item_id":"i","amount":9.5,"price":"cheap"}"#),
        ("a.json", r#"{"item_id":"i","price":"cheap","amount":null}"#),
    ] {
        let (code, column, reason) = refused(&items(PRICE), name, text);
        assert_eq!((code.as_str(), column.as_str()), ("unexpected_column", "price"), "{text}");
        assert!(reason.contains("\"price\" is read from \"amount\""), "{reason}");
    }
    let typed = json!({ "price": { "number_value": 9.5 } });
    for (name, text) in [
        // Where it has no value, it takes no place.
        ("a.csv", "item_id,amount,price\ni,9.5,\n"),
        ("a.json", r#"{"item_id":"i","amount":9.5,"price":null}"#),
    ] {
        assert_eq!(properties(&items(PRICE), name, text), typed);
    }
    let ignoring = items(&format!(r#""additional_columns": "IGNORE", {PRICE}"#));
    assert_eq!(properties(&ignoring, "a.csv", "item_id,amount,price\ni,9.5,cheap\n"), typed);
    let both = r#""columns": [{"name": "price", "from": "amount", "type": "NUMBER"},
                              {"name": "level", "from": "price", "type": "STRING"}]"#;
    assert_eq!(
        properties(&items(both), "a.csv", "item_id,amount,price\ni,9.5,cheap\n"),
        json!({ "price": { "number_value": 9.5 }, "level": { "string_value": "cheap" } })
    );
}

#[test]
fn the_name_of_an_own_column_is_taken_too() {
    let schema = r#"{"dataset": "ATTRIBUTES", "columns": [{"name": "user_id", "from": "customer"}]}"#;
    for (name, text) in [
        ("a.csv", "customer,user_id,plan\nc,u,free\n"),
        ("a.json", r#"{"customer":"c","user_id":"u","plan":"free"}"#),
    ] {
        let (code, column, _) = refused(schema, name, text);
        assert_eq!((code.as_str(), column.as_str()), ("unexpected_column", "user_id"));
    }
}

#[test]
fn from_matches_in_another_case_and_the_exact_one_comes_first() {
    let typed = json!({ "price": { "number_value": 9.5 } });
    for (name, text) in [
        ("a.csv", "ITEM_ID,AMOUNT\ni,9.5\n"),
        ("a.json", r#"{"Item_Id":"i","AMOUNT":9.5}"#),
        ("a.json", r#"{"item_id":"i","amount":9.5}"#),
    ] {
        assert_eq!(properties(&items(PRICE), name, text), typed);
    }
    let other = json!({ "price": { "number_value": 9.5 }, "AMOUNT": { "string_value": "x" } });
    for (name, text) in [
        ("a.csv", "item_id,AMOUNT,amount\ni,x,9.5\n"),
        ("a.json", r#"{"item_id":"i","AMOUNT":"x","amount":9.5}"#),
        ("a.json", r#"{"item_id":"i","amount":9.5,"AMOUNT":"x"}"#),
    ] {
        assert_eq!(properties(&items(PRICE), name, text), other, "{text}");
    }
    // The name itself is not looked for, in another case neither: it is a property of its own.
    let text = "item_id,PRICE\ni,x\n";
    assert_eq!(properties(&items(PRICE), "a.csv", text), json!({ "PRICE": { "string_value": "x" } }));
    // An exact rival takes a header from a column by case, which then has the name of another.
    let rivals = r#""columns": [{"name": "a", "from": "X", "type": "STRING"}, {"name": "x", "from": "q", "type": "STRING"}]"#;
    let (code, column, _) = refused(&items(rivals), "a.csv", "item_id,X,x,q\ni,1,2,3\n");
    assert_eq!((code.as_str(), column.as_str()), ("unexpected_column", "x"));
}

#[test]
fn columns_without_a_name_never_share_one_property() {
    let keep = items(r#""columns": []"#);
    assert_eq!(
        properties(&keep, "a.csv", "item_id,size,,\ni,4,,\n"),
        json!({ "size": { "string_value": "4" } }),
        "empty ones, as delimiters at a line's end make them, are left out"
    );
    assert_eq!(
        properties(&keep, "a.csv", ",item_id\n7,i\n"),
        json!({ "": { "string_value": "7" } }),
        "one alone is a property as any other"
    );
    for text in ["item_id,,\ni,a,b\n", "item_id,,\ni,,b\n"] {
        let (code, _, reason) = refused(&keep, "a.csv", text);
        assert_eq!(code, "unexpected_column");
        assert!(reason.contains("column ") && reason.contains("no name"), "{reason}");
    }
    assert!(refused(&keep, "a.csv", "item_id,,\ni,,b\n").2.contains("column 3 holds \"b\""));
    let ignoring = items(r#""additional_columns": "IGNORE""#);
    assert_eq!(read(&ignoring, "a.csv", "item_id,,\ni,a,b\n").unwrap().0.len(), 1);
    // One of the schema's cannot be told from the others.
    let declared = items(r#""columns": [{"name": "row", "from": "", "type": "INTEGER"}]"#);
    assert_eq!(properties(&declared, "a.csv", ",item_id\n7,i\n"), json!({ "row": { "integer_value": "7" } }));
    assert_eq!(refused(&declared, "a.csv", ",item_id,\n7,i,8\n").0, "unexpected_column");
}

#[test]
fn a_null_in_an_undeclared_column_rejects_nothing() {
    let rejecting =
        items(r#""additional_columns": "REJECT", "columns": [{"name": "size", "type": "STRING"}]"#);
    for (name, text, valid) in [
        ("a.csv", "item_id,size,extra\ni,4,\n", true),
        ("a.json", r#"{"item_id":"i","size":"4","extra":null}"#, true),
        ("a.json", r#"{"item_id":"i","size":"4","extra":""}"#, true),
        ("a.csv", "item_id,size,extra\ni,4,x\n", false),
        ("a.json", r#"{"item_id":"i","size":"4","extra":false}"#, false),
    ] {
        let (records, refusals) = read(&rejecting, name, text).unwrap();
        assert_eq!(records.len() == 1, valid, "{text}: {refusals:?}");
    }
}

#[test]
fn an_object_that_names_a_column_twice_in_other_cases_is_refused() {
    let (code, column, _) = refused(&items(PRICE), "a.json", r#"{"item_id":"i","Amount":1,"AMOUNT":2}"#);
    assert_eq!((code.as_str(), column.as_str()), ("malformed_row", "price"));
    let null = r#"{"item_id":"i","Amount":null,"AMOUNT":2}"#;
    assert_eq!(properties(&items(PRICE), "a.json", null), json!({ "price": { "number_value": 2.0 } }));
}

#[test]
fn many_names_in_other_cases_cost_no_more_than_their_number() {
    let cased = |index: usize| -> String {
        let letter = |at: usize| if index >> at & 1 == 1 { 'X' } else { 'x' };
        (0..12).map(letter).collect()
    };
    let nulls: Vec<String> = (1..4_000).map(|index| format!("\"{}\":null", cased(index))).collect();
    let line = format!("{{\"item_id\":\"i\",{},\"{}\":1}}\n", nulls.join(","), cased(0));
    let schema = items(&format!(r#""columns": [{{"name": "{}", "type": "INTEGER"}}]"#, cased(0)));
    let began = Instant::now();
    let (records, _) = read(&schema, "a.json", &line.repeat(100)).unwrap();
    assert_eq!((records.len(), &records[99][cased(0)]), (100, &json!({ "integer_value": "1" })));
    // Compared one with another they would take most of a minute.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_missing_column_is_told_with_the_header_and_the_nearest_names() {
    let fault = read(r#"{"dataset": "EVENTS"}"#, "a.csv", "userid,time_stamp,type,x\nu,2026-11-23,a,b\n")
        .unwrap_err();
    assert_eq!(fault.code, "missing_column");
    for part in [
        "\"user_id\" (nearest: \"userid\")",
        "\"timestamp\" (nearest: \"time_stamp\")",
        "[userid, time_stamp, type, x]",
    ] {
        assert!(fault.reason.contains(part), "{}", fault.reason);
    }
    let alone = read(&items(r#""columns": []"#), "a.csv", "item_id\ni\n").unwrap_err();
    assert!(alone.code == "missing_column" && alone.reason.contains("[item_id]"), "{}", alone.reason);
}

#[test]
fn messages_stay_small_whatever_names_and_values_are() {
    let long = "n".repeat(200_000);
    let rejecting = items(r#""additional_columns": "REJECT""#);
    let declared =
        format!(r#""columns": [{{"name": "price", "from": "{long}", "type": "NUMBER", "required": true}}]"#);
    for (schema, name, text) in [
        (&rejecting, "a.csv", format!("item_id,{long}\ni,1\n")),
        (&rejecting, "a.json", format!("{{\"item_id\":\"i\",\"{long}\":1}}")),
        (&items(&declared), "a.csv", format!("item_id,{long}\ni,\n")),
        (&items(&declared), "a.csv", format!("item_id,{long}\ni,{long}\n")),
        (&items(&declared), "a.json", format!("{{\"item_id\":\"i\",\"price\":1,\"{long}\":1}}")),
        (&items(r#""columns": []"#), "a.csv", format!("item_id,,\ni,{long},\n")),
    ] {
        let (_, column, reason) = refused(schema, name, &text);
        assert!(column.chars().count() <= 101 && reason.len() < 500, "{column} {reason}");
    }
    let fault = read(&items(&declared), "a.csv", &format!("item_id,{long}n\ni,1\n")).unwrap_err();
    assert!(fault.reason.len() < 500, "{}", fault.reason);
    let error =
        Schema::parse_json(&items(&format!(r#""columns": [{{"name": "{long}", "type": "STRING"}}]"#)));
    assert!(error.unwrap_err().to_string().len() < 500);
}
