//! One value of a row, checked against its column's type.

use std::borrow::Cow;

use format::JsonRef;

use crate::list::{self, ListFault};
use crate::schema::ColumnType;
use crate::timestamp::{Instant, TimestampFault, TimestampReader, UnixUnit};

/// A value as it stands in the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Raw<'a> {
    /// A field of a delimited file.
    Text(&'a str),
    /// A value of a JSON object.
    Json(JsonRef<'a>),
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
    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        match self {
            Raw::Text(text) => text.is_empty(),
            Raw::Json(JsonRef::Null) => true,
            Raw::Json(JsonRef::String(text)) => text.is_empty(),
            Raw::Json(_) => false,
        }
    }

    /// For people.
    pub(crate) fn shown(self) -> Cow<'a, str> {
        match self {
            Raw::Text(text) => text.into(),
            Raw::Json(JsonRef::Null) => "null".into(),
            Raw::Json(JsonRef::Bool(value)) => value.to_string().into(),
            Raw::Json(JsonRef::Number(text) | JsonRef::String(text) | JsonRef::Json(text)) => text.into(),
            Raw::Json(JsonRef::List(parts)) => format!("[{}]", parts.join(", ")).into(),
        }
    }

    /// The text of a scalar.
    #[inline(always)]
    pub(crate) fn scalar(self) -> Option<&'a str> {
        match self {
            Raw::Text(text) => Some(text),
            Raw::Json(JsonRef::String(text) | JsonRef::Number(text)) => Some(text),
            Raw::Json(JsonRef::Bool(true)) => Some("true"),
            Raw::Json(JsonRef::Bool(false)) => Some("false"),
            Raw::Json(JsonRef::Null | JsonRef::List(_) | JsonRef::Json(_)) => None,
        }
    }

    /// As a value of that type.
    pub(crate) fn typed(self, of: ColumnType, timestamps: &TimestampReader) -> Result<Typed<'a>, ValueFault> {
        if of == ColumnType::StringList {
            return self.list();
        }
        let text = self.scalar().ok_or(ValueFault::Type)?;
        let typed = match of {
            ColumnType::String => Some(Typed::String(text)),
            ColumnType::Integer => integer(text).map(Typed::Integer),
            ColumnType::Number => number(text).map(Typed::Number),
            ColumnType::Boolean => boolean(text).map(Typed::Boolean),
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
        if let Raw::Json(JsonRef::List(parts)) = self {
            let few = parts.len() <= list::MOST_PARTS;
            return few.then_some(Typed::StringList(parts.into())).ok_or(ValueFault::TooManyParts);
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
            Raw::Json(JsonRef::Null) => Typed::String(""),
            Raw::Json(JsonRef::Bool(value)) => Typed::Boolean(value),
            Raw::Json(JsonRef::String(text)) => Typed::String(text),
            Raw::Json(JsonRef::List(parts)) => Typed::StringList(parts.into()),
            Raw::Json(JsonRef::Json(text)) => Typed::Json(text),
            // A record keeps all digits of a whole number: beyond 64 bits as a text, where a float would lose some.
            Raw::Json(JsonRef::Number(text)) => match (text.parse(), number(text)) {
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

/// With blanks around it or not.
#[inline]
pub(crate) fn integer(text: &str) -> Option<i64> {
    text.trim_ascii().parse().ok()
}

/// Finite only, with blanks around it or not. Rust's own parser also takes `inf` and `NaN`, which are no numbers here.
#[inline]
pub(crate) fn number(text: &str) -> Option<f64> {
    short_decimal(text.as_bytes())
        .or_else(|| text.trim_ascii().parse().ok().filter(|number: &f64| number.is_finite()))
}

/// Digits with or without a point, few enough that both they and the power of ten that divides them are floats without
/// loss: then the quotient is the float that is nearest, as IEEE 754 has it (Clinger, "How to Read Floating Point Numbers
/// Accurately"). None for any other text.
#[inline]
fn short_decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    if text.len() > POWERS.len() {
        return None;
    }
    let (mut digits, mut point) = (0_u64, None);
    for (at, byte) in text.iter().enumerate() {
        match byte.wrapping_sub(b'0') {
            digit @ 0..=9 => digits = digits * 10 + u64::from(digit),
            _ if *byte == b'.' && point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let fraction = match point {
        // A point stands between digits.
        Some(0) => return None,
        Some(point) => text.len() - point - 1,
        None => 0,
    };
    let lone = text.is_empty() || (point.is_some() && fraction == 0);
    (!lone && digits < 1 << 53).then(|| digits as f64 / POWERS[fraction])
}

/// A word for it in any case, with blanks around it or not.
#[inline]
pub(crate) fn boolean(text: &str) -> Option<bool> {
    // As most files write them.
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => boolean_word(text.trim_ascii()),
    }
}

fn boolean_word(text: &str) -> Option<bool> {
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
    fn decimals_are_the_floats_that_are_nearest() {
        for text in
            ["0", "0.1", "123.45", "499.99", "9007199254740993", "0.000000000000001", "1.7976931348623"]
        {
            assert_eq!(number(text), text.parse().ok(), "{text}");
        }
        let mut random = 1_u64;
        for _ in 0..100_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let digits = (random >> 16) % 10_u64.pow(1 + (random >> 60) as u32);
            let text = format!("{}.{:02}", digits, (random >> 8) % 1_000);
            assert_eq!(number(&text), text.parse().ok(), "{text}");
        }
        for other in ["1.", ".5", "+1.5", "-2", "1e3"] {
            assert_eq!(number(other), other.parse().ok(), "{other}");
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
        let undeclared = |text: &str| match Raw::Json(JsonRef::Number(text)).undeclared() {
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
