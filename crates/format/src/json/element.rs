//! Where a JSON value ends, without parsing it.

use memchr::memchr2;

use super::is_blank;
use crate::ReadError;
use crate::buffer::Buffer;

/// The end of the value that begins at the buffer's first byte.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Element {
    /// So many bytes on.
    Of(usize),
    /// Over the limit. It has been consumed whole, and its beginning kept.
    Beyond,
    /// The document ends before it.
    Cut,
}

/// Finds the value's end, and reads on as far as needed.
pub(super) fn find_element(buffer: &mut Buffer, limit: usize) -> Result<Element, ReadError> {
    let mut scan = Scan::default();
    loop {
        let data = buffer.data();
        let window = &data[..data.len().min(limit + 1)];
        match scan.run(window) {
            Some(end) if end <= limit => return Ok(Element::Of(end)),
            _ if window.len() > limit => return pass(buffer, scan),
            _ => {}
        }
        if !buffer.more()? {
            let len = buffer.data().len();
            return Ok(if scan.ends_with_document() { Element::Of(len) } else { Element::Cut });
        }
    }
}

/// Passes over what remains of a value.
fn pass(buffer: &mut Buffer, mut scan: Scan) -> Result<Element, ReadError> {
    buffer.forget();
    loop {
        if let Some(end) = scan.run(buffer.data()) {
            buffer.keep(end);
            return Ok(Element::Beyond);
        }
        buffer.keep(scan.at);
        scan.at = 0;
        if !buffer.more()? {
            return Ok(if scan.ends_with_document() { Element::Beyond } else { Element::Cut });
        }
    }
}

/// Counts brackets outside strings; which bracket closes which is the parser's concern.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Where to go on.
    at: usize,
    depth: usize,
    state: State,
}

#[derive(Debug, Default, Clone, Copy)]
enum State {
    #[default]
    Begin,
    Structure,
    Text,
    /// A number, a literal, or what is no JSON at all.
    Bare,
    Ended,
}

impl Scan {
    /// Goes on over `window`, which begins with the value; the end, if it is in it.
    pub(super) fn run(&mut self, window: &[u8]) -> Option<usize> {
        loop {
            let byte = match self.state {
                State::Ended => return Some(self.at),
                _ => *window.get(self.at)?,
            };
            match self.state {
                State::Begin | State::Structure => self.structure(byte),
                State::Text => {
                    let rest = &window[self.at..];
                    let Some(found) = memchr2(b'"', b'\\', rest) else {
                        self.at = window.len();
                        return None;
                    };
                    self.at += found;
                    if rest[found] == b'\\' {
                        // Both bytes of an escape are seen together.
                        window.get(self.at + 1)?;
                        self.at += 2;
                    } else {
                        self.at += 1;
                        self.state = if self.depth == 0 { State::Ended } else { State::Structure };
                    }
                }
                State::Bare if is_blank(byte) || matches!(byte, b',' | b']' | b'}' | b'{' | b'[' | b'"') => {
                    self.state = State::Ended;
                }
                State::Bare | State::Ended => self.at += 1,
            }
        }
    }

    fn structure(&mut self, byte: u8) {
        let begins = matches!(self.state, State::Begin);
        self.at += 1;
        self.state = State::Structure;
        match byte {
            b'"' => self.state = State::Text,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.state = State::Ended;
                }
            }
            _ if begins => self.state = State::Bare,
            _ => {}
        }
    }

    fn ends_with_document(&self) -> bool {
        matches!(self.state, State::Bare | State::Ended)
    }
}
