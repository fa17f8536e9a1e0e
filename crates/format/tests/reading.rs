//! Rows, positions and places must not depend on how bytes arrive or where reading begins.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::Cursor;

use common::{Chunked, Encoding, Kind, all_items, bzip2, gzip, items_from, open, sample, zip, zstd};
use format::{Limits, Place, Rows};
use proptest::prelude::*;

/// A file of the properties: its bytes, its name, and what it holds once decompressed, but for a zip.
#[derive(Debug, Clone)]
struct File {
    bytes: Vec<u8>,
    name: String,
    plain: Option<Vec<u8>>,
    encoding: Encoding,
}

#[derive(Debug, Clone, Copy)]
enum Packing {
    None,
    Gzip,
    Zstd,
    Bzip2,
    Zip,
}

const PACKINGS: [Packing; 5] = [Packing::None, Packing::Gzip, Packing::Zstd, Packing::Bzip2, Packing::Zip];

fn file(rows: [&[Vec<String>]; 2], kind: Kind, encoding: Encoding, packing: Packing, dirty: bool) -> File {
    let (text, name) = sample(kind, rows[0], dirty);
    let plain = encoding.file(&text);
    let halves = plain.split_at(plain.len() / 2);
    let halves = [halves.0, halves.1];
    let (bytes, ending) = match packing {
        Packing::None => (plain.clone(), ""),
        Packing::Gzip => (gzip(&halves), ".gz"),
        Packing::Zstd => (zstd(&halves), ".zst"),
        Packing::Bzip2 => (bzip2(&halves), ".bz2"),
        Packing::Zip => {
            let (second, second_name) = sample(kind, rows[1], !dirty);
            let (third, third_name) = sample(kind.next(), rows[1], dirty);
            let entries = [
                (format!("a/{name}"), plain),
                ("a/.hidden.csv".to_owned(), b"x".to_vec()),
                (format!("b/{second_name}"), second),
                ("empty.csv".to_owned(), Vec::new()),
                ("blank.csv".to_owned(), b"\n\n".to_vec()),
                (format!("c/{third_name}"), encoding.file(&third)),
            ];
            return File { bytes: zip(&entries), name: "all.zip".to_owned(), plain: None, encoding };
        }
    };
    File { bytes, name: format!("{name}{ending}"), plain: Some(plain), encoding }
}

fn files() -> impl Strategy<Value = File> {
    let field = prop_oneof![
        "[a-z0-9 ]{0,6}",
        Just("naïve, \"quoted\"\r\nsecond line".to_owned()),
        Just("日本\n語".to_owned()),
        Just("𝄞".to_owned()),
        Just("5\" pipe".to_owned()),
        Just("x,y;z\tw|v".to_owned()),
    ];
    let rows = prop::collection::vec(prop::collection::vec(field, 3), 0..12);
    let kinds = prop::sample::select(Kind::ALL.to_vec());
    let encodings = prop::sample::select(Encoding::ALL.to_vec());
    let packings = prop::sample::select(PACKINGS.to_vec());
    (rows.clone(), rows, kinds, encodings, packings, any::<bool>()).prop_map(
        |(first, second, kind, encoding, packing, dirty)| {
            file([&first, &second], kind, encoding, packing, dirty)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rows_do_not_depend_on_the_size_of_reads(File { bytes, name, .. } in files(), sizes in prop::collection::vec(1_usize..40, 1..8)) {
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let at_once = all_items(Box::new(Cursor::new(bytes.clone())), &name, &limits);
        let in_pieces = all_items(Box::new(Chunked::new(bytes, sizes)), &name, &limits);
        prop_assert_eq!(at_once, in_pieces);
    }

    #[test]
    fn reading_goes_on_behind_any_row(File { bytes, name, .. } in files(), sizes in prop::collection::vec(1_usize..4000, 1..8)) {
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
    fn a_position_is_where_the_bytes_of_the_row_stand(File { bytes, name, plain, encoding } in files()) {
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let Some(plain) = plain else { return Ok(()) };
        for item in all_items(Box::new(Cursor::new(bytes)), &name, &limits) {
            if let Some((position, raw)) = item.raw().filter(|(_, raw)| std::str::from_utf8(raw).is_ok()) {
                prop_assert!(plain[position as usize..].starts_with(&encoding.encode(raw)), "{}", item.line());
            }
        }
    }

    #[test]
    fn no_input_panics(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'\\'), Just(b'a'), any::<u8>()], 0..200), name in prop::sample::select(vec!["a.csv", "a.tsv", "a.json", "a", "a.csv.gz", "a.zip", "a.csv.zst", "a.csv.bz2"]), magic in prop::sample::select(vec![&b""[..], b"\x1f\x8b\x08\0", b"PK\x03\x04", b"PK\x05\x06", b"\x28\xb5\x2f\xfd", b"BZh91AY&SY", b"\xff\xfe", b"\xfe\xff"])) {
        let mut input = magic.to_vec();
        input.extend(bytes);
        all_items(Box::new(Chunked::new(input, vec![7])), name, &Limits { row_bytes: 64, ..Limits::default() });
    }

    #[test]
    fn a_damaged_file_reads_the_same_however_it_is_read_and_resumed(at in 0_usize..4000, with in any::<u8>(), cut in any::<bool>(), File { bytes, name, .. } in files(), sizes in prop::collection::vec(1_usize..40, 1..8)) {
        let mut bytes = bytes;
        let at = at % bytes.len();
        bytes[at] = with;
        if cut {
            bytes.truncate(at + 1);
        }
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let at_once = all_items(Box::new(Cursor::new(bytes.clone())), &name, &limits);
        let in_pieces = all_items(Box::new(Chunked::new(bytes.clone(), sizes.clone())), &name, &limits);
        prop_assert_eq!(&at_once, &in_pieces);
        let rest = |items: &[common::Seen]| items.iter().filter(|item| !item.is_columns()).cloned().collect::<Vec<_>>();
        for (index, item) in at_once.iter().enumerate() {
            let Some(place) = item.place() else { continue };
            let object = Box::new(Chunked::new(bytes.clone(), sizes.clone()));
            prop_assert_eq!(rest(&items_from(object, &name, &limits, place)), rest(&at_once[index + 1..]), "behind item {} at {:?}", index, place);
        }
    }

    #[test]
    fn rows_are_skipped_as_they_are_read(File { bytes, name, .. } in files(), at in 0_usize..4000, with in any::<u8>(), damaged in any::<bool>(), sizes in prop::collection::vec(1_usize..40, 1..8)) {
        let mut bytes = bytes;
        if damaged {
            let at = at % bytes.len();
            bytes[at] = with;
        }
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let object = Box::new(Chunked::new(bytes.clone(), sizes));
        let Ok(mut rows) = Rows::open(object, &name, limits.clone()) else { return Ok(()) };
        if rows.is_splittable() {
            let mut skipped = Vec::new();
            while let Ok(true) = rows.skip_row() {
                skipped.push(rows.place());
            }
            let read = all_items(Box::new(Cursor::new(bytes)), &name, &limits);
            let read: Vec<_> = read.iter().filter(|item| !item.is_columns()).filter_map(|item| item.place()).collect();
            prop_assert_eq!(skipped, read);
        }
    }

    #[test]
    fn a_range_reads_the_same_of_an_object_that_ends_a_row_behind_it(rows in prop::collection::vec(prop::collection::vec(prop_oneof!["[a-z]{0,6}", Just("a\nb".to_owned()), Just("5\" pipe".to_owned())], 3), 1..12), kind in prop::sample::select(Kind::ALL.to_vec()), dirty in any::<bool>(), at in 4096_usize..9000, with in prop::sample::select(vec![b'"', b'\n', b',', b'{', b'\xff'])) {
        let many: Vec<_> = rows.iter().cycle().take(600).cloned().collect();
        let (mut bytes, name) = sample(kind, &many, dirty);
        for at in (at..bytes.len()).step_by(997) {
            bytes[at] = with;
        }
        let limits = Limits { row_bytes: 200, ..Limits::default() };
        let Ok(rows) = Rows::open(Box::new(Cursor::new(bytes.clone())), &name, limits.clone()) else { return Ok(()) };
        if rows.is_splittable() {
            let whole = all_items(Box::new(Cursor::new(bytes.clone())), &name, &limits);
            let places: Vec<_> = whole.iter().filter_map(common::Seen::place).collect();
            for pair in places.chunks(5).map(|some| [some[0], some[some.len() - 1]]) {
                let [begins, ends] = pair.map(|place| place.position);
                // What opening looks at is the same for every range.
                let bound = (ends as usize + limits.bytes_ahead()).max(4096).min(bytes.len());
                let object = Box::new(Cursor::new(bytes[..bound].to_vec()));
                let within = |items: &[common::Seen]| items.iter().filter(|item| !item.is_columns() && item.place().is_some_and(|place| (begins + 1..=ends).contains(&place.position))).cloned().collect::<Vec<_>>();
                prop_assert_eq!(within(&items_from(object, &name, &limits, pair[0])), within(&whole), "{} to {}", begins, ends);
            }
        }
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
fn rows_are_the_same_wherever_the_input_is_cut_in_two() {
    let row = |fields: [&str; 3]| fields.map(str::to_owned).to_vec();
    let rows = [row(["é, \"x\"\r\ny", "𝄞", ""]), row(["1", "5\" pipe", "日"]), row(["a", "b", "c"])];
    let limits = Limits { row_bytes: 120, ..Limits::default() };
    for kind in Kind::ALL {
        for encoding in Encoding::ALL {
            for packing in PACKINGS {
                let File { bytes, name, .. } = file([&rows, &rows[..1]], kind, encoding, packing, true);
                let whole = all_items(Box::new(Cursor::new(bytes.clone())), &name, &limits);
                assert!(whole.len() > 4, "{name} {encoding:?}: {whole:?}");
                for cut in 1..bytes.len() {
                    let in_two = Chunked::new(bytes.clone(), vec![cut, usize::MAX]);
                    assert_eq!(
                        all_items(Box::new(in_two), &name, &limits),
                        whole,
                        "{name} {encoding:?} cut at {cut}"
                    );
                }
            }
        }
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
