//! From the object's bytes to those of its documents: the object itself, what a gzip, zstd or bzip2 holds, or each entry
//! of a zip.

mod ahead;
mod coded;
mod counted;
mod decompressor;
mod gzip;
mod whole;
mod zip;

use std::io::{Read, Seek, SeekFrom};

use self::ahead::Ahead;
use self::coded::Coded;
use self::decompressor::{BLOCK, Block, Decompressor};
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

/// Bytes that the reader's thread decompresses before another one goes on with it, where that is wanted: below, the thread
/// costs more than it saves.
const ALONE: u64 = 256 << 10;

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
    compression: Compression,
}

enum Kind {
    /// The object itself, under its name; true once it is opened.
    Plain(Source, String, bool),
    Compressed(Compressed),
}

/// What is decompressed, by the reader's thread or by another.
struct Compressed {
    by: By,
    block: Block,
    /// Bytes that the reader's thread may still decompress before another one goes on; none where there is to be no other.
    alone: Option<u64>,
}

enum By {
    Reader(Box<Decompressor>),
    Thread(Ahead),
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
        let coded = match found {
            Compression::None => {
                return Ok(Self {
                    kind: Kind::Plain(source, inner_name.to_owned(), false),
                    compression: found,
                });
            }
            Compression::Zip => {
                let zip = zip::Zip::open(source, limits).map_err(|error| error.of(found, None))?;
                return Ok(Self::compressed(Decompressor::zip(zip, limits)));
            }
            Compression::Gzip => Coded::gzip(source),
            Compression::Zstd => Coded::zstd(source)?,
            Compression::Bzip2 => Coded::bzip2(source),
        };
        Ok(Self::compressed(Decompressor::coded(coded, inner_name, limits)))
    }

    fn compressed(decompressor: Decompressor) -> Self {
        let compression = decompressor.compression();
        let by = By::Reader(Box::new(decompressor));
        let block = Block::with_room(BLOCK);
        Self { kind: Kind::Compressed(Compressed { by, block, alone: None }), compression }
    }

    /// Has another thread decompress, once it is worth one.
    pub(crate) fn decompress_ahead(&mut self) {
        if let Kind::Compressed(Compressed { by: By::Reader(_), alone, .. }) = &mut self.kind {
            *alone = Some(ALONE);
        }
    }

    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// Opens the next document.
    pub(crate) fn next_document(&mut self) -> Result<Option<Document>, ReadError> {
        match &mut self.kind {
            Kind::Plain(_, _, true) => Ok(None),
            Kind::Plain(_, name, opened) => {
                *opened = true;
                Ok(Some(Document { name: name.clone(), begins: 0 }))
            }
            Kind::Compressed(compressed) => compressed.next_document(),
        }
    }

    /// Opens the document in which `position` stands, as the first one.
    pub(crate) fn document_at(&mut self, position: u64) -> Result<Option<Document>, ReadError> {
        if let Kind::Compressed(Compressed { by: By::Reader(decompressor), .. }) = &mut self.kind {
            decompressor.aim(position);
        }
        self.next_document()
    }

    /// Reads on in the open document; 0 at its end, once what it holds has been verified.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        match &mut self.kind {
            Kind::Plain(source, ..) => source.read(into).map_err(|error| source.own(error)),
            Kind::Compressed(compressed) => compressed.read(into),
        }
    }

    /// Goes to `position` where that needs no decompression; false where it does.
    pub(crate) fn seek(&mut self, position: u64) -> Result<bool, ReadError> {
        let Kind::Plain(source, ..) = &mut self.kind else { return Ok(false) };
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

impl Compressed {
    fn next_document(&mut self) -> Result<Option<Document>, ReadError> {
        self.block.clear();
        match &mut self.by {
            By::Reader(decompressor) => decompressor.next_document(),
            By::Thread(ahead) => ahead.next_document(),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, ReadError> {
        if self.block.is_used_up() && !self.block.ends() {
            self.next_block()?;
        }
        if self.block.is_used_up() {
            return self.block.end().map(|()| 0);
        }
        Ok(self.block.give(into))
    }

    /// What is decompressed at once, whatever sizes the caller asks for.
    fn next_block(&mut self) -> Result<(), ReadError> {
        if self.alone == Some(0) {
            self.hand_over();
        }
        match &mut self.by {
            By::Reader(decompressor) => {
                self.block.clear();
                decompressor.fill(&mut self.block);
                self.alone = self.alone.map(|left| left.saturating_sub(self.block.len() as u64));
                Ok(())
            }
            By::Thread(ahead) => ahead.next_block(&mut self.block),
        }
    }

    /// Has a thread go on in the open document. Where none is to be had, the reader's goes on.
    fn hand_over(&mut self) {
        self.alone = None;
        let Ok((ahead, begin, block)) = Ahead::start() else { return };
        self.block = block;
        if let By::Reader(decompressor) = std::mem::replace(&mut self.by, By::Thread(ahead)) {
            // It waits for this alone, and cannot be gone.
            let _ = begin.send(decompressor);
        }
    }
}
