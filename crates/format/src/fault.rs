//! What can be wrong with a row, a file, or the way to it.

use std::io;

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
    /// [`Limits::columns`](crate::Limits).
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
        Self::File(FileFault { code, reason: reason.into(), advice, position })
    }

    pub(crate) fn is_empty_file(&self) -> bool {
        matches!(self, Self::File(fault) if fault.code == FileCode::EmptyFile)
    }
}
