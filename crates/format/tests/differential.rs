//! What other readers make of the same bytes: docs/formats.md has each case in which they differ, with the reason.
#![allow(clippy::unwrap_used, reason = "only functions marked as tests are exempt by themselves")]

#[path = "differential/cases.rs"]
mod cases;
mod common;

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use cases::{ARRAYS, DELIMITED, LINES, OBJECTS};
use common::{Seen, all_items};
use format::{JsonValue, Limits};
use serde_json::{Value, json};
use services::Python;

/// A reader of the script, and its name in the document.
const OF_DELIMITED: [&str; 3] = ["csv", "pandas", "duckdb"];
const OF_LINES: [&str; 2] = ["json", "duckdb json"];
const OF_ARRAYS: [&str; 2] = ["json array", "duckdb json array"];
const OF_OBJECTS: [&str; 2] = ["json objects", "duckdb json objects"];

const REFUSED: &str = "refused";

struct Readers(Python);

impl Readers {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/readers.py");
        Self(Python::start(&script).unwrap())
    }

    /// The rows that a reader finds; none where it refuses the file.
    fn rows(&mut self, reader: &str, delimiter: u8, bytes: &[u8]) -> Option<Vec<Value>> {
        let hexadecimal = bytes.iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        });
        let question =
            json!({ "reader": reader, "delimiter": char::from(delimiter).to_string(), "bytes": hexadecimal });
        let answer: Value = serde_json::from_str(&self.0.ask(&question.to_string()).unwrap()).unwrap();
        answer.as_array().cloned()
    }

    /// What a reader makes of it, as the document has it, where that is not what we do.
    fn other(&mut self, reader: &str, delimiter: u8, bytes: &[u8], ours: &[Option<Value>]) -> Option<String> {
        match self.rows(reader, delimiter, bytes) {
            // A reader that refuses a file for a row has no opinion of the others.
            None if ours.contains(&None) => None,
            None => Some(REFUSED.to_owned()),
            Some(rows) => {
                let rows: Vec<Option<Value>> = rows.into_iter().map(Some).collect();
                (rows != ours).then(|| shown(&rows))
            }
        }
    }
}

fn items(bytes: &[u8], name: &str) -> Vec<Seen> {
    all_items(Box::new(Cursor::new(bytes.to_vec())), name, &Limits::default())
}

/// Rows as the script gives them, none for each that is refused; the header is one.
fn of_delimited(items: Vec<Seen>) -> Vec<Option<Value>> {
    items
        .into_iter()
        .map(|item| match item {
            Seen::Header(names, _) => Some(json!(names)),
            Seen::Fields { fields, .. } => Some(json!(fields)),
            Seen::Bad { .. } | Seen::Fault { .. } => None,
            other => panic!("{}", other.line()),
        })
        .collect()
}

fn of_line(item: &Seen) -> Option<Value> {
    let plain = |value: &JsonValue| match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(value) => json!(value),
        JsonValue::Number(digits) => json!({ "number": digits }),
        JsonValue::String(text) => json!(text),
        JsonValue::List(texts) => json!(texts),
        JsonValue::Json(text) => json!({ "json": serde_json::from_str::<Value>(text).unwrap() }),
    };
    match item {
        Seen::Object { values, .. } => {
            Some(values.iter().map(|(name, value)| json!([name, plain(value)])).collect())
        }
        Seen::Bad { .. } => None,
        other => panic!("{}", other.line()),
    }
}

/// Rows as the document has them.
fn shown(rows: &[Option<Value>]) -> String {
    let rows: Vec<String> = rows
        .iter()
        .map(|row| row.as_ref().map_or_else(|| REFUSED.to_owned(), |row| code(&row_shown(row))))
        .collect();
    if rows.is_empty() { "nothing".to_owned() } else { rows.join(" ") }
}

/// A row of fields as it is, one of names as `name: value`.
fn row_shown(row: &Value) -> String {
    let members: Option<Vec<String>> = row.as_array().unwrap().iter().map(member_shown).collect();
    members.map_or_else(|| row.to_string(), |members| members.join(", "))
}

fn member_shown(member: &Value) -> Option<String> {
    let [name, value] = member.as_array()?.as_slice() else { return None };
    let digits = value.get("number").and_then(Value::as_str);
    Some(format!("{}: {}", name.as_str()?, digits.map_or_else(|| value.to_string(), str::to_owned)))
}

/// Text as code in a cell of a table.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

/// Bytes as text, with the escapes of a Rust string for what is not to be seen.
fn bytes_shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for char in chunk.valid().chars() {
            match char {
                '"' | '\'' => text.push(char),
                '\\' => text.push('\\'),
                _ => text.extend(char.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").unwrap();
        }
    }
    code(&text)
}

/// The rows of the table of a section without their last cell, which is the reason; each must have one.
fn told(section: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, behind) = text.split_once(&format!("### {section}\n")).unwrap();
    behind
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let (row, reason) = line.trim_end_matches(" |").rsplit_once(" | ").unwrap();
            assert!(reason.len() > 10, "no reason: {line}");
            format!("{row} |")
        })
        .collect()
}

fn assert_told(section: &str, found: &[String]) {
    let told = told(section);
    let lacking: Vec<&String> = found.iter().filter(|row| !told.contains(row)).collect();
    let gone: Vec<&String> = told.iter().filter(|row| !found.contains(row)).collect();
    assert!(
        lacking.is_empty() && gone.is_empty(),
        "docs/formats.md, {section}\nlacks, each with its reason to be added:\n{}\nhas what is no more:\n{}",
        lacking.iter().fold(String::new(), |text, row| text + row + "\n"),
        gone.iter().fold(String::new(), |text, row| text + row + "\n"),
    );
}

/// A row of the document where a reader differs: the case, what we do, what each reader does.
fn row(shown_case: &str, ours: &[Option<Value>], others: &[Option<String>]) -> Option<String> {
    let cells: Vec<&str> = others.iter().map(|other| other.as_deref().unwrap_or("the same")).collect();
    others
        .iter()
        .any(Option::is_some)
        .then(|| format!("| {shown_case} | {} | {} |", shown(ours), cells.join(" | ")))
}

#[test]
fn where_readers_of_delimited_text_differ_is_told() {
    let mut readers = Readers::start();
    let found: Vec<String> = DELIMITED
        .iter()
        .filter_map(|&(delimiter, bytes)| {
            let name = if delimiter == b'\t' { "x.tsv" } else { "x.csv" };
            let ours = of_delimited(items(bytes, name));
            let others = OF_DELIMITED.map(|reader| readers.other(reader, delimiter, bytes, &ours));
            row(&bytes_shown(bytes), &ours, &others)
        })
        .collect();
    assert_told("Delimited text", &found);
}

#[test]
fn where_readers_of_json_differ_is_told() {
    let mut readers = Readers::start();
    let found: Vec<String> = LINES
        .iter()
        .filter_map(|&line| {
            // Whatever a line of text is, the ones around it are read.
            let file = [b"{\"before\":1}\n", line, b"\n{\"behind\":1}\n"].concat();
            let items = items(&file, "x.jsonl");
            let ours = match items.as_slice() {
                [_, before, item, behind] => {
                    assert!(of_line(before).is_some() && of_line(behind).is_some(), "{items:?}");
                    [of_line(item)]
                }
                // With a NUL it is no text.
                [Seen::Fault { code: "format_mismatch", .. }] if line.contains(&0) => [None],
                _ => panic!("{items:?}"),
            };
            let others = OF_LINES.map(|reader| readers.other(reader, b',', line, &ours));
            row(&bytes_shown(line), &ours, &others)
        })
        .collect();
    assert_told("JSON lines", &found);
}

/// The rows of the document for files of JSON, of which each reader makes what it can.
fn differing(files: &[&[u8]], of: [&str; 2]) -> Vec<String> {
    let mut readers = Readers::start();
    let differs = |bytes: &&[u8]| {
        let items = items(bytes, "x.json");
        let rows = items.iter().filter(|item| !item.is_columns());
        let ours: Vec<Option<Value>> =
            rows.map(|item| if matches!(item, Seen::Fault { .. }) { None } else { of_line(item) }).collect();
        let others = of.map(|reader| readers.other(reader, b',', bytes, &ours));
        row(&bytes_shown(bytes), &ours, &others)
    };
    files.iter().filter_map(differs).collect()
}

#[test]
fn where_readers_of_json_arrays_differ_is_told() {
    assert_told("JSON arrays", &differing(ARRAYS, OF_ARRAYS));
}

#[test]
fn where_readers_of_json_objects_differ_is_told() {
    assert_told("JSON objects one after another", &differing(OBJECTS, OF_OBJECTS));
}
