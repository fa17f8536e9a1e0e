//! One JSON object into named values.

use std::collections::HashSet;

use simdutf8::basic::from_utf8;

use super::cursor::Cursor;
use super::list::Lists;
use super::pattern::{Known, Pattern, Stand};
use crate::fault::cut;
use crate::named::{Held, HeldRow, Shape};
use crate::{Limits, Named};

/// Deeper than any real row, and shallow enough for any stack.
const DEEPEST: usize = 256;
/// Buffers of names and strings are reused up to this size, so that thousands of columns cannot each hold on to a large one.
const REUSED: usize = 1 << 10;
/// Up to so many names are compared one by one.
const FEW: usize = 16;

/// Why a text is no row.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("not JSON: expected {expected} at byte {} of the row", .at + 1)]
    Syntax { at: usize, expected: &'static str },
    #[error("the row is not a JSON object")]
    NotAnObject,
    /// The name, cut to what a message can hold.
    #[error("the row names `{0}` twice")]
    Twice(String),
    #[error("the row is nested deeper than {limit}")]
    TooDeep { limit: usize },
    #[error("the row has more than {limit} values")]
    TooMany { limit: usize },
    #[error("the lists of the row have more than {limit} parts")]
    ListsTooLong { limit: usize },
    #[error("the names of nested values take more room than the row may")]
    NamesTooLong,
}

/// Flattens objects into one reused list.
pub(super) struct Flattener {
    names: Vec<String>,
    /// As many as names.
    values: Vec<Held>,
    stands: Vec<Stand>,
    /// The strings of the row that are written with escapes, without them.
    unescaped: String,
    lists: Lists,
    used: usize,
    /// The names are others than those of the row before: they may not all differ, and are of another shape.
    renamed: bool,
    shape: Shape,
    pattern: Pattern,
    /// The dotted name of the value at hand.
    path: String,
    names_bytes: usize,
    columns: usize,
    nesting: usize,
    row_bytes: usize,
}

impl Flattener {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            names: Vec::new(),
            values: Vec::new(),
            stands: Vec::new(),
            unescaped: String::new(),
            lists: Lists::new(limits.list_parts),
            used: 0,
            renamed: false,
            shape: Shape::new(),
            pattern: Pattern::default(),
            path: String::new(),
            names_bytes: 0,
            columns: limits.columns,
            nesting: limits.nesting.min(DEEPEST),
            row_bytes: limits.row_bytes,
        }
    }

    /// The values of the object that was read last, from `text`.
    pub(super) fn values<'a>(&'a self, text: &'a str) -> Named<'a> {
        Named::held(HeldRow {
            text,
            unescaped: &self.unescaped,
            parts: self.lists.parts(),
            names: &self.names,
            values: &self.values,
            shape: self.shape,
        })
    }

    /// Reads the object at the beginning of `data` where it is written as the one before but for its values; its length.
    /// None where it has to be [read](Self::read) from its start, be it an object or not. `one_line`: it may not go over
    /// line ends.
    #[inline]
    pub(super) fn read_known(&mut self, data: &[u8], one_line: bool) -> Option<usize> {
        let Known { len, ascii } = self.pattern.read(data, one_line, &mut self.values)?;
        if !ascii {
            self.read_passed(from_utf8(&data[..len]).ok()?)?;
        }
        Some(len)
    }

    /// Reads the values of a known row that were passed over.
    fn read_passed(&mut self, row: &str) -> Option<()> {
        self.begin_row();
        let mut cursor = Cursor::new(row);
        for passed in 0..self.pattern.passed() {
            let (value, depth) = self.pattern.passed_at(passed)?;
            let (held, end) = match self.values.get(value)? {
                Held::String(content) => {
                    let end = content.end + 1;
                    cursor.back_to(content.start - 1);
                    (cursor.text(&mut self.unescaped).ok()?, end)
                }
                Held::Json(span) => {
                    let end = span.end;
                    cursor.back_to(span.start);
                    (self.list(&mut cursor, depth).ok()?, end)
                }
                _ => return None,
            };
            if cursor.at() != end {
                return None;
            }
            *self.values.get_mut(value)? = held;
        }
        Some(())
    }

    fn begin_row(&mut self) {
        reuse(&mut self.unescaped);
        self.lists.begin_row();
    }

    /// Reads one object, which must be all of `text`.
    pub(super) fn read(&mut self, text: &str) -> Result<(), Refusal> {
        self.begin_row();
        self.pattern.forget();
        self.stands.clear();
        self.used = 0;
        self.names_bytes = 0;
        self.path.clear();
        let mut cursor = Cursor::new(text);
        cursor.blanks();
        if cursor.peek() != Some(b'{') {
            cursor.pass(self.nesting, self.nesting)?;
            cursor.end()?;
            return Err(Refusal::NotAnObject);
        }
        self.object(&mut cursor, 1)?;
        cursor.end()?;
        self.renamed |= self.used < self.names.len();
        self.names.truncate(self.used);
        self.values.truncate(self.used);
        if self.renamed {
            self.refuse_twice()?;
            self.renamed = false;
            self.shape = Shape::new();
        } else {
            // The second row of its shape: more are likely to follow.
            self.pattern.learn(text, &self.stands);
        }
        Ok(())
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Refusal> {
        self.check_depth(depth)?;
        cursor.expect(b'{', "'{'")?;
        cursor.blanks();
        if cursor.eat(b'}') {
            return Ok(());
        }
        loop {
            let parent = self.path.len();
            if depth > 1 {
                self.path.push('.');
            }
            cursor.string(&mut self.path)?;
            cursor.blanks();
            cursor.expect(b':', "':'")?;
            cursor.blanks();
            self.value(cursor, depth)?;
            self.path.truncate(parent);
            cursor.blanks();
            if cursor.eat(b'}') {
                return Ok(());
            }
            cursor.expect(b',', "',' or '}'")?;
            cursor.blanks();
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Refusal> {
        let begin = cursor.at();
        let value = match cursor.peek() {
            Some(b'{') => return self.object(cursor, depth + 1),
            Some(b'[') => {
                let list = self.list(cursor, depth + 1)?;
                self.slot()?;
                list
            }
            first => {
                // A name too many is told before what is wrong with its value.
                self.slot()?;
                match first {
                    Some(b'"') => cursor.text(&mut self.unescaped)?,
                    Some(b'-' | b'0'..=b'9') => Held::Number(cursor.number()?),
                    _ => cursor.literal()?.map_or(Held::Null, Held::Bool),
                }
            }
        };
        if let Some(slot) = self.values.get_mut(self.used) {
            *slot = value;
        }
        self.used += 1;
        self.stands.push(Stand { begin, end: cursor.at(), depth: depth + 1 });
        Ok(())
    }

    /// A list of scalars, or else the text of it.
    fn list(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Held, Refusal> {
        self.check_depth(depth)?;
        let begin = cursor.at();
        if let Some(parts) = self.lists.read(cursor)? {
            return Ok(Held::List(parts));
        }
        cursor.back_to(begin);
        cursor.pass(self.nesting + 1 - depth, self.nesting)?;
        Ok(Held::Json(begin..cursor.at()))
    }

    fn check_depth(&self, depth: usize) -> Result<(), Refusal> {
        if depth > self.nesting { Err(Refusal::TooDeep { limit: self.nesting }) } else { Ok(()) }
    }

    /// Names the next slot for the value at [`Flattener::path`], if it is within the limits.
    fn slot(&mut self) -> Result<(), Refusal> {
        if self.used == self.columns {
            return Err(Refusal::TooMany { limit: self.columns });
        }
        // A long name in front of many values would make of a row within its limit one of gigabytes.
        self.names_bytes += self.path.len();
        if self.names_bytes > self.row_bytes.saturating_mul(2) {
            return Err(Refusal::NamesTooLong);
        }
        match self.names.get_mut(self.used) {
            None => {
                self.renamed = true;
                self.names.push(self.path.clone());
                self.values.push(Held::Null);
            }
            Some(name) if *name != self.path => {
                self.renamed = true;
                reuse(name);
                name.push_str(&self.path);
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn refuse_twice(&self) -> Result<(), Refusal> {
        let names = || self.names.iter().map(String::as_str);
        let twice = if self.names.len() <= FEW {
            names().enumerate().find(|&(index, name)| names().take(index).any(|before| before == name))
        } else {
            let mut seen = HashSet::with_capacity(self.names.len());
            names().enumerate().find(|&(_, name)| !seen.insert(name))
        };
        twice.map_or(Ok(()), |(_, name)| Err(Refusal::Twice(cut(name).into_owned())))
    }
}

/// Empties a buffer, and keeps its room where that is small.
#[inline]
pub(super) fn reuse(buffer: &mut String) {
    buffer.clear();
    if buffer.capacity() > REUSED {
        buffer.shrink_to(REUSED);
    }
}
