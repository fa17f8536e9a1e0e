//! A proposed schema takes the rows that it was proposed from.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use dataset::{ColumnType, DatasetKind, FileChecker, FileFacts, Proposal, Proposer};
use format::{Limits, Rows};
use proptest::prelude::*;

fn rows(name: &str, text: &str) -> Rows {
    Rows::open(Box::new(std::io::Cursor::new(text.to_owned())), name, Limits::default()).unwrap()
}

fn propose(kind: &'static DatasetKind, files: &[(&str, &str)]) -> Proposal {
    let mut proposer = Proposer::new(kind);
    for (name, text) in files {
        let mut rows = rows(name, text);
        while let Some(item) = rows.next().unwrap() {
            proposer.look(&item);
        }
    }
    proposer.propose().unwrap()
}

fn types(proposal: &Proposal) -> Vec<(&str, &str)> {
    let word = |of: Option<ColumnType>| of.map_or("-", ColumnType::word);
    proposal.columns.iter().map(|one| (one.header.as_str(), word(one.column_type))).collect()
}

#[test]
fn each_column_gets_the_narrowest_type_that_takes_its_values() {
    let proposal = propose(
        DatasetKind::ITEMS,
        &[(
            "a.csv",
            "item_id,count,price,member,flag,seen,tags,zip,brand_id,opened_at,day,text,none\n\
             i1,1,1,yes,0,2026-11-23,\"[\"\"a\"\"]\",01234,77,1795428307,03/04/2021,x,\n\
             i2,-2,2.5,no,1,2026-11-23T10:00Z,[],99999,78,1795428308,03/05/2021,2,\n",
        )],
    );
    assert_eq!(
        types(&proposal),
        [
            ("item_id", "STRING"),
            ("count", "INTEGER"),
            ("price", "NUMBER"),
            ("member", "BOOLEAN"),
            ("flag", "INTEGER"),
            ("seen", "TIMESTAMP"),
            ("tags", "STRING_LIST"),
            ("zip", "STRING"),
            ("brand_id", "STRING"),
            ("opened_at", "TIMESTAMP"),
            ("day", "STRING"),
            ("text", "STRING"),
            ("none", "-"),
        ]
    );
    assert!(proposal.columns[10].note.contains("more than one"), "{:?}", proposal.columns[10]);
    assert_eq!((proposal.rows, proposal.columns[12].null_share), (2, 1.0));
    assert_eq!(proposal.columns[2].examples, ["1", "2.5"]);
}

#[test]
fn json_keeps_its_kinds_and_what_no_type_takes_is_left_to_be_kept() {
    let proposal = propose(
        DatasetKind::ITEMS,
        &[(
            "a.json",
            r#"{"item_id": 1, "on": true, "tags": ["a", 2], "deep": [[1]], "address": {"no": 7}}
               {"item_id": "2", "on": false, "tags": "b", "deep": 3, "address": {"no": "7a"}}"#,
        )],
    );
    assert_eq!(
        types(&proposal),
        [
            ("item_id", "STRING"),
            ("on", "BOOLEAN"),
            ("tags", "STRING_LIST"),
            ("deep", "-"),
            ("address.no", "STRING")
        ]
    );
}

#[test]
fn the_datasets_columns_are_found_under_other_names() {
    let proposal =
        propose(DatasetKind::EVENTS, &[("a.csv", "userId,Event,ts,SKU,type_id\nu,view,1795428307,s,4\n")]);
    let from: Vec<(&str, Option<&str>)> =
        proposal.schema.columns().iter().map(|one| (one.name.as_str(), one.from.as_deref())).collect();
    assert_eq!(
        from,
        [
            ("user_id", Some("userId")),
            ("timestamp", Some("ts")),
            ("type", Some("Event")),
            ("item_id", Some("SKU")),
            ("type_id", None)
        ]
    );
    let none = propose(DatasetKind::EVENTS, &[("a.csv", "a,b\n1,2\n")]);
    assert_eq!(none.missing, ["user_id", "timestamp", "type"]);
}

#[test]
fn columns_without_end_are_cut() {
    let mut text = String::new();
    for row in 0..5_000 {
        text.push_str(&format!("{{\"item_id\":\"i\",\"k{row}\":1}}\n"));
    }
    let proposal = propose(DatasetKind::ITEMS, &[("a.json", &text)]);
    assert!(proposal.cut);
    assert_eq!(proposal.columns.len(), 4_096);
}

#[test]
fn blank_names_are_passed_over() {
    let proposal = propose(
        DatasetKind::ITEMS,
        &[
            ("a.json", "{\"item_id\":\"i\",\"\":1,\" \":2,\"\\t\u{a0}\":3,\"size\":4}\n"),
            ("a.csv", "item_id,,size,\ni,1,2,\n"),
        ],
    );
    assert_eq!(types(&proposal), [("item_id", "STRING"), ("size", "INTEGER")]);
    assert!(!proposal.cut);
}

#[test]
fn lists_of_too_many_parts_are_left_as_texts() {
    let list = |parts: usize| vec!["1"; parts].join(",");
    let text = format!(
        "item_id\tjson\tbars\tfew\ni\t[{}]\t{}\t[{}]\n",
        list(65_537),
        "a|".repeat(65_537),
        list(65_536)
    );
    let proposal = propose(DatasetKind::ITEMS, &[("a.tsv", &text)]);
    assert_eq!(
        types(&proposal),
        [("item_id", "STRING"), ("json", "STRING"), ("bars", "STRING"), ("few", "STRING_LIST")]
    );
    let text = format!("{{\"item_id\":\"i\",\"few\":[{}]}}\n", list(65_536));
    let proposal = propose(DatasetKind::ITEMS, &[("a.json", &text)]);
    assert_eq!(types(&proposal), [("item_id", "STRING"), ("few", "STRING_LIST")]);
}

#[test]
fn a_name_that_differs_from_an_own_column_in_case_alone_is_not_named_besides() {
    // In the second row it is the only one that is the item's id.
    let text = "{\"item_id\":\"i\",\"ITEM_ID\":7,\"x\":1}\n{\"ITEM_ID\":8,\"x\":1}\n";
    let proposal = propose(DatasetKind::ITEMS, &[("a.json", text)]);
    assert_eq!(types(&proposal), [("item_id", "STRING"), ("ITEM_ID", "-"), ("x", "INTEGER")]);
    let mut checker = FileChecker::new(proposal.schema, FileFacts::default());
    let mut rows = rows("a.json", text);
    let mut record = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        checker.check(&item, &mut record).unwrap();
    }
    assert_eq!((checker.totals().accepted, checker.totals().rejected), (2, 0));
    // Also where the dataset's column is read from a name that it goes by elsewhere.
    let proposal = propose(DatasetKind::ITEMS, &[("a.csv", "sku,SKU,x\na,b,1\n")]);
    assert_eq!(types(&proposal), [("sku", "STRING"), ("SKU", "-"), ("x", "INTEGER")]);
}

#[test]
fn whole_numbers_that_a_float_would_round_stay_texts() {
    let text = "{\"item_id\":\"i\",\"serial\":18446744073709551615,\"price\":0.5}\n\
                {\"item_id\":\"i\",\"serial\":1,\"price\":2}\n";
    let proposal = propose(DatasetKind::ITEMS, &[("a.json", text)]);
    assert_eq!(types(&proposal), [("item_id", "STRING"), ("serial", "STRING"), ("price", "NUMBER")]);
}

fn any_file() -> impl Strategy<Value = (String, &'static str)> {
    let texts = vec![
        "",
        "1",
        "-7",
        "007",
        "+1",
        "1.5",
        "true",
        "2026-11-23",
        "23/11/2026",
        "a|b",
        "[1",
        "[\"a\"]",
        "text",
        "1795428307",
    ];
    let json = vec![
        "null",
        "1",
        "1.5",
        "true",
        "\"2026-11-23\"",
        "\"a\"",
        "\"7\"",
        "[\"a\",1]",
        "[[1]]",
        "\"[1\"",
        "{\"b\":1}",
        "1e999",
    ];
    let names = ["x", "X", "y_id", "at", "Item_ID"];
    let table = |values: Vec<&'static str>| {
        prop::collection::vec(prop::collection::vec(prop::sample::select(values), 5), 1..4)
    };
    let csv = table(texts).prop_map(move |rows| {
        let mut text = format!("item_id,{}\n", names.join(","));
        for row in rows {
            let fields: Vec<String> =
                row.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
            text.push_str(&format!("i,{}\n", fields.join(",")));
        }
        (text, "x.csv")
    });
    let json = table(json).prop_map(move |rows| {
        let mut text = String::new();
        for row in rows {
            let fields: Vec<String> =
                names.iter().zip(&row).map(|(name, value)| format!("\"{name}\":{value}")).collect();
            text.push_str(&format!("{{\"item_id\":\"i\",{}}}\n", fields.join(",")));
        }
        (text, "x.json")
    });
    prop_oneof![csv, json]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_proposed_schema_takes_every_row_it_was_proposed_from((text, name) in any_file()) {
        let proposal = propose(DatasetKind::ITEMS, &[(name, &text)]);
        let mut checker = FileChecker::new(proposal.schema.clone(), FileFacts::default());
        let mut rows = rows(name, &text);
        let mut record = Vec::new();
        while let Some(item) = rows.next().unwrap() {
            checker.check(&item, &mut record).unwrap();
        }
        prop_assert_eq!(checker.totals().rejected, 0, "{:?}", proposal);
    }
}
