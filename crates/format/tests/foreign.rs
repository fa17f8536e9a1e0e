//! What Python's csv and json, pandas and DuckDB write reads back the same.
#![allow(clippy::unwrap_used, reason = "only functions marked as tests are exempt by themselves")]

mod common;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use common::{Seen, all_items};
use format::{JsonValue, Limits};
use proptest::prelude::*;
use serde_json::{Value, json};
use services::Python;

/// A writer of `foreign/writers.py`, and the name of its files.
struct Writer {
    name: &'static str,
    file: &'static str,
    /// It leaves a lone CR without quotes, so that no reader can tell it from the end of a row.
    bare_cr: bool,
}

const fn writer(name: &'static str, file: &'static str) -> Writer {
    Writer { name, file, bare_cr: false }
}

const WRITERS: [Writer; 37] = [
    writer("csv excel", "excel.csv"),
    writer("csv excel-tab", "excel.tsv"),
    writer("csv unix", "unix.csv"),
    writer("csv quoting strings", "quoted.csv"),
    writer("csv pipe", "pipe.csv"),
    writer("csv Excel UTF-8", "excel-utf8.csv"),
    writer("csv Excel Unicode text", "unicode.txt"),
    writer("csv Excel sep", "sep.csv"),
    writer("json lines", "lines.jsonl"),
    writer("json lines, compact", "compact.ndjson"),
    writer("json lines, CRLF and BOM", "crlf.jsonl"),
    writer("json objects", "objects.json"),
    writer("json objects, nothing between", "dense.json"),
    writer("json array", "array.json"),
    writer("json array, indented", "indented.json"),
    writer("json array, UTF-16", "utf16.json"),
    writer("zipfile", "table.zip"),
    writer("zipfile, to a pipe", "pipe.zip"),
    writer("zipfile, to a pipe, stored", "stored.zip"),
    writer("zipfile, to a pipe, zip64", "zip64.zip"),
    Writer { name: "pandas csv", file: "pandas.csv", bare_cr: true },
    Writer { name: "pandas csv, tab", file: "pandas.tsv", bare_cr: true },
    writer("pandas csv, semicolon", "semicolon.csv"),
    writer("pandas csv, UTF-16", "utf16.csv"),
    writer("pandas csv, gzip", "pandas.csv.gz"),
    writer("pandas csv, bzip2", "pandas.csv.bz2"),
    writer("pandas csv, zip", "pandas.zip"),
    writer("pandas json lines", "pandas.jsonl"),
    writer("pandas json lines, gzip", "pandas.jsonl.gz"),
    writer("pandas json array", "pandas.json"),
    writer("duckdb csv", "duckdb.csv"),
    writer("duckdb csv, semicolon", "duckdb-semicolon.csv"),
    writer("duckdb csv, gzip", "duckdb.csv.gz"),
    writer("duckdb csv, zstd", "duckdb.csv.zst"),
    writer("duckdb json lines", "duckdb.jsonl"),
    writer("duckdb json array", "duckdb.json"),
    writer("duckdb json lines, zstd", "duckdb.jsonl.zst"),
];

static PYTHON: LazyLock<Mutex<Python>> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/writers.py");
    Mutex::new(Python::start(&script).unwrap())
});

#[derive(Debug, Clone)]
struct Table<T> {
    header: Vec<String>,
    rows: Vec<Vec<T>>,
}

fn table<T: std::fmt::Debug + Clone + 'static>(
    cell: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Table<T>> {
    let name = "[a-zé漢_][a-z0-9 \"_'é]{0,6}[a-z0-9]";
    prop::collection::btree_set(name, 2..6).prop_flat_map(move |header| {
        let header: Vec<String> = header.into_iter().collect();
        let row = prop::collection::vec(cell.clone(), header.len());
        (Just(header), prop::collection::vec(row, 1..12)).prop_map(|(header, rows)| Table { header, rows })
    })
}

/// Texts that a writer of CSV must quote, and texts that a reader might take for something else.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        2 => Just(String::new()),
        3 => "[a-z]{1,8}",
        6 => "[a-z0-9 ,;|\t\"'\r\n\\\\/é漢😀\u{85}\u{2028}\u{feff}.=#-]{1,12}",
        1 => prop::sample::select(vec!["NA", "null", "NaN", "None", "007", "1e5", "-0", "true", "\r\n", "\"", "\"\"",
            " x ", "#x", "sep=;", "\\", "\\N", "=1+1", "{\"a\":1}", "[1]"]).prop_map(str::to_owned),
    ]
    .boxed()
}

fn written(writer: &Writer, header: &[String], rows: &Value) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(writer.file);
    let question = json!({ "writer": writer.name, "path": path, "header": header, "rows": rows });
    let mut python = PYTHON.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(python.ask(&question.to_string()).unwrap(), "ok");
    (folder, path)
}

fn read(path: &Path) -> Vec<Seen> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    all_items(Box::new(File::open(path).unwrap()), &name, &Limits::default())
}

/// Rows as names and values, whatever the format.
fn named(items: Vec<Seen>) -> Vec<Vec<(String, JsonValue)>> {
    let mut header = Vec::new();
    let mut rows = Vec::new();
    for item in items {
        match item {
            Seen::Header(names, _) => header = names,
            Seen::Named(_) => {}
            Seen::Fields { fields, .. } => {
                assert_eq!(fields.len(), header.len());
                rows.push(header.iter().cloned().zip(fields.into_iter().map(JsonValue::String)).collect());
            }
            Seen::Object { values, .. } => rows.push(values),
            other => panic!("{}", other.line()),
        }
    }
    rows
}

fn texts_read_back(table: &Table<String>) -> Result<(), TestCaseError> {
    // Names must differ in any case: it is what a schema matches them by.
    let folded: BTreeSet<String> = table.header.iter().map(|name| name.to_lowercase()).collect();
    prop_assume!(folded.len() == table.header.len());
    for writer in &WRITERS {
        let mut rows = table.rows.clone();
        if writer.bare_cr {
            for field in rows.iter_mut().flatten() {
                *field = field.replace('\r', "");
            }
        }
        let (_folder, path) = written(writer, &table.header, &json!(rows));
        let expected: Vec<Vec<(String, JsonValue)>> = rows
            .into_iter()
            .map(|row| table.header.iter().cloned().zip(row.into_iter().map(JsonValue::String)).collect())
            .collect();
        prop_assert_eq!(named(read(&path)), expected, "{}", writer.name);
    }
    Ok(())
}

/// What JSON of the customer's own types becomes: columns by their path.
fn flattened(path: &str, value: &Value, into: &mut Vec<(String, JsonValue)>) {
    let value = match value {
        Value::Object(members) => {
            for (name, member) in members {
                flattened(&format!("{path}.{name}"), member, into);
            }
            return;
        }
        Value::Null => JsonValue::Null,
        Value::Bool(value) => JsonValue::Bool(*value),
        Value::Number(number) => JsonValue::Number(number.to_string()),
        Value::String(text) => JsonValue::String(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            JsonValue::List(items.iter().map(|item| item.as_str().unwrap().to_owned()).collect())
        }
        Value::Array(_) => JsonValue::Json(value.to_string()),
    };
    into.push((path.to_owned(), value));
}

/// The same however the writer spaced and escaped it.
fn normal(mut values: Vec<(String, JsonValue)>) -> Vec<(String, JsonValue)> {
    for (_, value) in &mut values {
        match value {
            JsonValue::Json(text) => *text = serde_json::from_str::<Value>(text).unwrap().to_string(),
            JsonValue::Number(text) => *text = serde_json::from_str::<Value>(text).unwrap().to_string(),
            _ => {}
        }
    }
    values.sort_by(|one, other| one.0.cmp(&other.0));
    values
}

fn value() -> BoxedStrategy<Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Halves and quarters: the same in every writer's shortest form.
        (-1_000_000_i32..1_000_000).prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        text().prop_map(Value::from),
    ];
    let member = scalar.clone();
    prop_oneof![
        6 => scalar.clone(),
        1 => prop::collection::vec(text(), 1..4).prop_map(Value::from),
        1 => prop::collection::vec(prop::collection::vec(any::<i32>(), 1..3), 1..3).prop_map(Value::from),
        1 => prop::collection::btree_map("[a-z]{1,3}", member, 1..3)
            .prop_map(|members| Value::Object(members.into_iter().collect())),
    ]
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn tables_of_foreign_writers_read_back_the_same(table in table(text())) {
        texts_read_back(&table)?;
    }

    #[test]
    fn json_of_foreign_writers_keeps_its_types(table in table(value())) {
        let keeps_types = |writer: &&Writer| writer.name.starts_with("json ") || writer.name.starts_with("zipfile");
        for writer in WRITERS.iter().filter(keeps_types) {
            let (_folder, path) = written(writer, &table.header, &json!(table.rows));
            let found: Vec<_> = named(read(&path)).into_iter().map(normal).collect();
            let expected: Vec<_> = table
                .rows
                .iter()
                .map(|row| {
                    let mut values = Vec::new();
                    for (name, value) in table.header.iter().zip(row) {
                        flattened(name, value, &mut values);
                    }
                    normal(values)
                })
                .collect();
            prop_assert_eq!(found, expected, "{}", writer.name);
        }
    }
}

#[test]
fn every_writer_of_the_script_is_asked() {
    let script = include_str!("foreign/writers.py");
    let written: BTreeSet<&str> =
        script.lines().filter_map(|line| line.strip_prefix("@writer(\"")?.split('"').next()).collect();
    let asked: BTreeSet<&str> = WRITERS.iter().map(|writer| writer.name).collect();
    assert_eq!(written, asked);
}
