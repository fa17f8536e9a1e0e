//! What a file is told to be, and what is refused as none.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Encoding, bzip2, fault, gzip, lines, zip, zstd};

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
fn utf_16_is_read_by_its_mark() {
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        let seen = lines(&encoding.file("a;b\r\né;\"𝄞\r\nx\"\r\n".as_bytes()), "x.csv");
        assert_eq!(seen, ["header a|b", "1@12 é|𝄞\r\nx"]);
        let json = encoding.file("{\"a\":\"日\"}\n{\"a\":2}".as_bytes());
        assert_eq!(lines(&json, "x.json"), ["named", "1@2 a=String(\"日\")", "2@22 a=Number(\"2\")"]);
        assert_eq!(lines(&gzip(&[&json]), "x.json.gz").len(), 3);
    }
}

#[test]
fn half_a_surrogate_costs_its_row_and_half_a_unit_the_rest() {
    let mut bytes = Encoding::Utf16Le.file(b"a,b\n\xff,1\n2,3\n");
    assert_eq!(
        lines(&bytes, "x.csv"),
        ["header a|b", "1@10 invalid_encoding: \u{fffd}\u{fffd}\u{fffd},1", "2@18 2|3"]
    );
    bytes.push(b'4');
    assert_eq!(lines(&bytes, "x.csv")[3], "truncated@27");
}

#[test]
fn other_encodings_are_refused() {
    let utf16 = Encoding::Utf16Le.encode(b"a,b\n1,2\n");
    assert_eq!(fault(&utf16, "x.csv"), "unsupported_encoding@0");
    let utf32 = |mark: &[u8], text: &str| {
        [mark, &text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<u8>>()].concat()
    };
    assert_eq!(fault(&utf32(b"\xff\xfe\0\0", "a,b\n"), "x.csv"), "unsupported_encoding@0");
    assert_eq!(fault(b"\0\0\xfe\xff\0\0\0a\0\0\0\n", "x"), "unsupported_encoding@0");
    assert_eq!(fault(b"na\xefve,b\n1,2\n", "x.csv"), "unsupported_encoding@0", "a header in Latin-1");
}

#[test]
fn a_line_that_names_the_delimiter_is_obeyed() {
    for first in ["sep=;", "SEP=;", "\"sep=;\""] {
        let text = format!("\u{feff}{first}\r\na,b;c\r\n1,5;2\r\n");
        let seen = lines(text.as_bytes(), "x.csv");
        assert_eq!(seen.len(), 2, "{first}");
        assert_eq!(seen[0], "header a,b|c");
        assert!(seen[1].ends_with("1,5|2"), "{seen:?}");
    }
    assert_eq!(lines(b"sep=\t\na\tb\n1\t2\n", "x.csv")[0], "header a|b");
    assert_eq!(fault(b"sep=;\n", "x.csv"), "empty_file@6");
    assert_eq!(lines(b"sep=x\n1\n", "x.csv")[0], "header sep=x", "no delimiter");
}

#[test]
fn what_is_no_table_is_an_unknown_format_or_a_mismatch_with_its_name() {
    let mut parquet = b"PAR1\x15\x04\x15\x00".to_vec();
    parquet.extend([0x80; 100]);
    for content in [
        parquet.as_slice(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        b"\xfd7zXZ\0\0\x04",
        b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
        b"<!DOCTYPE html><html></html>",
        b"some\0binary\x01\x02content",
    ] {
        assert_eq!(fault(content, "export"), "unknown_format@0", "{content:?}");
        assert_eq!(fault(content, "x.csv"), "format_mismatch@0", "{content:?}");
        let code = if content.starts_with(b"\xfd7zXZ") { "nested_archive" } else { "format_mismatch" };
        assert_eq!(fault(&gzip(&[content]), "x.json.gz"), format!("{code}@0"), "{content:?}");
    }
}

#[test]
fn an_archive_in_an_archive_is_told() {
    let mut tar = vec![0; 1024];
    tar[..5].copy_from_slice(b"a.csv");
    tar[257..262].copy_from_slice(b"ustar");
    let text = b"a,b\n1,2\n";
    for inner in [gzip(&[text]), zip(&[("a.csv", text.to_vec())]), zstd(&[text]), bzip2(&[text]), tar.clone()]
    {
        for outer in [gzip(&[&inner]), zip(&[("x", inner.clone())]), zstd(&[&inner]), bzip2(&[&inner])] {
            assert_eq!(fault(&outer, "x"), "nested_archive@0", "{inner:?}");
        }
    }
    assert_eq!(fault(&tar, "x.tar"), "unknown_format@0");
}

#[test]
fn a_header_that_looks_like_a_magic_number_is_a_header() {
    for header in ["PAR1,PAR2", "ORCID,name", "MZ,x", "BZh,y", "BZh91AY,y", "GIF89a,x"] {
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
