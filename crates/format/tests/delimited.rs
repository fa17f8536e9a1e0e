//! CSV and TSV: every dialect, and what a broken row costs.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Encoding, fault, gzip, lines, lines_within, open, zip};
use format::{Format, Item, Limits};

#[test]
fn positions_count_the_bytes_of_the_file() {
    assert_eq!(
        lines("\u{feff}user_id, type \r\n\r\nu1,é\r\n\"u\"\"2\",\"a\r\nb,c\"\r\n".as_bytes(), "x.csv"),
        ["header user_id|type", "1@21 u1|é", "2@28 u\"2|a\r\nb,c"]
    );
}

#[test]
fn line_ends_may_be_lf_crlf_or_cr_and_the_last_may_be_missing() {
    for end in ["\n", "\r\n", "\r"] {
        let csv = ["a,b", "1,2", "3,4"].join(end);
        let step = 3 + end.len();
        let expected = ["header a|b".to_owned(), format!("1@{step} 1|2"), format!("2@{} 3|4", 2 * step)];
        assert_eq!(lines(csv.as_bytes(), "x.csv"), expected);
        assert_eq!(lines((csv + end).as_bytes(), "x.csv"), expected);
    }
}

#[test]
fn the_delimiter_is_told_by_name_and_by_the_header() {
    let read = |text: &str, name: &str| {
        let mut rows = open(text.as_bytes(), name).unwrap();
        let header = match rows.next().unwrap() {
            Some(Item::Columns(format::Columns::Header(names))) => names.join("/"),
            other => panic!("no header: {other:?}"),
        };
        (header, rows.format())
    };
    assert_eq!(read("a,b\tc\n", "x.csv"), ("a/b\tc".to_owned(), Format::Csv));
    assert_eq!(read("a,b\tc\n", "x.tsv"), ("a,b/c".to_owned(), Format::Tsv));
    assert_eq!(read("a\tb,c\n", "x.TAB"), ("a/b,c".to_owned(), Format::Tsv));
    assert_eq!(read("a;b;c\n", "x.csv"), ("a/b/c".to_owned(), Format::Csv));
    assert_eq!(read("a\tb\n", "x.csv"), ("a/b".to_owned(), Format::Tsv));
    assert_eq!(read("a,b\n", "x.tsv"), ("a/b".to_owned(), Format::Csv));
    assert_eq!(read("a|b|c\n1,2\n", "export"), ("a/b/c".to_owned(), Format::Csv));
    assert_eq!(read("a;b,c;d\n", "export.txt"), ("a/b,c/d".to_owned(), Format::Csv));
    assert_eq!(read("\"a;x;y\",b\n", "export.txt"), ("a;x;y/b".to_owned(), Format::Csv));
    assert_eq!(read("only\n", "export"), ("only".to_owned(), Format::Csv));
    assert_eq!(read("a;b|c\n", "x.csv"), ("a;b|c".to_owned(), Format::Csv), "unclear: as named");
}

#[test]
fn empty_fields_and_quoted_empty_rows_are_rows() {
    assert_eq!(lines(b"a,b\n,\n\"\",\"\"\n", "x.csv"), ["header a|b", "1@4 |", "2@6 |"]);
    assert_eq!(lines(b"a\n\"\"\n\n1\n", "x.csv"), ["header a", "1@2 ", "2@6 1"]);
}

#[test]
fn a_wrong_number_of_fields_costs_the_row() {
    assert_eq!(
        lines(b"a,b\n1\n1,2,3\n1,2\n", "x.csv"),
        ["header a|b", "1@4 wrong_field_count: 1", "2@6 wrong_field_count: 1,2,3", "3@12 1|2"]
    );
}

#[test]
fn a_row_that_is_not_utf_8_costs_the_row() {
    assert_eq!(
        lines(b"a,b\ncaf\xe9,1\nok,2\n", "x.csv"),
        ["header a|b", "1@4 invalid_encoding: caf\u{fffd},1", "2@11 ok|2"]
    );
}

#[test]
fn a_quote_that_is_never_closed_costs_one_row() {
    assert_eq!(
        lines(b"a,b\n1,\"x\n2,y\n3,z\n", "x.csv"),
        ["header a|b", "1@4 malformed_row: 1,\"x", "2@9 2|y", "3@13 3|z"]
    );
    let limits = Limits { row_bytes: 16, ..Limits::default() };
    let mut csv = "a,b\n1,\"x\n".to_owned();
    let mut expected = vec!["header a|b".to_owned(), "1@4 row_too_large: 1,\"x".to_owned()];
    for row in 2..100 {
        expected.push(format!("{row}@{} {row}|y", csv.len()));
        csv.push_str(&format!("{row},y\n"));
    }
    assert_eq!(lines_within(csv.as_bytes(), "x.csv", &limits), expected);
}

#[test]
fn an_open_quote_in_front_of_damage_costs_one_row() {
    let text = b"a,b\n1,2\n3,\"x\r\n4,5\r\n6,\nlong,7\n9";
    let rows = ["header a|b", "1@4 1|2", "2@8 malformed_row: 3,\"x", "3@14 4|5", "4@19 6|", "5@22 long|7"];
    let damaged = |mut bytes: Vec<u8>, at: usize| {
        bytes[at] ^= 1;
        bytes
    };
    let packed = gzip(&[text]);
    let zip = zip(&[("x.csv", text.to_vec())]);
    let directory = memchr::memmem::find(&zip, b"PK\x01\x02").unwrap();
    let mut utf16 = Encoding::Utf16Be.file(text);
    utf16.push(0);
    for (bytes, name, code) in [
        (packed[..packed.len() - 4].to_vec(), "x.csv.gz", "truncated@30"),
        (damaged(packed.clone(), packed.len() - 5), "x.csv.gz", "corrupt_archive@30"),
        (damaged(zip, directory + 16), "x.zip", "corrupt_archive@30"),
    ] {
        let seen = lines(&bytes, name);
        assert_eq!(seen[..6], rows, "{name}");
        assert_eq!(seen[6..], [code], "{name}: the line that is cut is no row");
    }
    let seen = lines(&utf16, "x.csv");
    assert_eq!((seen.len(), seen[6].as_str()), (7, "truncated@63"));
    let header = gzip(&[b"a,\"b\n1,2\n"]);
    let header = damaged(header.clone(), header.len() - 5);
    assert!(fault(&header, "x.csv.gz").starts_with("corrupt_archive@"), "not the header's fault");
}

#[test]
fn text_behind_a_closing_quote_costs_the_line_it_begins_on() {
    assert_eq!(
        lines(b"a,b\n1,\"x\n2,\"y\"\n3,z\n\"p\"q,r\n4,s\n", "x.csv"),
        [
            "header a|b",
            "1@4 malformed_row: 1,\"x",
            "2@9 2|y",
            "3@15 3|z",
            "4@19 malformed_row: \"p\"q,r",
            "5@26 4|s"
        ]
    );
}

#[test]
fn a_quote_inside_an_unquoted_field_is_kept() {
    assert_eq!(
        lines(b"a,b\n5\" pipe,\"6\"\"\"\nx \"y\", z\n", "x.csv"),
        ["header a|b", "1@4 5\" pipe|6\"", "2@18 x \"y\"| z"]
    );
}

#[test]
fn many_open_quotes_are_not_scanned_up_to_the_row_limit_each() {
    // Each line leaves a field open, and closes that of the line before: quoting of several lines that never ends.
    let csv = format!("a,b\n{}", "x\",\"\n".repeat(200_000));
    let begun = std::time::Instant::now();
    let seen = lines(csv.as_bytes(), "x.csv");
    assert_eq!(seen.len(), 200_001);
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_row_over_the_limit_costs_the_row_and_is_shown_cut() {
    let limits = Limits { row_bytes: 20_000, ..Limits::default() };
    let csv = format!("a,b\n1,{}\n2,y\n{}\n", "x".repeat(300_000), "z".repeat(20_000));
    let seen = common::all_items(Box::new(std::io::Cursor::new(csv.into_bytes())), "x.csv", &limits);
    let [_, common::Seen::Bad { raw, cut: true, code: "row_too_large", .. }, next, last] = seen.as_slice()
    else {
        panic!("{seen:?}")
    };
    assert_eq!(raw.len(), 16 << 10);
    assert_eq!(next.line(), "2@300007 2|y");
    assert!(last.line().starts_with("3@300011 wrong_field_count"), "exactly the limit is within it");
}

#[test]
fn headers_that_cannot_be_are_refused() {
    assert_eq!(fault(b"a,b, a \n1,2,3\n", "x.csv"), "duplicate_column@0");
    assert_eq!(
        lines(b"a,,\n1,2,3\n", "x.csv"),
        ["header a||", "1@4 1|2|3"],
        "nameless columns are no duplicates"
    );
    assert_eq!(fault(b"a,\"b\n1,2\n", "x.csv"), "malformed_document@0");
    assert_eq!(fault(b"a,caf\xe9\n1,2\n", "x.csv"), "unsupported_encoding@0");
    let limits = Limits { columns: 2, row_bytes: 10, ..Limits::default() };
    assert_eq!(lines_within(b"a,b,c\n", "x.csv", &limits), ["header_too_large@0"]);
    assert_eq!(lines_within(b"aaaaaaaa,bb\n", "x.csv", &limits), ["header_too_large@0"]);
}

#[test]
fn a_name_that_stands_twice_is_shown_cut() {
    let name = "é".repeat(200_000);
    let reason = common::file_fault(format!("x,{name},{name}\n").as_bytes(), "x.csv").reason;
    let shown = |characters: usize| "é".repeat(characters);
    assert_eq!(reason, format!("the header names the column `{}…` twice: x, {}…", shown(100), shown(497)));
}

#[test]
fn a_header_alone_has_no_rows() {
    assert_eq!(lines(b"a,b\n", "x.csv"), ["header a|b"]);
    assert_eq!(lines(b"a,b", "x.csv"), ["header a|b"]);
}
