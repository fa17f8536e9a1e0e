//! The sliding window over the decompressed bytes.

use std::ops::Range;

use memchr::memchr2;

use crate::decompress::{Document, Stream};
use crate::utf16::{self, Order, Utf16};
use crate::{FileCode, FileFault, ReadError};

/// The room that a read is given at the least, half of it in a buffer that has not grown.
const BLOCK: usize = 64 << 10;
/// What there is room for at the least, once half a block does not do: making so much memory ready would be much of what a small
/// file costs.
const ROOM: usize = 4 * BLOCK;
/// Refused rows are shown up to here.
const KEPT: usize = 16 << 10;

/// Bytes that were read and not yet consumed. Holds at most what its caller asks to be together (a row within its
/// limit) and a block more. Bytes of UTF-16 are held as UTF-8; positions are still those of the file.
pub(crate) struct Buffer {
    stream: Stream,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Position of `bytes[start]`, after decompression.
    position: u64,
    /// Held bytes that were consumed, or given up: tells what has been looked at from what has not, also in UTF-16.
    consumed: u64,
    /// Position of the byte that the stream gives next.
    behind: u64,
    /// Where the document is UTF-16.
    utf16: Option<Utf16>,
    converted: Vec<u8>,
    ended: bool,
    /// A fault that waits until the bytes before it are used up.
    stashed: Option<FileFault>,
    kept: Vec<u8>,
    kept_of: u64,
}

impl Buffer {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            bytes: vec![0; BLOCK],
            start: 0,
            end: 0,
            position: 0,
            consumed: 0,
            behind: 0,
            utf16: None,
            converted: Vec::new(),
            ended: false,
            stashed: None,
            kept: Vec::new(),
            kept_of: 0,
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// See [`Stream::decompress_ahead`].
    pub(crate) fn decompress_ahead(&mut self) {
        self.stream.decompress_ahead();
    }

    /// Goes on with the document that holds `position`, or with the next one where none is asked for.
    pub(crate) fn open_document(&mut self, holding: Option<u64>) -> Result<Option<Document>, ReadError> {
        let document = match holding {
            Some(position) => self.stream.document_at(position)?,
            None => self.stream.next_document()?,
        };
        if let Some(document) = &document {
            self.give_up();
            self.position = document.begins;
            self.behind = document.begins;
            self.utf16 = None;
            self.ended = false;
            self.stashed = None;
        }
        Ok(document)
    }

    /// What is there and not consumed.
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Position of the first byte of [`Buffer::data`].
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.position += match self.utf16 {
            None => count as u64,
            Some(_) => utf16::length(&self.bytes[self.start..self.start + count]),
        };
        self.consumed += count as u64;
        self.start += count;
    }

    /// How much of what it held is consumed: what stood at some count is gone once it is passed.
    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Holds nothing any more.
    fn give_up(&mut self) {
        self.consumed += (self.end - self.start) as u64;
        (self.start, self.end) = (0, 0);
    }

    /// Takes the document, of which nothing is consumed yet, as UTF-16.
    pub(crate) fn convert_from(&mut self, order: Order) {
        let read = self.data().to_vec();
        let mut utf16 = Utf16::new(order);
        self.converted.clear();
        utf16.convert(&read, &mut self.converted);
        if self.ended && !utf16.end(&mut self.converted) {
            self.stashed = Some(half_a_unit(self.behind));
        }
        self.utf16 = Some(utf16);
        self.give_up();
        self.append_converted();
    }

    /// True where the document is UTF-16.
    pub(crate) fn is_utf16(&self) -> bool {
        self.utf16.is_some()
    }

    fn append_converted(&mut self) {
        if self.bytes.len() - self.end < self.converted.len() {
            self.bytes.resize(self.end + self.converted.len(), 0);
        }
        let behind = self.end + self.converted.len();
        self.bytes[self.end..behind].copy_from_slice(&self.converted);
        self.end = behind;
    }

    /// Reads on; false where the document ends. [`Buffer::data`] keeps its start.
    pub(crate) fn more(&mut self) -> Result<bool, ReadError> {
        if let Some(fault) = self.stashed.take() {
            return Err(fault.into());
        }
        if self.ended {
            return Ok(false);
        }
        self.make_room();
        if self.utf16.is_some() {
            return self.more_converted();
        }
        let read = self.stream.read(&mut self.bytes[self.end..])?;
        self.end += read;
        self.behind += read as u64;
        self.ended = read == 0;
        Ok(read > 0)
    }

    fn more_converted(&mut self) -> Result<bool, ReadError> {
        loop {
            // UTF-8 is longer by half at most, so that what is read fits once it is converted, with a character before.
            let room = (self.bytes.len() - self.end - 8) / 2;
            let raw = &mut self.bytes[self.end..][..room];
            let read = self.stream.read(raw)?;
            self.behind += read as u64;
            let Some(utf16) = &mut self.utf16 else { return Ok(false) };
            self.converted.clear();
            utf16.convert(&raw[..read], &mut self.converted);
            if read == 0 {
                self.ended = true;
                if !utf16.end(&mut self.converted) {
                    return Err(half_a_unit(self.behind).into());
                }
            }
            self.append_converted();
            if self.ended || !self.converted.is_empty() {
                return Ok(!self.converted.is_empty());
            }
        }
    }

    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let least = BLOCK.min(self.bytes.len() / 2);
        if self.bytes.len() - self.end >= least {
            return;
        }
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.bytes.len() - self.end < least {
            self.bytes.resize((self.end + 2 * BLOCK).max(ROOM), 0);
        }
    }

    /// At least `want` bytes, fewer only where the document ends or cannot be read on; why it cannot is told by the next
    /// [`Buffer::more`]. What the object itself raises is told at once: what there is now is not all there will be.
    pub(crate) fn peek(&mut self, want: usize) -> Result<&[u8], ReadError> {
        while self.data().len() < want {
            match self.more() {
                Ok(true) => {}
                Ok(false) => break,
                Err(ReadError::File(fault)) => {
                    self.stash(fault);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(self.data())
    }

    /// Has the next [`Buffer::more`] tell a fault again.
    pub(crate) fn stash(&mut self, fault: FileFault) {
        self.stashed = Some(fault);
    }

    /// Consumes the bytes for which `blank` holds; false where the document ends with them.
    pub(crate) fn skip(&mut self, blank: impl Fn(u8) -> bool) -> Result<bool, ReadError> {
        loop {
            match self.data().iter().position(|&byte| !blank(byte)) {
                Some(count) => {
                    self.consume(count);
                    return Ok(true);
                }
                None => self.consume(self.data().len()),
            }
            if !self.more()? {
                return Ok(false);
            }
        }
    }

    /// Goes forward to `position`, by a seek where the bytes are the object's own.
    pub(crate) fn skip_to(&mut self, position: u64) -> Result<(), ReadError> {
        loop {
            let wanted = position.saturating_sub(self.position);
            let there = self.data().len();
            if position <= self.data_ends() {
                let count = match self.utf16 {
                    None => wanted as usize,
                    Some(_) => utf16::offset(self.data(), wanted),
                };
                self.consume(count);
                return Ok(());
            }
            if self.stream.seek(position)? {
                self.give_up();
                self.position = position;
                self.behind = position;
                if let Some(utf16) = &mut self.utf16 {
                    utf16.forget();
                }
                self.ended = false;
                self.stashed = None;
                return Ok(());
            }
            self.consume(there);
            if !self.more()? {
                return Err(ReadError::file(
                    FileCode::Truncated,
                    self.position,
                    format!("the content ends before byte {position}, up to which it has been read before"),
                    "upload the file again under the same key",
                ));
            }
        }
    }

    /// Position behind the last byte of [`Buffer::data`].
    fn data_ends(&self) -> u64 {
        match self.utf16 {
            None => self.behind,
            Some(_) => self.position + utf16::length(self.data()),
        }
    }

    /// The length of the line end at `at` bytes from here: 1 or 2, 0 at the end.
    pub(crate) fn line_end_len(&mut self, at: usize) -> Result<usize, ReadError> {
        Ok(match self.data().get(at).copied() {
            None => 0,
            // CRLF is one line end, wherever the reads happened to cut it.
            Some(b'\r') if self.peek(at + 2)?.get(at + 1) == Some(&b'\n') => 2,
            Some(_) => 1,
        })
    }

    /// Consumes `total` bytes, and says where the first `len` of them stand until the next read.
    pub(crate) fn take(&mut self, len: usize, total: usize) -> Range<usize> {
        let span = self.start..self.start + len;
        self.consume(total);
        span
    }

    /// The bytes that [`Buffer::take`] took last.
    pub(crate) fn taken(&self, span: Range<usize>) -> &[u8] {
        self.bytes.get(span).unwrap_or_default()
    }

    /// What is to be shown of the row that was refused, and whether it was cut.
    pub(crate) fn kept(&self) -> (&[u8], bool) {
        (&self.kept, self.kept_of > self.kept.len() as u64)
    }

    /// Keeps a taken row to be shown as refused.
    pub(crate) fn keep_taken(&mut self, span: Range<usize>) {
        self.forget();
        let row = self.bytes.get(span).unwrap_or_default();
        self.kept.extend_from_slice(&row[..row.len().min(KEPT)]);
        self.kept_of = row.len() as u64;
    }

    /// Forgets what was kept, before the next row is [kept](Buffer::keep) piece by piece.
    pub(crate) fn forget(&mut self) {
        self.kept.clear();
        self.kept_of = 0;
    }

    /// Consumes `count` bytes as a piece of a row that is refused.
    pub(crate) fn keep(&mut self, count: usize) {
        let room = KEPT - self.kept.len();
        let piece = &self.bytes[self.start..self.start + count.min(room)];
        self.kept.extend_from_slice(piece);
        self.kept_of += count as u64;
        self.consume(count);
    }

    /// Refuses all up to the next line end, and consumes that too.
    pub(crate) fn keep_line(&mut self) -> Result<(), ReadError> {
        self.forget();
        loop {
            if let Some(end) = memchr2(b'\n', b'\r', self.data()) {
                self.keep(end);
                let line_end = self.line_end_len(0)?;
                self.consume(line_end);
                return Ok(());
            }
            self.keep(self.data().len());
            if !self.more()? {
                return Ok(());
            }
        }
    }
}

fn half_a_unit(position: u64) -> FileFault {
    FileFault::new(
        FileCode::Truncated,
        position,
        "the UTF-16 ends in the middle of a character",
        "upload the file again, completely",
    )
}
