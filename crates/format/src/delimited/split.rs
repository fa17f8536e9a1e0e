//! A row into its fields.

use memchr::{memchr, memchr_iter};

use crate::Fields;

/// Splits rows into one reused buffer.
#[derive(Default)]
pub(super) struct Splitter {
    text: String,
    ends: Vec<usize>,
}

impl Splitter {
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields { text: &self.text, ends: &self.ends }
    }

    /// Splits `row`, keeps the first `wanted` fields, and says how many there are.
    pub(super) fn split(&mut self, row: &str, delimiter: u8, quoted: bool, wanted: usize) -> usize {
        self.text.clear();
        self.ends.clear();
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
            if self.ends.len() == wanted {
                return wanted + 1 + memchr_iter(delimiter, &row.as_bytes()[begin..]).count();
            }
            self.text.push_str(&row[begin..end]);
            self.ends.push(self.text.len());
            begin = end + 1;
        }
        if self.ends.len() == wanted {
            return wanted + 1;
        }
        self.text.push_str(&row[begin..]);
        self.ends.push(self.text.len());
        self.ends.len()
    }

    fn split_quoted(&mut self, row: &str, delimiter: u8, wanted: usize) -> usize {
        let mut rest = row;
        let mut count = 0;
        loop {
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
                self.ends.push(self.text.len());
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
