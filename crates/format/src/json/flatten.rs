//! One JSON object into named values.

use std::collections::HashSet;

use super::cursor::{Cursor, is_plain};
use crate::fault::cut;
use crate::item::Held;
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
    values: Vec<(String, Held)>,
    /// The strings of the row that are written with escapes, without them.
    unescaped: String,
    /// What stands in front of each of the values where its row is written as most are: its name in quotes and a colon.
    /// Empty where a name cannot be written without escapes.
    heads: Vec<String>,
    used: usize,
    /// How many of the names in [`Flattener::values`] are known to differ from each other: those of most rows are those of
    /// the row before, and need not be compared again.
    distinct: usize,
    /// The dotted name of the value at hand.
    path: String,
    names_bytes: usize,
    /// Parts of lists up to here.
    parts: usize,
    columns: usize,
    list_parts: usize,
    nesting: usize,
    row_bytes: usize,
}

impl Flattener {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            values: Vec::new(),
            unescaped: String::new(),
            heads: Vec::new(),
            used: 0,
            distinct: 0,
            path: String::new(),
            names_bytes: 0,
            parts: 0,
            columns: limits.columns,
            list_parts: limits.list_parts,
            nesting: limits.nesting.min(DEEPEST),
            row_bytes: limits.row_bytes,
        }
    }

    /// The values of the object that was read last, from `text`.
    pub(super) fn values<'a>(&'a self, text: &'a str) -> Named<'a> {
        Named::held(text, &self.unescaped, &self.values)
    }

    /// Reads one object, which must be all of `text`.
    pub(super) fn read(&mut self, text: &str) -> Result<(), Refusal> {
        self.used = 0;
        self.names_bytes = 0;
        self.parts = 0;
        self.path.clear();
        reuse(&mut self.unescaped);
        let mut cursor = Cursor::new(text);
        cursor.blanks();
        if cursor.peek() != Some(b'{') {
            cursor.pass(self.nesting, self.nesting)?;
            cursor.end()?;
            return Err(Refusal::NotAnObject);
        }
        self.object(&mut cursor, 1)?;
        cursor.end()?;
        self.values.truncate(self.used);
        self.heads.truncate(self.used);
        if self.used > self.distinct {
            self.refuse_twice()?;
            self.distinct = self.used;
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
            // Most rows have the names of the row before, in its order: then the name stands there already.
            if depth == 1 && self.heads.get(self.used).is_some_and(|head| cursor.eat_head(head)) {
                cursor.blanks();
                self.value_of_known(cursor)?;
            } else {
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
            }
            cursor.blanks();
            if cursor.eat(b'}') {
                return Ok(());
            }
            cursor.expect(b',', "',' or '}'")?;
            cursor.blanks();
        }
    }

    /// The value whose name is the next slot's already.
    fn value_of_known(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
        let Some((name, _)) = self.values.get(self.used) else { return Ok(()) };
        if matches!(cursor.peek(), Some(b'{' | b'[')) {
            self.path.push_str(name);
            let read = self.value(cursor, 1);
            self.path.clear();
            return read;
        }
        self.check_room(name.len())?;
        self.scalar(cursor)
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Refusal> {
        match cursor.peek() {
            Some(b'{') => self.object(cursor, depth + 1),
            Some(b'[') => self.list(cursor, depth + 1),
            _ => {
                self.slot()?;
                self.scalar(cursor)
            }
        }
    }

    /// A value that is neither object nor list, into the slot that is named for it.
    fn scalar(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Refusal> {
        let Some((_, value)) = self.values.get_mut(self.used) else { return Ok(()) };
        match cursor.peek() {
            Some(b'"') => *value = cursor.text(&mut self.unescaped)?,
            Some(b'-' | b'0'..=b'9') => *value = Held::Number(cursor.number()?),
            _ => *value = cursor.literal()?.map_or(Held::Null, Held::Bool),
        }
        self.used += 1;
        Ok(())
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<(), Refusal> {
        self.check_depth(depth)?;
        let begin = cursor.at();
        let value = match scalars(cursor, self.list_parts - self.parts)? {
            Some(Scalars { full: true, .. }) => {
                return Err(Refusal::ListsTooLong { limit: self.list_parts });
            }
            Some(Scalars { list, .. }) => {
                self.parts += list.len();
                Held::List(list)
            }
            None => {
                cursor.back_to(begin);
                cursor.pass(self.nesting + 1 - depth, self.nesting)?;
                Held::Json(begin..cursor.at())
            }
        };
        self.slot()?;
        if let Some((_, slot)) = self.values.get_mut(self.used) {
            *slot = value;
            self.used += 1;
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), Refusal> {
        if depth > self.nesting { Err(Refusal::TooDeep { limit: self.nesting }) } else { Ok(()) }
    }

    /// One more value is within the limits, with a name of so many bytes.
    fn check_room(&mut self, name_len: usize) -> Result<(), Refusal> {
        if self.used == self.columns {
            return Err(Refusal::TooMany { limit: self.columns });
        }
        // A long name in front of many values would make of a row within its limit one of gigabytes.
        self.names_bytes += name_len;
        if self.names_bytes > self.row_bytes.saturating_mul(2) {
            return Err(Refusal::NamesTooLong);
        }
        Ok(())
    }

    /// Names the next slot for the value at [`Flattener::path`].
    fn slot(&mut self) -> Result<(), Refusal> {
        self.check_room(self.path.len())?;
        match self.values.get_mut(self.used) {
            None => {
                self.distinct = 0;
                self.values.push((self.path.clone(), Held::Null));
                self.heads.resize(self.values.len(), String::new());
                self.name_head();
            }
            Some((name, _)) if *name != self.path => {
                self.distinct = 0;
                reuse(name);
                name.push_str(&self.path);
                self.name_head();
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// The head of the next slot, which has just been named.
    fn name_head(&mut self) {
        let Some(head) = self.heads.get_mut(self.used) else { return };
        reuse(head);
        // A name with a quote in it would be written with escapes, and ends elsewhere than this one.
        if is_plain(&self.path) {
            head.push('"');
            head.push_str(&self.path);
            head.push_str("\":");
        }
    }

    fn refuse_twice(&self) -> Result<(), Refusal> {
        let names = || self.values.iter().map(|(name, _)| name.as_str());
        let twice = if self.values.len() <= FEW {
            names().enumerate().find(|&(index, name)| names().take(index).any(|before| before == name))
        } else {
            let mut seen = HashSet::with_capacity(self.values.len());
            names().enumerate().find(|&(_, name)| !seen.insert(name))
        };
        twice.map_or(Ok(()), |(_, name)| Err(Refusal::Twice(cut(name).into_owned())))
    }
}

#[inline]
fn reuse(buffer: &mut String) {
    buffer.clear();
    if buffer.capacity() > REUSED {
        buffer.shrink_to(REUSED);
    }
}

/// A list of scalars as text.
#[derive(Default)]
struct Scalars {
    list: Vec<String>,
    /// It has more parts than were wanted, and holds none.
    full: bool,
}

impl Scalars {
    fn push(&mut self, part: String, most: usize) {
        if self.list.len() == most {
            *self = Self { full: true, ..Self::default() };
        }
        if !self.full {
            self.list.push(part);
        }
    }
}

/// A list of at most so many scalars; none where something nested stands in it.
fn scalars(cursor: &mut Cursor<'_>, most: usize) -> Result<Option<Scalars>, Refusal> {
    let mut found = Scalars::default();
    cursor.expect(b'[', "'['")?;
    cursor.blanks();
    if cursor.eat(b']') {
        return Ok(Some(found));
    }
    loop {
        match cursor.peek() {
            Some(b'{' | b'[') => return Ok(None),
            Some(b'"') => {
                let mut text = String::new();
                cursor.string(&mut text)?;
                found.push(text, most);
            }
            Some(b'-' | b'0'..=b'9') => {
                let begin = cursor.at();
                cursor.number()?;
                found.push(cursor.since(begin).to_owned(), most);
            }
            _ => {
                if let Some(truth) = cursor.literal()? {
                    found.push(truth.to_string(), most);
                }
            }
        }
        cursor.blanks();
        if cursor.eat(b']') {
            return Ok(Some(found));
        }
        cursor.expect(b',', "',' or ']'")?;
        cursor.blanks();
    }
}
