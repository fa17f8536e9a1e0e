//! gzip, zip, zstd and bzip2: whole, cut off, damaged, encrypted, nested and bombs.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{Cursor, ErrorKind, Write};

use common::{
    Encoding, Failing, Seen, all_items, bzip2, fault, gzip, items_from, lines, lines_within, open, zip, zstd,
};
use format::{Compression, Limits, Place};

fn rows(count: usize) -> Vec<u8> {
    let mut csv = String::from("a,b\n");
    let mut noise = 1_u64;
    for row in 0..count {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        csv.push_str(&format!("{row},{noise:x}\n"));
    }
    csv.into_bytes()
}

/// What is compressed as a whole: its writer, the ending of its name, and what it is told to be.
type Packer = (fn(&[&[u8]]) -> Vec<u8>, &'static str, Compression);

const PACKERS: [Packer; 3] =
    [(gzip, "gz", Compression::Gzip), (zstd, "zst", Compression::Zstd), (bzip2, "bz2", Compression::Bzip2)];

#[test]
fn every_member_frame_and_stream_is_read() {
    for (pack, ending, compression) in PACKERS {
        let bytes = pack(&[b"a,b\n1,", b"2\n", b"", b"3,4\n"]);
        for name in [&format!("x.csv.{ending}"), &format!("x.{}", ending.to_uppercase()), "x.csv", "x"] {
            assert_eq!(lines(&bytes, name), ["header a|b", "1@4 1|2", "2@8 3|4"], "{name}");
        }
        assert_eq!(open(&bytes, "x").unwrap().compression(), compression);
        for (_, other, _) in PACKERS.iter().filter(|(_, other, _)| *other != ending) {
            assert_eq!(fault(&bytes, &format!("x.csv.{other}")), "format_mismatch@0", "{ending} as {other}");
        }
    }
}

#[test]
fn what_is_cut_off_gives_the_rows_before_the_cut() {
    let whole = rows(50_000);
    let complete = all_items(Box::new(Cursor::new(whole.clone())), "x.csv", &Limits::default());
    for (pack, ending, _) in PACKERS {
        let bytes = pack(&[&whole[..whole.len() / 2], &whole[whole.len() / 2..]]);
        let name = format!("x.csv.{ending}");
        // The zstd ends in a frame that is skipped.
        for cut in [bytes.len() - 1, bytes.len() - 12, bytes.len() * 3 / 4] {
            let seen = all_items(Box::new(Cursor::new(bytes[..cut].to_vec())), &name, &Limits::default());
            let (last, before) = seen.split_last().unwrap();
            assert!(matches!(last, Seen::Fault { code: "truncated", .. }), "{name} {cut}: {}", last.line());
            assert!(before.len() > 20_000, "{name}: {}", before.len());
            assert_eq!(before, &complete[..before.len()]);
        }
        assert_eq!(fault(&bytes[..5], &name).split('@').next(), Some("truncated"), "{name}");
    }
}

#[test]
fn what_is_damaged_is_corrupt() {
    for (pack, ending, _) in PACKERS {
        let whole = pack(&[&rows(20_000)]);
        let mut middle = whole.clone();
        let at = middle.len() / 2;
        middle[at] ^= 0x55;
        assert!(fault(&middle, "x").starts_with("corrupt_archive@"), "{ending}: {}", fault(&middle, "x"));
        let followed = [whole.as_slice(), b"something else behind the last member"].concat();
        assert!(fault(&followed, "x").starts_with("corrupt_archive@"), "{ending}");
    }
}

#[test]
fn zeros_behind_a_gzip_are_padding() {
    let mut bytes = gzip(&[b"a\n1\n"]);
    bytes.resize(100_000, 0);
    assert_eq!(lines(&bytes, "x.csv.gz"), ["header a", "1@2 1"]);
    bytes.extend(gzip(&[b"2\n"]));
    assert_eq!(lines(&bytes, "x.csv.gz"), ["header a", "1@2 1", "2@4 2"]);
}

#[test]
fn members_with_nothing_in_them_are_passed_over() {
    let empty = gzip(&[b""]).repeat(200_000);
    let bytes = [gzip(&[b"a\n"]), empty, gzip(&[b"1\n"])].concat();
    assert_eq!(lines(&bytes, "x.csv.gz"), ["header a", "1@2 1"]);
}

#[test]
fn a_zstd_that_needs_too_wide_a_window_is_told() {
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(26).unwrap();
    encoder.write_all(b"a\n1\n").unwrap();
    let bytes = encoder.finish().unwrap();
    assert_eq!(fault(&bytes, "x.csv.zst"), "expansion_limit@0");
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(25).unwrap();
    encoder.write_all(b"a\n1\n").unwrap();
    assert_eq!(lines(&encoder.finish().unwrap(), "x.csv.zst"), ["header a", "1@2 1"]);
}

#[test]
fn damaged_gzip_is_told_from_a_cut() {
    let mut bytes = gzip(&[&rows(100)]);
    let checksum = bytes.len() - 6;
    bytes[checksum] ^= 1;
    assert!(fault(&bytes, "x.csv.gz").starts_with("corrupt_archive@"));
    let mut followed = gzip(&[b"a\n1\n"]);
    followed.extend_from_slice(b"something else behind the last member");
    assert!(fault(&followed, "x.csv.gz").starts_with("corrupt_archive@"));
}

#[test]
fn the_objects_own_errors_come_through_as_they_are() {
    let csv = rows(50_000);
    let files = [
        (csv.clone(), "x.csv"),
        (gzip(&[&csv]), "x.csv.gz"),
        (zstd(&[&csv]), "x.csv.zst"),
        (bzip2(&[&csv]), "x.csv.bz2"),
        (zip(&[("x.csv", csv)]), "x.zip"),
    ];
    for (bytes, name) in files {
        for kind in [ErrorKind::UnexpectedEof, ErrorKind::InvalidInput, ErrorKind::ConnectionReset] {
            for left in [0, 4, 100, bytes.len() / 2, bytes.len() - 1] {
                let object = Failing { bytes: Cursor::new(bytes.clone()), left, kind };
                let seen = all_items(Box::new(object), name, &Limits::default());
                assert_eq!(
                    seen.last().unwrap().line(),
                    "io: the connection was lost",
                    "{name} {kind} {left}"
                );
            }
        }
    }
}

#[test]
fn an_object_that_fails_early_is_not_taken_for_what_its_first_bytes_look_like() {
    let pretty = b"{\n  \"a\": 1,\n  \"b\": {\"c\": 2}\n}\n".to_vec();
    let utf16 = Encoding::Utf16Le.file(&pretty);
    let gzip = gzip(&[&pretty]);
    for (bytes, name) in [(pretty, "x.jsonl"), (utf16, "x.json"), (gzip, "x.jsonl.gz")] {
        for left in 0..bytes.len() {
            let object = Failing { bytes: Cursor::new(bytes.clone()), left, kind: ErrorKind::TimedOut };
            let seen = all_items(Box::new(object), name, &Limits::default());
            assert_eq!(seen, [Seen::Io("the connection was lost".to_owned())], "{name} {left}");
        }
    }
}

#[test]
fn every_entry_of_a_zip_is_read_in_order_with_its_own_header() {
    let bytes = zip(&[
        ("data/", Vec::new()),
        ("data/1.csv", b"a,b\n1,2\n".to_vec()),
        ("__MACOSX/data/._1.csv", b"\0\0".to_vec()),
        ("data/.DS_Store", b"\0\0".to_vec()),
        ("data/empty.csv", Vec::new()),
        ("data/2.tsv", b"c\td\n3\t4".to_vec()),
        ("data/3.jsonl", b"{\"e\":5}\n".to_vec()),
        ("data/4.jsonl", b"{\"e\":6}\n".to_vec()),
        ("data/5.csv", b"a,b\n7,8\n".to_vec()),
    ]);
    assert_eq!(
        lines(&bytes, "all.zip"),
        [
            "header a|b",
            "1@4 1|2",
            "header c|d",
            "2@12 3|4",
            "named",
            "3@15 e=Number(\"5\")",
            "4@23 e=Number(\"6\")",
            "header a|b",
            "5@35 7|8"
        ]
    );
    assert_eq!(open(&bytes, "all.zip").unwrap().compression().as_str(), "zip");
}

#[test]
fn a_zip_of_ten_thousand_entries_is_read_and_one_of_more_is_refused() {
    let entries: Vec<(String, Vec<u8>)> =
        (0..10_000).map(|entry| (format!("{entry}.csv"), format!("a\n{entry}\n").into_bytes())).collect();
    let bytes = zip(&entries);
    assert_eq!(lines(&bytes, "x.zip").len(), 20_000);
    let limits = Limits { zip_entries: 9_999, ..Limits::default() };
    assert_eq!(lines_within(&bytes, "x.zip", &limits), ["expansion_limit@0"]);
}

#[test]
fn zip64_is_read() {
    use std::io::Write;
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = ::zip::write::SimpleFileOptions::default().large_file(true);
    for name in ["1.csv", "2.csv"] {
        writer.start_file(name, options).unwrap();
        writer.write_all(b"a\n1\n").unwrap();
    }
    let mut many = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for entry in 0..70_000 {
        many.add_directory(format!("{entry}/"), ::zip::write::SimpleFileOptions::default()).unwrap();
    }
    many.start_file("1.csv", options).unwrap();
    many.write_all(b"a\n1\n").unwrap();
    assert_eq!(lines(&writer.finish().unwrap().into_inner(), "x.zip").len(), 4);
    let limits = Limits { zip_entries: 100_000, ..Limits::default() };
    assert_eq!(lines_within(&many.finish().unwrap().into_inner(), "x.zip", &limits), ["header a", "1@2 1"]);
}

#[test]
fn entries_before_a_checkpoint_are_not_read_again() {
    let big = rows(200_000);
    let size = big.len() as u64;
    let bytes = zip(&[("1.csv", big.clone()), ("2.csv", big), ("3.csv", b"a,b\nx,y\nz,w\n".to_vec())]);
    let (object, read) = common::Chunked::counting(bytes);
    let at = Place { position: 2 * size + 8, row: 400_001 };
    let seen = items_from(Box::new(object), "x.zip", &Limits::default(), at);
    assert_eq!(
        seen.iter().map(Seen::line).collect::<Vec<_>>(),
        ["header a|b".to_owned(), format!("400002@{} z|w", 2 * size + 8)]
    );
    assert!(read.load(std::sync::atomic::Ordering::Relaxed) < 200_000);
}

#[test]
fn a_zip_cut_off_is_truncated_and_a_damaged_one_corrupt() {
    let csv = rows(1_000);
    let bytes = zip(&[("1.csv", csv.clone()), ("2.csv", csv)]);
    assert_eq!(fault(&bytes[..bytes.len() / 2], "x.zip"), "truncated@0");
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 4] ^= 0x55;
    assert!(fault(&damaged, "x.zip").starts_with("corrupt_archive@"));
    let mut checksum = bytes.clone();
    let directory = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
    checksum[directory + 16] ^= 1;
    let seen = lines(&checksum, "x.zip");
    assert_eq!(seen.len(), 1_002, "the rows before the checksum, then the fault");
    assert!(seen.last().unwrap().starts_with("corrupt_archive@"));
    let mut misplaced = bytes.clone();
    misplaced[directory + 42] ^= 1;
    assert_eq!(fault(&misplaced, "x.zip"), "corrupt_archive@0");
}

#[test]
fn encrypted_and_nested_archives_are_refused() {
    let mut encrypted = zip(&[("1.csv", b"a\n1\n".to_vec())]);
    let directory = memchr::memmem::find(&encrypted, b"PK\x01\x02").unwrap();
    encrypted[directory + 8] |= 1;
    assert_eq!(fault(&encrypted, "x.zip"), "encrypted_archive@0");
    let inner = zip(&[("1.csv", b"a\n1\n".to_vec())]);
    assert_eq!(fault(&zip(&[("inner.zip", inner.clone())]), "x.zip"), "nested_archive@0");
    assert_eq!(fault(&zip(&[("inner.csv", inner.clone())]), "x.zip"), "nested_archive@0");
    assert_eq!(fault(&zip(&[("inner.csv", gzip(&[b"a\n"]))]), "x.zip"), "nested_archive@0");
    assert_eq!(fault(&gzip(&[&gzip(&[b"a\n"])]), "x.csv.gz"), "nested_archive@0");
    assert_eq!(fault(&gzip(&[&inner]), "x.gz"), "nested_archive@0");
    assert_eq!(fault(&zip(&[("[Content_Types].xml", b"<x/>".to_vec())]), "x.xlsx"), "unknown_format@0");
}

#[test]
fn what_expands_without_measure_is_stopped() {
    let bomb = vec![b'0'; 4 << 20];
    let limits =
        Limits { expansion_ratio: 100, expansion_floor: 1 << 20, row_bytes: 1 << 16, ..Limits::default() };
    let csv = [b"a\n".to_vec(), bomb].concat();
    let files = [
        (gzip(&[&csv]), "x.csv.gz"),
        (zip(&[("x.csv", csv.clone())]), "x.zip"),
        (zstd(&[&csv]), "x.csv.zst"),
        (bzip2(&[&csv]), "x.csv.bz2"),
    ];
    for (bytes, name) in files {
        let seen = lines_within(&bytes, name, &limits);
        assert!(seen.last().unwrap().starts_with("expansion_limit@"), "{name}");
        let allowed = Limits { expansion_ratio: 1_000_000, ..limits.clone() };
        assert!(lines_within(&bytes, name, &allowed).last().unwrap().contains("row_too_large"));
    }
}

#[test]
fn entries_that_share_their_bytes_do_not_count_them_twice() {
    // Each entry is within the ratio by itself: all of them are the same bytes of the archive.
    let csv = [b"a\n".to_vec(), b"0123456789abcdef\n".repeat(4 << 10)].concat();
    let one = zip(&[("x.csv", csv.clone())]);
    let directory = memchr::memmem::find(&one, b"PK\x01\x02").unwrap();
    let end = memchr::memmem::find(&one, b"PK\x05\x06").unwrap();
    let (data, record) = (&one[..directory], &one[directory..end]);
    let mut bytes = [data, &record.repeat(200), &one[end..]].concat();
    let end = bytes.len() - 22;
    for at in [8, 10] {
        bytes[end + at..][..2].copy_from_slice(&200_u16.to_le_bytes());
    }
    bytes[end + 12..][..4].copy_from_slice(&((record.len() * 200) as u32).to_le_bytes());
    let limits = Limits { expansion_ratio: 1_000, expansion_floor: 1 << 20, ..Limits::default() };
    assert!(lines_within(&one, "x.zip", &limits).last().unwrap().contains("0123456789abcdef"));
    assert!(lines_within(&bytes, "x.zip", &limits).last().unwrap().starts_with("expansion_limit@"));
}

#[test]
fn names_that_point_elsewhere_are_names_and_nothing_more() {
    for name in ["../../etc/passwd", "/etc/passwd", "..\\..\\passwd", "a\u{0}b", "C:/x.csv"] {
        let seen = lines(&zip(&[(name, b"a\n1\n".to_vec())]), "x.zip");
        assert_eq!(seen, ["header a", "1@2 1"], "{name}");
    }
}

#[test]
fn archives_with_nothing_in_them_are_empty() {
    assert_eq!(fault(&gzip(&[b""]), "x.csv.gz"), "empty_file@0");
    assert_eq!(fault(&zip::<&str>(&[]), "x.zip"), "empty_file@0");
    assert_eq!(fault(&zip(&[("a/", Vec::new()), ("b.csv", b"\n".to_vec())]), "x.zip"), "empty_file@0");
}
