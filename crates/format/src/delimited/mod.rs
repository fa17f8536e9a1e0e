//! CSV and TSV: RFC 4180 with the delimiters, line ends and byte order marks of real files.
//!
//! A quote inside an unquoted field (`5" pipe`) is kept as it stands, as spreadsheets do, where the row ends on its
//! line. In a row of several lines it is broken quoting: otherwise a file of lines that each leave a quote open could
//! be made to be scanned once a line up to the row limit. As it is, every byte is scanned at most three times.

mod extent;
mod marks;
mod split;

use std::collections::HashSet;
use std::ops::Range;

use simdutf8::basic::from_utf8;

use self::extent::{RowEnd, find_row_end};
use self::marks::{Marks, Plain};
use self::split::Splitter;
use crate::buffer::Buffer;
use crate::fault::{RowRefusal, cut, cut_at, no_text};
use crate::rows::Step;
use crate::{Fields, FileCode, Limits, ReadError, RowFault};

const OPEN_QUOTE: &str = "a quote is opened, and the file cannot be read up to where it is closed";
const QUOTING: &str = "quote fields that hold quotes, and write each inner quote twice";
/// What a reason shows of a header, in characters.
const HEADER_SHOWN: usize = 500;

pub(crate) struct Delimited {
    delimiter: u8,
    row_bytes: usize,
    header: Vec<String>,
    marks: Marks,
    /// Fields of a row that was told by the marks, in the row's own text.
    plain: Vec<Range<usize>>,
    /// The row at hand is such a one.
    is_plain: bool,
    /// Any other row.
    splitter: Splitter,
}

impl Delimited {
    /// Reads the header; the buffer stands at its first byte.
    pub(crate) fn open(buffer: &mut Buffer, delimiter: u8, limits: &Limits) -> Result<Self, ReadError> {
        let header = read_header(buffer, delimiter, limits)?;
        Ok(Self {
            delimiter,
            row_bytes: limits.row_bytes,
            header,
            marks: Marks::new(delimiter),
            plain: Vec::new(),
            is_plain: false,
            splitter: Splitter::default(),
        })
    }

    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// The fields of the row that was read last, whose bytes are `raw`.
    pub(crate) fn fields<'a>(&'a self, raw: &'a [u8]) -> Fields<'a> {
        if self.is_plain {
            // It has been looked at before it was taken for plain.
            Fields { text: from_utf8(raw).unwrap_or_default(), spans: &self.plain }
        } else {
            self.splitter.fields()
        }
    }

    pub(crate) fn advance(&mut self, buffer: &mut Buffer) -> Result<Step, ReadError> {
        self.is_plain = false;
        let told = self.marks.row(buffer.data(), buffer.consumed(), self.header.len(), &mut self.plain);
        if let Some(Plain { blank, len, line_end, ascii }) = told
            && len <= self.row_bytes
            && (ascii || from_utf8(&buffer.data()[blank..blank + len]).is_ok())
        {
            self.is_plain = true;
            buffer.consume(blank);
            let position = buffer.position();
            return Ok(Step::Row { position, span: buffer.take(len, len + line_end) });
        }
        self.advance_any(buffer)
    }

    /// A row of any kind.
    fn advance_any(&mut self, buffer: &mut Buffer) -> Result<Step, ReadError> {
        if !buffer.skip(|byte| byte == b'\n' || byte == b'\r')? {
            return Ok(Step::End);
        }
        let position = buffer.position();
        let (fault, reason, advice) = match find_row_end(buffer, self.delimiter, self.row_bytes)? {
            RowEnd::At { len, quoted } => {
                let span = take_row(buffer, len)?;
                let utf16 = buffer.is_utf16();
                let Some(refusal) = self.read_fields(buffer.taken(span.clone()), quoted, utf16) else {
                    return Ok(Step::Row { position, span });
                };
                buffer.keep_taken(span);
                refusal
            }
            // Where the row was meant to end is not known. It is taken to have ended with its line, so that a quote
            // that is never closed costs one row.
            RowEnd::Broken(what) => {
                buffer.keep_line()?;
                (RowFault::MalformedRow, what.to_owned(), QUOTING)
            }
            // The same: whole lines in front of the damage are rows.
            RowEnd::Cut(fault) => {
                buffer.stash(fault);
                buffer.keep_line()?;
                (RowFault::MalformedRow, OPEN_QUOTE.to_owned(), QUOTING)
            }
            RowEnd::Beyond { quoted } => {
                buffer.keep_line()?;
                let cause = if quoted { "; a quote in it may never be closed" } else { "" };
                let reason = format!("the row is longer than {} bytes{cause}", self.row_bytes);
                (RowFault::RowTooLarge, reason, "shorten the row, or look for a quote that is not closed")
            }
        };
        Ok(Step::Bad { position, fault, reason, advice })
    }

    fn read_fields(&mut self, raw: &[u8], quoted: bool, utf16: bool) -> Option<RowRefusal> {
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text,
            Err(error) => return Some(no_text(raw, error, utf16)),
        };
        let columns = self.header.len();
        let count = self.splitter.split(text, self.delimiter, quoted, columns);
        if count == columns {
            return None;
        }
        let reason = format!("the row has {}, the header {columns}", plural(count, "field"));
        let advice = "give every row as many fields as the header, and quote fields that hold the delimiter";
        Some((RowFault::WrongFieldCount, reason, advice))
    }
}

/// Consumes a row and its line end.
fn take_row(buffer: &mut Buffer, len: usize) -> Result<Range<usize>, ReadError> {
    let line_end = buffer.line_end_len(len)?;
    Ok(buffer.take(len, len + line_end))
}

fn read_header(buffer: &mut Buffer, delimiter: u8, limits: &Limits) -> Result<Vec<String>, ReadError> {
    let position = buffer.position();
    let (len, quoted) = match find_row_end(buffer, delimiter, limits.row_bytes)? {
        RowEnd::At { len, quoted } => (len, quoted),
        RowEnd::Broken(what) => {
            return Err(ReadError::file(
                FileCode::MalformedDocument,
                position,
                format!("the header cannot be read: {what}"),
                "quote names that hold quotes, and write each inner quote twice",
            ));
        }
        RowEnd::Beyond { .. } => {
            let reason = format!("the header is longer than {} bytes", limits.row_bytes);
            return Err(too_large(position, reason));
        }
        RowEnd::Cut(fault) => return Err(fault.into()),
    };
    let span = take_row(buffer, len)?;
    let encoding = if buffer.is_utf16() { "UTF-16" } else { "UTF-8" };
    let Ok(text) = std::str::from_utf8(buffer.taken(span)) else {
        return Err(ReadError::file(
            FileCode::UnsupportedEncoding,
            position,
            format!("the header is not valid {encoding}"),
            "save the file as UTF-8",
        ));
    };
    let mut splitter = Splitter::default();
    let count = splitter.split(text, delimiter, quoted, limits.columns);
    if count > limits.columns {
        return Err(too_large(
            position,
            format!("the header has {count} columns, more than {}", limits.columns),
        ));
    }
    let header: Vec<String> = splitter.fields().iter().map(|name| name.trim().to_owned()).collect();
    refuse_twice(&header, position)?;
    Ok(header)
}

fn refuse_twice(header: &[String], position: u64) -> Result<(), ReadError> {
    let mut seen = HashSet::new();
    let twice = header.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str()));
    let Some(twice) = twice else { return Ok(()) };
    let (twice, all) = (cut(twice), header.join(", "));
    let reason = format!("the header names the column `{twice}` twice: {}", cut_at(&all, HEADER_SHOWN));
    Err(ReadError::file(FileCode::DuplicateColumn, position, reason, "give each column a name of its own"))
}

fn too_large(position: u64, reason: String) -> ReadError {
    let advice = "upload fewer columns, and check that the first line is the header";
    ReadError::file(FileCode::HeaderTooLarge, position, reason, advice)
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
