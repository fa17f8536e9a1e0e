//! What a reader yields, and the limits it keeps.

use std::ops::Range;

use crate::RowFault;

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

/// The values of a JSON object, flattened. What a row writes without escapes is not copied out of it.
///
/// ```
/// let values = [("user_id".to_owned(), format::JsonValue::String("u1".to_owned()))];
/// let named = format::Named::of(&values);
/// assert_eq!(named.iter().collect::<Vec<_>>(), [("user_id", format::JsonRef::String("u1"))]);
/// assert_eq!(named.to_vec(), values);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Named<'a>(Origin<'a>);

#[derive(Debug, Clone, Copy)]
enum Origin<'a> {
    Row { text: &'a str, unescaped: &'a str, values: &'a [(String, Held)] },
    Values(&'a [(String, JsonValue)]),
}

/// A value as it is held while its row is at hand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Held {
    Null,
    Bool(bool),
    /// By its bytes in the row.
    Number(Range<usize>),
    /// By its bytes in the row.
    String(Range<usize>),
    /// A string that is written with escapes, by its bytes among those of the row without them.
    Unescaped(Range<usize>),
    List(Vec<String>),
    /// By its bytes in the row.
    Json(Range<usize>),
}

impl<'a> Named<'a> {
    /// Values that stand by themselves.
    pub fn of(values: &'a [(String, JsonValue)]) -> Self {
        Self(Origin::Values(values))
    }

    pub(crate) fn held(text: &'a str, unescaped: &'a str, values: &'a [(String, Held)]) -> Self {
        Self(Origin::Row { text, unescaped, values })
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            Origin::Row { values, .. } => values.len(),
            Origin::Values(values) => values.len(),
        }
    }

    /// True where there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`, with its name.
    #[inline]
    pub fn get(&self, index: usize) -> Option<(&'a str, JsonRef<'a>)> {
        match self.0 {
            Origin::Row { text, unescaped, values } => {
                let (name, held) = values.get(index)?;
                let part = |of: &'a str, span: &Range<usize>| of.get(span.clone()).unwrap_or_default();
                let value = match held {
                    Held::Null => JsonRef::Null,
                    Held::Bool(value) => JsonRef::Bool(*value),
                    Held::Number(span) => JsonRef::Number(part(text, span)),
                    Held::String(span) => JsonRef::String(part(text, span)),
                    Held::Unescaped(span) => JsonRef::String(part(unescaped, span)),
                    Held::List(parts) => JsonRef::List(parts),
                    Held::Json(span) => JsonRef::Json(part(text, span)),
                };
                Some((name, value))
            }
            Origin::Values(values) => {
                let (name, value) = values.get(index)?;
                let value = match value {
                    JsonValue::Null => JsonRef::Null,
                    JsonValue::Bool(value) => JsonRef::Bool(*value),
                    JsonValue::Number(text) => JsonRef::Number(text),
                    JsonValue::String(text) => JsonRef::String(text),
                    JsonValue::List(parts) => JsonRef::List(parts),
                    JsonValue::Json(text) => JsonRef::Json(text),
                };
                Some((name, value))
            }
        }
    }

    /// The values in order, with their names.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, JsonRef<'a>)> + use<'a> {
        let named = *self;
        (0..named.len()).filter_map(move |index| named.get(index))
    }

    /// The names in order.
    #[inline]
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let named = *self;
        (0..named.len()).filter_map(move |index| match named.0 {
            Origin::Row { values, .. } => values.get(index).map(|(name, _)| name.as_str()),
            Origin::Values(values) => values.get(index).map(|(name, _)| name.as_str()),
        })
    }

    /// To keep beyond the row.
    pub fn to_vec(&self) -> Vec<(String, JsonValue)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// A JSON value as a column may hold it, in its row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JsonRef<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// The digits as they stand in the file, so that no precision is lost before the column's type is known.
    Number(&'a str),
    /// A string.
    String(&'a str),
    /// A list of scalars, each as text; `null`s left out.
    List(&'a [String]),
    /// Deeper nesting (lists with objects or lists in them), as JSON text.
    Json(&'a str),
}

impl JsonRef<'_> {
    /// To keep beyond the row.
    pub fn to_owned(self) -> JsonValue {
        match self {
            Self::Null => JsonValue::Null,
            Self::Bool(value) => JsonValue::Bool(value),
            Self::Number(text) => JsonValue::Number(text.to_owned()),
            Self::String(text) => JsonValue::String(text.to_owned()),
            Self::List(parts) => JsonValue::List(parts.to_vec()),
            Self::Json(text) => JsonValue::Json(text.to_owned()),
        }
    }
}

/// A JSON value as a column may hold it, kept beyond its row.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonValue {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// The digits as they stand in the file, so that no precision is lost before the column's type is known.
    Number(String),
    /// A string.
    String(String),
    /// A list of scalars, each as text; `null`s left out.
    List(Vec<String>),
    /// Deeper nesting (lists with objects or lists in them), as JSON text.
    Json(String),
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
