//! Rows that are taken from the marks are those that all the rules give.

#![allow(clippy::unwrap_used, reason = "only functions marked as tests are exempt by themselves")]

use std::io::{Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;

use super::*;
use crate::decompress::Stream;

/// Gives at most so many bytes a read.
struct Slow(Cursor<Vec<u8>>, usize);

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(self.1);
        self.0.read(&mut into[..most])
    }
}

impl Seek for Slow {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// What is read of a row: where it begins, its bytes, its fields; for a bad one, why.
type Seen = (u64, Vec<u8>, Vec<String>, String);

fn read(text: &str, piece: usize, limits: &Limits, with_marks: bool) -> (Vec<Seen>, usize) {
    let object = Box::new(Slow(Cursor::new(text.as_bytes().to_vec()), piece));
    let mut buffer = Buffer::new(Stream::open(object, "a.csv", limits).unwrap());
    buffer.open_document(Some(0)).unwrap();
    let Ok(mut delimited) = Delimited::open(&mut buffer, b',', limits) else { return (Vec::new(), 0) };
    let (mut seen, mut plain) = (Vec::new(), 0);
    loop {
        let step = if with_marks {
            delimited.advance(&mut buffer).unwrap()
        } else {
            delimited.advance_any(&mut buffer).unwrap()
        };
        match step {
            Step::Row { position, span } => {
                plain += usize::from(delimited.is_plain);
                let raw = buffer.taken(span);
                let fields = delimited.fields(raw).iter().map(str::to_owned).collect();
                seen.push((position, raw.to_vec(), fields, String::new()));
            }
            Step::Bad { position, reason, .. } => {
                seen.push((position, buffer.kept().0.to_vec(), Vec::new(), reason));
            }
            Step::End => return (seen, plain),
        }
    }
}

fn both(text: &str, piece: usize) -> usize {
    let limits = Limits { row_bytes: 200, ..Limits::default() };
    let (seen, plain) = read(text, piece, &limits, true);
    assert_eq!(seen, read(text, piece, &limits, false).0, "{text:?} by {piece}");
    plain
}

#[test]
fn plain_rows_are_taken_from_the_marks_and_others_are_not() {
    // Of the first row no more is there yet than was looked at to tell the format.
    let of = |rows: &str| both(&format!("a,b,c\n0,0,0\n{rows}"), 1 << 20);
    for plain in ["1,2,3\r\n", "\"x, y\",,\"\"\n", "\n\n,,\n", "ü,\"é,\",3\n"] {
        assert_eq!(of(plain), 1, "{plain:?}");
        assert_eq!(of(&plain.repeat(3)), 3, "{plain:?}");
    }
    let long = format!("{},2,3\n", "1".repeat(300));
    let others = [
        "1,2\n",
        "1,2,3,4\n",
        "1,\"a\"\"b\",3\n",
        "1,\"a\nb\",3\n",
        "1,5\" pipe,3\n",
        "1,\"a\"b,3\n",
        "1,2,3",
        &long,
    ];
    for other in others {
        assert_eq!(of(other), 0, "{other:?}");
    }
}

#[test]
fn a_row_over_the_end_of_a_window_is_whole() {
    let row = "abcdefgh,\"ijkl,mnop\",qrst\r\n";
    let rows = 20_000;
    let plain = both(&format!("a,b,c\n{}", row.repeat(rows)), 100_000);
    assert!(plain > rows * 99 / 100, "{plain} of {rows}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_marks_tell_what_all_the_rules_tell(
        rows in "([a,]|\"\"|\"a,b\"|[aü,\"\r\n]|\n|a,b,c\n|\"a\",\"ü\",c\r\n){0,60}",
        piece in prop_oneof![Just(1_usize), 2..40_usize, Just(1 << 20)],
    ) {
        both(&format!("a,b,c\n{rows}"), piece);
    }
}
