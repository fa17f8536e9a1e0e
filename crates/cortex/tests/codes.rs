//! docs/formats.md has a row for every code and for none that does not exist, and its examples are what the program says.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use bucket::{BucketError, Place};
use dataset::{Refusal, WarningCode};
use format::{FileCode, RowFault};
use serde_json::{Value, json};

fn document() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md")).unwrap()
}

/// The codes in the first column of the tables of a section.
fn told(section: &str) -> BTreeSet<String> {
    let text = document();
    let (_, behind) = text.split_once(&format!("### {section}\n")).unwrap();
    let lines = behind.lines().take_while(|line| !line.starts_with("###"));
    lines
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| {
            let cell = line.trim_matches('|').split('|').next().unwrap();
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect()
}

fn set<'a>(codes: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    codes.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_code_of_a_row_is_told() {
    let codes = RowFault::ALL.iter().map(RowFault::code).chain(Refusal::CODES);
    assert_eq!(told("Of a row"), set(codes));
}

/// Everything that S3 and the registry can say of an object.
fn of_s3() -> Vec<BucketError> {
    let place = Place { bucket: String::new(), key: String::new() };
    let reason = String::new;
    vec![
        BucketError::NotFound { place: place.clone() },
        BucketError::Changed { place: place.clone(), reason: reason() },
        BucketError::Altered { place: place.clone(), reason: reason() },
        BucketError::AccessDenied { place: place.clone(), action: "s3:GetObject", reason: reason() },
        BucketError::KmsDenied { place: place.clone(), reason: reason() },
        BucketError::Archived { place: place.clone() },
        BucketError::NoSuchBucket { place: place.clone() },
        BucketError::OwnerMismatch { place: place.clone(), expected: String::new() },
        BucketError::WrongRegion { place: place.clone(), region: None },
        BucketError::CredentialsRefused { place: place.clone(), reason: reason() },
        BucketError::RoleNotAssumable { place: place.clone(), reason: reason() },
        BucketError::KeysNotOpened { place: place.clone(), reason: reason() },
        BucketError::Unavailable { place: place.clone(), reason: reason() },
        BucketError::Other { place, reason: reason() },
    ]
}

#[test]
fn every_code_of_a_file_is_told() {
    let ours =
        ["missing_column", "no_valid_rows", "invalid_rows", "too_many_rejected", "unavailable", "set_aside"];
    let codes = FileCode::ALL
        .iter()
        .map(|code| code.as_str())
        .chain(of_s3().into_iter().map(|error| error.code()))
        .chain(ours);
    assert_eq!(told("Of a file"), set(codes));
}

#[test]
fn want_of_access_ends_a_file_by_a_code_that_says_so() {
    for error in of_s3() {
        let code = error.code();
        let is_setting = matches!(error, BucketError::NoSuchBucket { .. } | BucketError::WrongRegion { .. });
        let is_denied = std::io::Error::from(error).kind() == std::io::ErrorKind::PermissionDenied;
        assert_eq!(ledger::access::is_access(code), is_setting || is_denied, "{code}");
    }
}

#[test]
fn every_warning_is_told() {
    assert_eq!(told("Warnings"), set(WarningCode::ALL.map(WarningCode::as_str)));
}

/// What `sh` makes of a command line with the program on its path, in a folder: both outputs, as they come.
fn shell(dir: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_cortex")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(dir)
        .env("PATH", path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// True where `said` is `told`, in which `…` stands for what differs from run to run.
fn fits(said: &str, told: &str) -> bool {
    let mut parts = told.split('…');
    let Some(mut rest) = said.strip_prefix(parts.next().unwrap()) else { return false };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || told.ends_with('…')
}

#[test]
fn the_examples_are_what_the_program_says() {
    let dir = tempfile::tempdir().unwrap();
    let text = document();
    let mut lines = text.lines().peekable();
    let (mut before, mut commands) = ("", 0);
    while let Some(line) = lines.next() {
        let Some(first) = line.strip_prefix("    ") else {
            before = if line.trim().is_empty() { before } else { line };
            continue;
        };
        let mut block = vec![first];
        while let Some(line) = lines.next_if(|line| line.starts_with("    ")) {
            block.push(&line[4..]);
        }
        if let Some(name) = before.strip_suffix("`:").and_then(|text| text.rsplit('`').next()) {
            std::fs::write(dir.path().join(name), block.join("\n") + "\n").unwrap();
            continue;
        }
        let mut block = block.into_iter().peekable();
        while let Some(command) = block.next_if(|line| line.starts_with("$ ")) {
            let said = shell(dir.path(), &command[2..]);
            for said in said.lines() {
                let told = block.next_if(|line| !line.starts_with("$ ")).unwrap_or_default();
                assert!(fits(said, told), "{command} says\n{said}\nand the document\n{told}");
            }
            let told = block.next_if(|line| !line.starts_with("$ "));
            assert_eq!(told, None, "{command} says nothing of it");
            commands += 1;
        }
    }
    assert!(commands > 10, "{commands} commands were found");
}

/// The cells of the table with that head, without their quotes.
fn table(head: &str) -> Vec<Vec<String>> {
    let text = document();
    let (_, behind) = text.split_once(&format!("{head}\n")).unwrap();
    let rows = behind.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
}

/// By row number: the record of a file's row, or its code.
fn read(file: &str, text: &str, schema: &Value) -> BTreeMap<u64, Result<Value, String>> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(file), text).unwrap();
    std::fs::write(dir.path().join("schema.json"), schema.to_string()).unwrap();
    let said = shell(
        dir.path(),
        &format!("cortex validate --schema schema.json --records records --rejects rejects {file}"),
    );
    let lines = |name: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(dir.path().join(name)).expect(&said);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let number = |row: &Value| row["envelope"]["row_number"].as_str().unwrap().parse().unwrap();
    let records = lines("records").into_iter().map(|row| (number(&row), Ok(row)));
    let rejected = |row: Value| (number(&row), Err(row["code"].as_str().unwrap().to_owned()));
    records.chain(lines("rejects").into_iter().map(rejected)).collect()
}

#[test]
fn every_timestamp_is_read_as_it_is_told() {
    let table = table("| in the file | instant, or code |");
    let rows = table.iter().map(|row| format!("u;\"{}\";t\n", row[0]));
    let text = format!("user_id;timestamp;type\n{}", rows.collect::<String>());
    let read = read("a.csv", &text, &json!({ "dataset": "EVENTS" }));
    assert!(read.len() > 30 && read.len() == table.len(), "{} of {}", read.len(), table.len());
    for (row, found) in table.iter().zip(read.values()) {
        let found =
            found.as_ref().map_or_else(String::as_str, |record| record["timestamp"].as_str().unwrap());
        assert_eq!(found, row[1], "{}", row[0]);
    }
}

#[test]
fn every_value_is_read_as_it_is_told() {
    const TYPES: [&str; 5] = ["STRING", "INTEGER", "NUMBER", "BOOLEAN", "STRING_LIST"];
    let table = table("| type | in the file | in the record |");
    let columns = TYPES.map(|of| json!({ "name": of, "type": of }));
    let schema = json!({ "dataset": "ITEMS", "columns": columns });
    let rows = table.iter().map(|row| {
        let field =
            |of| if of == row[0] { format!("\"{}\"", row[1].replace('"', "\"\"")) } else { String::new() };
        format!("i,{}\n", TYPES.map(field).join(","))
    });
    let text = format!("item_id,{}\n{}", TYPES.join(","), rows.collect::<String>());
    let read = read("a.csv", &text, &schema);
    assert!(read.len() > 15 && read.len() == table.len(), "{} of {}", read.len(), table.len());
    for (row, found) in table.iter().zip(read.values()) {
        let found = match found {
            Err(code) => code.clone(),
            Ok(record) => shown(&record["properties"][&row[0]]),
        };
        assert_eq!(found, row[2], "{} {}", row[0], row[1]);
    }
}

/// A property's value as a person writes it.
fn shown(value: &Value) -> String {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match (kind.as_str(), value) {
        ("number_value", number) => number.as_f64().unwrap().to_string(),
        ("string_list_value", list) => list.get("values").map_or("[]".to_owned(), Value::to_string),
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    }
}
