//! Rows that are written as the row before, but for their values.
//!
//! What stands between the values of a row (names, colons, commas, brackets, blanks) is in most files the same from row to
//! row, byte for byte. In the row before it was read by all the rules, and it means the same wherever it stands behind the
//! same and a whole value; so here only the values are looked at. Of a row that differs in anything else nothing is said:
//! it is read from its start by `flatten`, which alone refuses rows. What is taken here must be what is read there.

use memchr::memchr2;

use super::element::Scan;
use super::token::{escaped_len, number_len, plain};
use crate::named::Held;

const BLOCK: usize = 16;
/// More than that between the values of a row is not remembered.
const MOST_BYTES: usize = 64 << 10;

/// Where a value stands in its row, with its quotes or brackets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stand {
    pub(super) begin: usize,
    pub(super) end: usize,
    /// How deep a list at its place is nested.
    pub(super) depth: usize,
}

/// What a row has between its values.
#[derive(Default)]
pub(super) struct Pattern {
    /// What stands before each value, and behind the last. Empty where nothing is known.
    between: Vec<Between>,
    /// Their bytes behind the first block.
    long: Vec<u8>,
    /// By value, the depth of a list there.
    depths: Vec<usize>,
    /// Values of the row at hand that were passed over only.
    passed: Vec<usize>,
}

/// A row that is written as the one that was learnt.
pub(super) struct Known {
    pub(super) len: usize,
    /// Its values are ASCII, so that it is UTF-8 as the other was, and none of them was [passed over](Pattern::passed).
    pub(super) ascii: bool,
}

/// Bytes between two values.
#[derive(Debug, Clone, Copy)]
struct Between {
    /// Its first bytes, and which bits of them count.
    block: u128,
    mask: u128,
    len: usize,
    /// Where in [`Pattern::long`] the others begin.
    long: usize,
}

impl Pattern {
    pub(super) fn forget(&mut self) {
        self.between.clear();
    }

    /// Remembers a row by where its values stand.
    pub(super) fn learn(&mut self, row: &str, values: &[Stand]) {
        self.forget();
        self.long.clear();
        self.depths.clear();
        self.depths.extend(values.iter().map(|value| value.depth));
        if values.iter().fold(row.len(), |len, value| len - (value.end - value.begin)) > MOST_BYTES {
            return;
        }
        let mut behind = 0;
        for value in values {
            self.add(&row.as_bytes()[behind..value.begin]);
            behind = value.end;
        }
        self.add(&row.as_bytes()[behind..]);
    }

    fn add(&mut self, bytes: &[u8]) {
        let (begin, rest) = bytes.split_at(bytes.len().min(BLOCK));
        let (mut block, mut mask) = ([0; BLOCK], [0; BLOCK]);
        block[..begin.len()].copy_from_slice(begin);
        mask[..begin.len()].fill(0xff);
        let (block, mask) = (u128::from_le_bytes(block), u128::from_le_bytes(mask));
        self.between.push(Between { block, mask, len: bytes.len(), long: self.long.len() });
        self.long.extend_from_slice(rest);
    }

    /// The row at the beginning of `data`, with its values in `values`, of which there are as many as in the row that was
    /// learnt. None where the row is written otherwise, or more of it would have to be known. `one_line`: it may not go over
    /// line ends.
    #[inline]
    pub(super) fn read(&mut self, data: &[u8], one_line: bool, values: &mut [Held]) -> Option<Known> {
        self.passed.clear();
        let (end, before) = self.between.split_last()?;
        let (mut at, mut ascii) = (0, true);
        for (index, (between, value)) in before.iter().zip(values).enumerate() {
            at = between.behind(data, at, &self.long)?;
            let rest = data.get(at..)?;
            let len = match *rest.first()? {
                b'"' => {
                    let content = &rest[1..];
                    let plain = plain(content);
                    let mut len = plain.len;
                    if content.get(len) != Some(&b'"') {
                        len = escaped_len(content, len)?;
                        self.passed.push(index);
                    }
                    ascii &= plain.ascii;
                    *value = Held::String(at + 1..at + 1 + len);
                    len + 2
                }
                b'-' | b'0'..=b'9' => {
                    let len = number_len(rest).ok()?;
                    *value = Held::Number(at..at + len);
                    len
                }
                b't' if rest.starts_with(b"true") => {
                    *value = Held::Bool(true);
                    4
                }
                b'f' if rest.starts_with(b"false") => {
                    *value = Held::Bool(false);
                    5
                }
                b'n' if rest.starts_with(b"null") => {
                    *value = Held::Null;
                    4
                }
                b'[' => {
                    let line = if one_line { memchr2(b'\n', b'\r', rest)? } else { rest.len() };
                    let len = Scan::default().run(&rest[..line])?;
                    *value = Held::Json(at..at + len);
                    self.passed.push(index);
                    len
                }
                _ => return None,
            };
            at += len;
        }
        let len = end.behind(data, at, &self.long)?;
        Some(Known { len, ascii: ascii && self.passed.is_empty() })
    }

    /// How many values of the row at hand were passed over: strings with escapes, held with them, and lists, held as text.
    pub(super) fn passed(&self) -> usize {
        self.passed.len()
    }

    /// Which value was the `index`th to be passed over, and how deep a list is nested there.
    pub(super) fn passed_at(&self, index: usize) -> Option<(usize, usize)> {
        let value = *self.passed.get(index)?;
        Some((value, *self.depths.get(value)?))
    }
}

impl Between {
    /// The place behind these bytes, where they stand at `at`.
    #[inline]
    fn behind(&self, data: &[u8], at: usize, long: &[u8]) -> Option<usize> {
        let data = data.get(at..)?;
        let same = match data.first_chunk::<BLOCK>() {
            Some(block) => (u128::from_le_bytes(*block) ^ self.block) & self.mask == 0,
            None => data.starts_with(&self.block.to_le_bytes()[..self.len.min(BLOCK)]),
        };
        let rest = || long.get(self.long..self.long + self.len - BLOCK);
        let all = same && (self.len <= BLOCK || rest().is_some_and(|rest| data[BLOCK..].starts_with(rest)));
        all.then_some(at + self.len)
    }
}
