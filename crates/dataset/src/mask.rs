//! What people may see of rows: the values of sensitive columns are masked.

use std::borrow::Cow;

use prost::DecodeError;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::kind::OwnColumn;
use crate::property::{PROPERTIES, PropertyName};
use crate::schema::{Column, ColumnType, Schema};
use crate::shown::cut;
use crate::value::Typed;
use crate::warning::{Warning, WarningCode};
use crate::wire;

/// What stands for a value.
pub const MASKED: &str = "***";

/// Why a record cannot be masked; it must not be shown then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MaskError {
    /// It is no record of the schema's dataset.
    #[error(
        "a record of {expected} was expected, this is a {found:?}; mask it by the schema of its own dataset"
    )]
    Message {
        /// The dataset's message.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// The bytes are no such message.
    #[error("the record does not decode: {0}")]
    Decode(#[from] DecodeError),
}

/// An encoded record with the values of the schema's sensitive columns masked: a text of the dataset's own and every
/// property become the text `***`, a time of the dataset's own is left out. `message` is the record's full protobuf name.
/// The envelope, and properties that the schema does not name, stay as they are.
///
/// ```
/// use prost::{Message, Name};
/// use records::v1::Event;
/// let schema = dataset::Schema::parse_json(
///     r#"{"dataset": "EVENTS", "columns": [{"name": "user_id", "sensitive": true}]}"#,
/// )?;
/// let event = Event { user_id: "u-1".into(), r#type: "view".into(), ..Default::default() };
/// let masked = dataset::mask(&schema, &Event::full_name(), &event.encode_to_vec())?;
/// assert_eq!(Event::decode(masked.as_slice())?, Event { user_id: "***".into(), ..event });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Where the record is none of the schema's dataset, or does not decode.
pub fn mask(schema: &Schema, message: &str, record: &[u8]) -> Result<Vec<u8>, MaskError> {
    let kind = schema.dataset();
    if message != kind.message {
        return Err(MaskError::Message { expected: kind.message, found: cut(message).into_owned() });
    }
    let mut out = Vec::with_capacity(record.len());
    let mut rest = record;
    while !rest.is_empty() {
        let before = rest;
        let (field, wire_type) = decode_key(&mut rest)?;
        let is_length = wire_type == WireType::LengthDelimited;
        let own = kind.columns.iter().find(|own| own.field == field && is_sensitive(schema, own));
        if let Some(own) = own {
            skip(wire_type, field, &mut rest)?;
            if own.column_type != ColumnType::Timestamp {
                wire::bytes(field, MASKED.as_bytes(), &mut out);
            }
        } else if field == PROPERTIES && is_length {
            let entry = length_delimited(&mut rest)?;
            match sensitive_property(schema, entry)? {
                Some(name) => {
                    PropertyName::new(&name).write(&Typed::String(MASKED), &mut Vec::new(), &mut out);
                }
                None => copy(before, rest, &mut out),
            }
        } else {
            skip(wire_type, field, &mut rest)?;
            copy(before, rest, &mut out);
        }
    }
    Ok(out)
}

fn is_sensitive(schema: &Schema, own: &OwnColumn) -> bool {
    schema.sensitive().any(|column| column.name == own.name)
}

/// The key of a map's entry, where its value is to be masked. A record that was made before the column was in the schema
/// has it by the file's name.
fn sensitive_property(schema: &Schema, mut entry: &[u8]) -> Result<Option<String>, DecodeError> {
    let mut key: &[u8] = &[];
    while !entry.is_empty() {
        let (field, wire_type) = decode_key(&mut entry)?;
        if field == 1 && wire_type == WireType::LengthDelimited {
            key = length_delimited(&mut entry)?;
        } else {
            skip(wire_type, field, &mut entry)?;
        }
    }
    let is_key = |column: &Column| column.name.as_bytes() == key || column.header().as_bytes() == key;
    Ok(schema.sensitive().any(is_key).then(|| String::from_utf8_lossy(key).into_owned()))
}

/// A length-delimited field's bytes.
fn length_delimited<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let before = *rest;
    skip(WireType::LengthDelimited, 1, rest)?;
    let mut field = &before[..before.len() - rest.len()];
    decode_varint(&mut field)?;
    Ok(field)
}

fn skip(wire_type: WireType, field: u32, rest: &mut &[u8]) -> Result<(), DecodeError> {
    skip_field(wire_type, field, rest, DecodeContext::default())
}

/// What was read between two places.
fn copy(before: &[u8], behind: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&before[..before.len() - behind.len()]);
}

impl Schema {
    /// The reason of a refusal by this code in this column as people may see it: of a sensitive column without the value.
    pub fn shown_reason<'a>(&self, code: &str, column: &str, reason: &'a str) -> Cow<'a, str> {
        if !self.sensitive().any(|one| cut(&one.name) == column) {
            return reason.into();
        }
        match code {
            // These tell of names alone.
            "missing_value" | "malformed_row" | "unexpected_column" => reason.into(),
            "ambiguous_timestamp" => "the value could be more than one date".into(),
            "timestamp_out_of_range" => "the value is not between 1970-01-01 and 2200-01-01".into(),
            "row_too_large" => "the value is too large".into(),
            _ => "the value is not of the column's type".into(),
        }
    }

    /// A warning's reason as people may see it: without values of sensitive columns.
    pub fn shown_warning<'a>(&self, warning: &'a Warning) -> Cow<'a, str> {
        let subject = self.dataset().subject();
        let is_told = |column: &Column| match warning.code {
            WarningCode::ConflictingMapping => column.name == subject,
            WarningCode::TimestampInFuture | WarningCode::DateFarFromFolder => {
                cut(&column.name) == warning.column
            }
            // These tell of units and names alone.
            WarningCode::TimestampUnitDiffers | WarningCode::ColumnAppeared | WarningCode::ColumnVanished => {
                false
            }
        };
        if !self.sensitive().any(is_told) {
            return warning.reason.as_str().into();
        }
        match warning.code {
            WarningCode::ConflictingMapping => {
                "the value has another one beside it in an earlier row of the file".into()
            }
            WarningCode::TimestampInFuture => "the value is after the time of reading".into(),
            _ => "the value is far from the folder's date".into(),
        }
    }
}
