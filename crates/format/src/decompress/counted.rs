//! The compressed bytes under a decoder.

use std::io::{self, BufRead, BufReader, Read};

use super::whole::Whole;
use crate::ReadError;
use crate::source::Source;

const BLOCK: usize = 64 << 10;

/// Counts what the decoder has used, which does not depend on how much was read ahead.
pub(super) struct Counted {
    input: BufReader<Whole<Source>>,
    consumed: u64,
}

impl Counted {
    pub(super) fn new(source: Source) -> Self {
        Self { input: BufReader::with_capacity(BLOCK, Whole::new(source)), consumed: 0 }
    }

    pub(super) fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The error that the object raised, if it raised one.
    pub(super) fn failure(&mut self) -> Option<ReadError> {
        self.input.get_mut().get_mut().failure()
    }
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
