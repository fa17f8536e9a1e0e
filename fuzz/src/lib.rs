//! What holds of every file, however it was made.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use format::{Columns, FileCode, Item, JsonValue, Limits, Object, Place, ReadError, Rows, Values};

/// Small, so that short inputs reach them.
pub fn limits() -> Limits {
    Limits {
        row_bytes: 300,
        columns: 16,
        list_parts: 24,
        nesting: 6,
        zip_entries: 8,
        expansion_ratio: 50,
        expansion_floor: 1 << 20,
    }
}

/// What a reader yielded, fit to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub what: What,
    pub behind: Place,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Header(Vec<String>),
    Named,
    Fields { at: Place, raw: Vec<u8>, fields: Vec<String> },
    Object { at: Place, raw: Vec<u8>, values: Vec<(String, JsonValue)> },
    Bad { at: Place, raw: Vec<u8>, code: &'static str },
    Fault { code: FileCode, position: u64 },
    Failed(io::ErrorKind),
}

impl What {
    pub fn is_columns(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Named)
    }

    /// Where the row begins, and its bytes.
    pub fn raw(&self) -> Option<(Place, &[u8])> {
        match self {
            Self::Fields { at, raw, .. } | Self::Object { at, raw, .. } | Self::Bad { at, raw, .. } => {
                Some((*at, raw))
            }
            _ => None,
        }
    }
}

/// Reads a file from a place to its end, and holds what is true of every file.
pub fn read_from(object: Box<dyn Object>, name: &str, limits: &Limits, place: Place) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut rows = match Rows::open_at(object, name, limits.clone(), place) {
        Ok(rows) => rows,
        Err(error) => return vec![Step { what: ended(error), behind: place }],
    };
    let (mut last, mut width) = (place, 0);
    loop {
        let what = match rows.next() {
            Ok(Some(item)) => seen(&item),
            Ok(None) => break,
            Err(error) => {
                assert!(matches!(rows.next(), Ok(None)), "nothing follows an error");
                steps.push(Step { what: ended(error), behind: last });
                break;
            }
        };
        let behind = rows.place();
        assert!(behind.position >= last.position && behind.row >= last.row, "places go forward");
        if let Some((at, raw)) = what.raw() {
            assert_eq!(at.row, last.row + 1, "each row has the next number");
            assert_eq!(behind.row, at.row, "the place behind a row has its number");
            assert!(
                at.position >= last.position && at.position <= behind.position,
                "a row lies before its end"
            );
            assert!(raw.len() <= (16 << 10).max(limits.row_bytes), "raw bytes are bounded");
        }
        match &what {
            What::Header(names) => width = names.len(),
            What::Fields { fields, .. } => assert_eq!(fields.len(), width, "a field a column"),
            What::Object { values, .. } => {
                assert!(values.len() <= limits.columns, "values are bounded");
                let parts = |(_, value): &(String, JsonValue)| match value {
                    JsonValue::List(parts) => parts.len(),
                    _ => 0,
                };
                assert!(values.iter().map(parts).sum::<usize>() <= limits.list_parts, "lists are bounded");
            }
            _ => {}
        }
        last = behind;
        steps.push(Step { what, behind });
    }
    steps
}

/// Reads a file from its start.
pub fn read(bytes: &[u8], name: &str, limits: &Limits) -> Vec<Step> {
    read_from(Box::new(Cursor::new(bytes.to_vec())), name, limits, Place::default())
}

/// True for neither UTF-16 nor anything compressed.
pub fn is_plain(bytes: &[u8]) -> bool {
    let packed: [&[u8]; 6] = [b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"PK", b"\x28\xb5\x2f\xfd", b"BZh"];
    let skippable = matches!(bytes, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    !skippable && !packed.iter().any(|mark| bytes.starts_with(mark))
}

/// Reads text, in which each row stands where it is said to.
pub fn read_plain(bytes: &[u8], name: &str) -> Vec<Step> {
    let steps = read(bytes, name, &limits());
    if !is_plain(bytes) {
        return steps;
    }
    for step in &steps {
        if let Some((at, raw)) = step.what.raw() {
            assert!(bytes[at.position as usize..].starts_with(raw), "a row stands at its position: {step:?}");
        }
    }
    steps
}

/// Compressed in two parts, text reads as it does plain.
pub fn compressed_reads_the_same(text: &[u8], ending: &str, compress: impl Fn(&[u8]) -> Vec<u8>) {
    let plain = read(text, "x.csv", &limits());
    // What is told of the file as a whole before the first row (another format, an archive in it) names what it is in.
    if !is_plain(text) || !plain.first().is_some_and(|first| first.what.is_columns()) {
        return;
    }
    let (one, other) = text.split_at(text.len() / 3);
    let file = [compress(one), compress(other)].concat();
    assert_eq!(read(&file, &format!("x.csv.{ending}"), &limits()), plain);
}

fn ended(error: ReadError) -> What {
    match error {
        ReadError::File(fault) => {
            assert!(!fault.reason.is_empty() && !fault.advice.is_empty(), "a fault says what and what to do");
            What::Fault { code: fault.code, position: fault.position }
        }
        ReadError::Io(error) => What::Failed(error.kind()),
    }
}

fn seen(item: &Item<'_>) -> What {
    match item {
        Item::Columns(Columns::Header(names)) => What::Header(names.to_vec()),
        Item::Columns(Columns::Named) => What::Named,
        Item::Row(row) => {
            let (at, raw) = (row.at, row.raw.to_vec());
            match row.values {
                Values::Fields(fields) => {
                    What::Fields { at, raw, fields: fields.iter().map(str::to_owned).collect() }
                }
                Values::Named(values) => What::Object { at, raw, values: values.to_vec() },
            }
        }
        Item::Bad(bad) => {
            assert!(!bad.reason.is_empty() && !bad.advice.is_empty(), "a bad row says what and what to do");
            What::Bad { at: bad.at, raw: bad.raw.to_vec(), code: bad.fault.code() }
        }
    }
}

/// An object that answers each read with at most `size` bytes.
pub struct Pieces {
    bytes: Cursor<Vec<u8>>,
    size: usize,
}

impl Pieces {
    pub fn new(bytes: &[u8], size: usize) -> Self {
        Self { bytes: Cursor::new(bytes.to_vec()), size: size.max(1) }
    }
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(self.size);
        self.bytes.read(&mut into[..len])
    }
}

impl Seek for Pieces {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}
