//! Lists of scalars, as text.

use std::ops::Range;

use super::cursor::Cursor;
use super::flatten::{Refusal, reuse};

/// Parts whose room is kept from row to row.
const KEPT: usize = 1 << 10;

/// The parts of all lists of a row.
pub(super) struct Lists {
    /// Those behind `used` are of rows before, and only room.
    parts: Vec<String>,
    used: usize,
    most: usize,
}

impl Lists {
    /// At most so many parts a row.
    pub(super) fn new(most: usize) -> Self {
        Self { parts: Vec::new(), used: 0, most }
    }

    pub(super) fn begin_row(&mut self) {
        self.used = 0;
        self.parts.truncate(KEPT);
    }

    pub(super) fn parts(&self) -> &[String] {
        &self.parts
    }

    /// The list that begins here, by its parts; none where something nested stands in it.
    pub(super) fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Range<usize>>, Refusal> {
        let begin = self.used;
        let mut full = false;
        cursor.expect(b'[', "'['")?;
        cursor.blanks();
        if cursor.eat(b']') {
            return Ok(Some(begin..begin));
        }
        loop {
            match cursor.peek() {
                Some(b'{' | b'[') => {
                    self.used = begin;
                    return Ok(None);
                }
                Some(b'"') => match self.next_part() {
                    Some(part) => cursor.string(part)?,
                    None => {
                        full = true;
                        cursor.string(&mut String::new())?;
                    }
                },
                Some(b'-' | b'0'..=b'9') => {
                    let number = cursor.number()?;
                    full |= !self.push(cursor.part(number));
                }
                _ => {
                    if let Some(truth) = cursor.literal()? {
                        full |= !self.push(if truth { "true" } else { "false" });
                    }
                }
            }
            cursor.blanks();
            if cursor.eat(b']') {
                break;
            }
            cursor.expect(b',', "',' or ']'")?;
            cursor.blanks();
        }
        if full { Err(Refusal::ListsTooLong { limit: self.most }) } else { Ok(Some(begin..self.used)) }
    }

    /// False where the row has as many parts as it may.
    fn push(&mut self, text: &str) -> bool {
        self.next_part().map(|part| part.push_str(text)).is_some()
    }

    /// An empty one; none where the row has as many as it may.
    fn next_part(&mut self) -> Option<&mut String> {
        if self.used == self.most {
            return None;
        }
        if self.used == self.parts.len() {
            self.parts.push(String::new());
        }
        let part = self.parts.get_mut(self.used)?;
        self.used += 1;
        reuse(part);
        Some(part)
    }
}
