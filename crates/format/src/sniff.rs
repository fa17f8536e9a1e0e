//! What a document is: told by its first bytes, and by its name where they leave it open.

use crate::buffer::Buffer;
use crate::decompress::Compression;
use crate::{FileCode, ReadError};

/// How many bytes are looked at, however the reads come.
const HEAD: usize = 64 << 10;
/// How many of them must look like text.
const TEXT: usize = 512;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Fields between commas, semicolons or pipes.
    Csv,
    /// Fields between tabs.
    Tsv,
    /// JSON: objects in lines, one after another, or in one array.
    Json,
}

impl Format {
    /// `csv`, `tsv` or `json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" | "tab" => Some(Self::Tsv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Delimited text, and its delimiter.
    Delimited(u8),
    Json,
}

/// Tells the format, and leaves the buffer at the first byte of content: behind a byte order mark and blank lines.
pub(crate) fn sniff(buffer: &mut Buffer, name: &str) -> Result<Found, ReadError> {
    refuse_other_encodings(buffer, name)?;
    if buffer.peek(3).starts_with(b"\xef\xbb\xbf") {
        buffer.consume(3);
    }
    let rows = buffer.skip(|byte| byte == b'\n' || byte == b'\r')?;
    let named = Format::of_name(name);
    let position = buffer.position();
    let head = buffer.peek(HEAD);
    if !rows || (head.len() < HEAD && head.iter().all(u8::is_ascii_whitespace)) {
        return Err(ReadError::file(
            FileCode::EmptyFile,
            position,
            format!("`{name}` has nothing in it"),
            "upload a file with a header and rows",
        ));
    }
    refuse_binary(head, name, named, position)?;
    let json = looks_like_json(head, named);
    let mismatch = |is: &str| {
        Err(ReadError::file(
            FileCode::FormatMismatch,
            position,
            format!(
                "by its name `{name}` is {}, but it holds {is}",
                named.map_or("", |named| named.as_str())
            ),
            "name the file after what it holds",
        ))
    };
    match (named, json) {
        (None | Some(Format::Json), true) => Ok(Found::Json),
        (Some(Format::Csv | Format::Tsv), true) => mismatch("JSON"),
        (Some(Format::Json), false) => mismatch("no JSON objects"),
        (Some(Format::Csv), false) => Ok(Found::Delimited(delimiter(head, Some(b',')))),
        (Some(Format::Tsv), false) => Ok(Found::Delimited(delimiter(head, Some(b'\t')))),
        (None, false) => Ok(Found::Delimited(delimiter(head, None))),
    }
}

fn refuse_other_encodings(buffer: &mut Buffer, name: &str) -> Result<(), ReadError> {
    let position = buffer.position();
    let head = buffer.peek(TEXT);
    let head = &head[..head.len().min(TEXT)];
    let nul = |odd: usize| head.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count();
    let marked = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    // Latin text in UTF-16 has a NUL in every other byte, and nowhere else.
    let (even, odd) = (nul(0), nul(1));
    let unmarked = even.max(odd) * 3 > head.len() && even.min(odd) == 0;
    if marked || unmarked {
        return Err(ReadError::file(
            FileCode::UnsupportedEncoding,
            position,
            format!("`{name}` is in UTF-16"),
            "save the file as UTF-8",
        ));
    }
    Ok(())
}

/// First bytes of what is mistaken for a table often enough to be named.
const KNOWN: [(&[u8], &str); 20] = [
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"FEA1", "a Feather file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd, which is not read"),
    (b"BZh", "compressed by bzip2, which is not read"),
    (b"\xfd7zXZ\0", "compressed by xz, which is not read"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive, which is not read"),
    (b"Rar!\x1a\x07", "a RAR archive, which is not read"),
    (b"\x1f\x9d", "compressed by compress, which is not read"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"MZ", "a program"),
];

fn refuse_binary(head: &[u8], name: &str, named: Option<Format>, position: u64) -> Result<(), ReadError> {
    if Compression::of_content(head) != Compression::None {
        return Err(ReadError::file(
            FileCode::NestedArchive,
            position,
            format!("`{name}` holds an archive in an archive"),
            "upload the files of the inner archive themselves",
        ));
    }
    let text = &head[..head.len().min(TEXT)];
    let control = |byte: u8| byte < b'\t' || (byte > b'\r' && byte < b' ');
    let binary = text.contains(&0);
    let known = KNOWN.iter().find(|(magic, _)| head.starts_with(magic));
    let known = known.filter(|_| !is_utf8(text) || text.iter().any(|&byte| control(byte)));
    let what = match known {
        Some((_, what)) => what,
        None if is_markup(text) => "an XML or HTML document",
        None if head.get(257..262) == Some(b"ustar") => "a tar archive, which is not read",
        None if binary => "binary data of an unknown kind",
        None => return Ok(()),
    };
    let code = if named.is_some() { FileCode::FormatMismatch } else { FileCode::UnknownFormat };
    Err(ReadError::file(
        code,
        position,
        format!("`{name}` is {what}"),
        "upload CSV, TSV or JSON, as it is or in gzip or zip",
    ))
}

/// UTF-8, though it may have been cut in the middle of its last character.
fn is_utf8(text: &[u8]) -> bool {
    std::str::from_utf8(text).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn is_markup(text: &[u8]) -> bool {
    [b"<?xml".as_slice(), b"<!doctype", b"<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag)))
}

fn looks_like_json(head: &[u8], named: Option<Format>) -> bool {
    let mut content = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
    let begins = (content.next(), content.next());
    match named {
        // A first line that is broken costs that line only.
        Some(Format::Json) => {
            matches!(begins.0, Some(b'{' | b'['))
                || head.split(|&byte| byte == b'\n').any(|line| line.trim_ascii_start().starts_with(b"{"))
        }
        // A header may begin with a bracket: [id],[name]
        Some(_) => matches!(begins, (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'{'))),
        None => match begins {
            (Some(b'{'), _) => true,
            (Some(b'['), second) => !second.is_some_and(|byte| byte.is_ascii_alphabetic()),
            _ => false,
        },
    }
}

/// The delimiter that the name tells, unless the header has none of it and clearly another; without a name, the one
/// that the header has most of.
fn delimiter(head: &[u8], named: Option<u8>) -> u8 {
    const CANDIDATES: [u8; 4] = [b',', b'\t', b';', b'|'];
    let mut counts = [0_usize; 4];
    let mut quoted = false;
    for &byte in head {
        quoted ^= byte == b'"';
        if !quoted && (byte == b'\n' || byte == b'\r') {
            break;
        }
        if !quoted && let Some(index) = CANDIDATES.iter().position(|&candidate| candidate == byte) {
            counts[index] += 1;
        }
    }
    let count_of = |byte| CANDIDATES.iter().position(|&c| c == byte).map_or(0, |index| counts[index]);
    let most = counts.iter().max().copied().unwrap_or(0);
    let clear = most > 0 && counts.iter().filter(|&&count| count == most).count() == 1;
    let best = CANDIDATES.into_iter().find(|&candidate| count_of(candidate) == most);
    match named {
        Some(named) if count_of(named) > 0 || !clear => named,
        _ => best.filter(|_| most > 0).unwrap_or(b','),
    }
}
