//! The entries of a zip, in the order of its directory.
//!
//! The archive's directory is read first, from its end; then each entry's data by a seek and a bounded read, so an
//! object in S3 is read by ranges, and what is left alone is never transferred.

mod directory;

use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use self::directory::{Directory, Entry, Method};
use super::Document;
use super::whole::Whole;
use crate::source::Source;
use crate::{FileCode, Limits, ReadError};

const BLOCK: usize = 64 << 10;
const DAMAGED: &str = "make the zip again and upload it";

pub(super) struct Zip {
    entries: Vec<Entry>,
    /// Bytes that can be data of entries.
    archive: u64,
    /// The entry to be opened next.
    next: usize,
    body: Body,
    check: Crc,
    /// Decompressed bytes of the open entry up to now.
    produced: u64,
    /// Compressed bytes of the entries before the open one.
    consumed_before: u64,
}

/// The object, as it is or behind the decoder of the open entry.
enum Body {
    Between(Source),
    Stored(Whole<Take<Source>>),
    Deflated(Box<DeflateDecoder<BufReader<Whole<Take<Source>>>>>),
    /// While one takes the place of another.
    Lost,
}

impl Body {
    fn into_source(self) -> Option<Source> {
        match self {
            Self::Between(source) => Some(source),
            Self::Stored(data) => Some(data.into_inner().into_inner()),
            Self::Deflated(decoder) => Some(decoder.into_inner().into_inner().into_inner().into_inner()),
            Self::Lost => None,
        }
    }

    fn source(&mut self) -> Option<&mut Source> {
        match self {
            Self::Between(source) => Some(source),
            Self::Stored(data) => Some(data.get_mut().get_mut()),
            Self::Deflated(decoder) => Some(decoder.get_mut().get_mut().get_mut().get_mut()),
            Self::Lost => None,
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(data) => data.read(into),
            Self::Deflated(decoder) => decoder.read(into),
            Self::Between(_) | Self::Lost => Ok(0),
        }
    }
}

impl Zip {
    pub(super) fn open(mut source: Source, limits: &Limits) -> Result<Self, ReadError> {
        let Directory { entries, begins } = Directory::read(&mut source, limits)?;
        Ok(Self {
            entries,
            archive: begins,
            next: 0,
            body: Body::Between(source),
            check: Crc::new(),
            produced: 0,
            consumed_before: 0,
        })
    }

    /// Compressed bytes used up to now; bytes that several entries claim count once.
    pub(super) fn consumed(&self) -> u64 {
        let here = match &self.body {
            Body::Stored(_) => self.produced,
            Body::Deflated(decoder) => decoder.total_in(),
            Body::Between(_) | Body::Lost => 0,
        };
        (self.consumed_before + here).min(self.archive)
    }

    /// Makes the entry in front of whose end `position` stands, or at it, the next one: what follows an entry is only read
    /// once the entry has been verified.
    pub(super) fn aim(&mut self, position: u64) {
        self.next = self.entries.partition_point(|entry| entry.begins < position).saturating_sub(1);
    }

    pub(super) fn open_next(&mut self) -> Result<Option<Document>, ReadError> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let document = Document { name: entry.name.clone(), begins: entry.begins };
        self.consumed_before = self.entries[..self.next].iter().map(|before| before.compressed).sum();
        self.check = Crc::new();
        self.produced = 0;
        let Some(mut source) = std::mem::replace(&mut self.body, Body::Lost).into_source() else {
            return Ok(None);
        };
        if let Err(error) = go_to_data(&mut source, entry, self.archive) {
            self.body = Body::Between(source);
            return Err(error);
        }
        let data = Whole::new(source.take(entry.compressed));
        self.body = match entry.method {
            Method::Stored => Body::Stored(data),
            Method::Deflated => {
                Body::Deflated(Box::new(DeflateDecoder::new(BufReader::with_capacity(BLOCK, data))))
            }
        };
        self.next += 1;
        Ok(Some(document))
    }

    pub(super) fn read(&mut self, into: &mut [u8], position: u64) -> Result<usize, ReadError> {
        let Some(entry) = self.next.checked_sub(1).and_then(|open| self.entries.get(open)) else {
            return Ok(0);
        };
        let read = self.body.read(into).map_err(|error| {
            let failure = self.body.source().and_then(Source::failure);
            failure.unwrap_or_else(|| {
                let reason = format!("`{}` in the zip is damaged: {error}", entry.name);
                ReadError::file(FileCode::CorruptArchive, position, reason, DAMAGED)
            })
        })?;
        self.check.update(&into[..read]);
        self.produced += read as u64;
        let ended = read == 0 && !into.is_empty();
        let whole = self.produced == entry.size && self.check.sum() == entry.checksum;
        if self.produced > entry.size || (ended && !whole) {
            return Err(ReadError::file(
                FileCode::CorruptArchive,
                position,
                format!("the content of `{}` has not the size and checksum that the zip states", entry.name),
                DAMAGED,
            ));
        }
        Ok(read)
    }
}

/// Behind the entry's local header, which repeats the directory's with lengths of its own. No data reaches beyond the
/// first `archive` bytes.
fn go_to_data(source: &mut Source, entry: &Entry, archive: u64) -> Result<(), ReadError> {
    let corrupt = |what: &str| {
        ReadError::file(
            FileCode::CorruptArchive,
            entry.begins,
            format!("the zip states `{}` at byte {} of the archive, but {what}", entry.name, entry.header),
            DAMAGED,
        )
    };
    let mut header = [0; 30];
    source.seek(SeekFrom::Start(entry.header)).map_err(|error| source.own(error))?;
    if source.read_exact(&mut header).is_err() {
        return Err(source.failure().unwrap_or_else(|| corrupt("the archive ends before it")));
    }
    if !header.starts_with(b"PK\x03\x04") {
        return Err(corrupt("no entry begins there"));
    }
    let names = u64::from(directory::u16_at(&header, 26)) + u64::from(directory::u16_at(&header, 28));
    let begins = entry.header.saturating_add(header.len() as u64 + names);
    if begins.saturating_add(entry.compressed) > archive {
        return Err(corrupt("its data reaches into the directory"));
    }
    source.seek(SeekFrom::Start(begins)).map_err(|error| source.own(error))?;
    Ok(())
}
