//! A row checked and written as the fields of its record, or refused.

use std::borrow::Cow;
use std::collections::HashMap;

use format::{Columns, Row, Values};

use crate::bind::{self, Bound, HeaderFault};
use crate::schema::{Column, ColumnType, Schema};
use crate::timestamp::{TimestampFault, TimestampReader};
use crate::value::{Raw, Typed, ValueFault};
use crate::warning::{self, Watch};
use crate::wire;

/// The field of the properties in every record.
const PROPERTIES: u32 = 15;
/// Names of JSON values that are remembered, and their bytes.
const MOST_NAMES: usize = 4_096;
const MOST_NAME_BYTES: usize = 1 << 20;
/// What a reason shows of a value, in characters.
const SHOWN: usize = 100;

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {advice}")]
pub struct Refusal {
    /// One of [`Refusal::CODES`], or of [`format::RowFault`].
    pub code: &'static str,
    /// The column as the schema names it; empty where the row as a whole is at fault.
    pub column: String,
    /// In plain words, with the value concerned.
    pub reason: String,
    /// What to do.
    pub advice: &'static str,
}

impl Refusal {
    /// Every code of a row that does not fit its schema.
    pub const CODES: [&str; 6] = [
        "missing_value",
        "invalid_type",
        "timestamp_out_of_range",
        "ambiguous_timestamp",
        "unexpected_column",
        "malformed_row",
    ];
}

/// A column of the schema, ready to be written.
#[derive(Debug, Clone)]
struct Target {
    column: Column,
    /// The message's own field; none for a property.
    field: Option<u32>,
    timestamps: TimestampReader,
    /// An event's own time.
    dates_event: bool,
    /// One value a subject is due.
    single_valued: bool,
}

/// A schema bound to the columns of a file.
#[derive(Debug, Clone)]
pub struct RowChecker {
    schema: Schema,
    names: Vec<String>,
    bound: Vec<Bound>,
    targets: Vec<Target>,
    /// Targets that the row in hand has given.
    given: Vec<bool>,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Names that rows of JSON have given, and what became of them.
    met: Met,
    /// The column that has one value a subject, and the hash of that value.
    single: Option<(usize, u64)>,
}

impl RowChecker {
    /// Resolves the columns. `time_zone` (IANA) is that of timestamps without an offset, where the column names none.
    pub fn new(schema: &Schema, columns: Columns<'_>, time_zone: &str) -> Result<Self, HeaderFault> {
        let bound = bind::columns(schema, columns)?;
        let names = match columns {
            Columns::Header(names) => names.to_vec(),
            Columns::Named => Vec::new(),
        };
        let kind = schema.dataset();
        let targets: Vec<Target> = schema
            .columns()
            .iter()
            .map(|column| Target {
                field: kind.own(&column.name).map(|own| own.field),
                dates_event: kind.own(&column.name).is_some_and(|own| own.required),
                single_valued: kind.single_valued == Some(column.name.as_str()),
                timestamps: TimestampReader::new(
                    column.format.as_deref(),
                    column.time_zone.as_deref().unwrap_or(time_zone),
                ),
                column: column.clone(),
            })
            .collect();
        let given = vec![false; targets.len()];
        Ok(Self {
            schema: schema.clone(),
            names,
            bound,
            targets,
            given,
            key: Vec::new(),
            value: Vec::new(),
            met: Met::default(),
            single: None,
        })
    }

    /// Appends the record's fields behind the envelope to `out`; a refused row leaves `out` as it was.
    pub fn check(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.check_watched(row, out, &mut Watch::default())
    }

    /// As [`RowChecker::check`], with an eye on what is odd in the row.
    pub(crate) fn check_watched(
        &mut self,
        row: &Row<'_>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Refusal> {
        let before = out.len();
        self.given.fill(false);
        self.key.clear();
        self.single = None;
        watch.begin_row();
        let written = match row.values {
            Values::Fields(fields) => self.fields(fields, out, watch),
            Values::Named(values) => self.named(values, out, watch),
        };
        let checked = written.and_then(|()| self.complete());
        if checked.is_err() {
            out.truncate(before);
        } else if let Some((column, value)) = self.single {
            watch.value_of(&self.key, column, value);
        }
        checked
    }

    /// The subject of the row just accepted: its user, item or original id.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// The name of a column of the schema.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.targets.get(column).map_or("", |target| target.column.name.as_str())
    }

    /// The columns that the file has shown so far, in its order, as the schema names them or else as the file does; none
    /// where they are too many to be remembered.
    pub(crate) fn columns(&self) -> Option<Vec<String>> {
        let named = |(name, bound): (&'_ String, Option<&Bound>)| match bound {
            Some(Bound::Schema(target)) => self.name(*target).to_owned(),
            _ => name.clone(),
        };
        if self.names.is_empty() {
            let names = self.met.all()?.iter();
            return Some(names.map(|name| named((name, self.met.bound.get(name)))).collect());
        }
        Some(self.names.iter().zip(self.bound.iter().map(Some)).map(named).collect())
    }

    fn fields(
        &mut self,
        fields: format::Fields<'_>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Refusal> {
        for index in 0..self.bound.len().min(fields.len()) {
            let raw = Raw::Text(fields.get(index));
            match self.bound[index] {
                _ if raw.is_null() => {}
                Bound::Schema(target) => self.declared(target, raw, out, watch)?,
                Bound::Keep => write_property(&self.names[index], &raw.undeclared(), &mut self.value, out),
                Bound::Ignore => {}
                Bound::Reject => return Err(unexpected(&self.names[index])),
            }
        }
        Ok(())
    }

    fn named(
        &mut self,
        values: &[(String, format::JsonValue)],
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Refusal> {
        let mut others = 0;
        for (name, value) in values {
            let raw = Raw::Json(value);
            let mut bound = self.met.bound(name, &self.schema);
            // An object may hold `ID` and `id`: the one that is written exactly is the schema's.
            if let Bound::Schema(target) = bound {
                let header = self.targets[target].column.header();
                if header != name && values.iter().any(|(other, _)| other == header) {
                    bound = bind::undeclared(&self.schema);
                }
            }
            if bound != Bound::Schema(0) {
                others += 1;
            }
            match bound {
                Bound::Reject => return Err(unexpected(name)),
                _ if raw.is_null() => {}
                Bound::Schema(target) => {
                    if self.given[target] {
                        return Err(twice(&self.targets[target].column.name));
                    }
                    self.declared(target, raw, out, watch)?;
                }
                Bound::Keep => write_property(name, &raw.undeclared(), &mut self.value, out),
                Bound::Ignore => {}
            }
        }
        let kind = self.schema.dataset();
        if kind.needs_another_column && others == 0 {
            return Err(Refusal {
                code: "missing_value",
                column: String::new(),
                reason: format!("the object has nothing besides {:?}", kind.subject()),
                advice: "give it at least one more value, or leave the row out",
            });
        }
        Ok(())
    }

    fn declared(
        &mut self,
        index: usize,
        raw: Raw<'_>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Refusal> {
        let target = &self.targets[index];
        let typed = raw
            .typed(target.column.column_type, &target.timestamps)
            .map_err(|fault| refused(&target.column, raw, fault))?;
        self.given[index] = true;
        if let Typed::Timestamp(_, Some(unit)) = typed {
            watch.unit(index, unit);
        }
        match (target.field, &typed) {
            (Some(field), Typed::String(text)) => {
                if index == 0 {
                    self.key.extend_from_slice(text.as_bytes());
                }
                if target.single_valued {
                    self.single = Some((index, warning::hash(text.as_bytes())));
                }
                wire::bytes(field, text.as_bytes(), out);
            }
            (Some(field), Typed::Timestamp(at, _)) => {
                watch.own_time(index, *at, target.dates_event);
                wire::timestamp(field, *at, out);
            }
            _ => write_property(&target.column.name, &typed, &mut self.value, out),
        }
        Ok(())
    }

    /// Every required column has given a value.
    fn complete(&self) -> Result<(), Refusal> {
        let missing = |(target, given): (&Target, &bool)| {
            (target.column.required && !given).then(|| Refusal {
                code: "missing_value",
                column: target.column.name.clone(),
                reason: format!("the required column {:?} is empty", target.column.name),
                advice: "fill it in, or leave the row out",
            })
        };
        self.targets.iter().zip(&self.given).find_map(missing).map_or(Ok(()), Err)
    }
}

/// Names that rows of JSON have given. Bounded: a file of ever new names is looked up name by name.
#[derive(Debug, Clone, Default)]
struct Met {
    bound: HashMap<String, Bound>,
    names: Vec<String>,
    bytes: usize,
    overflown: bool,
}

impl Met {
    fn bound(&mut self, name: &str, schema: &Schema) -> Bound {
        if let Some(bound) = self.bound.get(name) {
            return *bound;
        }
        let bound = bind::by_name(schema, name);
        self.bytes += name.len();
        if self.names.len() < MOST_NAMES && self.bytes <= MOST_NAME_BYTES {
            self.bound.insert(name.to_owned(), bound);
            self.names.push(name.to_owned());
        } else {
            self.bytes -= name.len();
            self.overflown = true;
        }
        bound
    }

    fn all(&self) -> Option<&[String]> {
        (!self.overflown).then_some(&self.names)
    }
}

/// An entry of the map: key, and the value by way of `value`, since its length stands before it.
fn write_property(name: &str, typed: &Typed<'_>, value: &mut Vec<u8>, out: &mut Vec<u8>) {
    value.clear();
    typed.write(value);
    let key_length = 1 + varint_length(name.len()) + name.len();
    let value_length = 1 + varint_length(value.len()) + value.len();
    out.push((PROPERTIES << 3 | 2) as u8);
    wire::varint((key_length + value_length) as u64, out);
    wire::bytes(1, name.as_bytes(), out);
    wire::bytes(2, value, out);
}

fn varint_length(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn unexpected(name: &str) -> Refusal {
    Refusal {
        code: "unexpected_column",
        column: name.to_owned(),
        reason: format!("the schema does not name the column {:?}", cut(name)),
        advice: "take the column out of the file, or add it to the source's schema",
    }
}

fn twice(column: &str) -> Refusal {
    Refusal {
        code: "malformed_row",
        column: column.to_owned(),
        reason: format!("more than one value of the object is the column {column:?}"),
        advice: "name each value once, in one case",
    }
}

fn refused(column: &Column, raw: Raw<'_>, fault: ValueFault) -> Refusal {
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
        ValueFault::Timestamp(TimestampFault::Form) | ValueFault::Type => {
            ("invalid_type", format!("{value:?} is not {}", described(column)), advice(column.column_type))
        }
    };
    Refusal { code, column: column.name.clone(), reason, advice }
}

fn described(column: &Column) -> Cow<'static, str> {
    match (column.column_type, &column.format) {
        (ColumnType::String, _) => "a text".into(),
        (ColumnType::Integer, _) => "a whole number of 64 bits".into(),
        (ColumnType::Number, _) => "a finite number".into(),
        (ColumnType::Boolean, _) => "true or false".into(),
        (ColumnType::Timestamp, None) => "a timestamp".into(),
        (ColumnType::Timestamp, Some(format)) => {
            format!("a timestamp of the column's format {format:?}").into()
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

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}
