//! A row into its fields.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use crate::Fields;

/// Splits rows into one reused buffer.
#[derive(Default)]
pub(super) struct Splitter {
    text: String,
    spans: Vec<Range<usize>>,
}

impl Splitter {
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields { text: &self.text, spans: &self.spans }
    }

    /// Splits `row`, keeps the first `wanted` fields, and says how many there are.
    pub(super) fn split(&mut self, row: &str, delimiter: u8, quoted: bool, wanted: usize) -> usize {
        self.text.clear();
        self.spans.clear();
        if quoted {
            self.split_quoted(row, delimiter, wanted)
        } else {
            self.split_plain(row, delimiter, wanted)
        }
    }

    // The delimiter and the quote are ASCII, so that they never cut a character.

    fn split_plain(&mut self, row: &str, delimiter: u8, wanted: usize) -> usize {
        let mut begin = 0;
        for end in memchr_iter(delimiter, row.as_bytes()) {
            if self.spans.len() == wanted {
                return wanted + 1 + memchr_iter(delimiter, &row.as_bytes()[begin..]).count();
            }
            self.push(&row[begin..end]);
            begin = end + 1;
        }
        if self.spans.len() == wanted {
            return wanted + 1;
        }
        self.push(&row[begin..]);
        self.spans.len()
    }

    fn push(&mut self, field: &str) {
        let begin = self.text.len();
        self.text.push_str(field);
        self.spans.push(begin..self.text.len());
    }

    fn split_quoted(&mut self, row: &str, delimiter: u8, wanted: usize) -> usize {
        let mut rest = row;
        let mut count = 0;
        loop {
            let begin = self.text.len();
            rest = match rest.strip_prefix('"') {
                Some(content) => self.unquote(content),
                None => {
                    let end = memchr(delimiter, rest.as_bytes()).unwrap_or(rest.len());
                    self.text.push_str(&rest[..end]);
                    &rest[end..]
                }
            };
            count += 1;
            if count <= wanted {
                self.spans.push(begin..self.text.len());
            }
            match rest.get(1..) {
                Some(behind_delimiter) => rest = behind_delimiter,
                None => return count,
            }
        }
    }

    /// Takes a field up to its closing quote; what follows that.
    fn unquote<'a>(&mut self, mut content: &'a str) -> &'a str {
        loop {
            let Some(quote) = memchr(b'"', content.as_bytes()) else {
                self.text.push_str(content);
                return "";
            };
            self.text.push_str(&content[..quote]);
            content = &content[quote + 1..];
            match content.strip_prefix('"') {
                Some(behind) => {
                    self.text.push('"');
                    content = behind;
                }
                None => return content,
            }
        }
    }
}
