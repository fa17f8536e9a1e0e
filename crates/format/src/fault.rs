//! What can be wrong with a row, a file, or the way to it.

use std::borrow::Cow;
use std::io;
use std::str::Utf8Error;

use crate::{Compression, Format};

/// What a reason shows of a name or a value, in characters.
const SHOWN: usize = 100;

/// Why one row cannot be read. The rows behind it are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowFault {
    /// More or fewer fields than the header has columns.
    WrongFieldCount,
    /// Not valid UTF-8.
    InvalidEncoding,
    /// Broken quoting; JSON that does not parse, is no object, or names a value twice.
    MalformedRow,
    /// Longer than [`Limits::row_bytes`](crate::Limits), or a JSON row of more values than
    /// [`Limits::columns`](crate::Limits) or longer lists than [`Limits::list_parts`](crate::Limits).
    RowTooLarge,
    /// JSON nested deeper than [`Limits::nesting`](crate::Limits).
    NestingTooDeep,
}

impl RowFault {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::WrongFieldCount,
        Self::InvalidEncoding,
        Self::MalformedRow,
        Self::RowTooLarge,
        Self::NestingTooDeep,
    ];

    /// The code, as in the documentation and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongFieldCount => "wrong_field_count",
            Self::InvalidEncoding => "invalid_encoding",
            Self::MalformedRow => "malformed_row",
            Self::RowTooLarge => "row_too_large",
            Self::NestingTooDeep => "nesting_too_deep",
        }
    }
}

/// Why a row is refused: what is wrong, in plain words, and what to do.
pub(crate) type RowRefusal = (RowFault, String, &'static str);

/// What refuses a row that is no text. Lone surrogates of UTF-16 are held as UTF-8 would write them, which shows in no
/// byte of the file.
pub(crate) fn no_text(row: &[u8], error: Utf8Error, utf16: bool) -> RowRefusal {
    let (valid, rest) = row.split_at(error.valid_up_to());
    let reason = match *rest {
        [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, ..] if utf16 => {
            let unit = 0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
            let character = String::from_utf8_lossy(valid).chars().count() + 1;
            format!(
                "character {character} of the row is half a surrogate pair (0x{unit:04x}), no valid UTF-16"
            )
        }
        [byte, ..] => format!("byte {} of the row (0x{byte:02x}) is not valid UTF-8", valid.len() + 1),
        [] => "the row is not valid UTF-8".to_owned(),
    };
    (RowFault::InvalidEncoding, reason, "save the file as UTF-8")
}

/// A name or a value as a reason shows it.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    cut_at(text, SHOWN)
}

pub(crate) fn cut_at(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}

/// Why a file cannot be read, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileCode {
    /// Nothing in it but blank lines.
    EmptyFile,
    /// The header names a column twice.
    DuplicateColumn,
    /// The header has more columns than [`Limits::columns`](crate::Limits), or is longer than a row may be.
    HeaderTooLarge,
    /// Neither delimited text nor JSON.
    UnknownFormat,
    /// The name says one format, the content is another.
    FormatMismatch,
    /// Neither UTF-8 nor UTF-16 with a byte order mark.
    UnsupportedEncoding,
    /// The structure that holds the rows is broken where it cannot be told where the next row begins: JSON objects in
    /// an array or one after another, or the quotes of a header.
    MalformedDocument,
    /// Ends before its end.
    Truncated,
    /// The compressed data is damaged.
    CorruptArchive,
    /// An entry of the zip is encrypted.
    EncryptedArchive,
    /// An archive in an archive.
    NestedArchive,
    /// Expands beyond [`Limits::expansion_ratio`](crate::Limits), a zip with too many entries, or a zstd with too wide a
    /// window.
    ExpansionLimit,
}

impl FileCode {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::EmptyFile,
        Self::DuplicateColumn,
        Self::HeaderTooLarge,
        Self::UnknownFormat,
        Self::FormatMismatch,
        Self::UnsupportedEncoding,
        Self::MalformedDocument,
        Self::Truncated,
        Self::CorruptArchive,
        Self::EncryptedArchive,
        Self::NestedArchive,
        Self::ExpansionLimit,
    ];

    /// The code, as in the documentation and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EmptyFile => "empty_file",
            Self::DuplicateColumn => "duplicate_column",
            Self::HeaderTooLarge => "header_too_large",
            Self::UnknownFormat => "unknown_format",
            Self::FormatMismatch => "format_mismatch",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::MalformedDocument => "malformed_document",
            Self::Truncated => "truncated",
            Self::CorruptArchive => "corrupt_archive",
            Self::EncryptedArchive => "encrypted_archive",
            Self::NestedArchive => "nested_archive",
            Self::ExpansionLimit => "expansion_limit",
        }
    }
}

/// What ends a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} at byte {position}: {reason}; {advice}", code.as_str())]
pub struct FileFault {
    /// What is wrong.
    pub code: FileCode,
    /// In plain words, with the names and values concerned.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
    /// The byte, after decompression, where it happened.
    pub position: u64,
    /// How the file is compressed, once that is known.
    pub compression: Option<Compression>,
    /// The format of the rows there, once that is known.
    pub format: Option<Format>,
}

impl FileFault {
    pub(crate) fn new(
        code: FileCode,
        position: u64,
        reason: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        Self { code, reason: reason.into(), advice, position, compression: None, format: None }
    }
}

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is at fault: reading it again gives the same.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The object raised this error itself; it is handed on as it was. Reading may work again from the last
    /// [`Place`](crate::Place).
    #[error("the object cannot be read: {0}")]
    Io(#[source] io::Error),
}

impl ReadError {
    pub(crate) fn file(
        code: FileCode,
        position: u64,
        reason: impl Into<String>,
        advice: &'static str,
    ) -> Self {
        FileFault::new(code, position, reason, advice).into()
    }

    /// Adds to a file's fault what is known of the file.
    pub(crate) fn of(mut self, compression: Compression, format: Option<Format>) -> Self {
        if let Self::File(fault) = &mut self {
            fault.compression = Some(compression);
            fault.format = format;
        }
        self
    }

    /// Names the entry of a zip that a file's fault is in, where its reason does not.
    pub(crate) fn in_entry(mut self, name: &str) -> Self {
        if let Self::File(fault) = &mut self
            && !fault.reason.contains(&format!("`{name}`"))
        {
            fault.reason = format!("in `{name}`: {}", fault.reason);
        }
        self
    }

    pub(crate) fn is_empty_file(&self) -> bool {
        matches!(self, Self::File(fault) if fault.code == FileCode::EmptyFile)
    }
}
