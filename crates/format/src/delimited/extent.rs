//! Where a row ends.

use memchr::{memchr, memchr2, memchr3};

use crate::buffer::Buffer;
use crate::{FileFault, ReadError};

/// The end of a row that begins at the buffer's first byte.
#[derive(Debug)]
pub(super) enum RowEnd {
    /// `len` bytes on, before its line end.
    At { len: usize, quoted: bool },
    /// Its quotes make no sense.
    Broken(&'static str),
    /// More than the limit away.
    Beyond { quoted: bool },
    /// The document cannot be read on from within its quotes, behind its first line.
    Cut(FileFault),
}

/// Finds the row's end, and reads on as far as needed. It depends on the row's first `limit` + 1 bytes only, not on
/// how many of them came with one read.
pub(super) fn find_row_end(buffer: &mut Buffer, delimiter: u8, limit: usize) -> Result<RowEnd, ReadError> {
    let mut scan =
        Scan { delimiter, at: 0, state: State::Outside, quoted: false, bare: false, several_lines: false };
    loop {
        let data = buffer.data();
        let window = &data[..data.len().min(limit + 1)];
        if let Some(end) = scan.run(window) {
            return Ok(end);
        }
        if window.len() > limit {
            return Ok(RowEnd::Beyond { quoted: scan.quoted });
        }
        match buffer.more() {
            Ok(true) => {}
            Ok(false) => return Ok(scan.at_end(buffer.data().len())),
            Err(ReadError::File(fault)) if scan.is_open_behind_a_line() => return Ok(RowEnd::Cut(fault)),
            Err(error) => return Err(error),
        }
    }
}

struct Scan {
    delimiter: u8,
    at: usize,
    state: State,
    quoted: bool,
    /// A quote stands inside an unquoted field.
    bare: bool,
    several_lines: bool,
}

enum State {
    Outside,
    Inside,
    /// Behind a quote in a quoted field: the field's end, or the first of two.
    Quote,
}

const BEHIND_QUOTE: &str = "text follows a closing quote";
const BARE_QUOTE: &str = "a quote stands inside an unquoted field of a row of several lines";
const NEVER_CLOSED: &str = "a quote is opened and never closed";

impl Scan {
    /// Goes on over `window`, which begins with the row; none where its end is not in it.
    fn run(&mut self, window: &[u8]) -> Option<RowEnd> {
        loop {
            let rest = window.get(self.at..)?;
            match self.state {
                State::Outside => {
                    let Some(found) = memchr3(b'\n', b'\r', b'"', rest) else {
                        self.at = window.len();
                        return None;
                    };
                    let at = self.at + found;
                    if window[at] != b'"' {
                        return Some(RowEnd::At { len: at, quoted: self.quoted });
                    }
                    let opens = at == 0 || window[at - 1] == self.delimiter;
                    if !opens && self.several_lines {
                        return Some(RowEnd::Broken(BARE_QUOTE));
                    }
                    self.bare |= !opens;
                    self.quoted |= opens;
                    if opens {
                        self.state = State::Inside;
                    }
                    self.at = at + 1;
                }
                State::Inside => {
                    let closing = memchr(b'"', rest);
                    let inside = &rest[..closing.unwrap_or(rest.len())];
                    self.several_lines = self.several_lines || memchr2(b'\n', b'\r', inside).is_some();
                    if self.several_lines && self.bare {
                        return Some(RowEnd::Broken(BARE_QUOTE));
                    }
                    self.at += inside.len();
                    closing?;
                    self.at += 1;
                    self.state = State::Quote;
                }
                State::Quote => match *rest.first()? {
                    b'"' => {
                        self.at += 1;
                        self.state = State::Inside;
                    }
                    byte if byte == self.delimiter || byte == b'\n' || byte == b'\r' => {
                        self.state = State::Outside;
                    }
                    _ => return Some(RowEnd::Broken(BEHIND_QUOTE)),
                },
            }
        }
    }

    fn is_open_behind_a_line(&self) -> bool {
        self.several_lines && matches!(self.state, State::Inside)
    }

    fn at_end(&self, len: usize) -> RowEnd {
        match self.state {
            State::Inside => RowEnd::Broken(NEVER_CLOSED),
            State::Outside | State::Quote => RowEnd::At { len, quoted: self.quoted },
        }
    }
}
