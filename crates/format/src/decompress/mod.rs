//! From the object's bytes to those of its documents: the object itself, what a gzip, zstd or bzip2 holds, or each entry
//! of a zip.

mod coded;
mod counted;
mod gzip;
mod whole;
mod zip;

use std::io::{Read, Seek, SeekFrom};

use self::coded::Coded;
use crate::source::{Object, Source};
use crate::{FileCode, Limits, ReadError};

/// How an object is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, of one or more members.
    Gzip,
    /// A zip archive of one or more entries.
    Zip,
    /// zstd, of one or more frames.
    Zstd,
    /// bzip2, of one or more streams.
    Bzip2,
}

/// What follows the head of a bzip2: a block, or the end of a stream without any.
const BZIP2_MARKS: [&[u8]; 2] = [b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"];

/// Bytes that are decompressed at once.
const BLOCK: usize = 64 << 10;

/// Bytes by which a compression is told.
pub(crate) const MAGIC: usize = 10;

impl Compression {
    /// `none`, `gzip`, `zip`, `zstd` or `bzip2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Zip => "zip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
        }
    }

    /// What the first bytes say.
    pub(crate) fn of_content(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Self::Zip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            // A header may begin with `BZh`: what follows is the mark of a block, or of a stream without any.
            [b'B', b'Z', b'h', b'1'..=b'9', mark @ ..] if begins_alike(mark, &BZIP2_MARKS) => Self::Bzip2,
            _ => Self::None,
        }
    }

    /// What a name says, and the name of what is inside.
    fn of_name(name: &str) -> (Option<Self>, &str) {
        const ENDINGS: [(&str, Compression); 7] = [
            (".gz", Compression::Gzip),
            (".gzip", Compression::Gzip),
            (".zip", Compression::Zip),
            (".zst", Compression::Zstd),
            (".zstd", Compression::Zstd),
            (".bz2", Compression::Bzip2),
            (".bzip2", Compression::Bzip2),
        ];
        for (ending, compression) in ENDINGS {
            let at = name.len().saturating_sub(ending.len());
            if name.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(ending)) {
                return (Some(compression), &name[..at]);
            }
        }
        (None, name)
    }
}

/// True where `head` begins with one of the marks, or is cut off in the middle of one.
fn begins_alike(head: &[u8], marks: &[&[u8]]) -> bool {
    !head.is_empty() && marks.iter().any(|mark| head.starts_with(mark) || mark.starts_with(head))
}

/// One run of rows with a format and header of its own.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its name, without the ending of a compression.
    pub(crate) name: String,
    /// Position of its first byte.
    pub(crate) begins: u64,
}

/// The decompressed bytes of an object, document by document.
pub(crate) struct Stream {
    kind: Kind,
    name: String,
    opened: bool,
    /// What was decompressed last, and how much of it was given out; what ended it comes behind it.
    block: Vec<u8>,
    given: usize,
    error: Option<ReadError>,
    expansion_ratio: u64,
    expansion_floor: u64,
}

enum Kind {
    Plain(Source),
    Coded(coded::Coded),
    Zip(zip::Zip),
}

impl Stream {
    pub(crate) fn open(object: Box<dyn Object>, name: &str, limits: &Limits) -> Result<Self, ReadError> {
        let mut source = Source::new(object);
        let head = source.peek(MAGIC)?;
        let (named, inner_name) = Compression::of_name(name);
        let found = Compression::of_content(head);
        if let Some(named) = named
            && named != found
            && !head.is_empty()
        {
            let error = ReadError::file(
                FileCode::FormatMismatch,
                0,
                format!("`{name}` is named as {}, but its content is not", named.as_str()),
                "name the file after what it holds, or compress it as its name says",
            );
            return Err(error.of(found, None));
        }
        let kind = match found {
            Compression::None => Kind::Plain(source),
            Compression::Gzip => Kind::Coded(Coded::gzip(source)),
            Compression::Zstd => Kind::Coded(Coded::zstd(source)?),
            Compression::Bzip2 => Kind::Coded(Coded::bzip2(source)),
            Compression::Zip => {
                Kind::Zip(zip::Zip::open(source, limits).map_err(|error| error.of(found, None))?)
            }
        };
        Ok(Self {
            kind,
            name: inner_name.to_owned(),
            opened: false,
            block: Vec::new(),
            given: 0,
            error: None,
            expansion_ratio: limits.expansion_ratio,
            expansion_floor: limits.expansion_floor,
        })
    }

    pub(crate) fn compression(&self) -> Compression {
        match &self.kind {
            Kind::Plain(_) => Compression::None,
            Kind::Coded(coded) => coded.compression(),
            Kind::Zip(_) => Compression::Zip,
        }
    }

    /// Opens the next document.
    pub(crate) fn next_document(&mut self) -> Result<Option<Document>, ReadError> {
        self.block.clear();
        self.given = 0;
        self.error = None;
        match &mut self.kind {
            Kind::Zip(zip) => zip.open_next(),
            _ if self.opened => Ok(None),
            _ => {
                self.opened = true;
                Ok(Some(Document { name: self.name.clone(), begins: 0 }))
            }
        }
    }

    /// Opens the document in which `position` stands.
    pub(crate) fn document_at(&mut self, position: u64) -> Result<Option<Document>, ReadError> {
        if let Kind::Zip(zip) = &mut self.kind {
            zip.aim(position);
        }
        self.next_document()
    }

    /// Reads on in the open document; 0 at its end, once what it holds has been verified. `position` is where these
    /// bytes will stand.
    pub(crate) fn read(&mut self, into: &mut [u8], position: u64) -> Result<usize, ReadError> {
        if let Kind::Plain(source) = &mut self.kind {
            return source.read(into).map_err(|error| source.own(error));
        }
        if self.given == self.block.len() {
            self.decompress(position)?;
        }
        let left = &self.block[self.given..];
        let read = left.len().min(into.len());
        into[..read].copy_from_slice(&left[..read]);
        self.given += read;
        Ok(read)
    }

    /// Fills the block, whatever sizes the caller asks for; it stays empty at the document's end.
    fn decompress(&mut self, position: u64) -> Result<(), ReadError> {
        self.given = 0;
        self.block.resize(BLOCK, 0);
        let mut filled = 0;
        while filled < BLOCK && self.error.is_none() {
            match self.decompress_on(filled, position + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => self.error = Some(error),
            }
        }
        self.block.truncate(filled);
        if filled > 0 { Ok(()) } else { self.error.take().map_or(Ok(()), Err) }
    }

    fn decompress_on(&mut self, filled: usize, position: u64) -> Result<usize, ReadError> {
        let into = &mut self.block[filled..];
        let (read, consumed) = match &mut self.kind {
            Kind::Plain(_) => return Ok(0),
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
        Ok(read)
    }

    /// Goes to `position` where that needs no decompression; false where it does.
    pub(crate) fn seek(&mut self, position: u64) -> Result<bool, ReadError> {
        let Kind::Plain(source) = &mut self.kind else { return Ok(false) };
        let length = source.seek(SeekFrom::End(0)).map_err(|error| source.own(error))?;
        if position > length {
            return Err(ReadError::file(
                FileCode::Truncated,
                length,
                format!("the file has {length} bytes, but has been read up to byte {position} before"),
                "upload the file again under the same key",
            ));
        }
        source.seek(SeekFrom::Start(position)).map_err(|error| source.own(error))?;
        Ok(true)
    }
}
