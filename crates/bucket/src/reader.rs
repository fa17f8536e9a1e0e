//! An object as a blocking `Read + Seek`.

use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use crate::fetch::{self, CHUNK, Part};
use crate::{Bucket, BucketError};

/// Chunks between the network and the reader: 2 MiB at most, behind which S3 is made to wait.
const CHUNKS_AHEAD: usize = 8;
/// A gap that is read over, since a new request costs more than that many bytes.
const SHORT_GAP: u64 = CHUNK as u64;

/// One object, read in order from S3 in one request as long as nothing breaks; made by [`Bucket::reader`].
///
/// Every request carries the ETag, so all bytes are of the same object or reading fails with
/// [`BucketError::Changed`]. Where all of it is read in order, S3's checksum of it is checked at its end, and bytes that were
/// altered on their way fail with [`BucketError::Altered`]. What breaks on the way is taken up again behind the last byte. Seeking costs nothing; the
/// read after it sends a new request, unless the place is in the chunk in hand or shortly ahead.
///
/// Reading blocks and panics on a worker thread of a tokio runtime: use a thread of its own or `spawn_blocking`.
/// Errors hold a [`BucketError`]: see [`BucketError::of`]. After one, reading goes on at the same place.
#[derive(Debug)]
pub struct ObjectReader {
    bucket: Bucket,
    key: String,
    etag: String,
    size: Option<u64>,
    end: Option<u64>,
    tries: u32,
    runtime: Handle,
    /// Once it is cancelled, nothing is fetched any more.
    stop: CancellationToken,
    /// Where the next byte is read.
    position: u64,
    /// The chunk in hand, and where it begins.
    chunk: Bytes,
    chunk_start: u64,
    /// Bytes from the chunk's end on.
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Stream {
    parts: mpsc::Receiver<Result<Part, BucketError>>,
    task: JoinHandle<()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ObjectReader {
    pub(crate) fn new(bucket: Bucket, key: &str, etag: &str, size: Option<u64>, runtime: Handle) -> Self {
        Self {
            bucket,
            key: key.to_owned(),
            etag: etag.trim_matches('"').to_owned(),
            size,
            end: None,
            tries: 8,
            runtime,
            stop: CancellationToken::new(),
            position: 0,
            chunk: Bytes::new(),
            chunk_start: 0,
            stream: None,
        }
    }

    /// How often passing failures are followed by another try while no byte arrives; 8 where not set. Pauses in
    /// between grow from 0.1 to 10 seconds.
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }

    /// Has reading end before the byte `end`, as if the object ended there; [`ObjectReader::size`] is still the object's. No
    /// checksum is then checked, as S3 has one of the whole object only.
    pub fn until(mut self, end: u64) -> Self {
        self.end = Some(end);
        self
    }

    /// Bytes of the object; asks S3 the first time, where the size was not given.
    pub fn size(&mut self) -> io::Result<u64> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let asked = fetch::size(&self.bucket, &self.key, &self.etag, self.tries);
        let asked = self.runtime.block_on(self.stop.run_until_cancelled(asked));
        let size = asked.ok_or_else(|| self.stopped())??;
        self.size = Some(size);
        Ok(size)
    }

    /// Ends reading once it is dropped, on whatever thread and however long it would wait: a read that finds no more bytes
    /// at hand then fails.
    pub fn stop_on_drop(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    fn stopped(&self) -> io::Error {
        let whose = if self.stop.is_cancelled() { "reader" } else { "runtime that fetches it" };
        let reason = format!("the {whose} has stopped");
        BucketError::Unavailable { place: self.bucket.place(&self.key), reason }.into()
    }

    /// Has S3 asked now, and not at the first read, for what stands from here on: up to 2 MiB wait until they are read.
    pub fn ask(&mut self) {
        self.stream();
    }

    fn chunk_end(&self) -> u64 {
        self.chunk_start + self.chunk.len() as u64
    }

    /// What the chunk in hand has at the position.
    fn in_hand(&self) -> Option<&[u8]> {
        let offset = usize::try_from(self.position.checked_sub(self.chunk_start)?).ok()?;
        self.chunk.get(offset..).filter(|bytes| !bytes.is_empty())
    }

    /// The stream, at the position or shortly before.
    fn stream(&mut self) -> &mut Stream {
        let near = self.chunk_end()..self.chunk_end().saturating_add(SHORT_GAP);
        if !near.contains(&self.position) {
            self.stream = None;
        }
        if self.stream.is_none() {
            self.chunk = Bytes::new();
            self.chunk_start = self.position;
        }
        self.stream.get_or_insert_with(|| {
            let (sender, parts) = mpsc::channel(CHUNKS_AHEAD);
            let fetch = fetch::Fetch {
                bucket: self.bucket.clone(),
                key: self.key.clone(),
                etag: self.etag.clone(),
                size: self.size,
                end: self.end,
                tries: self.tries,
                position: self.position,
                checksum: None,
            };
            let stop = self.stop.clone();
            let task = async move {
                stop.run_until_cancelled(fetch.run(sender)).await;
            };
            // From the first request to the last byte, within the span of who asked for it.
            let span = tracing::debug_span!("fetch", position = self.position);
            Stream { parts, task: self.runtime.spawn(task.instrument(span)) }
        })
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(bytes) = self.in_hand() {
                let n = bytes.len().min(buf.len());
                buf[..n].copy_from_slice(&bytes[..n]);
                self.position += n as u64;
                return Ok(n);
            }
            if self.end.is_some_and(|end| self.position >= end) {
                return Ok(0);
            }
            // A stream that has come here has its word on the whole still to give.
            let has_word = self.stream.is_some() && self.chunk_end() == self.position;
            if !has_word && self.size.is_some_and(|size| self.position >= size) {
                return Ok(0);
            }
            match self.stream().parts.blocking_recv() {
                Some(Ok(Part::Bytes(bytes))) => {
                    self.chunk_start = self.chunk_end();
                    self.chunk = bytes;
                }
                Some(Ok(Part::End { size })) => {
                    self.stream = None;
                    self.size = Some(size);
                    return Ok(0);
                }
                Some(Err(err)) => {
                    self.stream = None;
                    return Err(err.into());
                }
                None => {
                    self.stream = None;
                    return Err(self.stopped());
                }
            }
        }
    }
}

impl Seek for ObjectReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.size()?.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "seek to a place before the object's first byte")
        })?;
        Ok(self.position)
    }
}
