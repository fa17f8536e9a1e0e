//! How much of a file is looked at, and for how long.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

/// How much of a file is looked at, and for how long. Whichever comes first ends the look, which is no fault of the file.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    pub(crate) rows: u64,
    /// After decompression.
    pub(crate) bytes: u64,
    pub(crate) until: Instant,
    /// Whoever asked has gone away.
    pub(crate) stop: CancellationToken,
}

impl Bounds {
    /// True where there is no time left, or no one who waits.
    pub(crate) fn are_over(&self) -> bool {
        self.stop.is_cancelled() || Instant::now() >= self.until
    }
}

/// A reader that fails with [`Stopped`] once the time is over, so that no file can keep its reader between two rows.
pub(super) struct Bounded<R> {
    inner: R,
    bounds: Bounds,
}

/// Why a bounded reader reads no further.
#[derive(Debug, thiserror::Error)]
#[error("the time for looking at the file is over")]
pub(super) struct Stopped;

impl Stopped {
    /// Whether it is what stands behind this error.
    pub(super) fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, bounds: Bounds) -> Self {
        Self { inner, bounds }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.bounds.are_over() { Err(io::Error::other(Stopped)) } else { self.inner.read(buf) }
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
