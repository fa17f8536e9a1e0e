//! An object as a blocking `Read + Seek`, fetched over several connections at once.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};

use tokio::runtime::Handle;

use crate::{Bucket, BucketError, ObjectReader};

/// What one request asks for: as much as a reader holds before S3 is made to wait, so that none is idle while those before
/// it are read.
const PART: u64 = 2 << 20;

/// One object, read in order by ranged requests of 2 MiB, several of which are under way at once: a store that limits
/// each connection is read so many times as fast. Made by [`Bucket::parallel_reader`].
///
/// It holds 2 MiB a connection. All bytes are of the same object or reading fails, as with [`ObjectReader`]; S3's checksum
/// of the whole is not checked.
#[derive(Debug)]
pub struct ParallelReader {
    bucket: Bucket,
    key: String,
    etag: String,
    size: u64,
    runtime: Handle,
    connections: usize,
    /// Where the next byte is read.
    position: u64,
    /// Requests under way, in order, by where they end: the first stands at the position, the last ends at `asked`.
    parts: VecDeque<(u64, ObjectReader)>,
    asked: u64,
}

impl ParallelReader {
    pub(crate) fn new(
        bucket: Bucket,
        key: &str,
        etag: &str,
        size: u64,
        connections: usize,
        runtime: Handle,
    ) -> Self {
        Self {
            bucket,
            key: key.to_owned(),
            etag: etag.to_owned(),
            size,
            runtime,
            connections: connections.max(1),
            position: 0,
            parts: VecDeque::new(),
            asked: 0,
        }
    }

    fn ask_ahead(&mut self) -> io::Result<()> {
        if self.parts.is_empty() {
            self.asked = self.position;
        }
        while self.parts.len() < self.connections && self.asked < self.size {
            let end = (self.asked + PART).min(self.size);
            let reader = self.bucket.reader(&self.key, &self.etag, Some(self.size), self.runtime.clone());
            let mut reader = reader.until(end);
            reader.seek(SeekFrom::Start(self.asked))?;
            reader.ask();
            self.parts.push_back((end, reader));
            self.asked = end;
        }
        Ok(())
    }
}

impl Read for ParallelReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.position < self.size {
            self.ask_ahead()?;
            let Some((end, reader)) = self.parts.front_mut() else { break };
            let read = reader.read(buf)?;
            if read > 0 {
                self.position += read as u64;
                return Ok(read);
            }
            if self.position < *end {
                let place = self.bucket.place(&self.key);
                let reason = format!("broken off at byte {}", self.position);
                return Err(BucketError::Unavailable { place, reason }.into());
            }
            self.parts.pop_front();
        }
        Ok(0)
    }
}

impl Seek for ParallelReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        let position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek to a place before the object's first byte")
        })?;
        if position != self.position {
            self.parts.clear();
            self.position = position;
        }
        Ok(position)
    }
}
