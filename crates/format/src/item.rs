//! What a reader yields, and the limits it keeps.

use std::ops::Range;

use crate::{Named, RowFault};

/// Where a row stands: enough to go on behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Byte offset after decompression, the entries of a zip counted on.
    pub position: u64,
    /// Data rows up to here (the number of the last row read; 0 at the start).
    pub row: u64,
}

/// An entry of a zip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its name as the zip has it, cut at 512 bytes.
    pub name: &'a str,
    /// Where its first byte stands among all entries, after decompression: a [`Place::position`].
    pub position: u64,
}

/// Limits that keep memory bounded.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest row, in bytes. Default 1 MiB.
    pub row_bytes: usize,
    /// The widest header, and the most values of a JSON row. Default 4,096.
    pub columns: usize,
    /// The most parts that the lists of scalars of a JSON row have together: held one by one, the shortest parts take some
    /// thirty times the room that they have in the file. Default 65,536.
    pub list_parts: usize,
    /// The deepest JSON nesting; a flat object is 1 deep. Default 64, at most 256.
    pub nesting: usize,
    /// The most entries of a zip. Default 10,000.
    pub zip_entries: usize,
    /// Expansion over this ratio, past `expansion_floor` bytes, ends the file. Default 200.
    pub expansion_ratio: u64,
    /// Default 1 GiB.
    pub expansion_floor: u64,
}

impl Limits {
    /// How many bytes behind a row's last one may have a say in how the row is read: the row may have been longer.
    pub fn bytes_ahead(&self) -> usize {
        self.row_bytes.saturating_add(2)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            row_bytes: 1 << 20,
            columns: 4_096,
            list_parts: 1 << 16,
            nesting: 64,
            zip_entries: 10_000,
            expansion_ratio: 200,
            expansion_floor: 1 << 30,
        }
    }
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Item<'a> {
    /// The columns of the rows that follow, before the first row and again where they change (the next entry of a zip).
    /// JSON has none: there each row names its own, and [`Columns::Named`] comes once.
    Columns(Columns<'a>),
    /// A row.
    Row(Row<'a>),
    /// A row that cannot be read; the file goes on behind it.
    Bad(BadRow<'a>),
}

/// How rows name their values.
#[derive(Debug, Clone, Copy)]
pub enum Columns<'a> {
    /// By position: the trimmed names of the header row. No name but the empty one stands twice.
    Header(&'a [String]),
    /// Each row names its own (JSON).
    Named,
}

/// One data row.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Byte where the row begins, after decompression, and its number (1-based).
    pub at: Place,
    /// The row's bytes as they stand in the file, without the line end.
    pub raw: &'a [u8],
    /// Its values.
    pub values: Values<'a>,
}

/// The values of one row.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// One field a header column, unquoted; valid UTF-8 is checked by the reader.
    Fields(Fields<'a>),
    /// Names and values of a JSON object, flattened (`address.city`), in the order of the file. No name stands twice.
    Named(Named<'a>),
}

/// The fields of a delimited row: one text, and where each field stands in it.
///
/// ```
/// let fields = format::Fields { text: "u1,view", spans: &[0..2, 3..7] };
/// assert_eq!(fields.len(), 2);
/// assert_eq!(fields.get(1), "view");
/// assert_eq!(fields.iter().collect::<Vec<_>>(), ["u1", "view"]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// All fields, in order, with or without what stands between them in the file.
    pub text: &'a str,
    /// Each field, by its bytes in `text`.
    pub spans: &'a [Range<usize>],
}

impl<'a> Fields<'a> {
    /// How many fields there are: as many as the header has columns.
    #[inline]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// True where there is no field.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The field at `index`; empty where there is no such field.
    #[inline]
    pub fn get(&self, index: usize) -> &'a str {
        self.spans.get(index).and_then(|span| self.text.get(span.clone())).unwrap_or("")
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let fields = *self;
        (0..fields.len()).map(move |index| fields.get(index))
    }
}

/// A row that cannot be read.
#[derive(Debug, Clone)]
pub struct BadRow<'a> {
    /// Where it begins, and its number (a bad row counts as a row).
    pub at: Place,
    /// Its bytes, cut at 16 KiB.
    pub raw: &'a [u8],
    /// True where `raw` was cut.
    pub raw_truncated: bool,
    /// What is wrong.
    pub fault: RowFault,
    /// In plain words, with the values concerned.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
}
