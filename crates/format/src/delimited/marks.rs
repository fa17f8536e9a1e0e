//! Where delimiters, quotes and line ends stand, found sixteen bytes at a time and before any row is looked at: what lies
//! between them is never looked at byte by byte.
//!
//! Rows as most are (no quote within a quoted field, no line end in one, as many fields as the header) are taken from the
//! marks alone. Of any other the marks say nothing, and it is read by `extent` and `split`, which know all the rules: a
//! row that is taken here must be one that they read alike (`tests/marks.rs` compares the two).

use std::ops::Range;

use wide::u8x16;

const BLOCK: usize = 16;
/// Looked at in one go, so that memory is bounded: four bytes a mark, and at most a mark a byte.
const WINDOW: usize = 64 << 10;

/// A row that the marks tell whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain {
    /// Blank lines before it, in bytes.
    pub(super) blank: usize,
    /// Without its line end.
    pub(super) len: usize,
    pub(super) line_end: usize,
    /// All of it is ASCII.
    pub(super) ascii: bool,
}

enum Told {
    Row(Plain),
    /// It is not plain.
    Other,
    /// The window ends in it.
    Cut,
}

/// The marks in a window of what a buffer holds.
#[derive(Debug)]
pub(super) struct Marks {
    delimiter: u8,
    /// Bytes that the buffer had consumed where the window begins.
    begins: u64,
    /// Its length.
    len: usize,
    at: Vec<u32>,
    /// The first mark that is not behind us.
    next: usize,
    /// The first byte of the window that is not ASCII.
    foreign: usize,
}

impl Marks {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, begins: 0, len: 0, at: Vec::new(), next: 0, foreign: 0 }
    }

    /// The row at the beginning of `data`, which stands behind `consumed` bytes, with its fields in `fields`, as offsets in
    /// the row. None where the marks do not tell it.
    pub(super) fn row(
        &mut self,
        data: &[u8],
        consumed: u64,
        columns: usize,
        fields: &mut Vec<Range<usize>>,
    ) -> Option<Plain> {
        let begin = consumed.checked_sub(self.begins).and_then(|begin| usize::try_from(begin).ok());
        if let Some(begin) = begin.filter(|begin| *begin < self.len) {
            match self.told(data, begin, columns, fields) {
                Told::Row(plain) => return Some(plain),
                Told::Other => return None,
                Told::Cut if begin == 0 && self.len >= data.len().min(WINDOW) => return None,
                Told::Cut => {}
            }
        }
        self.mark(&data[..data.len().min(WINDOW)], consumed);
        match self.told(data, 0, columns, fields) {
            Told::Row(plain) => Some(plain),
            Told::Other | Told::Cut => None,
        }
    }

    /// The row at `begin` in the window, where `data` begins.
    fn told(&mut self, data: &[u8], begin: usize, columns: usize, fields: &mut Vec<Range<usize>>) -> Told {
        fields.clear();
        // What others consumed meanwhile is behind us.
        while self.at.get(self.next).is_some_and(|at| (*at as usize) < begin) {
            self.next += 1;
        }
        let mut marks = self.at.get(self.next..).unwrap_or_default().iter();
        let mut next = || {
            let at = *marks.next()? as usize - begin;
            Some((at, *data.get(at)?))
        };
        let (mut row, mut field) = (0, 0);
        loop {
            let Some((mut at, mut byte)) = next() else { return Told::Cut };
            let mut span = field..at;
            if byte == b'"' {
                if at != field {
                    return Told::Other;
                }
                // On to the closing quote, over delimiters; the field's end is right behind it.
                let closing = loop {
                    match next() {
                        Some((at, b'"')) => break at,
                        Some((_, b'\n' | b'\r')) => return Told::Other,
                        Some(_) => {}
                        None => return Told::Cut,
                    }
                };
                span = field + 1..closing;
                (at, byte) = match next() {
                    Some((at, byte)) if at == closing + 1 && byte != b'"' => (at, byte),
                    Some(_) => return Told::Other,
                    None => return Told::Cut,
                };
            }
            if byte != self.delimiter && at == row {
                // A blank line.
                row += 1;
                field = row;
                continue;
            }
            fields.push(span.start - row..span.end - row);
            if byte == self.delimiter {
                field = at + 1;
                continue;
            }
            let line_end = match (byte, data.get(at + 1)) {
                (b'\r', Some(b'\n')) => 2,
                // Whether a line feed follows is not known yet.
                (b'\r', None) => return Told::Cut,
                _ => 1,
            };
            let ascii = begin + at <= self.foreign;
            self.next = self.at.len() - marks.len();
            return if fields.len() == columns {
                Told::Row(Plain { blank: row, len: at - row, line_end, ascii })
            } else {
                Told::Other
            };
        }
    }

    /// Finds the marks of `window`.
    fn mark(&mut self, window: &[u8], consumed: u64) {
        self.begins = consumed;
        self.len = window.len();
        self.next = 0;
        self.at.clear();
        self.foreign = window.len();
        let [delimiter, quote, feed, back] = [self.delimiter, b'"', b'\n', b'\r'].map(u8x16::splat);
        let mut blocks = window.chunks_exact(BLOCK);
        let mut begin = 0;
        for block in &mut blocks {
            let Ok(bytes) = <[u8; BLOCK]>::try_from(block) else { break };
            let bytes = u8x16::new(bytes);
            let found =
                bytes.simd_eq(delimiter) | bytes.simd_eq(quote) | bytes.simd_eq(feed) | bytes.simd_eq(back);
            let mut bits = found.to_bitmask();
            while bits != 0 {
                self.at.push((begin + bits.trailing_zeros() as usize) as u32);
                bits &= bits - 1;
            }
            let high = bytes.to_bitmask();
            if high != 0 {
                self.foreign = self.foreign.min(begin + high.trailing_zeros() as usize);
            }
            begin += BLOCK;
        }
        for (at, byte) in blocks.remainder().iter().enumerate() {
            if *byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r') {
                self.at.push((begin + at) as u32);
            }
            if !byte.is_ascii() {
                self.foreign = self.foreign.min(begin + at);
            }
        }
    }
}
