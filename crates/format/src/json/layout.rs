//! How the objects of a document follow each other.

use memchr::memchr2;

use super::element::Scan;
use super::flatten::{Flattener, Refusal};
use super::is_blank;
use crate::buffer::Buffer;
use crate::{Limits, ReadError};

/// Among so many lines behind a broken first one, a whole object is looked for.
const LINES: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One object a line.
    Lines,
    /// Objects one after another, over as many lines as they take.
    Sequence,
    /// One array of objects.
    Array,
}

/// Looks at no more than the first row may hold, however the reads come. `name` is the document's.
pub(super) fn tell(buffer: &mut Buffer, name: &str, limits: &Limits) -> Result<Layout, ReadError> {
    let most = limits.row_bytes + 1;
    let head = buffer.peek(most)?;
    let head = Head::new(&head[..head.len().min(most)], name, limits);
    Ok(match head.bytes.first() {
        Some(b'[') => head.of_array(),
        Some(b'{') => head.of_objects(),
        // Not an object: as a line of its own it costs that line.
        _ => Layout::Lines,
    })
}

/// The beginning of a document.
struct Head<'a> {
    bytes: &'a [u8],
    /// Without its line end; all there is where it has none.
    first: &'a [u8],
    /// Behind the first line.
    rest: &'a [u8],
    /// There may be more than was looked at.
    cut: bool,
    /// The name says that each line is a row.
    named_lines: bool,
    limits: &'a Limits,
}

impl<'a> Head<'a> {
    fn new(bytes: &'a [u8], name: &str, limits: &'a Limits) -> Self {
        let (first, rest) = bytes.split_at(memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len()));
        let cut = bytes.len() > limits.row_bytes;
        Self { bytes, first, rest, cut, named_lines: is_named_lines(name), limits }
    }

    /// What ends on the first line is a bad line where lines follow it.
    fn of_array(&self) -> Layout {
        let lines = match (Scan::default().run(self.first), self.named_lines) {
            (Some(_), true) => self.has_lines(),
            (Some(_), false) => self.lines().next().is_some_and(|line| self.is_object(line)),
            // An array of no objects has no rows.
            (None, true) => !matches!(trim_start(&self.first[1..]).first(), None | Some(b'{')),
            (None, false) => false,
        };
        if lines { Layout::Lines } else { Layout::Array }
    }

    fn of_objects(&self) -> Layout {
        if let Some(end) = Scan::default().run(self.first) {
            let several = trim_start(&self.first[end..]).starts_with(b"{");
            let a_line_each = !several || (self.named_lines && self.has_lines());
            return if a_line_each { Layout::Lines } else { Layout::Sequence };
        }
        if self.rest.is_empty() && self.cut {
            // Longer than a row may be: as a line of its own it costs that line.
            return Layout::Lines;
        }
        // The first line is no whole object: the first of an object over several lines, or broken.
        match Scan::default().run(self.bytes) {
            Some(end) if self.is_object(&self.bytes[..end]) => Layout::Sequence,
            _ if self.named_lines || self.has_whole_line() => Layout::Lines,
            _ => Layout::Sequence,
        }
    }

    /// True where something follows the first line.
    fn has_lines(&self) -> bool {
        !trim_start(self.rest).is_empty()
    }

    /// True where one of the lines is a whole object: not behind a comma, where it is a part of another value.
    fn has_whole_line(&self) -> bool {
        let mut before = self.first;
        self.lines().any(|line| {
            let is_part = before.trim_ascii_end().ends_with(b",");
            before = line;
            !is_part && self.is_object(line)
        })
    }

    /// Lines behind the first, without blank ones and a last one that may go on.
    fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        let end =
            if self.cut { memchr::memrchr2(b'\n', b'\r', self.rest).unwrap_or(0) } else { self.rest.len() };
        let lines = self.rest[..end].split(|&byte| byte == b'\n' || byte == b'\r');
        lines.filter(|line| !trim_start(line).is_empty()).take(LINES)
    }

    /// True for an object that is JSON, whether or not it can be a row, and is not indented, as it would be if it were
    /// part of another one.
    fn is_object(&self, text: &[u8]) -> bool {
        // Bytes that are no text cost a row, and tell nothing of the layout.
        let text = String::from_utf8_lossy(text);
        let read = Flattener::new(self.limits).read(text.trim_end_matches([' ', '\t', '\n', '\r']));
        text.starts_with('{') && !matches!(read, Err(Refusal::Syntax { .. } | Refusal::NotAnObject))
    }
}

fn is_named_lines(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("jsonl" | "ndjson"))
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().take_while(|&&byte| is_blank(byte)).count();
    &bytes[blanks..]
}
