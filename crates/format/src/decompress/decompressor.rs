//! The documents of a compressed object, one after another and block by block.

use super::coded::Coded;
use super::zip::Zip;
use super::{Compression, Document};
use crate::{FileCode, Limits, ReadError};

/// Bytes that are decompressed at once.
///
/// A decoder that meets damage drops what it had decoded in the same call: so the rows in front of the damage depend on
/// this, and on nothing else.
pub(super) const BLOCK: usize = 64 << 10;

/// Decompressed bytes on their way to the reader, and what comes behind them.
#[derive(Debug)]
pub(super) struct Block {
    /// As many as there is room for, of which `given..filled` are there.
    bytes: Vec<u8>,
    filled: usize,
    given: usize,
    /// None where the document goes on.
    end: Option<Result<(), ReadError>>,
    /// Tells it from all others.
    #[cfg(test)]
    pub(super) number: usize,
}

#[cfg(test)]
static MADE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl Block {
    /// Nothing, with room for so many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes],
            filled: 0,
            given: 0,
            end: None,
            #[cfg(test)]
            number: MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
        }
    }

    /// Forgets all that it holds, and keeps its room.
    pub(super) fn clear(&mut self) {
        (self.filled, self.given, self.end) = (0, 0, None);
    }

    /// Gives the next bytes; none behind the last one.
    pub(super) fn give(&mut self, into: &mut [u8]) -> usize {
        let left = &self.bytes[self.given..self.filled];
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.given += count;
        count
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.given == self.filled
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// True where the document ends behind its bytes, or cannot be read on.
    pub(super) fn ends(&self) -> bool {
        self.end.is_some()
    }

    /// The end behind its bytes. What ends a document before its end is told once.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        self.end.as_mut().map_or(Ok(()), |end| std::mem::replace(end, Ok(())))
    }

    /// How many bytes it was filled with.
    pub(super) fn len(&self) -> usize {
        self.filled
    }
}

pub(super) struct Decompressor {
    kind: Kind,
    name: String,
    opened: bool,
    /// Where the next byte will stand.
    position: u64,
    expansion_ratio: u64,
    expansion_floor: u64,
}

enum Kind {
    Coded(Coded),
    Zip(Zip),
}

impl Decompressor {
    /// `name` is the one document's.
    pub(super) fn coded(coded: Coded, name: &str, limits: &Limits) -> Self {
        Self::new(Kind::Coded(coded), name, limits)
    }

    pub(super) fn zip(zip: Zip, limits: &Limits) -> Self {
        Self::new(Kind::Zip(zip), "", limits)
    }

    fn new(kind: Kind, name: &str, limits: &Limits) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            opened: false,
            position: 0,
            expansion_ratio: limits.expansion_ratio,
            expansion_floor: limits.expansion_floor,
        }
    }

    pub(super) fn compression(&self) -> Compression {
        match &self.kind {
            Kind::Coded(coded) => coded.compression(),
            Kind::Zip(_) => Compression::Zip,
        }
    }

    /// Has the document in which `position` stands be the next one.
    pub(super) fn aim(&mut self, position: u64) {
        if let Kind::Zip(zip) = &mut self.kind {
            zip.aim(position);
        }
    }

    /// Opens the next document.
    pub(super) fn next_document(&mut self) -> Result<Option<Document>, ReadError> {
        let document = match &mut self.kind {
            Kind::Zip(zip) => zip.open_next()?,
            Kind::Coded(_) if self.opened => None,
            Kind::Coded(_) => Some(Document { name: self.name.clone(), begins: 0 }),
        };
        self.opened = true;
        if let Some(document) = &document {
            self.position = document.begins;
        }
        Ok(document)
    }

    /// Appends the open document's next [`BLOCK`] bytes, or as many as there is room for. Fewer are the last ones, behind
    /// which the end is set.
    pub(super) fn fill(&mut self, block: &mut Block) {
        let until = block.bytes.len().min(block.filled + BLOCK);
        while block.filled < until && block.end.is_none() {
            match self.read(&mut block.bytes[block.filled..until]) {
                Ok(0) => block.end = Some(Ok(())),
                Ok(read) => block.filled += read,
                Err(error) => block.end = Some(Err(error)),
            }
        }
    }

    /// 0 at the document's end, once what it holds has been verified.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        let position = self.position;
        let (read, consumed) = match &mut self.kind {
            Kind::Coded(coded) => (coded.read(into, position)?, coded.consumed()),
            Kind::Zip(zip) => (zip.read(into, position)?, zip.consumed()),
        };
        let produced = position + read as u64;
        if produced > self.expansion_floor && produced / self.expansion_ratio.max(1) > consumed.max(1) {
            return Err(ReadError::file(
                FileCode::ExpansionLimit,
                position,
                format!(
                    "{consumed} compressed bytes have expanded to {produced}, more than {} to 1",
                    self.expansion_ratio
                ),
                "split the content into several files, or upload it uncompressed",
            ));
        }
        self.position = produced;
        Ok(read)
    }
}
