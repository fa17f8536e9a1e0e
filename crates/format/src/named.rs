//! The values of a JSON row, by their names.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

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
    Row(HeldRow<'a>),
    Values(&'a [(String, JsonValue)]),
}

/// A row as its reader holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldRow<'a> {
    pub(crate) text: &'a str,
    /// Its strings that are written with escapes, without them.
    pub(crate) unescaped: &'a str,
    /// The parts of its lists.
    pub(crate) parts: &'a [String],
    pub(crate) names: &'a [String],
    /// As many as names.
    pub(crate) values: &'a [Held],
    pub(crate) shape: Shape,
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
    /// By its parts among those of the row.
    List(Range<usize>),
    /// By its bytes in the row.
    Json(Range<usize>),
}

impl<'a> HeldRow<'a> {
    /// Always in line: a value that is handed on through memory is waited for.
    #[inline(always)]
    fn value(&self, held: &Held) -> JsonRef<'a> {
        let part = |of: &'a str, span: &Range<usize>| of.get(span.clone()).unwrap_or_default();
        match held {
            Held::Null => JsonRef::Null,
            Held::Bool(value) => JsonRef::Bool(*value),
            Held::Number(span) => JsonRef::Number(part(self.text, span)),
            Held::String(span) => JsonRef::String(part(self.text, span)),
            Held::Unescaped(span) => JsonRef::String(part(self.unescaped, span)),
            Held::List(span) => JsonRef::List(self.parts.get(span.clone()).unwrap_or_default()),
            Held::Json(span) => JsonRef::Json(part(self.text, span)),
        }
    }
}

/// Rows of one shape have the same names in the same order, so that what was found out of the names of one holds for all.
/// Rows of different shapes may have the same names, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape(u64);

impl Shape {
    /// One that no row has had, of any reader.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<'a> Named<'a> {
    /// Values that stand by themselves.
    pub fn of(values: &'a [(String, JsonValue)]) -> Self {
        Self(Origin::Values(values))
    }

    pub(crate) fn held(row: HeldRow<'a>) -> Self {
        Self(Origin::Row(row))
    }

    /// The shape of the row; none of values that stand by themselves.
    #[inline]
    pub fn shape(&self) -> Option<Shape> {
        match self.0 {
            Origin::Row(row) => Some(row.shape),
            Origin::Values(_) => None,
        }
    }

    /// How many values there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            Origin::Row(row) => row.values.len(),
            Origin::Values(values) => values.len(),
        }
    }

    /// True where there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`, with its name.
    #[inline(always)]
    pub fn get(&self, index: usize) -> Option<(&'a str, JsonRef<'a>)> {
        match self.0 {
            Origin::Row(row) => Some((row.names.get(index)?, row.value(row.values.get(index)?))),
            Origin::Values(values) => values.get(index).map(|(name, value)| (name.as_str(), value.as_ref())),
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
            Origin::Row(row) => row.names.get(index).map(String::as_str),
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

impl JsonValue {
    fn as_ref(&self) -> JsonRef<'_> {
        match self {
            Self::Null => JsonRef::Null,
            Self::Bool(value) => JsonRef::Bool(*value),
            Self::Number(text) => JsonRef::Number(text),
            Self::String(text) => JsonRef::String(text),
            Self::List(parts) => JsonRef::List(parts),
            Self::Json(text) => JsonRef::Json(text),
        }
    }
}
