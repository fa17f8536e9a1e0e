//! Why a row is refused, in words.

use std::borrow::Cow;

use crate::list;
use crate::schema::{Column, ColumnType};
use crate::shown::cut;
use crate::timestamp::TimestampFault;
use crate::value::{Raw, ValueFault};

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {advice}")]
pub struct Refusal {
    /// One of [`Refusal::CODES`], or of [`format::RowFault`].
    pub code: &'static str,
    /// The column as the schema names it, or else the file, cut at 100 characters; empty where the row as a whole is at
    /// fault.
    pub column: String,
    /// In plain words, with the value concerned.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
}

impl Refusal {
    /// Every code of a row that does not fit its schema.
    pub const CODES: [&str; 8] = [
        "missing_value",
        "invalid_type",
        "timestamp_out_of_range",
        "ambiguous_timestamp",
        "unexpected_column",
        "malformed_row",
        "row_too_large",
        Self::SUBJECT_DELETED,
    ];

    /// The code of a row of a person on the account's deletion list. It is refused, and not invalid.
    pub const SUBJECT_DELETED: &str = "subject_deleted";

    /// A row of a person on the account's deletion list; does not tell of whom.
    pub(crate) fn subject_deleted() -> Self {
        Self {
            code: Self::SUBJECT_DELETED,
            column: String::new(),
            reason: "the row is of a subject on the account's deletion list".to_owned(),
            advice: "nothing, if the deletion is meant; else take the subject off the list",
        }
    }

    /// A column that the schema does not name, where it rejects such columns.
    pub(crate) fn unexpected(name: &str) -> Self {
        let shown = cut(name);
        Self {
            code: "unexpected_column",
            reason: format!("the schema does not name the column {shown:?}"),
            advice: "take the column out of the file, or add it to the source's schema",
            column: shown.into_owned(),
        }
    }

    /// A record that the queue does not take.
    pub(crate) fn record_too_large(bytes: usize, most: usize) -> Self {
        Self {
            code: "row_too_large",
            column: String::new(),
            reason: format!(
                "its record has {bytes} bytes, with the names of its columns; at most {most} are taken"
            ),
            advice: "shorten the row's values or the names of its columns, or leave columns out",
        }
    }

    /// A column that the schema does not name, which has the name of one that is read from another header.
    pub(crate) fn taken(of: &Column) -> Self {
        let (name, header) = (cut(&of.name), cut(of.header()));
        Self {
            code: "unexpected_column",
            reason: format!("the column {name:?} is read from {header:?}, and the row has {name:?} as well"),
            advice: "rename it in the file, or add it to the source's schema under another name, with `from`",
            column: name.into_owned(),
        }
    }

    /// A value in one of several columns without a name; `number` is the column's, from 1.
    pub(crate) fn nameless(number: usize, value: &str) -> Self {
        let value = cut(value);
        Self {
            code: "unexpected_column",
            column: String::new(),
            reason: format!(
                "column {number} holds {value:?}, and has no name, as other columns of the header"
            ),
            advice: "give each column a name, or leave those without one empty",
        }
    }

    /// More than one value of an object is the schema's column.
    pub(crate) fn twice(column: &str) -> Self {
        let shown = cut(column);
        Self {
            code: "malformed_row",
            reason: format!("more than one value of the object is the column {shown:?}"),
            advice: "name each value once, in one case",
            column: shown.into_owned(),
        }
    }

    /// A required column without a value.
    pub(crate) fn missing(column: &Column) -> Self {
        let name = cut(&column.name);
        let from = match &column.from {
            Some(header) if *header != column.name => format!(" (read from {:?})", cut(header)),
            _ => String::new(),
        };
        Self {
            code: "missing_value",
            reason: format!("the required column {name:?}{from} is empty"),
            advice: "fill it in, or leave the row out",
            column: name.into_owned(),
        }
    }

    /// A row of a subject and nothing else.
    pub(crate) fn subject_alone(subject: &str) -> Self {
        Self {
            code: "missing_value",
            column: String::new(),
            reason: format!("the object has nothing besides {subject:?}"),
            advice: "give it at least one more value, or leave the row out",
        }
    }

    /// A value that is not of its column's type.
    pub(crate) fn value(column: &Column, raw: Raw<'_>, fault: ValueFault) -> Self {
        let shown = raw.shown();
        let value = cut(&shown);
        let (code, reason, advice) = match fault {
            ValueFault::Timestamp(TimestampFault::Ambiguous) => (
                "ambiguous_timestamp",
                format!("{value:?} could be more than one date"),
                "write it as 2026-11-23T10:00:00Z, or give the column a format in the source's schema",
            ),
            ValueFault::Timestamp(TimestampFault::Range) => (
                "timestamp_out_of_range",
                format!("{value:?} is not between 1970-01-01 and 2200-01-01"),
                "look at the unit (seconds, milliseconds) and the year",
            ),
            ValueFault::Timestamp(TimestampFault::Form) | ValueFault::Type => (
                "invalid_type",
                format!("{value:?} is not {}", described(column)),
                advice(column.column_type),
            ),
            ValueFault::TooManyParts => (
                "row_too_large",
                format!("the list {value:?} has more than {} parts", list::MOST_PARTS),
                "shorten the list, or write it in several rows",
            ),
        };
        Self { code, column: cut(&column.name).into_owned(), reason, advice }
    }
}

fn described(column: &Column) -> Cow<'static, str> {
    match (column.column_type, &column.format) {
        (ColumnType::String, _) => "a text".into(),
        (ColumnType::Integer, _) => "a whole number of 64 bits".into(),
        (ColumnType::Number, _) => "a finite number".into(),
        (ColumnType::Boolean, _) => "true or false".into(),
        (ColumnType::Timestamp, None) => "a timestamp".into(),
        (ColumnType::Timestamp, Some(format)) => {
            format!("a timestamp of the column's format {:?}", cut(format)).into()
        }
        (ColumnType::StringList, _) => "a list of texts".into(),
    }
}

fn advice(of: ColumnType) -> &'static str {
    match of {
        ColumnType::String => "give a text, not a list or an object",
        ColumnType::Integer => "write digits alone, without separators, fraction or exponent",
        ColumnType::Number => "write it with a point for the fraction and without separators",
        ColumnType::Boolean => "write true or false, yes or no, 1 or 0",
        ColumnType::Timestamp => "write it as 2026-11-23T10:00:00Z or as Unix seconds or milliseconds",
        ColumnType::StringList => "write a JSON array, or parts separated by |",
    }
}
