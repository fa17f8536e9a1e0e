//! What a file is told to be, and what is refused as none.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Encoding, bzip2, fault, file_fault, gzip, lines, open, reasons, zip, zstd};
use format::{Compression, Format, Item};

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
    for mark in [b"\xff\xfe", b"\xfe\xff"] {
        assert_eq!(fault(&[mark.as_slice(), b"4"].concat(), "x.csv"), "truncated@3", "no unit is whole");
        assert_eq!(fault(mark, "x.csv"), "empty_file@2");
    }
}

#[test]
fn half_a_surrogate_is_told_as_the_unit_that_it_is() {
    let reason = "character 3 of the row is half a surrogate pair (0xd800), no valid UTF-16";
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        let csv = encoding.file("a,b\né𝄞\u{1},1\n".as_bytes());
        let csv = replaced(&csv, &encoding.encode(b"\x01"), &encoding.encode(b"\xff"));
        assert_eq!(reasons(&csv, "x.csv"), [reason]);
        let json = encoding.file(b"{}\n{\"\xff\":1}\n");
        assert_eq!(reasons(&json, "x.jsonl"), [reason]);
        let header = encoding.file(b"a\xff,b\n1,2\n");
        assert_eq!(file_fault(&header, "x.csv").reason, "the header is not valid UTF-16");
    }
    // The bytes that stand for one in memory are bytes of a file in UTF-8.
    let reason = "byte 1 of the row (0xed) is not valid UTF-8";
    assert_eq!(reasons(b"a,b\n\xed\xa0\x80,1\n", "x.csv"), [reason]);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
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

#[test]
fn a_fault_tells_what_is_known_of_the_file() {
    let twice: &[u8] = b"id,name,id\n";
    let known = |bytes: &[u8], name: &str| {
        let fault = file_fault(bytes, name);
        (fault.compression.map(Compression::as_str), fault.format.map(Format::as_str))
    };
    assert_eq!(known(twice, "x.csv"), (Some("none"), Some("csv")));
    assert_eq!(known(&gzip(&[b"id\tname\tid\n"]), "x"), (Some("gzip"), Some("tsv")));
    assert_eq!(known(&zip(&[("a.csv", twice.to_vec())]), "x"), (Some("zip"), Some("csv")));
    assert_eq!(known(&zip(&[("a.csv", gzip(&[twice]))]), "x"), (Some("zip"), None));
    assert_eq!(known(&zip::<&str>(&[]), "x.zip"), (Some("zip"), None), "nothing in it");
    assert_eq!(known(&zip(&[("a.zip", Vec::from(b"x"))]), "x.zip"), (Some("zip"), None), "by its directory");
    assert_eq!(known(&zstd(&[b"[{}"]), "x.json"), (Some("zstd"), Some("json")), "at its end");
    assert_eq!(known(b"", "x.csv.gz"), (Some("none"), None));
    assert_eq!(known(twice, "x.csv.gz"), (Some("none"), None), "the name does not tell");
}

#[test]
fn a_fault_in_a_zip_names_the_entry() {
    let whole = ("a.csv", b"a,b\n1,2\n".to_vec());
    for (content, rest) in [
        (b"a,a\n".to_vec(), "the header names the column `a` twice: a, a"),
        (b"[{}{}]".to_vec(), "no comma stands between two elements of the array"),
        (b"PAR1\x15\0\x15".to_vec(), "`dir/b` is a Parquet file"),
    ] {
        let fault = file_fault(&zip(&[whole.clone(), ("dir/b", content)]), "x.zip");
        let named = if rest.starts_with('`') { rest.to_owned() } else { format!("in `dir/b`: {rest}") };
        assert_eq!(fault.reason, named);
        assert!(fault.position >= 8, "{fault}");
    }
}

#[test]
fn the_entry_that_an_item_came_from_is_told() {
    let bytes = zip(&[
        ("a.csv", b"a,b\n1,2\n".to_vec()),
        ("empty.csv", b"\n".to_vec()),
        ("b.csv", b"c\n1\n".to_vec()),
        ("last.csv", b"\n\n".to_vec()),
    ]);
    let mut rows = open(&bytes, "x.zip").unwrap();
    let mut seen = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        let columns = matches!(item, Item::Columns(_));
        let entry = rows.entry().unwrap();
        seen.push((columns, entry.name.to_owned(), entry.position));
    }
    let expected = [(true, "a.csv", 0), (false, "a.csv", 0), (true, "b.csv", 9), (false, "b.csv", 9)];
    assert_eq!(seen, expected.map(|(columns, name, at)| (columns, name.to_owned(), at)));
    assert_eq!((rows.entry().unwrap().name, rows.format()), ("b.csv", Format::Csv));
    assert!(open(b"a\n1\n", "x.csv").unwrap().entry().is_none());
}
