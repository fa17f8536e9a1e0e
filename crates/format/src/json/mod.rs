//! JSON: one object a line, objects one after another, or one array of them. None is ever held whole.
//!
//! In lines, a bad line costs that line. Elsewhere nothing but the JSON itself tells where the next object begins, so an
//! object that is not JSON ends the file there; one that is JSON but not what a row can be costs that row.

mod cursor;
mod element;
mod flatten;
mod layout;
mod list;
mod pattern;
mod token;

use memchr::memchr2;

use self::element::{Element, find_element};
use self::flatten::{Flattener, Refusal};
use self::layout::Layout;
use crate::buffer::Buffer;
use crate::fault::{RowRefusal, no_text};
use crate::rows::Step;
use crate::{FileCode, Limits, Named, ReadError, RowFault};

pub(crate) struct Json {
    layout: Layout,
    /// In an array: an element was read, so a comma or the end comes next.
    behind_element: bool,
    row_bytes: usize,
    flattener: Flattener,
}

const REPAIR: &str = "write each row as one complete JSON object";

impl Json {
    /// Tells the layout of the document called `name`; the buffer comes to stand at the first object.
    pub(crate) fn open(buffer: &mut Buffer, name: &str, limits: &Limits) -> Result<Self, ReadError> {
        buffer.skip(is_blank)?;
        let layout = layout::tell(buffer, name, limits)?;
        if layout == Layout::Array {
            buffer.consume(1);
        }
        let (row_bytes, flattener) = (limits.row_bytes, Flattener::new(limits));
        Ok(Self { layout, behind_element: false, row_bytes, flattener })
    }

    /// Tells that rows have been read before from this document, up to where the buffer stands.
    pub(crate) fn resume(&mut self) {
        self.behind_element = true;
    }

    /// The values of the row that was read last, whose bytes are `raw`.
    pub(crate) fn values<'a>(&'a self, raw: &'a [u8]) -> Named<'a> {
        // They have been looked at before they were read.
        self.flattener.values(simdutf8::basic::from_utf8(raw).unwrap_or_default())
    }

    /// True where each line is a row.
    pub(crate) fn is_lines(&self) -> bool {
        self.layout == Layout::Lines
    }

    /// Goes behind the next line that has something on it; false where there is none.
    pub(crate) fn skip_line(&mut self, buffer: &mut Buffer) -> Result<bool, ReadError> {
        if !buffer.skip(is_blank)? {
            return Ok(false);
        }
        match find_line_end(buffer, self.row_bytes)? {
            None => buffer.keep_line()?,
            Some(line) => {
                let line_end = buffer.line_end_len(line)?;
                buffer.consume(line + line_end);
            }
        }
        Ok(true)
    }

    pub(crate) fn advance(&mut self, buffer: &mut Buffer) -> Result<Step, ReadError> {
        match self.layout {
            Layout::Lines => self.advance_line(buffer),
            Layout::Sequence => {
                if !buffer.skip(is_blank)? {
                    return Ok(Step::End);
                }
                self.advance_element(buffer)
            }
            Layout::Array => {
                if self.array_ends(buffer)? {
                    return Ok(Step::End);
                }
                let step = self.advance_element(buffer)?;
                self.behind_element = true;
                Ok(step)
            }
        }
    }

    fn advance_line(&mut self, buffer: &mut Buffer) -> Result<Step, ReadError> {
        if !buffer.skip(is_blank)? {
            return Ok(Step::End);
        }
        let position = buffer.position();
        if let Some((len, line_end)) = self.known_line(buffer.data()) {
            return Ok(Step::Row { position, span: buffer.take(len, len + line_end) });
        }
        let Some(line) = find_line_end(buffer, self.row_bytes)? else {
            buffer.keep_line()?;
            return Ok(self.too_large(position));
        };
        let line_end = buffer.line_end_len(line)?;
        let blanks = buffer.data()[..line].iter().rev().take_while(|&&byte| is_blank(byte)).count();
        let span = buffer.take(line - blanks, line + line_end);
        let refusal = match self.read_object(buffer.taken(span.clone()), buffer.is_utf16()) {
            Ok(()) => return Ok(Step::Row { position, span }),
            Err(Refused::Row(refusal)) => refusal,
            Err(Refused::Syntax(reason)) => (RowFault::MalformedRow, reason, REPAIR),
        };
        buffer.keep_taken(span);
        Ok(bad(position, refusal))
    }

    /// The lengths of a row that is written as the one before, and of its line end, which follows at once.
    fn known_line(&mut self, data: &[u8]) -> Option<(usize, usize)> {
        let len = self.flattener.read_known(data, true)?;
        let line_end = match data.get(len..)? {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            [b'\r', _, ..] => 1,
            _ => return None,
        };
        (len <= self.row_bytes).then_some((len, line_end))
    }

    fn advance_element(&mut self, buffer: &mut Buffer) -> Result<Step, ReadError> {
        let position = buffer.position();
        let known = self.flattener.read_known(buffer.data(), false);
        if let Some(len) = known.filter(|len| *len <= self.row_bytes) {
            return Ok(Step::Row { position, span: buffer.take(len, len) });
        }
        let len = match find_element(buffer, self.row_bytes)? {
            Element::Of(len) => len,
            Element::Beyond => return Ok(self.too_large(position)),
            Element::Cut => return Err(truncated(position)),
        };
        let span = buffer.take(len, len);
        match self.read_object(buffer.taken(span.clone()), buffer.is_utf16()) {
            Ok(()) => Ok(Step::Row { position, span }),
            Err(Refused::Row(refusal)) => {
                buffer.keep_taken(span);
                Ok(bad(position, refusal))
            }
            Err(Refused::Syntax(reason)) => Err(malformed(position, reason)),
        }
    }

    /// Goes to the next element of the array, or behind its end.
    fn array_ends(&mut self, buffer: &mut Buffer) -> Result<bool, ReadError> {
        let opening = buffer.position();
        if !buffer.skip(is_blank)? {
            return Err(truncated(opening));
        }
        match (buffer.data().first(), self.behind_element) {
            (Some(b']'), _) => {
                buffer.consume(1);
                if buffer.skip(is_blank)? {
                    let reason = "content follows the end of the array".to_owned();
                    return Err(malformed(buffer.position(), reason));
                }
                Ok(true)
            }
            (Some(b','), true) => {
                buffer.consume(1);
                if !buffer.skip(is_blank)? {
                    return Err(truncated(buffer.position()));
                }
                if buffer.data().first() == Some(&b']') {
                    return Err(malformed(buffer.position(), "a comma ends the array".to_owned()));
                }
                Ok(false)
            }
            (_, true) => Err(malformed(
                buffer.position(),
                "no comma stands between two elements of the array".to_owned(),
            )),
            (_, false) => Ok(false),
        }
    }

    fn read_object(&mut self, raw: &[u8], utf16: bool) -> Result<(), Refused> {
        let text = text(raw).map_err(|error| Refused::Row(no_text(raw, error, utf16)))?;
        let refusal = match self.flattener.read(text) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        let reason = refusal.to_string();
        Err(match refusal {
            Refusal::Syntax { .. } => Refused::Syntax(reason),
            Refusal::NotAnObject => Refused::Row((RowFault::MalformedRow, reason, REPAIR)),
            Refusal::Twice(_) => {
                Refused::Row((RowFault::MalformedRow, reason, "give each value of a row a name of its own"))
            }
            Refusal::TooDeep { .. } => {
                Refused::Row((RowFault::NestingTooDeep, reason, "nest the values less deep"))
            }
            Refusal::TooMany { .. } | Refusal::NamesTooLong => {
                Refused::Row((RowFault::RowTooLarge, reason, "split the row, or write lists as lists"))
            }
            Refusal::ListsTooLong { .. } => Refused::Row((
                RowFault::RowTooLarge,
                reason,
                "split the row, or write the parts of a list as one string",
            )),
        })
    }

    fn too_large(&self, position: u64) -> Step {
        let reason = format!("the row is longer than {} bytes", self.row_bytes);
        bad(position, (RowFault::RowTooLarge, reason, "split or shorten the row"))
    }
}

enum Refused {
    /// The row cannot be one, but where it ends is known.
    Row(RowRefusal),
    /// It is not JSON.
    Syntax(String),
}

fn bad(position: u64, (fault, reason, advice): RowRefusal) -> Step {
    Step::Bad { position, fault, reason, advice }
}

fn truncated(position: u64) -> ReadError {
    ReadError::file(
        FileCode::Truncated,
        position,
        "the JSON ends in the middle",
        "upload the file again, completely",
    )
}

fn malformed(position: u64, reason: String) -> ReadError {
    let advice = "repair the JSON there, or write one object a line, where a bad line costs that line only";
    ReadError::file(FileCode::MalformedDocument, position, reason, advice)
}

/// As text; where it is none, what the standard library says of it.
fn text(raw: &[u8]) -> Result<&str, std::str::Utf8Error> {
    simdutf8::basic::from_utf8(raw).or_else(|_| std::str::from_utf8(raw))
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How far the line reaches; none where that is over `limit`.
fn find_line_end(buffer: &mut Buffer, limit: usize) -> Result<Option<usize>, ReadError> {
    let mut from = 0;
    loop {
        let data = buffer.data();
        let window = &data[..data.len().min(limit + 1)];
        if let Some(end) = memchr2(b'\n', b'\r', &window[from..]) {
            return Ok(Some(from + end));
        }
        if window.len() > limit {
            return Ok(None);
        }
        from = window.len();
        if !buffer.more()? {
            return Ok(Some(from));
        }
    }
}
