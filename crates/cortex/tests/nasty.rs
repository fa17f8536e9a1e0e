//! What `cortex validate` says of files with everything wrong in them that customers get wrong, word for word.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/nasty")
}

#[track_caller]
fn says(arguments: &[&str], expected: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_cortex"))
        .current_dir(folder())
        .args(["validate", "--dataset", "events"])
        .args(arguments)
        .arg("2023-11-23")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let path = folder().join(expected);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &said).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (said, expected)) in said.lines().zip(expected.lines()).enumerate() {
        assert_eq!(said, expected, "line {} of {}", number + 1, path.display());
    }
    assert_eq!(said.lines().count(), expected.lines().count());
}

#[test]
fn the_nasty_files_are_told_in_words() {
    says(&[], "expected.txt");
}

#[test]
fn the_nasty_files_are_told_in_json() {
    says(&["--json"], "expected.jsonl");
}
