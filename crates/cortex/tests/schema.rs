//! `cortex schema` as a person uses it.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn cortex(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cortex")).current_dir(dir).args(arguments).output().unwrap()
}

#[test]
fn a_proposed_schema_is_one_that_its_files_are_valid_by() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &[u8]| std::fs::write(dir.path().join(name), text).unwrap();
    put("a.csv", b"customerId,ts,eventName,price\nu1,2026-11-23,view,9.5\nu2,2026-11-23,buy,\n");
    put("b.json", b"{\"customerId\":\"u\",\"ts\":1795428307,\"eventName\":\"view\",\"price\":3}\n");
    let output = cortex(dir.path(), &["schema", "propose", "--dataset=events", "a.csv", "b.json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.lines().any(|line| line.starts_with("price") && line.contains("NUMBER")), "{said}");
    put("schema.json", &output.stdout);
    let output = cortex(dir.path(), &["validate", "--schema=schema.json", "a.csv", "b.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));

    let output = cortex(dir.path(), &["schema", "propose", "--dataset=events", "--json", "a.csv"]);
    let proposal: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&proposal["columns"][3]["null_share"], &proposal["rows"]), (&0.5.into(), &2.into()));
}

#[test]
fn a_breaking_change_is_told_and_leaves_with_1() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("1.json"), r#"{"dataset": "EVENTS"}"#).unwrap();
    let required =
        r#"{"dataset": "EVENTS", "columns": [{"name": "price", "type": "NUMBER", "required": true}]}"#;
    std::fs::write(dir.path().join("2.json"), required).unwrap();
    let output = cortex(dir.path(), &["schema", "check", "1.json", "2.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("\"price\": "));
    assert_eq!(cortex(dir.path(), &["schema", "check", "2.json", "1.json"]).status.code(), Some(0));
    assert_eq!(cortex(dir.path(), &["schema", "check", "1.json", "absent.json"]).status.code(), Some(64));
}

#[test]
fn nothing_is_proposed_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("empty.csv"), "").unwrap();
    let output = cortex(dir.path(), &["schema", "propose", "--dataset=events", "empty.csv"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("empty_file") && said.contains("nothing to propose"), "{said}");
}

#[test]
fn a_file_does_not_steer_the_terminal_of_whoever_asks_for_a_schema() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), "a\u{1b}[31m,b,b\n1,2,3\n").unwrap();
    std::fs::write(dir.path().join("b.csv"), "user_id,x\u{1b}[31m\nu,\u{1b}[31m\n").unwrap();
    let output = cortex(dir.path(), &["schema", "propose", "--dataset=attributes", "a.csv", "b.csv"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("duplicate_column") && said.contains("STRING"), "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
}
