//! What the directory of a zip may say, and what it must not.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use common::{Seen, all_items, fault, file_fault, lines, lines_within};
use format::Limits;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const TABLE: &[u8] = b"a\n1\n";

/// An entry, as its local header and the directory have it.
#[derive(Clone, Default)]
struct Entry {
    name: String,
    method: u16,
    data: Vec<u8>,
    size: u32,
    checksum: u32,
    extra: Vec<u8>,
    comment: Vec<u8>,
}

impl Entry {
    fn stored(name: &str) -> Self {
        Self { name: name.to_owned(), data: TABLE.to_vec(), size: 4, checksum: crc(TABLE), ..Self::default() }
    }

    /// One that states to hold nothing.
    fn empty(name: &str, method: u16, data: &[u8]) -> Self {
        Self { name: name.to_owned(), method, data: data.to_vec(), ..Self::default() }
    }

    fn local(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\0\0\0".to_vec();
        out.extend(self.method.to_le_bytes());
        out.extend([0; 4]);
        self.sizes(&mut out);
        out.extend(0_u16.to_le_bytes());
        out.extend(self.name.as_bytes());
        out.extend(&self.data);
        out
    }

    fn record(&self, header: u32) -> Vec<u8> {
        let mut out = b"PK\x01\x02\x14\0\x14\0\0\0".to_vec();
        out.extend(self.method.to_le_bytes());
        out.extend([0; 4]);
        self.sizes(&mut out);
        out.extend((self.extra.len() as u16).to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend([0; 8]);
        out.extend(header.to_le_bytes());
        out.extend([self.name.as_bytes(), &self.extra, &self.comment].concat());
        out
    }

    /// Checksum, sizes, and the length of the name.
    fn sizes(&self, out: &mut Vec<u8>) {
        out.extend(self.checksum.to_le_bytes());
        out.extend((self.data.len() as u32).to_le_bytes());
        out.extend(self.size.to_le_bytes());
        out.extend((self.name.len() as u16).to_le_bytes());
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The entries' data, their directory with something behind it, and where that begins.
fn body(entries: &[Entry], behind: &[u8]) -> (Vec<u8>, usize) {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        directory.extend(entry.record(out.len() as u32));
        out.extend(entry.local());
    }
    let begins = out.len();
    out.extend(directory);
    out.extend(behind);
    (out, begins)
}

fn end(stated: u16, bytes: usize, begins: usize) -> Vec<u8> {
    let mut out = b"PK\x05\x06\0\0\0\0".to_vec();
    out.extend([stated.to_le_bytes(), stated.to_le_bytes()].concat());
    out.extend([(bytes as u32).to_le_bytes(), (begins as u32).to_le_bytes()].concat());
    out.extend([0; 2]);
    out
}

fn archive(entries: &[Entry], stated: usize, behind: &[u8]) -> Vec<u8> {
    let (mut out, begins) = body(entries, behind);
    out.extend(end(stated as u16, out.len() - begins, begins));
    out
}

/// The same in zip64, whose end record the locator says to be `at`, where it is not where it is.
fn archive64(entries: &[Entry], stated: u64, at: Option<u64>) -> Vec<u8> {
    let (mut out, begins) = body(entries, b"");
    let ends = out.len();
    out.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
    for number in [stated, stated, (ends - begins) as u64, begins as u64] {
        out.extend(number.to_le_bytes());
    }
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend(at.unwrap_or(ends as u64).to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    out.extend(end(0xffff, 0xffff_ffff, 0xffff_ffff));
    out
}

fn reason(bytes: &[u8]) -> String {
    file_fault(bytes, "x.zip").reason
}

/// An object that knows no places beyond its end, as files know none beyond what a signed offset holds.
struct Strict(Cursor<Vec<u8>>);

impl Read for Strict {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl Seek for Strict {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Start(at) if at > self.0.get_ref().len() as u64 => {
                Err(io::ErrorKind::InvalidInput.into())
            }
            to => self.0.seek(to),
        }
    }
}

fn strict(bytes: Vec<u8>) -> Vec<String> {
    let object = Box::new(Strict(Cursor::new(bytes)));
    all_items(object, "x.zip", &Limits::default()).iter().map(Seen::line).collect()
}

#[test]
fn entries_beyond_the_number_that_fits_the_end_are_read() {
    // 70,000 wrap to 4,464; the only table is the last one.
    let mut entries: Vec<Entry> =
        (0..69_999).map(|at| Entry { name: format!("{at}/"), ..Entry::default() }).collect();
    entries.push(Entry::stored("last.csv"));
    let bytes = archive(&entries, entries.len(), b"");
    assert_eq!(fault(&bytes, "x.zip"), "expansion_limit@0");
    assert_eq!(reason(&bytes), "the zip has 70000 entries, more than 10000");
    let limits = Limits { zip_entries: 100_000, ..Limits::default() };
    assert_eq!(lines_within(&bytes, "x.zip", &limits), ["header a", "1@2 1"]);
}

#[test]
fn a_directory_of_another_number_of_entries_than_stated_is_corrupt() {
    let entries = ["1.csv", "2.csv", "3.csv"].map(Entry::stored);
    let all = ["header a", "1@2 1", "header a", "2@6 1", "header a", "3@10 1"];
    assert_eq!(lines(&archive(&entries, 3, b""), "x.zip"), all);
    assert_eq!(lines(&archive64(&entries, 3, None), "x.zip"), all);
    for stated in [0, 2, 4] {
        assert_eq!(fault(&archive(&entries, stated, b""), "x.zip"), "corrupt_archive@0", "{stated}");
    }
    for stated in [2, 4, 3 + (1 << 16), u64::MAX] {
        assert_eq!(fault(&archive64(&entries, stated, None), "x.zip"), "corrupt_archive@0", "{stated}");
    }
}

#[test]
fn only_a_signature_may_follow_the_entries_of_a_directory() {
    let entries = [Entry::stored("1.csv")];
    for behind in [b"PK\x05\x05\0\0".as_slice(), b"PK\x05\x05\x03\0abc"] {
        assert_eq!(lines(&archive(&entries, 1, behind), "x.zip"), ["header a", "1@2 1"]);
    }
    let cut = &entries[0].record(0)[..40];
    for behind in [b"x".as_slice(), b"PK\x05\x05", b"PK\x05\x05\x03\0ab", b"PK\x05\x05\0\0x", cut] {
        assert_eq!(fault(&archive(&entries, 1, behind), "x.zip"), "corrupt_archive@0", "{behind:?}");
    }
}

#[test]
fn parts_of_names_that_only_lead_elsewhere_hide_nothing() {
    for name in ["./a.csv", "../x.csv", "a/./b.csv", "..\\x.csv", "./../x"] {
        assert_eq!(lines(&archive(&[Entry::stored(name)], 1, b""), "x.zip"), ["header a", "1@2 1"], "{name}");
    }
    for name in ["./.a.csv", ".a/b.csv", "a\\.b", "..a", "...", "./__MACOSX/a.csv"] {
        assert_eq!(fault(&archive(&[Entry::stored(name)], 1, b""), "x.zip"), "empty_file@0", "{name}");
    }
}

#[test]
fn an_entry_that_states_no_content_and_has_some_is_corrupt() {
    let whole = Entry::stored("1.csv");
    for (method, data) in [(STORED, TABLE.to_vec()), (STORED, b"x".to_vec()), (DEFLATED, deflated(TABLE))] {
        for checksum in [0, crc(TABLE)] {
            let lying = Entry { checksum, ..Entry::empty("2.csv", method, &data) };
            let seen = lines(&archive(&[whole.clone(), lying], 2, b""), "x.zip");
            assert_eq!(seen, ["header a", "1@2 1", "corrupt_archive@4"], "{method} {checksum}");
        }
    }
}

#[test]
fn an_entry_with_nothing_in_it_is_passed_over_however_its_end_is_written() {
    // As most write it, as Go does, and behind a flush.
    let ends: [&[u8]; 3] = [b"\x03\0", b"\x01\0\0\xff\xff", b"\0\0\0\xff\xff\x03\0"];
    let mut entries = vec![Entry::stored("1.csv"), Entry::empty("stored.csv", STORED, b"")];
    entries.extend(ends.map(|end| Entry::empty("deflated.csv", DEFLATED, end)));
    entries.push(Entry::stored("2.csv"));
    let seen = lines(&archive(&entries, entries.len(), b""), "x.zip");
    assert_eq!(seen, ["header a", "1@2 1", "header a", "2@6 1"]);
}

#[test]
fn a_zip64_end_that_cannot_be_is_corrupt_on_any_object() {
    let entries = [Entry::stored("1.csv")];
    let length = archive64(&entries, 1, None).len() as u64;
    for at in [u64::MAX, u64::MAX - 40, 1 << 63, i64::MAX as u64, length, length - 56, length - 100, 0] {
        let bytes = archive64(&entries, 1, Some(at));
        assert_eq!(fault(&bytes, "x.zip"), "corrupt_archive@0", "{at}");
        assert_eq!(strict(bytes.clone()), ["corrupt_archive@0"], "{at}");
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        let seen = all_items(Box::new(file), "x.zip", &Limits::default());
        assert_eq!(seen, [Seen::fault("corrupt_archive", 0)], "{at}");
    }
}

#[test]
fn data_that_reaches_into_the_directory_is_corrupt_on_any_object() {
    let entries = [Entry::stored("1.csv")];
    for at in [26, 28] {
        // The local header has lengths of its own for what stands between it and the data.
        let mut bytes = archive(&entries, 1, b"");
        bytes[at + 1] = 0xff;
        assert_eq!(strict(bytes), ["corrupt_archive@0"]);
    }
}

#[test]
fn sizes_that_no_offset_holds_are_corrupt() {
    let wide = |size: u64| {
        let extra = [b"\x01\0\x08\0".as_slice(), &size.to_le_bytes()].concat();
        Entry { size: u32::MAX, extra, ..Entry::stored("wide.csv") }
    };
    for sizes in [vec![u64::MAX], vec![1 << 63], vec![i64::MAX as u64, 1]] {
        let entries: Vec<Entry> = sizes.iter().map(|&size| wide(size)).collect();
        let bytes = archive(&entries, entries.len(), b"");
        assert_eq!(reason(&bytes), "the zip is damaged: its sizes are impossible", "{sizes:?}");
    }
}

#[test]
fn a_directory_of_too_many_bytes_says_so() {
    let entry = Entry { comment: vec![b'x'; 0xffff], ..Entry::stored("1.csv") };
    let entries = vec![entry; 260];
    let bytes = archive(&entries, entries.len(), b"");
    let directory = entries.len() * (46 + 5 + 0xffff);
    assert_eq!(
        reason(&bytes),
        format!("the directory of the zip has {directory} bytes, more than {}", 16 << 20)
    );
    assert_eq!(fault(&bytes, "x.zip"), "expansion_limit@0");
}
