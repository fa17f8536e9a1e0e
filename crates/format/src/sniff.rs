//! What a document is: told by its first bytes, and by its name where they leave it open.

use memchr::memchr2;

use crate::buffer::Buffer;
use crate::decompress::Compression;
use crate::utf16::Order;
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

impl Found {
    pub(crate) fn format(self) -> Format {
        match self {
            Self::Delimited(b'\t') => Format::Tsv,
            Self::Delimited(_) => Format::Csv,
            Self::Json => Format::Json,
        }
    }
}

/// Tells the format, and leaves the buffer at the first byte of content: behind a byte order mark, blank lines, and a line
/// that names the delimiter.
pub(crate) fn sniff(buffer: &mut Buffer, name: &str) -> Result<Found, ReadError> {
    if let Some(order) = Order::of_mark(buffer.peek(4)?) {
        buffer.convert_from(order);
    }
    refuse_other_encodings(buffer, name)?;
    if buffer.peek(3)?.starts_with(b"\xef\xbb\xbf") {
        buffer.consume(3);
    }
    let rows = buffer.skip(|byte| byte == b'\n' || byte == b'\r')?;
    let named = Format::of_name(name);
    let position = buffer.position();
    let packed = buffer.stream().compression() != Compression::None;
    let head = buffer.peek(HEAD)?;
    if !rows || (head.len() < HEAD && head.iter().all(u8::is_ascii_whitespace)) {
        return Err(empty(position, name));
    }
    refuse_binary(head, name, named, position, packed)?;
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
        (None | Some(Format::Csv | Format::Tsv), false) if separator_line(head).is_some() => {
            delimiter_of_line(buffer, name)
        }
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
    let head = buffer.peek(TEXT)?;
    let head = &head[..head.len().min(TEXT)];
    let nul = |odd: usize| head.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count();
    let utf32 = head.starts_with(b"\xff\xfe\0\0") || head.starts_with(b"\0\0\xfe\xff");
    // Latin text in UTF-16 has a NUL in every other byte, and nowhere else.
    let (even, odd) = (nul(0), nul(1));
    let utf16 = even.max(odd) * 3 > head.len() && even.min(odd) == 0;
    let encoding = match (utf32, utf16) {
        (true, _) => "UTF-32",
        (false, true) => "UTF-16 without a byte order mark",
        (false, false) => return Ok(()),
    };
    Err(ReadError::file(
        FileCode::UnsupportedEncoding,
        position,
        format!("`{name}` is in {encoding}"),
        "save the file as UTF-8, or as UTF-16 with a byte order mark",
    ))
}

/// The delimiter that a line `sep=;` before the header names, as spreadsheets write it, and the line's length.
fn separator_line(head: &[u8]) -> Option<(u8, usize)> {
    let line = &head[..memchr2(b'\n', b'\r', head).unwrap_or(head.len())];
    let bare = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (word, delimiter) = bare.split_at_checked(4)?;
    match delimiter {
        [delimiter @ (b',' | b';' | b'\t' | b'|')] if word.eq_ignore_ascii_case(b"sep=") => {
            Some((*delimiter, line.len()))
        }
        _ => None,
    }
}

fn delimiter_of_line(buffer: &mut Buffer, name: &str) -> Result<Found, ReadError> {
    let (delimiter, len) = separator_line(buffer.data()).unwrap_or((b',', 0));
    buffer.consume(len);
    if buffer.skip(|byte| byte == b'\n' || byte == b'\r')? {
        return Ok(Found::Delimited(delimiter));
    }
    Err(empty(buffer.position(), name))
}

fn empty(position: u64, name: &str) -> ReadError {
    ReadError::file(
        FileCode::EmptyFile,
        position,
        format!("`{name}` has nothing in it"),
        "upload a file with a header and rows",
    )
}

/// First bytes of what is mistaken for a table often enough to be named; archives come first.
const KNOWN: [(&[u8], &str); 18] = [
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x9d", "compressed by compress"),
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"ARROW1", "an Arrow file"),
    (b"FEA1", "a Feather file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"MZ", "a program"),
];

/// How many of them are archives.
const ARCHIVES: usize = 4;

fn refuse_binary(
    head: &[u8],
    name: &str,
    named: Option<Format>,
    position: u64,
    packed: bool,
) -> Result<(), ReadError> {
    let text = &head[..head.len().min(TEXT)];
    let control = |byte: u8| byte < b'\t' || (byte > b'\r' && byte < b' ');
    let binary = text.contains(&0);
    let archive = match Compression::of_content(head) {
        Compression::None => archive(head),
        _ => Some("an archive"),
    };
    let known = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what);
    let known = archive.or(known).filter(|_| !is_utf8(text) || text.iter().any(|&byte| control(byte)));
    let what = match known {
        Some(what) => what,
        None if is_markup(text) => "an XML or HTML document",
        None if binary => "binary data of an unknown kind",
        None => return Ok(()),
    };
    if packed && archive.is_some() {
        return Err(ReadError::file(
            FileCode::NestedArchive,
            position,
            format!("`{name}` holds {what} in an archive"),
            "upload the files of the inner archive themselves",
        ));
    }
    let code = if named.is_some() { FileCode::FormatMismatch } else { FileCode::UnknownFormat };
    Err(ReadError::file(
        code,
        position,
        format!("`{name}` is {what}"),
        "upload CSV, TSV or JSON, as it is or in gzip, zip, zstd or bzip2",
    ))
}

/// An archive or a compression that is not read.
fn archive(head: &[u8]) -> Option<&'static str> {
    if head.get(257..262) == Some(b"ustar") {
        return Some("a tar archive");
    }
    KNOWN.iter().take(ARCHIVES).find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what)
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
