//! One value of a row, checked against its column's type.

use std::borrow::Cow;

use format::JsonValue;

use crate::list::{self, ListFault};
use crate::schema::ColumnType;
use crate::timestamp::{Instant, TimestampFault, TimestampReader, UnixUnit};
use crate::wire;

/// A value as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// A field of a delimited file.
    Text(&'a str),
    /// A value of a JSON object.
    Json(&'a JsonValue),
}

/// A value of its column's type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Typed<'a> {
    String(&'a str),
    Integer(i64),
    Number(f64),
    Boolean(bool),
    /// With the unit of Unix digits.
    Timestamp(Instant, Option<UnixUnit>),
    StringList(Cow<'a, [String]>),
    Json(&'a str),
}

/// Why a value is not of its column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueFault {
    Type,
    Timestamp(TimestampFault),
    /// A list of more than [`list::MOST_PARTS`].
    TooManyParts,
}

impl<'a> Raw<'a> {
    /// An empty value is null.
    pub(crate) fn is_null(self) -> bool {
        match self {
            Raw::Text(text) => text.is_empty(),
            Raw::Json(JsonValue::Null) => true,
            Raw::Json(JsonValue::String(text)) => text.is_empty(),
            Raw::Json(_) => false,
        }
    }

    /// For people.
    pub(crate) fn shown(self) -> Cow<'a, str> {
        match self {
            Raw::Text(text) => text.into(),
            Raw::Json(JsonValue::Null) => "null".into(),
            Raw::Json(JsonValue::Bool(value)) => value.to_string().into(),
            Raw::Json(JsonValue::Number(text) | JsonValue::String(text) | JsonValue::Json(text)) => {
                text.as_str().into()
            }
            Raw::Json(JsonValue::List(parts)) => format!("[{}]", parts.join(", ")).into(),
        }
    }

    /// The text of a scalar.
    pub(crate) fn scalar(self) -> Option<&'a str> {
        match self {
            Raw::Text(text) => Some(text),
            Raw::Json(JsonValue::String(text) | JsonValue::Number(text)) => Some(text),
            Raw::Json(JsonValue::Bool(true)) => Some("true"),
            Raw::Json(JsonValue::Bool(false)) => Some("false"),
            Raw::Json(JsonValue::Null | JsonValue::List(_) | JsonValue::Json(_)) => None,
        }
    }

    /// As a value of that type.
    pub(crate) fn typed(self, of: ColumnType, timestamps: &TimestampReader) -> Result<Typed<'a>, ValueFault> {
        if of == ColumnType::StringList {
            return self.list();
        }
        let text = self.scalar().ok_or(ValueFault::Type)?;
        let trimmed = text.trim_ascii();
        let typed = match of {
            ColumnType::String => Some(Typed::String(text)),
            ColumnType::Integer => trimmed.parse().ok().map(Typed::Integer),
            ColumnType::Number => number(trimmed).map(Typed::Number),
            ColumnType::Boolean => boolean(trimmed).map(Typed::Boolean),
            ColumnType::Timestamp => {
                let (at, unit) = timestamps.read(text).map_err(ValueFault::Timestamp)?;
                return Ok(Typed::Timestamp(at, unit));
            }
            ColumnType::StringList => None,
        };
        typed.ok_or(ValueFault::Type)
    }

    /// A list: of JSON, a JSON array as text, or parts separated by `|`.
    fn list(self) -> Result<Typed<'a>, ValueFault> {
        if let Raw::Json(JsonValue::List(parts)) = self {
            let few = parts.len() <= list::MOST_PARTS;
            return few.then_some(Typed::StringList(parts.as_slice().into())).ok_or(ValueFault::TooManyParts);
        }
        let parts = list::read(self.scalar().ok_or(ValueFault::Type)?).map_err(|fault| match fault {
            ListFault::Form => ValueFault::Type,
            ListFault::TooMany => ValueFault::TooManyParts,
        })?;
        Ok(Typed::StringList(parts.into()))
    }

    /// As a value of a column that the schema does not name.
    pub(crate) fn undeclared(self) -> Typed<'a> {
        match self {
            Raw::Text(text) => Typed::String(text),
            Raw::Json(JsonValue::Null) => Typed::String(""),
            Raw::Json(JsonValue::Bool(value)) => Typed::Boolean(*value),
            Raw::Json(JsonValue::String(text)) => Typed::String(text),
            Raw::Json(JsonValue::List(parts)) => Typed::StringList(parts.as_slice().into()),
            Raw::Json(JsonValue::Json(text)) => Typed::Json(text),
            // A record keeps all digits of a whole number: beyond 64 bits as a text, where a float would lose some.
            Raw::Json(JsonValue::Number(text)) => match (text.parse(), number(text)) {
                (Ok(integer), _) => Typed::Integer(integer),
                (Err(_), Some(number)) if !is_whole(text) => Typed::Number(number),
                (Err(_), _) => Typed::String(text),
            },
        }
    }
}

/// Written without a fraction and without an exponent.
pub(crate) fn is_whole(number: &str) -> bool {
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Finite only. Rust's own parser also takes `inf` and `NaN`, which are no numbers here.
fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "t", "yes", "y", "1"];
    const FALSE: [&str; 5] = ["false", "f", "no", "n", "0"];
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if TRUE.iter().any(is) {
        Some(true)
    } else if FALSE.iter().any(is) {
        Some(false)
    } else {
        None
    }
}

impl Typed<'_> {
    /// Appends it as a `cortex.records.v1.Value`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => wire::bytes(1, text.as_bytes(), out),
            Self::Integer(value) => wire::signed(2, *value, out),
            Self::Number(value) => wire::fixed64(3, value.to_bits(), out),
            Self::Boolean(value) => wire::unsigned(4, u64::from(*value), out),
            Self::Timestamp(at, _) => wire::timestamp(5, *at, out),
            Self::StringList(parts) => {
                let mut list = Vec::new();
                for part in parts.iter() {
                    wire::bytes(1, part.as_bytes(), &mut list);
                }
                wire::bytes(6, &list, out);
            }
            Self::Json(text) => wire::bytes(7, text.as_bytes(), out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str, of: ColumnType) -> Option<Typed<'_>> {
        Raw::Text(text).typed(of, &TimestampReader::new(None, "UTC")).ok()
    }

    #[test]
    fn integers_have_no_exponent_no_separator_and_64_bits() {
        assert_eq!(typed(" -42 ", ColumnType::Integer), Some(Typed::Integer(-42)));
        assert_eq!(typed("9223372036854775807", ColumnType::Integer), Some(Typed::Integer(i64::MAX)));
        for wrong in ["9223372036854775808", "1e3", "1,000", "1_000", "1.0", "0x10", "--1", "one"] {
            assert_eq!(typed(wrong, ColumnType::Integer), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(typed("1.5e3", ColumnType::Number), Some(Typed::Number(1500.0)));
        for wrong in ["NaN", "inf", "-infinity", "1e999", "1,5", "", "."] {
            assert_eq!(typed(wrong, ColumnType::Number), None, "{wrong}");
        }
    }

    #[test]
    fn booleans_are_taken_in_every_listed_form() {
        for (word, value) in
            [("TRUE", true), ("f", false), ("Yes", true), ("n", false), ("1", true), ("0", false)]
        {
            assert_eq!(typed(word, ColumnType::Boolean), Some(Typed::Boolean(value)), "{word}");
        }
        assert_eq!(typed("2", ColumnType::Boolean), None);
    }

    #[test]
    fn undeclared_json_numbers_keep_their_kind() {
        let undeclared = |text: &str| match Raw::Json(&JsonValue::Number(text.into())).undeclared() {
            Typed::Integer(_) => "integer",
            Typed::Number(_) => "number",
            Typed::String(digits) if digits == text => "digits",
            _ => "other",
        };
        for (text, kind) in [
            ("7", "integer"),
            ("-9223372036854775808", "integer"),
            ("7.0", "number"),
            ("7e2", "number"),
            ("18446744073709551615.5", "number"),
            ("9223372036854775808", "digits"),
            ("-9223372036854775809", "digits"),
            ("18446744073709551615", "digits"),
            ("1e999", "digits"),
        ] {
            assert_eq!(undeclared(text), kind, "{text}");
        }
    }
}
