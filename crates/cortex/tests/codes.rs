//! docs/formats.md has a row for every code, and for none that does not exist.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::path::Path;

use bucket::{BucketError, Place};
use dataset::{Refusal, WarningCode};
use format::{FileCode, RowFault};

/// The codes in the first column of the tables of a section.
fn told(section: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats.md");
    let text = std::fs::read_to_string(path).unwrap();
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

#[test]
fn every_code_of_a_file_is_told() {
    let place = Place { bucket: String::new(), key: String::new() };
    let reason = String::new;
    let of_s3 = [
        BucketError::NotFound { place: place.clone() },
        BucketError::Changed { place: place.clone(), reason: reason() },
        BucketError::AccessDenied { place: place.clone(), action: "s3:GetObject", reason: reason() },
        BucketError::KmsDenied { place: place.clone(), reason: reason() },
        BucketError::Archived { place: place.clone() },
        BucketError::NoSuchBucket { place: place.clone() },
        BucketError::WrongRegion { place: place.clone(), region: None },
        BucketError::CredentialsRefused { place: place.clone(), reason: reason() },
        BucketError::Unavailable { place: place.clone(), reason: reason() },
        BucketError::Other { place, reason: reason() },
    ];
    let ours = ["missing_column", "no_valid_rows", "invalid_rows", "unavailable"];
    let codes =
        FileCode::ALL.iter().map(|code| code.as_str()).chain(of_s3.iter().map(BucketError::code)).chain(ours);
    assert_eq!(told("Of a file"), set(codes));
}

#[test]
fn every_warning_is_told() {
    assert_eq!(told("Warnings"), set(WarningCode::ALL.map(WarningCode::as_str)));
}
