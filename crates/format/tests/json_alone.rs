//! What is known from the rows before is a short cut in JSON, and must not show: a row reads as it does alone.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::Cursor;

use common::{Seen, all_items};
use format::Limits;
use proptest::prelude::*;

/// A line that is mostly an object of a few names, written in many ways.
fn object() -> impl Strategy<Value = String> {
    let names = ["a", "b", "a.b", r"a\u002eb", r#"q\""#, "q", "", "é", "a b", r"\u0061"];
    let values = [
        r#""plain""#,
        r#""""#,
        r#""with \"quotes\" and \n""#,
        r#""\u00e9é""#,
        "1",
        "-0.5e3",
        "01",
        "true",
        "null",
        r#"{"b":1}"#,
        r#"{"b":{"c":"x\ty"}}"#,
        r#"[1,"two",null]"#,
        r#"[{"a":[]}]"#,
        "[]",
        "{}",
        "nope",
    ];
    let blanks = prop::sample::select(vec!["", "", "", " ", "\t "]);
    let field =
        (prop::sample::select(names.to_vec()), prop::sample::select(values.to_vec()), blanks.clone(), blanks)
            .prop_map(|(name, value, before, behind)| format!("\"{name}\"{before}:{behind}{value}"));
    let cut = prop::option::weighted(0.1, 0..40_usize);
    (prop::collection::vec(field, 0..5), cut).prop_map(|(fields, cut)| {
        let text = format!("{{{}}}", fields.join(","));
        let end = cut.unwrap_or(text.len()).min(text.len());
        // Never blank, which would be no row.
        format!("{{{}", text.get(1..end.max(1)).unwrap_or_default())
    })
}

/// A value as rows have it behind a name; `\u{1}` is for a byte that is no UTF-8.
fn value(with_bad: bool) -> impl Strategy<Value = &'static str> {
    let good = [
        r#""plain""#,
        r#""""#,
        r#""longer than a block of bytes, é""#,
        r#""with \"quotes\" and \n, longer than a block""#,
        r#""\\""#,
        r#""\u00e9""#,
        "7",
        "-12.50",
        "0",
        "-0.5e3",
        "1234567890123456789012",
        "true",
        "false",
        "null",
        r#"[1, "two\t", null]"#,
        "[]",
        r#"[{"a":["]"]}]"#,
        "{}",
        r#"{"c":1}"#,
        "\"é\u{1}\\n\"",
        "[\"\u{1}\"]",
    ];
    let bad = [
        "01",
        "-",
        "1.",
        "2e",
        "nul",
        "truer",
        "\"\u{1}\"",
        "\"tab\there\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"open",
        "[1,\n2]",
        "[1,",
        "[1]]",
        "\"x\" 1",
        "",
    ];
    let bad = if with_bad { bad.as_slice() } else { &good };
    prop_oneof![12 => prop::sample::select(good.to_vec()), 1 => prop::sample::select(bad.to_vec())]
}

/// Rows that are written alike but for their values, most of them.
fn alike(with_bad: bool) -> impl Strategy<Value = Vec<String>> {
    let between = prop::sample::select(vec!["", "", " ", "\t  "]);
    let name = prop::sample::select(vec!["a", "b", "é", r"\u0061x", "a name that is longer than a block"]);
    let fields = prop::collection::vec((name, between), 0..5);
    (fields, any::<bool>(), prop::collection::vec((prop::collection::vec(value(with_bad), 5), 0..10), 3..9))
        .prop_map(|(fields, nested, rows)| {
            let row = |(values, odd): (Vec<&str>, i32)| {
                // A field less than the others have, or one blank more.
                let fields = if odd == 0 { fields.get(1..).unwrap_or_default() } else { &fields };
                let blank = if odd == 1 { " " } else { "" };
                let fields = fields.iter().zip(values).enumerate().map(|(at, ((name, between), value))| {
                    format!("\"{name}{at}\"{between}:{blank}{value}{between}")
                });
                let fields = fields.collect::<Vec<_>>().join(",");
                if nested { format!("{{\"n\":{{{fields}}},\"e\":{{}}}}") } else { format!("{{{fields}}}") }
            };
            rows.into_iter().map(row).collect()
        })
}

fn items(text: &str) -> Vec<Seen> {
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    let mut items = all_items(Box::new(Cursor::new(bytes)), "x.json", &Limits::default());
    items.retain(|item| !item.is_columns());
    items
}

/// A row as it reads, wherever it stands.
fn reading(seen: &Seen) -> String {
    match seen {
        Seen::Object { raw, values, .. } => format!("{values:?} {}", String::from_utf8_lossy(raw)),
        Seen::Bad { code, raw, .. } => format!("{code} {raw:?}"),
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_row_reads_as_it_does_alone_whatever_stood_before(rows in prop::collection::vec(object(), 1..6)) {
        let read = |text: &str| -> Vec<String> {
            let items = all_items(Box::new(Cursor::new(text.as_bytes().to_vec())), "x.jsonl", &Limits::default());
            items.iter().filter(|item| !item.is_columns()).map(reading).collect()
        };
        // Behind a line that has the file told as lines.
        let alone: Vec<String> = rows.iter().flat_map(|row| read(&format!("{{\"z\":0}}\n{row}\n")).split_off(1)).collect();
        let together = read(&format!("{{\"z\":0}}\n{}\n", rows.join("\n")));
        prop_assert_eq!(&together[1..], alone);
    }

    #[test]
    fn a_line_reads_as_it_does_alone_where_it_is_written_as_those_before(
        rows in alike(true),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r", " \n"]),
    ) {
        let read = |text: &str| -> Vec<String> { items(text).iter().map(reading).collect() };
        let alone: Vec<String> =
            rows.iter().flat_map(|row| read(&format!("{{\"z\":0}}\n{row}{line_end}")).split_off(1)).collect();
        let together = format!("{{\"z\":0}}\n{}{line_end}", rows.join(line_end));
        prop_assert_eq!(&read(&together)[1..], alone);
        // Each where it stands.
        for (seen, before) in items(&together).iter().zip(items(&together).iter().skip(1)) {
            if let (Some((at, _)), Some((next, _)), Some(behind)) = (seen.raw(), before.raw(), seen.place()) {
                prop_assert!(at < behind.position && behind.position <= next);
            }
        }
    }

    #[test]
    fn an_element_reads_as_it_does_alone_where_it_is_written_as_those_before(
        rows in alike(false),
        between in prop::sample::select(vec!["", "\n", " , "]),
    ) {
        let (begin, between, end) = if between == " , " { ("[", between, "]") } else { ("", between, "") };
        let read = |rows: &str| -> Vec<String> {
            items(&format!("{begin}{{\n\"z\":0}}{between}{rows}{end}")).iter().skip(1).map(reading).collect()
        };
        let alone: Vec<String> = rows.iter().flat_map(|row| read(row)).collect();
        prop_assert_eq!(read(&rows.join(between)), alone);
    }
}
