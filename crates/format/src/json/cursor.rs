//! The grammar of JSON (RFC 8259), over text that is known to be UTF-8.

use std::ops::Range;

use super::flatten::Refusal;
use super::is_blank;
use super::token::{number_len, plain};
use crate::named::Held;

pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What was passed over before.
    pub(super) fn part(&self, span: Range<usize>) -> &'a str {
        &self.text[span]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    pub(super) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Refusal> {
        if self.eat(byte) { Ok(()) } else { self.refuse(expected) }
    }

    /// Nothing but blanks may follow.
    pub(super) fn end(&mut self) -> Result<(), Refusal> {
        self.blanks();
        if self.peek().is_none() { Ok(()) } else { self.refuse("the end of the row") }
    }

    fn refuse<T>(&self, expected: &'static str) -> Result<T, Refusal> {
        Err(Refusal::Syntax { at: self.at, expected })
    }

    /// The string that begins here: where it stands or, behind escapes, where it is appended to `unescaped`.
    #[inline]
    pub(super) fn text(&mut self, unescaped: &mut String) -> Result<Held, Refusal> {
        let begin = self.at + 1;
        let rest = self.text.as_bytes().get(begin..).unwrap_or_default();
        let len = plain(rest).len;
        if self.peek() == Some(b'"') && rest.get(len) == Some(&b'"') {
            self.at = begin + len + 1;
            return Ok(Held::String(begin..begin + len));
        }
        let begin = unescaped.len();
        self.string(unescaped)?;
        Ok(Held::Unescaped(begin..unescaped.len()))
    }

    /// Appends the string that begins here.
    pub(super) fn string(&mut self, into: &mut String) -> Result<(), Refusal> {
        self.expect(b'"', "'\"'")?;
        loop {
            let rest = &self.text[self.at..];
            let len = plain(rest.as_bytes()).len;
            into.push_str(&rest[..len]);
            self.at += len;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    into.push(self.escape()?);
                }
                Some(_) => return self.refuse("control characters in strings to be escaped"),
                None => return self.refuse("the string's closing '\"'"),
            }
        }
    }

    /// The character that the escape behind a backslash stands for.
    fn escape(&mut self) -> Result<char, Refusal> {
        let escaped = match self.peek() {
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return self.refuse("one of \"\\/bfnrtu behind a backslash"),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, Refusal> {
        let begin = self.at;
        let mut unit = u32::from(self.four_digits()?);
        if (0xd800..0xdc00).contains(&unit) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let low = u32::from(self.four_digits()?);
            if (0xdc00..0xe000).contains(&low) {
                unit = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(unit).ok_or(Refusal::Syntax { at: begin, expected: "a whole surrogate pair" })
    }

    fn four_digits(&mut self) -> Result<u16, Refusal> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.refuse("four hexadecimal digits"),
        }
    }

    pub(super) fn number(&mut self) -> Result<Range<usize>, Refusal> {
        let begin = self.at;
        match number_len(&self.text.as_bytes()[begin..]) {
            Ok(len) => {
                self.at += len;
                Ok(begin..self.at)
            }
            Err(lacking) => {
                self.at += lacking;
                self.refuse("a digit")
            }
        }
    }

    /// `true`, `false`, or none for `null`.
    pub(super) fn literal(&mut self) -> Result<Option<bool>, Refusal> {
        let rest = &self.text[self.at..];
        for (word, value) in [("true", Some(true)), ("false", Some(false)), ("null", None)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.refuse("a value")
    }

    /// Passes over one value of at most `left` levels, in a row that may have `limit`.
    pub(super) fn pass(&mut self, left: usize, limit: usize) -> Result<(), Refusal> {
        self.pass_within(left, limit, &mut String::new())
    }

    fn pass_within(&mut self, left: usize, limit: usize, unused: &mut String) -> Result<(), Refusal> {
        let closing = match self.peek() {
            Some(b'{') => b'}',
            Some(b'[') => b']',
            Some(b'"') => {
                unused.clear();
                return self.string(unused);
            }
            Some(b'-' | b'0'..=b'9') => return self.number().map(drop),
            _ => return self.literal().map(drop),
        };
        let left = left.checked_sub(1).ok_or(Refusal::TooDeep { limit })?;
        self.at += 1;
        self.blanks();
        if self.eat(closing) {
            return Ok(());
        }
        loop {
            if closing == b'}' {
                unused.clear();
                self.string(unused)?;
                self.blanks();
                self.expect(b':', "':'")?;
                self.blanks();
            }
            self.pass_within(left, limit, unused)?;
            self.blanks();
            if self.eat(closing) {
                return Ok(());
            }
            self.expect(b',', "',' or the closing bracket")?;
            self.blanks();
        }
    }
}
