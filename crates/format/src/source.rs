//! The object under all decoders, with a memory for its own errors.

use std::io::{self, Read, Seek, SeekFrom};

use crate::ReadError;

/// What a reader needs of an object: sequential reads, and seeks for what has an index (zip).
pub trait Object: Read + Seek + Send {}
impl<T: Read + Seek + Send> Object for T {}

/// Reads an object and keeps the error that the object raised.
///
/// Decoders answer with `io::Error` both where the object failed and where its content is broken, often with the same
/// kind (`UnexpectedEof`). Only the reader at the bottom can tell: what it remembers came from the object.
pub(crate) struct Source {
    object: Box<dyn Object>,
    head: Vec<u8>,
    served: usize,
    failure: Option<io::Error>,
}

impl Source {
    pub(crate) fn new(object: Box<dyn Object>) -> Self {
        Self { object, head: Vec::new(), served: 0, failure: None }
    }

    /// The first bytes, at most `want` of them, which are served again to the next reads.
    pub(crate) fn peek(&mut self, want: usize) -> Result<&[u8], ReadError> {
        let mut head = vec![0; want];
        let mut filled = 0;
        while filled < want {
            match self.read(&mut head[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => return Err(self.own(error)),
            }
        }
        head.truncate(filled);
        self.head = head;
        self.served = 0;
        Ok(&self.head)
    }

    /// The error that the object raised, if it raised one.
    pub(crate) fn failure(&mut self) -> Option<ReadError> {
        self.failure.take().map(ReadError::Io)
    }

    /// An error of a direct call, which can only be the object's.
    pub(crate) fn own(&mut self, error: io::Error) -> ReadError {
        self.failure().unwrap_or(ReadError::Io(error))
    }

    fn remember<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let stand_in = io::Error::from(error.kind());
            self.failure = Some(error);
            stand_in
        })
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.served < self.head.len() {
            let read = (&self.head[self.served..]).read(into)?;
            self.served += read;
            return Ok(read);
        }
        loop {
            match self.object.read(into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return self.remember(result),
            }
        }
    }
}

impl Seek for Source {
    /// Callers seek from the start or the end only: the head that was peeked at shifts the current position.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.served = self.head.len();
        let result = self.object.seek(to);
        self.remember(result)
    }
}
