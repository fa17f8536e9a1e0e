//! Which errors end a file, and which are tried again: decided here and nowhere else.

use bucket::BucketError;
use dataset::HeaderFault;
use format::{FileFault, ReadError};
use ledger::outcome::End;
use queue::QueueError;
use records::queue::FileError;

/// Why a file is not (yet) at its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PipeError {
    /// The queue failed: the chunk in hand is lost, and perhaps the lane.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The registry did not answer; not the file's fault, so it is tried for as long as it takes.
    #[error("the registry did not answer: {0}")]
    Registry(String),
    /// The object could not be read for a passing reason.
    #[error("the object could not be read: {0}")]
    Object(String),
}

/// Why a file ended before its last byte.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) error: FileError,
}

impl Ended {
    /// A file that cannot be read further.
    pub(crate) fn unreadable(code: &str, reason: String, advice: impl Into<String>, position: u64) -> Self {
        let error = FileError { code: code.to_owned(), reason, advice: advice.into(), position };
        Self { end: End::Unreadable, error }
    }
}

impl From<FileFault> for Ended {
    fn from(fault: FileFault) -> Self {
        Self::unreadable(fault.code.as_str(), fault.reason, fault.advice, fault.position)
    }
}

impl From<HeaderFault> for Ended {
    fn from(fault: HeaderFault) -> Self {
        Self::unreadable(fault.code, fault.reason, fault.advice, 0)
    }
}

/// What a failed read means: the file's end, or another try.
pub(crate) fn read_failed(error: ReadError, position: u64) -> Result<Ended, PipeError> {
    match error {
        ReadError::File(fault) => Ok(fault.into()),
        ReadError::Io(io) => match BucketError::of(&io) {
            Some(refused) => object_failed(refused, position),
            None => Err(PipeError::Object(io.to_string())),
        },
    }
}

/// What S3's answer means: the file's end, or another try.
pub(crate) fn object_failed(error: &BucketError, position: u64) -> Result<Ended, PipeError> {
    if error.is_passing() {
        return Err(PipeError::Object(error.to_string()));
    }
    let mut ended = Ended::unreadable(error.code(), error.to_string(), error.advice(), position);
    if matches!(error, BucketError::Changed { .. }) {
        ended.end = End::Changed;
    }
    Ok(ended)
}
