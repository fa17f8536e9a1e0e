//! gzip, all members of it.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::source::Source;
use crate::{FileCode, ReadError};

const BLOCK: usize = 64 << 10;

pub(super) struct Gzip {
    decoder: MultiGzDecoder<Counted>,
}

impl Gzip {
    pub(super) fn new(source: Source) -> Self {
        let input = Counted { input: BufReader::with_capacity(BLOCK, source), consumed: 0 };
        Self { decoder: MultiGzDecoder::new(input) }
    }

    pub(super) fn consumed(&self) -> u64 {
        self.decoder.get_ref().consumed
    }

    pub(super) fn read(&mut self, into: &mut [u8], position: u64) -> Result<usize, ReadError> {
        self.decoder.read(into).map_err(|error| {
            let failure = self.decoder.get_mut().input.get_mut().failure();
            failure.unwrap_or_else(|| fault(&error, position))
        })
    }
}

/// Counts what the decoder has used, which does not depend on how much was read ahead.
struct Counted {
    input: BufReader<Source>,
    consumed: u64,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.consumed += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.consumed += count as u64;
        self.input.consume(count);
    }
}

/// What a decoder's error means that the object did not raise.
fn fault(error: &io::Error, position: u64) -> ReadError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ReadError::file(
            FileCode::Truncated,
            position,
            "the compressed data of the gzip ends too early",
            "upload the file again, completely",
        );
    }
    ReadError::file(
        FileCode::CorruptArchive,
        position,
        format!("the compressed data of the gzip is damaged: {error}"),
        "compress and upload the file again",
    )
}
