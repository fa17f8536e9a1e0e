//! A change that is said to break nothing refuses nothing that was accepted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use dataset::{FileChecker, FileFacts, Schema};
use format::{Limits, Rows};
use proptest::prelude::*;

fn schema(columns: &str) -> Schema {
    Schema::parse_json(&format!(r#"{{"dataset": "ITEMS", {columns}}}"#)).unwrap()
}

fn columns(columns: &str) -> Schema {
    schema(&format!(r#""columns": [{columns}]"#))
}

#[test]
fn each_rule_holds_in_its_direction() {
    let typed = |of: &str| columns(&format!(r#"{{"name": "x", "type": "{of}"}}"#));
    let dated =
        |format: &str| columns(&format!(r#"{{"name": "x", "type": "TIMESTAMP", "format": "{format}"}}"#));
    let required = columns(r#"{"name": "x", "type": "STRING", "required": true}"#);
    let from = |from: &str| columns(&format!(r#"{{"name": "item_id", "from": "{from}"}}"#));
    let additional = |word: &str| schema(&format!(r#""additional_columns": "{word}""#));
    let rejecting = |more: &str| schema(&format!(r#""additional_columns": "REJECT", "columns": [{more}]"#));
    let x = r#"{"name": "x", "type": "INTEGER"}"#;
    for (before, after, breaks) in [
        (typed("STRING"), required.clone(), true),
        (required.clone(), typed("STRING"), false),
        (columns(""), required, true),
        (columns(""), typed("INTEGER"), true),
        (rejecting(""), rejecting(x), false),
        (rejecting(x), rejecting(""), true),
        (typed("INTEGER"), columns(""), false),
        (typed("INTEGER"), typed("NUMBER"), false),
        (typed("NUMBER"), typed("INTEGER"), true),
        (typed("BOOLEAN"), typed("STRING"), false),
        (typed("BOOLEAN"), typed("INTEGER"), true),
        (typed("INTEGER"), typed("TIMESTAMP"), true),
        (typed("TIMESTAMP"), typed("STRING"), false),
        (typed("STRING"), typed("STRING_LIST"), true),
        (typed("STRING_LIST"), typed("STRING"), true),
        (typed("NUMBER"), typed("STRING_LIST"), false),
        (typed("TIMESTAMP"), dated("%d/%m/%Y"), true),
        (dated("%d/%m/%Y"), dated("%m/%d/%Y"), true),
        (dated("[%Y-%m-%d"), typed("STRING_LIST"), true),
        (additional("KEEP"), additional("IGNORE"), false),
        // Values may now meet in one property.
        (additional("IGNORE"), additional("KEEP"), true),
        (additional("IGNORE"), additional("REJECT"), true),
        (additional("REJECT"), additional("KEEP"), false),
        (columns(""), from("sku"), true),
        (from("SKU"), from("sku"), true),
        (columns(""), columns(""), false),
        // A header is matched in any case where that is sure: another column of the like name changes what it is.
        (
            rejecting(r#"{"name": "y", "type": "STRING"}"#),
            rejecting(r#"{"name": "y", "type": "STRING"}, {"name": "x", "type": "STRING", "from": "Y"}"#),
            true,
        ),
        (
            columns(r#"{"name": "y", "type": "STRING"}, {"name": "x", "type": "STRING", "from": "Y"}"#),
            columns(r#"{"name": "y", "type": "STRING"}"#),
            true,
        ),
        // A header that is none of the schema's any more may have the name of a column that is read from another.
        (
            columns(
                r#"{"name": "a", "type": "STRING", "from": "x"}, {"name": "x", "type": "STRING", "from": "q"}"#,
            ),
            columns(r#"{"name": "x", "type": "STRING", "from": "q"}"#),
            true,
        ),
    ] {
        let changes = after.breaking_changes_since(&before);
        assert_eq!(!changes.is_empty(), breaks, "{before:?}\n{after:?}\n{changes:?}");
        assert!(changes.iter().all(|one| !one.reason.is_empty() && !one.advice.is_empty()));
    }
    let events = Schema::parse_json(r#"{"dataset": "EVENTS"}"#).unwrap();
    assert_eq!(events.breaking_changes_since(&columns("")).len(), 1);
}

fn any_schema() -> impl Strategy<Value = Schema> {
    let of = prop::sample::select(vec!["STRING", "INTEGER", "NUMBER", "BOOLEAN", "TIMESTAMP", "STRING_LIST"]);
    let from = prop::sample::select(vec!["", "x", "X", "y", "Y", "z"]);
    let column = (prop::sample::select(vec!["x", "y"]), of, any::<bool>(), from, any::<bool>());
    let more = prop::sample::select(vec!["KEEP", "IGNORE", "REJECT"]);
    (prop::collection::vec(column, 0..3), more).prop_filter_map("schemas that hold", |(columns, more)| {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, of, required, from, dated)| {
                let from = if from.is_empty() { String::new() } else { format!(r#", "from": "{from}""#) };
                let format = if *dated && *of == "TIMESTAMP" { r#", "format": "%d/%m/%Y""# } else { "" };
                format!(r#"{{"name": "{name}", "type": "{of}", "required": {required}{from}{format}}}"#)
            })
            .collect();
        let text = format!(
            r#"{{"dataset": "ITEMS", "additional_columns": "{more}", "columns": [{}]}}"#,
            columns.join(",")
        );
        Schema::parse_json(&text).ok()
    })
}

fn any_file() -> impl Strategy<Value = (String, &'static str)> {
    let texts =
        vec!["", "1", "-7", "1.5", "true", "2026-11-23", "23/11/2026", "a|b", "[1", "[\"a\"]", "text"];
    let values = vec![
        "null",
        "1",
        "1.5",
        "true",
        "\"2026-11-23\"",
        "\"a\"",
        "[\"a\",1]",
        "[[1]]",
        "\"[1\"",
        "{\"b\":1}",
    ];
    let names = prop::sample::subsequence(vec!["x", "X", "y", "Y", "z"], 0..5);
    let some_nameless = prop::sample::subsequence(vec!["x", "", "X", "y", "Y", "", "z"], 0..6);
    let csv =
        (some_nameless, prop::collection::vec(prop::sample::select(texts), 5)).prop_map(|(names, values)| {
            let header = names.iter().fold("item_id".to_owned(), |line, name| format!("{line},{name}"));
            let row = values
                .iter()
                .take(names.len())
                .fold("i".to_owned(), |line, value| format!("{line},\"{}\"", value.replace('"', "\"\"")));
            (format!("{header}\n{row}\n"), "x.csv")
        });
    let json = (names, prop::collection::vec(prop::sample::select(values), 5)).prop_map(|(names, values)| {
        let fields = names
            .iter()
            .zip(&values)
            .fold("\"item_id\":\"i\"".to_owned(), |line, (name, value)| format!("{line},\"{name}\":{value}"));
        (format!("{{{fields}}}\n"), "x.json")
    });
    prop_oneof![csv, json]
}

fn accepts(schema: &Schema, (text, name): &(String, &'static str)) -> bool {
    let mut rows = Rows::open(Box::new(std::io::Cursor::new(text.clone())), name, Limits::default()).unwrap();
    let mut checker = FileChecker::new(schema.clone(), FileFacts::default());
    let mut record = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        if checker.check(&item, &mut record).is_err() {
            return false;
        }
    }
    checker.totals().accepted == 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn what_breaks_nothing_accepts_all_that_was_accepted(before in any_schema(), after in any_schema(), file in any_file()) {
        if after.breaking_changes_since(&before).is_empty() && accepts(&before, &file) {
            prop_assert!(accepts(&after, &file), "{:?}\n{:?}\n{:?}", before, after, file);
        }
    }
}
