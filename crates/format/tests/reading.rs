//! Rows, positions and places must not depend on how bytes arrive or where reading begins.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{Cursor, Read};

use common::{Chunked, Kind, all_items, gzip, items_from, open, sample, zip};
use format::{Limits, Place};
use proptest::prelude::*;

/// Every file of the properties: its bytes and name.
fn files() -> impl Strategy<Value = (Vec<u8>, String)> {
    let field = prop_oneof![
        "[a-z0-9 ]{0,6}",
        Just("naïve, \"quoted\"\r\nsecond line".to_owned()),
        Just("日本\n語".to_owned()),
        Just("5\" pipe".to_owned()),
        Just("x,y;z\tw|v".to_owned()),
    ];
    let rows = prop::collection::vec(prop::collection::vec(field, 3), 0..12);
    (rows.clone(), rows, prop::sample::select(Kind::ALL.to_vec()), any::<bool>(), any::<u8>()).prop_map(
        |(first, second, kind, dirty, cut)| {
            let (plain, name) = sample(kind, &first, dirty);
            match cut % 4 {
                0 => (gzip(&[&plain[..plain.len() / 2], &plain[plain.len() / 2..]]), format!("{name}.gz")),
                1 => {
                    let (other, other_name) = sample(kind, &second, !dirty);
                    let (third, third_name) = sample(kind.next(), &second, dirty);
                    let entries = [
                        (format!("a/{name}"), plain),
                        ("a/.hidden.csv".to_owned(), b"x".to_vec()),
                        (format!("b/{other_name}"), other),
                        ("empty.csv".to_owned(), Vec::new()),
                        ("blank.csv".to_owned(), b"\n\n".to_vec()),
                        (format!("c/{third_name}"), third),
                    ];
                    (zip(&entries), "all.zip".to_owned())
                }
                _ => (plain, name),
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rows_do_not_depend_on_the_size_of_reads((bytes, name) in files(), sizes in prop::collection::vec(1_usize..40, 1..8)) {
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let at_once = all_items(Box::new(Cursor::new(bytes.clone())), &name, &limits);
        let in_pieces = all_items(Box::new(Chunked::new(bytes, sizes)), &name, &limits);
        prop_assert_eq!(at_once, in_pieces);
    }

    #[test]
    fn reading_goes_on_behind_any_row((bytes, name) in files(), sizes in prop::collection::vec(1_usize..4000, 1..8)) {
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let whole = all_items(Box::new(Cursor::new(bytes.clone())), &name, &limits);
        for (index, item) in whole.iter().enumerate() {
            let Some(place) = item.place() else { continue };
            let object = Box::new(Chunked::new(bytes.clone(), sizes.clone()));
            let resumed = items_from(object, &name, &limits, place);
            prop_assert!(place.position == 0 || place.row == 0 || resumed.first().is_none_or(|first| first.is_columns()), "columns come first");
            let rest = |items: &[common::Seen]| items.iter().filter(|item| !item.is_columns()).cloned().collect::<Vec<_>>();
            prop_assert_eq!(rest(&resumed), rest(&whole[index + 1..]), "behind item {} at {:?}", index, place);
        }
    }

    #[test]
    fn a_position_is_where_the_bytes_of_the_row_stand((bytes, name) in files()) {
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let plain = if name.ends_with(".zip") {
            Vec::new()
        } else if name.ends_with(".gz") {
            let mut plain = Vec::new();
            flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
            plain
        } else {
            bytes.clone()
        };
        for item in all_items(Box::new(Cursor::new(bytes)), &name, &limits) {
            if let (Some((position, raw)), false) = (item.raw(), plain.is_empty()) {
                prop_assert!(plain[position as usize..].starts_with(raw), "{}", item.line());
            }
        }
    }

    #[test]
    fn no_input_panics(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'\\'), Just(b'a'), any::<u8>()], 0..200), name in prop::sample::select(vec!["a.csv", "a.tsv", "a.json", "a", "a.csv.gz", "a.zip"]), magic in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"PK\x03\x04", b"PK\x05\x06"])) {
        let mut input = magic.to_vec();
        input.extend(bytes);
        all_items(Box::new(Chunked::new(input, vec![7])), name, &Limits { row_bytes: 64, ..Limits::default() });
    }

    #[test]
    fn a_damaged_archive_never_panics_nor_runs_on(at in 0_usize..4000, with in any::<u8>(), (bytes, name) in files()) {
        let mut bytes = bytes;
        if let Some(byte) = bytes.get_mut(at) { *byte = with; }
        all_items(Box::new(Cursor::new(bytes)), &name, &Limits { row_bytes: 200, ..Limits::default() });
    }

    #[test]
    fn well_formed_csv_reads_as_the_csv_crate_reads_it(rows in prop::collection::vec(prop::collection::vec("[a-z\"\n\r,é]{0,5}", 2), 1..20), quotes in any::<bool>()) {
        let style = if quotes { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let mut writer = csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
        writer.write_record(["a", "b"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let bytes = writer.into_inner().unwrap();
        let seen = all_items(Box::new(Cursor::new(bytes)), "x.csv", &Limits::default());
        let fields: Vec<Vec<String>> = seen.iter().filter_map(|item| item.fields()).collect();
        prop_assert_eq!(fields, rows);
    }
}

#[test]
fn a_row_that_spans_many_reads_is_whole() {
    let long = "é".repeat(300_000);
    let csv = format!("a,b\n1,\"{long}\"\n2,{long}\n");
    let seen = all_items(Box::new(Chunked::new(csv.into_bytes(), vec![1_000])), "x.csv", &Limits::default());
    let fields: Vec<Vec<String>> = seen.iter().filter_map(|item| item.fields()).collect();
    assert_eq!(fields, [["1", &long], ["2", &long]]);
}

#[test]
fn resuming_an_uncompressed_object_seeks_instead_of_reading() {
    let mut csv = String::from("a,b\n");
    for row in 0..200_000 {
        csv.push_str(&format!("{row},xxxxxxxxxx\n"));
    }
    let end = Place { position: csv.len() as u64 - 18, row: 199_999 };
    let (object, read) = Chunked::counting(csv.into_bytes());
    let seen = items_from(Box::new(object), "x.csv", &Limits::default(), end);
    assert_eq!(seen.len(), 2);
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) < 400_000, "read {read:?} of 3 MB");
}

#[test]
fn a_checkpoint_beyond_the_end_is_truncated() {
    for (bytes, name) in [(b"a,b\n1,2\n".to_vec(), "x.csv"), (gzip(&[b"a,b\n1,2\n"]), "x.csv.gz")] {
        let seen = items_from(
            Box::new(Cursor::new(bytes)),
            name,
            &Limits::default(),
            Place { position: 1_000, row: 50 },
        );
        assert_eq!(seen, [common::Seen::fault("truncated", 8)]);
    }
}

#[test]
fn a_reader_can_move_between_threads() {
    let rows = open(b"a\n1\n", "x.csv").unwrap();
    std::thread::spawn(move || drop(rows)).join().unwrap();
}
