//! One stream that is compressed as a whole: gzip, zstd or bzip2.

use std::io::{self, Read};

use bzip2::bufread::MultiBzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::Compression;
use super::counted::Counted;
use super::gzip::Gzip;
use crate::source::Source;
use crate::{FileCode, ReadError};

/// Binary logarithm of the widest window that a zstd may ask for: 32 MiB, as `zstd --long=25` writes.
const ZSTD_WINDOW: u32 = 25;

pub(super) struct Coded {
    decoder: Decoder,
    compression: Compression,
    /// Compressed bytes that were used.
    consumed: u64,
}

enum Decoder {
    Gzip(Box<Gzip>),
    Zstd(Box<ZstdDecoder<'static, Counted>>),
    Bzip2(Box<MultiBzDecoder<Counted>>),
}

impl Coded {
    pub(super) fn gzip(source: Source) -> Self {
        Self::new(Compression::Gzip, Decoder::Gzip(Box::new(Gzip::new(Counted::new(source)))))
    }

    /// All frames, those that are to be skipped left out.
    pub(super) fn zstd(source: Source) -> Result<Self, ReadError> {
        let setup = |source| {
            let mut decoder = ZstdDecoder::with_buffer(Counted::new(source))?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Ok(decoder)
        };
        let decoder = setup(source).map_err(ReadError::Io)?;
        Ok(Self::new(Compression::Zstd, Decoder::Zstd(Box::new(decoder))))
    }

    /// All streams of it.
    pub(super) fn bzip2(source: Source) -> Self {
        let decoder = MultiBzDecoder::new(Counted::new(source));
        Self::new(Compression::Bzip2, Decoder::Bzip2(Box::new(decoder)))
    }

    fn new(compression: Compression, decoder: Decoder) -> Self {
        Self { decoder, compression, consumed: 0 }
    }

    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(super) fn read(&mut self, into: &mut [u8], position: u64) -> Result<usize, ReadError> {
        let read = match &mut self.decoder {
            Decoder::Gzip(gzip) => gzip.read(into),
            Decoder::Zstd(zstd) => zstd.read(into),
            Decoder::Bzip2(bzip2) => bzip2.read(into),
        };
        let input = match &mut self.decoder {
            Decoder::Gzip(gzip) => gzip.input(),
            Decoder::Zstd(zstd) => Some(zstd.get_mut()),
            Decoder::Bzip2(bzip2) => Some(bzip2.get_mut()),
        };
        if let Some(input) = &input {
            self.consumed = input.consumed();
        }
        read.map_err(|error| {
            input.and_then(Counted::failure).unwrap_or_else(|| fault(self.compression, &error, position))
        })
    }
}

/// What a decoder's error means that the object did not raise.
fn fault(compression: Compression, error: &io::Error, position: u64) -> ReadError {
    let name = compression.as_str();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ReadError::file(
            FileCode::Truncated,
            position,
            format!("the compressed data of the {name} ends too early"),
            "upload the file again, completely",
        );
    }
    let reason = error.to_string();
    // zstd's own words: it tells its errors by them alone.
    if compression == Compression::Zstd && reason.contains("too much memory") {
        return ReadError::file(
            FileCode::ExpansionLimit,
            position,
            "the zstd needs a window of more than 32 MiB to be read",
            "compress the file with a window of at most 32 MiB (zstd --long=25 or less)",
        );
    }
    ReadError::file(
        FileCode::CorruptArchive,
        position,
        format!("the compressed data of the {name} is damaged: {reason}"),
        "compress and upload the file again",
    )
}
