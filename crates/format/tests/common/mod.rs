//! Files and readers for the tests.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "only functions marked as tests are exempt by themselves")]

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::zip::write::SimpleFileOptions;
use format::{Columns, FileFault, Item, JsonValue, Limits, Object, Place, ReadError, Rows, Values};

/// An item as a test can compare it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Header(Vec<String>, Place),
    Named(Place),
    Fields { at: Place, raw: Vec<u8>, fields: Vec<String>, behind: Place },
    Object { at: Place, raw: Vec<u8>, values: Vec<(String, JsonValue)>, behind: Place },
    Bad { at: Place, raw: Vec<u8>, cut: bool, code: &'static str, behind: Place },
    Fault { code: &'static str, position: u64 },
    Io(String),
}

impl Seen {
    pub(crate) fn fault(code: &'static str, position: u64) -> Self {
        Self::Fault { code, position }
    }

    pub(crate) fn is_columns(&self) -> bool {
        matches!(self, Self::Header(..) | Self::Named(_))
    }

    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Header(_, place) | Self::Named(place) => Some(*place),
            Self::Fields { behind, .. } | Self::Object { behind, .. } | Self::Bad { behind, .. } => {
                Some(*behind)
            }
            Self::Fault { .. } | Self::Io(_) => None,
        }
    }

    /// Where the row begins, and its bytes.
    pub(crate) fn raw(&self) -> Option<(u64, &[u8])> {
        match self {
            Self::Fields { at, raw, .. } | Self::Object { at, raw, .. } | Self::Bad { at, raw, .. } => {
                Some((at.position, raw))
            }
            _ => None,
        }
    }

    pub(crate) fn fields(&self) -> Option<Vec<String>> {
        match self {
            Self::Fields { fields, .. } => Some(fields.clone()),
            _ => None,
        }
    }

    /// One line that says all but the place behind: for tables of expectations.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Header(names, _) => format!("header {}", names.join("|")),
            Self::Named(_) => "named".to_owned(),
            Self::Fields { at, fields, .. } => format!("{}@{} {}", at.row, at.position, fields.join("|")),
            Self::Object { at, values, .. } => {
                let values: Vec<String> =
                    values.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                format!("{}@{} {}", at.row, at.position, values.join(" "))
            }
            Self::Bad { at, code, raw, .. } => {
                format!("{}@{} {code}: {}", at.row, at.position, String::from_utf8_lossy(raw))
            }
            Self::Fault { code, position } => format!("{code}@{position}"),
            Self::Io(error) => format!("io: {error}"),
        }
    }
}

pub(crate) fn open(bytes: &[u8], name: &str) -> Result<Rows, ReadError> {
    Rows::open(Box::new(Cursor::new(bytes.to_vec())), name, Limits::default())
}

/// All items as lines.
pub(crate) fn lines(bytes: &[u8], name: &str) -> Vec<String> {
    lines_within(bytes, name, &Limits::default())
}

pub(crate) fn lines_within(bytes: &[u8], name: &str, limits: &Limits) -> Vec<String> {
    all_items(Box::new(Cursor::new(bytes.to_vec())), name, limits).iter().map(Seen::line).collect()
}

/// The fault that ends a file.
pub(crate) fn fault(bytes: &[u8], name: &str) -> String {
    lines(bytes, name).pop().unwrap()
}

/// Why rows are refused.
pub(crate) fn reasons(bytes: &[u8], name: &str) -> Vec<String> {
    let mut rows = open(bytes, name).unwrap();
    let mut reasons = Vec::new();
    while let Some(item) = rows.next().unwrap() {
        if let Item::Bad(bad) = item {
            reasons.push(bad.reason);
        }
    }
    reasons
}

/// What opening an object, or reading it to its end, ends with.
pub(crate) fn file_fault(bytes: &[u8], name: &str) -> FileFault {
    let read = || {
        let mut rows = open(bytes, name)?;
        while rows.next()?.is_some() {}
        Ok(())
    };
    match read() {
        Err(ReadError::File(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn all_items(object: Box<dyn Object>, name: &str, limits: &Limits) -> Vec<Seen> {
    items_from(object, name, limits, Place::default())
}

pub(crate) fn items_from(object: Box<dyn Object>, name: &str, limits: &Limits, at: Place) -> Vec<Seen> {
    items_of(Rows::open_at(object, name, limits.clone(), at))
}

pub(crate) fn items_of(opened: Result<Rows, ReadError>) -> Vec<Seen> {
    let mut rows = match opened {
        Ok(rows) => rows,
        Err(error) => return vec![ended(error)],
    };
    let mut seen = Vec::new();
    loop {
        let mut item = match rows.next() {
            Ok(Some(item)) => see(item),
            Ok(None) => return seen,
            Err(error) => {
                seen.push(ended(error));
                assert!(rows.next().unwrap().is_none(), "nothing follows an error");
                return seen;
            }
        };
        let place = rows.place();
        match &mut item {
            Seen::Header(_, behind) | Seen::Named(behind) => *behind = place,
            Seen::Fields { behind, .. } | Seen::Object { behind, .. } | Seen::Bad { behind, .. } => {
                *behind = place
            }
            Seen::Fault { .. } | Seen::Io(_) => {}
        }
        seen.push(item);
    }
}

fn ended(error: ReadError) -> Seen {
    match error {
        ReadError::File(fault) => {
            assert!(!fault.reason.is_empty() && !fault.advice.is_empty());
            Seen::Fault { code: fault.code.as_str(), position: fault.position }
        }
        ReadError::Io(error) => Seen::Io(error.to_string()),
    }
}

fn see(item: Item<'_>) -> Seen {
    let behind = Place::default();
    match item {
        Item::Columns(Columns::Header(names)) => Seen::Header(names.to_vec(), behind),
        Item::Columns(Columns::Named) => Seen::Named(behind),
        Item::Row(row) => match row.values {
            Values::Fields(fields) => {
                let fields = fields.iter().map(str::to_owned).collect();
                Seen::Fields { at: row.at, raw: row.raw.to_vec(), fields, behind }
            }
            Values::Named(values) => {
                Seen::Object { at: row.at, raw: row.raw.to_vec(), values: values.to_vec(), behind }
            }
        },
        Item::Bad(bad) => {
            assert!(!bad.reason.is_empty() && !bad.advice.is_empty());
            let raw = bad.raw.to_vec();
            Seen::Bad { at: bad.at, raw, cut: bad.raw_truncated, code: bad.fault.code(), behind }
        }
    }
}

/// An object that answers reads with pieces of the given sizes, in turn.
pub(crate) struct Chunked {
    bytes: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
    read: Arc<AtomicU64>,
}

impl Chunked {
    pub(crate) fn new(bytes: Vec<u8>, sizes: Vec<usize>) -> Self {
        Self { bytes: Cursor::new(bytes), sizes, turn: 0, read: Arc::default() }
    }

    pub(crate) fn counting(bytes: Vec<u8>) -> (Self, Arc<AtomicU64>) {
        let object = Self::new(bytes, vec![usize::MAX]);
        let read = Arc::clone(&object.read);
        (object, read)
    }
}

impl Read for Chunked {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        if self.turn % 5 == 4 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let len = into.len().min(size);
        let read = self.bytes.read(&mut into[..len])?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Chunked {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// An object that fails once `left` bytes have been read.
pub(crate) struct Failing {
    pub(crate) bytes: Cursor<Vec<u8>>,
    pub(crate) left: usize,
    pub(crate) kind: io::ErrorKind,
}

impl Read for Failing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::new(self.kind, "the connection was lost"));
        }
        let len = into.len().min(self.left);
        let read = self.bytes.read(&mut into[..len])?;
        self.left -= read;
        Ok(read)
    }
}

impl Seek for Failing {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

/// A gzip of one member a piece.
pub(crate) fn gzip(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        let mut encoder = flate2::write::GzEncoder::new(&mut out, flate2::Compression::fast());
        encoder.write_all(piece).unwrap();
        encoder.finish().unwrap();
    }
    out
}

/// A zstd of one frame a piece, with checksums, and a frame to be skipped behind each.
pub(crate) fn zstd(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        let mut encoder = ::zstd::stream::Encoder::new(&mut out, 1).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(piece).unwrap();
        encoder.finish().unwrap();
        out.extend_from_slice(b"\x50\x2a\x4d\x18\x03\0\0\0abc");
    }
    out
}

/// A bzip2 of one stream a piece.
pub(crate) fn bzip2(pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        let mut encoder = ::bzip2::write::BzEncoder::new(&mut out, ::bzip2::Compression::fast());
        encoder.write_all(piece).unwrap();
        encoder.finish().unwrap();
    }
    out
}

/// How the text of a file is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
}

impl Encoding {
    pub(crate) const ALL: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be];

    /// The text with a byte order mark, where the encoding needs one; bytes that are no text become lone surrogates.
    pub(crate) fn file(self, text: &[u8]) -> Vec<u8> {
        match (self, text.starts_with("\u{feff}".as_bytes())) {
            (Self::Utf8, _) => text.to_vec(),
            (_, true) => self.encode(text),
            (_, false) => self.encode(&["\u{feff}".as_bytes(), text].concat()),
        }
    }

    pub(crate) fn encode(self, text: &[u8]) -> Vec<u8> {
        if self == Self::Utf8 {
            return text.to_vec();
        }
        let mut units: Vec<u16> = Vec::new();
        for chunk in text.utf8_chunks() {
            units.extend(chunk.valid().encode_utf16());
            if !chunk.invalid().is_empty() {
                units.push(0xd800);
            }
        }
        let bytes = |unit: &u16| if self == Self::Utf16Le { unit.to_le_bytes() } else { unit.to_be_bytes() };
        units.iter().flat_map(bytes).collect()
    }
}

/// A zip; every other entry is stored, the rest deflated.
pub(crate) fn zip<N: AsRef<str>>(entries: &[(N, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (index, (name, bytes)) in entries.iter().enumerate() {
        let method = if index % 2 == 0 {
            ::zip::CompressionMethod::Deflated
        } else {
            ::zip::CompressionMethod::Stored
        };
        let options = SimpleFileOptions::default().compression_method(method);
        if name.as_ref().ends_with('/') {
            writer.add_directory(name.as_ref(), options).unwrap();
        } else {
            writer.start_file(name.as_ref(), options).unwrap();
            writer.write_all(bytes).unwrap();
        }
    }
    writer.finish().unwrap().into_inner()
}

/// The layouts that samples are written in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Csv,
    Tsv,
    Lines,
    Pretty,
    Array,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] = [Kind::Csv, Kind::Tsv, Kind::Lines, Kind::Pretty, Kind::Array];

    pub(crate) fn next(self) -> Self {
        let at = Self::ALL.iter().position(|&kind| kind == self).unwrap();
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Rows of three fields in a layout, with broken rows between where `dirty`.
pub(crate) fn sample(kind: Kind, rows: &[Vec<String>], dirty: bool) -> (Vec<u8>, String) {
    match kind {
        Kind::Csv => (delimited(rows, ',', "\r\n", dirty), "x.csv".to_owned()),
        Kind::Tsv => (delimited(rows, '\t', if dirty { "\r" } else { "\n" }, dirty), "x.tsv".to_owned()),
        Kind::Lines => {
            let mut out = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                writeln!(out, "{}", object(row, "")).unwrap();
                if dirty {
                    let broken: [&[u8]; 4] = [b"{\"a\":\n", b"\n \n", b"{\"a\":\"\xff\"}\r\n", b"[1]\n"];
                    out.extend_from_slice(broken[index % 4]);
                }
            }
            (if rows.is_empty() { b"{}\n".to_vec() } else { out }, "x.jsonl".to_owned())
        }
        Kind::Pretty => {
            let objects: Vec<String> = rows.iter().map(|row| object(row, "\n  ")).collect();
            let between = if dirty { "" } else { "\n\n" };
            (format!("{}{between}{{}}", objects.join(between)).into_bytes(), "x.json".to_owned())
        }
        Kind::Array => {
            let mut objects: Vec<String> =
                rows.iter().map(|row| object(row, if dirty { "\n" } else { "" })).collect();
            if dirty {
                objects.push("17".to_owned());
                objects.push(format!("{{\"long\":\"{}\"}}", "x".repeat(300)));
                objects.push("{\"last\":1}".to_owned());
            }
            (format!(" [{} ]\n", objects.join(" , ")).into_bytes(), "x.json".to_owned())
        }
    }
}

fn object(row: &[String], line: &str) -> String {
    let escape =
        |text: &str| text.replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n").replace('\t', "\\t");
    format!(
        "{{{line}\"a\":\"{}\",{line}\"b\":{{\"c\":\"{}\",\"d\":[1,\"{}\"]}}{line}}}",
        escape(&row[0]),
        escape(&row[1]),
        escape(&row[2])
    )
}

fn delimited(rows: &[Vec<String>], delimiter: char, line_end: &str, dirty: bool) -> Vec<u8> {
    let mut out = format!("\u{feff}a{delimiter} b {delimiter}c{line_end}").into_bytes();
    for (index, row) in rows.iter().enumerate() {
        let fields: Vec<String> =
            row.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\""))).collect();
        out.extend_from_slice(fields.join(&delimiter.to_string()).as_bytes());
        out.extend_from_slice(line_end.as_bytes());
        if dirty {
            let long = "y".repeat(250);
            let broken: [&[u8]; 6] =
                [b"1", b"x,\"open", b"\xff,\xfe,x", long.as_bytes(), b"\"a\"b,c,d", b"5\" pipe,x,y"];
            out.extend_from_slice(broken[index % 6]);
            out.extend_from_slice(line_end.as_bytes());
            out.extend_from_slice(line_end.as_bytes());
        }
    }
    if dirty {
        out.extend_from_slice(b"last");
    }
    out
}
