//! JSON in lines, one after another, and in one array.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{fault, gzip, lines, lines_within, open, reasons, zip};
use format::{Format, Limits};

#[test]
fn lines_hold_one_object_each() {
    assert_eq!(
        lines(b"\xef\xbb\xbf{\"a\":1}\r\n\r\n  {\"a\":\"x\"}\t\n{\"a\":null}", "x.jsonl"),
        ["named", r#"1@3 a=Number("1")"#, r#"2@16 a=String("x")"#, r#"3@27 a=Null"#]
    );
}

#[test]
fn a_name_that_stands_twice_is_found_whatever_the_rows_before_had() {
    // The second row is given up in its middle, and leaves its name where the first had another.
    assert_eq!(
        lines(
            b"{\"a\":1,\"b\":2}\n{\"b\":1,\n{\"b\":1,\"b\":2}\n{\"a\":1,\"b\":2}\n{\"a\":1,\"a\":2}",
            "x.jsonl"
        ),
        [
            "named",
            r#"1@0 a=Number("1") b=Number("2")"#,
            r#"2@14 malformed_row: {"b":1,"#,
            r#"3@22 malformed_row: {"b":1,"b":2}"#,
            r#"4@36 a=Number("1") b=Number("2")"#,
            r#"5@50 malformed_row: {"a":1,"a":2}"#,
        ]
    );
}

#[test]
fn a_bad_line_costs_that_line() {
    assert_eq!(
        lines(
            b"{\"a\":1}\n{\"a\":\nnot json\n[1]\n{\"a\":1,\"a\":2}\n{\"a\":\"\xff\"}\n{\"a\":2} x\n{\"a\":3}\n{\"a\"",
            "x.ndjson"
        ),
        [
            "named",
            "1@0 a=Number(\"1\")",
            "2@8 malformed_row: {\"a\":",
            "3@14 malformed_row: not json",
            "4@23 malformed_row: [1]",
            "5@27 malformed_row: {\"a\":1,\"a\":2}",
            "6@41 invalid_encoding: {\"a\":\"\u{fffd}\"}",
            "7@51 malformed_row: {\"a\":2} x",
            "8@61 a=Number(\"3\")",
            "9@69 malformed_row: {\"a\"",
        ]
    );
}

#[test]
fn a_bad_first_line_costs_that_line_too() {
    for first in ["nonsense", "{\"a\":1", "{\"a\": tru}", "{\"a\":1},", "\"text\"", "{\"a\":\"x"] {
        let file = format!("{first}\n{{\"a\":1}}\n{{\"a\":2}}\n");
        let seen = lines(file.as_bytes(), "x.json");
        assert_eq!(seen.len(), 4, "{first}: {seen:?}");
        assert!(seen[1].starts_with("1@0 malformed_row"), "{first}: {seen:?}");
        assert!(seen[3].starts_with("3@"), "{first}: {seen:?}");
    }
}

#[test]
fn bad_first_lines_cost_those_lines() {
    let bad = "{bad\n{\"worse\": \n";
    for (name, first) in [
        ("x.json", bad.to_owned()),
        ("x.jsonl", bad.to_owned()),
        ("x", bad.to_owned()),
        ("x.json", "{bad\n".repeat(60)),
        // Where the name speaks of lines, there need not be a whole one in sight.
        ("x.ndjson", "{bad\n".repeat(300)),
    ] {
        let count = first.lines().count();
        let seen = lines(format!("{first}\n{{\"a\":1}}\n{{\"a\":2}}\n").as_bytes(), name);
        assert_eq!(seen.len(), count + 3, "{name}: {seen:?}");
        assert!(seen[1..=count].iter().all(|line| line.contains(" malformed_row: ")), "{name}: {seen:?}");
        assert!(seen[count + 2].ends_with("a=Number(\"2\")"), "{name}: {seen:?}");
    }
    assert_eq!(lines(b"{\"a\":\n{\"b\":\n", "x.jsonl").len(), 3, "no line is a row");
}

#[test]
fn a_name_that_speaks_of_lines_is_told_behind_a_compression_and_in_a_zip() {
    let bad = b"{bad\n{\"worse\": \n{\"a\":\n".to_vec();
    let files = [
        (bad.clone(), "x.NDJSON"),
        (gzip(&[&bad]), "x.jsonl.gz"),
        (gzip(&[&bad]), "x.jsonl"),
        (zip(&[("a/x.jsonl", bad)]), "x.zip"),
    ];
    for (bytes, name) in files {
        let seen = lines(&bytes, name);
        assert_eq!(seen.len(), 4, "{name}: {seen:?}");
        assert!(seen[1..].iter().all(|line| line.contains(" malformed_row: ")), "{name}: {seen:?}");
    }
}

#[test]
fn an_object_over_several_lines_is_one_whatever_the_name() {
    let rest = "{\n\"a\": 2}\n";
    for (first, expected) in [
        ("{\n  \"a\": 1\n}", "1@0 a=Number"),
        // What cannot be a row is an object all the same.
        ("{\n  \"a\": 1,\n  \"a\": 1\n}", "1@0 malformed_row"),
        ("{\n  \"a\": [\n    {\"b\": 1}\n  ]\n}", "1@0 a=Json"),
    ] {
        for name in ["x.json", "x.jsonl", "x"] {
            let seen = lines(format!("{first}\n{rest}").as_bytes(), name);
            assert_eq!(seen.len(), 3, "{name}: {seen:?}");
            assert!(seen[1].starts_with(expected), "{name}: {seen:?}");
        }
    }
    let seen = lines(b"{\n  \"a\": \"\xff\"\n}\n{\n\"a\": 2}\n", "x.jsonl");
    assert_eq!(seen[1..].len(), 2, "{seen:?}");
    assert!(seen[1].starts_with("1@0 invalid_encoding"), "{seen:?}");
}

#[test]
fn a_part_of_a_broken_object_is_no_line_of_its_own() {
    let indented = b"{\n  \"a\": [\n    {\"b\": 1},\n    {\"b\": 2}\n  ],\n  oops\n}\n";
    assert_eq!(lines(indented, "x.json"), ["named", "malformed_document@0"]);
    let cut = b"{\"a\": [\n{\"b\": 1},\n{\"b\": 2}\n";
    assert_eq!(lines(cut, "x.json"), ["named", "truncated@0"]);
}

#[test]
fn several_objects_on_a_line_are_rows_unless_the_name_speaks_of_lines_and_there_are_some() {
    let two = b"{\"a\":1}{\"a\":2}\n";
    assert_eq!(lines(two, "x.json").len(), 3);
    assert_eq!(lines(two, "x.jsonl").len(), 3);
    let followed = [two.as_slice(), b"{\"a\":3}\nnonsense\n{\"a\":4}\n"].concat();
    assert_eq!(lines(&followed, "x.json").last().unwrap(), "malformed_document@23");
    assert_eq!(
        lines(&followed, "x.jsonl"),
        [
            "named",
            "1@0 malformed_row: {\"a\":1}{\"a\":2}",
            "2@15 a=Number(\"3\")",
            "3@23 malformed_row: nonsense",
            "4@32 a=Number(\"4\")"
        ]
    );
}

#[test]
fn an_array_on_the_first_of_many_lines_is_a_bad_line() {
    for first in ["[1]", "[{\"a\":0}]", "[]", "[\"x\", [2]] x"] {
        let seen = lines(format!("{first}\n{{\"a\":1}}\nx\n{{\"a\":2}}\n").as_bytes(), "x.jsonl");
        assert_eq!(seen.len(), 5, "{first}: {seen:?}");
        assert!(seen[1].starts_with("1@0 malformed_row"), "{first}: {seen:?}");
        let seen = lines(format!("{first}\n{{\"a\":1}}\n").as_bytes(), "x.json");
        assert!(seen[2].ends_with(" a=Number(\"1\")"), "{first}: {seen:?}");
    }
    assert_eq!(lines(b"[1\n{\"a\":1}\n", "x.jsonl").last().unwrap(), "2@3 a=Number(\"1\")");
    for array in ["[{\"a\":1},{\"a\":2}]", "[{\"a\":1},\n{\"a\":2}\n]\n", "[\n{\"a\":1},\n{\"a\":2}]"] {
        for name in ["x.json", "x.jsonl"] {
            let seen = lines(array.as_bytes(), name);
            assert!(seen.len() == 3 && seen[2].ends_with("a=Number(\"2\")"), "{array} {name}: {seen:?}");
        }
    }
}

#[test]
fn objects_may_follow_each_other_in_any_way() {
    assert_eq!(
        lines(b"{\n \"a\": 1\n}\n{\n \"a\": \"}{\\\"\"\n}{\"a\":3} {\"a\":4}", "x.json"),
        [
            "named",
            "1@0 a=Number(\"1\")",
            "2@12 a=String(\"}{\\\"\")",
            "3@28 a=Number(\"3\")",
            "4@36 a=Number(\"4\")"
        ]
    );
    assert_eq!(lines(b"{\"a\":1}{\"a\":2}\n", "x.json").len(), 3);
    assert_eq!(lines(b"{\"a\":\n{\"b\":1}\n}\n{\"a\":2}", "x.json").len(), 3, "the second line is no row");
}

#[test]
fn one_array_is_read_element_by_element() {
    assert_eq!(
        lines(b" [\n{\"a\":1} , {\"a\":2},\n{\"a\":[]}]\n ", "x.json"),
        ["named", "1@3 a=Number(\"1\")", "2@13 a=Number(\"2\")", "3@22 a=List([])"]
    );
    assert_eq!(lines(b"[]", "x.json"), ["named"]);
}

#[test]
fn a_row_that_is_json_but_no_object_costs_that_row() {
    assert_eq!(
        lines(b"[1, \"x,]\", [{}], {\"a\":1}]", "x.json"),
        [
            "named",
            "1@1 malformed_row: 1",
            "2@4 malformed_row: \"x,]\"",
            "3@11 malformed_row: [{}]",
            "4@17 a=Number(\"1\")"
        ]
    );
}

#[test]
fn an_element_that_is_not_json_ends_the_array_there() {
    let read = |tail: &str| lines(format!("[{{\"a\":1}},{tail}").as_bytes(), "x.json").split_off(2);
    assert_eq!(read("{\"a\":tru},{\"a\":2}]"), ["malformed_document@9"]);
    assert_eq!(read("]"), ["malformed_document@9"]);
    assert_eq!(read("{\"a\":2} {\"a\":3}]"), ["2@9 a=Number(\"2\")", "malformed_document@17"]);
    assert_eq!(read("{\"a\":2}] x"), ["2@9 a=Number(\"2\")", "malformed_document@18"]);
    assert_eq!(read("{\"a\":2"), ["truncated@9"]);
    assert_eq!(read("{\"a\":2}"), ["2@9 a=Number(\"2\")", "truncated@16"]);
    assert_eq!(read(""), ["truncated@9"]);
    assert_eq!(fault(b"[", "x.json"), "truncated@1");
    assert_eq!(fault(b"{\n\"a\":1}\n{\n\"b\"", "x.json"), "truncated@9");
}

#[test]
fn nested_objects_become_dotted_names() {
    assert_eq!(
        lines(
            br#"{"a":{"b":{"c":1.50},"d":true},"e":["x",2,null,false],"f":[{"g": [1]}],"h":{},"i":[],"j":-0.1e+9}"#,
            "x.json"
        )[1],
        concat!(
            r#"1@0 a.b.c=Number("1.50") a.d=Bool(true) e=List(["x", "2", "false"]) "#,
            r#"f=Json("[{\"g\": [1]}]") i=List([]) j=Number("-0.1e+9")"#
        )
    );
    assert!(
        lines(br#"{"a.b":1,"a":{"b":2}}"#, "x.json")[1].contains("malformed_row"),
        "named twice once flattened"
    );
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(
        lines(br#"{"\u0061":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#, "x.json")[1],
        format!("1@0 a={:?}", format::JsonValue::String("\"\\/\u{8}\u{c}\n\r\té😀".to_owned()))
    );
}

#[test]
fn only_what_rfc_8259_allows_is_json() {
    for value in [
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "NaN",
        "Infinity",
        "True",
        "nul",
        "'x'",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"tab\there\"",
        "[1,]",
        "[,1]",
        "{\"b\":1,}",
        "{b:1}",
        "{\"b\"}",
        "[1 2]",
        "[{]}",
        "",
        "/**/1",
        "[[1,]]",
    ] {
        let file = format!("{{\"ok\":1}}\n{{\"a\":{value}}}\n");
        let seen = lines(file.as_bytes(), "x.jsonl");
        assert!(seen[2].contains("malformed_row"), "{value}: {seen:?}");
    }
}

#[test]
fn rows_too_deep_too_wide_or_too_large_cost_the_row() {
    let limits = Limits { nesting: 3, columns: 2, row_bytes: 40, ..Limits::default() };
    let rows = [
        r#"{"a":{"b":{"c":1}}}"#,
        r#"{"a":{"b":{"c":{}}}}"#,
        r#"{"a":[[1]]}"#,
        r#"{"a":[[[1]]]}"#,
        r#"{"a":1,"b":2,"c":3}"#,
        r#"{"a":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
        r#"{"a":1}"#,
    ];
    let expected = [
        "a.b.c=",
        "nesting_too_deep",
        "a=Json",
        "nesting_too_deep",
        "row_too_large",
        "row_too_large",
        "a=Number",
    ];
    for file in [rows.join("\n"), rows.concat(), format!("[{}]", rows.join(","))] {
        let seen = lines_within(file.as_bytes(), "x.json", &limits);
        assert_eq!(seen.len(), 8, "{seen:?}");
        for ((row, seen), expected) in rows.iter().zip(&seen[1..]).zip(expected) {
            assert!(seen.contains(expected), "{row}: {seen}");
        }
    }
}

#[test]
fn lists_have_so_many_parts_in_a_row() {
    let limits = Limits { list_parts: 3, ..Limits::default() };
    let seen = lines_within(
        br#"{"a":[1,null,2],"b":["x"],"c":[]}
{"a":[1,2,3,4]}
{"a":[1,true],"b":[3,"x"]}
{"a":[1,2,3,4,5,{}]}
{"a":[1,2,3]}
"#,
        "x.jsonl",
        &limits,
    );
    assert!(seen[1].contains(r#"a=List(["1", "2"]) b=List(["x"])"#), "{seen:?}");
    assert!(seen[2].starts_with("2@34 row_too_large"), "{seen:?}");
    assert!(seen[3].starts_with("3@50 row_too_large"), "all lists of a row together: {seen:?}");
    assert!(seen[4].contains("a=Json"), "deeper nesting is one text: {seen:?}");
    assert!(seen[5].contains("a=List"), "{seen:?}");
    let row = |parts: usize| format!("{{\"a\":[{}]}}\n", vec!["1"; parts].join(","));
    let file = row(1 << 16) + &row((1 << 16) + 1);
    assert_eq!(reasons(file.as_bytes(), "x.jsonl"), ["the lists of the row have more than 65536 parts"]);
}

#[test]
fn a_name_that_stands_twice_is_shown_cut() {
    let name = "é".repeat(200_000);
    let row = format!("{{\"{name}\":1,\"{name}\":2}}\n");
    let shown = format!("the row names `{}…` twice", "é".repeat(100));
    assert_eq!(reasons(row.as_bytes(), "x.jsonl"), [shown]);
}

#[test]
fn only_json_s_own_blanks_may_end_a_line() {
    assert_eq!(lines(b"{\"a\":1} \t\r\n", "x.jsonl").last().unwrap(), "1@0 a=Number(\"1\")");
    for other in ["\u{c}", "\u{b}", "\u{a0}"] {
        let seen = lines(format!("{{\"a\":0}}\n{{\"a\":1}}{other}\n").as_bytes(), "x.jsonl");
        assert!(seen[2].starts_with("2@8 malformed_row"), "{other:?}: {seen:?}");
    }
}

#[test]
fn long_names_in_front_of_many_values_do_not_multiply() {
    let values: Vec<String> = (0..4_000).map(|value| format!("\"{value}\":1")).collect();
    let row = format!("{{\"{}\":{{{}}}}}\n{{\"a\":1}}\n", "x".repeat(500_000), values.join(","));
    let seen = lines(row.as_bytes(), "x.jsonl");
    assert!(seen[1].starts_with("1@0 row_too_large"));
    assert!(seen[2].ends_with("a=Number(\"1\")"));
}

#[test]
fn json_says_so() {
    let mut rows = open(b"{}\n", "export").unwrap();
    assert_eq!((rows.format(), rows.format().as_str()), (Format::Json, "json"));
    assert!(rows.next().unwrap().is_some());
}
