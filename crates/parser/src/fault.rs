//! Which errors end a file, and which are tried again: decided here and nowhere else.

use bucket::BucketError;
use dataset::HeaderFault;
use format::{Compression, Entry, FileCode, FileFault, Format, ReadError};
use ledger::outcome::End;
use queue::QueueError;
use records::queue::FileError;

use crate::claim::Claimed;

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
    /// The parser's own fault: the ledger counts it against the file.
    #[error("the parser panicked: {0}")]
    Panicked(String),
}

/// Why a file ended before its last byte.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) end: End,
    pub(crate) error: FileError,
    /// As far as the file could be told; empty where not.
    pub(crate) format: &'static str,
    pub(crate) compression: &'static str,
}

impl Ended {
    /// A file that cannot be read further.
    pub(crate) fn unreadable(code: &str, reason: String, advice: impl Into<String>, position: u64) -> Self {
        let error = FileError { code: code.to_owned(), reason, advice: advice.into(), position };
        Self { end: End::Unreadable, error, format: "", compression: "" }
    }

    /// A header that does not fit the schema, in an entry of a zip where it is one.
    pub(crate) fn at_header(fault: HeaderFault, entry: Option<Entry<'_>>) -> Self {
        let (reason, position) = match entry {
            Some(entry) => (format!("in `{}`: {}", entry.name, fault.reason), entry.position),
            None => (fault.reason, 0),
        };
        Self::unreadable(fault.code, reason, fault.advice, position)
    }
}

impl From<FileFault> for Ended {
    fn from(fault: FileFault) -> Self {
        Self {
            format: fault.format.map_or("", Format::as_str),
            compression: fault.compression.map_or("", Compression::as_str),
            ..Self::unreadable(fault.code.as_str(), fault.reason, fault.advice, fault.position)
        }
    }
}

/// What a failed read means: the file's end, or another try. With `doubt`, damage is not believed before it was met twice:
/// it may have come about on the way. `begun` says that rows of the file are committed.
pub(crate) fn read_failed(
    error: ReadError,
    position: u64,
    doubt: bool,
    begun: bool,
) -> Result<Ended, PipeError> {
    match error {
        ReadError::File(fault) if doubt && is_damage(fault.code) => {
            Err(PipeError::Object(format!("{}; it is read once more, to be sure", fault.reason)))
        }
        ReadError::File(fault) => Ok(fault.into()),
        ReadError::Io(io) => match BucketError::of(&io) {
            Some(refused) => object_failed(refused, position, begun),
            None => Err(PipeError::Object(io.to_string())),
        },
    }
}

/// True for what a byte that was altered on its way can look like.
fn is_damage(code: FileCode) -> bool {
    matches!(code, FileCode::Truncated | FileCode::CorruptArchive | FileCode::MalformedDocument)
}

/// What S3's answer means: the file's end, or another try.
fn object_failed(error: &BucketError, position: u64, begun: bool) -> Result<Ended, PipeError> {
    let is_altered = matches!(error, BucketError::Altered { .. });
    // As long as nothing is committed, nothing altered was seen: it is read again from its start.
    if error.is_passing() || (is_altered && !begun) {
        return Err(PipeError::Object(error.to_string()));
    }
    let mut ended = Ended::unreadable(error.code(), error.to_string(), error.advice(), position);
    if is_altered || matches!(error, BucketError::Changed { .. }) {
        ended.end = End::Changed;
    }
    Ok(ended)
}

/// Why a file is ended before its end.
#[derive(Clone, Copy)]
pub(crate) enum GaveUp {
    /// The object could not be read so many times.
    Unreachable(u32),
    /// So many attempts were lost on it.
    Lost(u32),
}

impl GaveUp {
    /// The file's end, with what is published of it up to this byte.
    pub(crate) fn ended(self, claimed: &Claimed, position: u64) -> Ended {
        let key = &claimed.object.object_key;
        match self {
            Self::Unreachable(tries) => Ended::unreadable(
                "unavailable",
                format!("{key} could not be read in {tries} tries from byte {position} on"),
                "see whether the bucket's endpoint answers, then have the file reprocessed",
                position,
            ),
            Self::Lost(lost) => Ended::unreadable(
                "set_aside",
                format!(
                    "{lost} attempts in a row crashed or hung the parser behind byte {position} of {key}"
                ),
                "report it with the parser's log; once it is mended, have the file reprocessed",
                position,
            ),
        }
    }
}

/// What a panic said.
pub(crate) fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned())
}
