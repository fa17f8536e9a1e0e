//! What a file is told to be, and what is refused as none.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{fault, gzip, lines};

#[test]
fn nothing_in_a_file_is_empty() {
    for content in ["", "\n\n\r\n", "\u{feff}", "\u{feff}\n", "  \n"] {
        for name in ["x.csv", "x.json", "x", "x.csv.gz"] {
            let seen = lines(content.as_bytes(), name);
            // Text under a name that says gzip is a conflict, nothing at all is not.
            let expected =
                if name.ends_with(".gz") && !content.is_empty() { "format_mismatch" } else { "empty_file" };
            assert!(seen.len() == 1 && seen[0].starts_with(expected), "{content:?} {name}: {seen:?}");
        }
    }
}

#[test]
fn utf_16_is_refused_with_and_without_its_mark() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    assert_eq!(fault(&utf16("\u{feff}a,b\n1,2\n"), "x.csv"), "unsupported_encoding@0");
    assert_eq!(fault(&utf16("a,b\n1,2\n"), "x.csv"), "unsupported_encoding@0");
    let big_endian: Vec<u8> = "\u{feff}a,b\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(fault(&gzip(&[&big_endian]), "x.csv.gz"), "unsupported_encoding@0");
}

#[test]
fn what_is_no_table_is_an_unknown_format_or_a_mismatch_with_its_name() {
    let mut parquet = b"PAR1\x15\x04\x15\x00".to_vec();
    parquet.extend([0x80; 100]);
    for content in [
        parquet.as_slice(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"\x28\xb5\x2f\xfd\x04\x00abc",
        b"BZh91AY&SY\x00\x01",
        b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
        b"<!DOCTYPE html><html></html>",
        b"some\0binary\x01\x02content",
    ] {
        assert_eq!(fault(content, "export"), "unknown_format@0", "{content:?}");
        assert_eq!(fault(content, "x.csv"), "format_mismatch@0", "{content:?}");
        assert_eq!(fault(&gzip(&[content]), "x.json.gz"), "format_mismatch@0", "{content:?}");
    }
}

#[test]
fn a_header_that_looks_like_a_magic_number_is_a_header() {
    for header in ["PAR1,PAR2", "ORCID,name", "MZ,x", "BZh,y", "GIF89a,x"] {
        assert_eq!(lines(format!("{header}\n1,2\n").as_bytes(), "x.csv").len(), 2, "{header}");
    }
}

#[test]
fn a_name_that_contradicts_the_content_is_a_mismatch() {
    assert_eq!(fault(b"{\"a\":1}\n", "x.csv"), "format_mismatch@0");
    assert_eq!(fault(b"[ {\"a\":1} ]\n", "x.tsv"), "format_mismatch@0");
    assert_eq!(fault(b"a,b\n1,2\n", "x.json"), "format_mismatch@0");
    assert_eq!(fault(b"a,b\n1,2\n", "x.csv.gz"), "format_mismatch@0");
    assert_eq!(fault(&gzip(&[b"a,b\n1,2\n"]), "x.zip"), "format_mismatch@0");
    assert_eq!(fault(&gzip(&[b"a,b\n1,2\n"]), "x.json"), "format_mismatch@0");
}

#[test]
fn content_decides_where_the_name_says_nothing() {
    assert_eq!(lines(b"{\"a\":1}\n", "export.txt"), ["named", "1@0 a=Number(\"1\")"]);
    assert_eq!(lines(b"[{\"a\":1}]", "export"), ["named", "1@1 a=Number(\"1\")"]);
    assert_eq!(lines(&gzip(&[b"{\"a\":1}\n"]), "x.json"), ["named", "1@0 a=Number(\"1\")"]);
    assert_eq!(lines(b"[id],[name]\n1,2\n", "export.csv"), ["header [id]|[name]", "1@12 1|2"]);
    assert_eq!(lines(b"[id],[name]\n1,2\n", "export"), ["header [id]|[name]", "1@12 1|2"]);
}

#[test]
fn a_fault_says_what_where_and_what_to_do() {
    let error = common::open(b"id,name,id\n", "x.csv").unwrap_err();
    assert_eq!(
        error.to_string(),
        "duplicate_column at byte 0: the header names the column `id` twice: id, name, id; give each column a name of its own"
    );
}
