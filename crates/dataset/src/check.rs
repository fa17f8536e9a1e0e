//! A row checked and written as the fields of its record, or refused.

use format::{Columns, JsonRef, Row, Values};

use crate::bind::{self, HeaderFault};
use crate::deleted::DeletedSubjects;
use crate::names::{Bound, Found, Met, Names};
use crate::property::PropertyName;
use crate::refusal::Refusal;
use crate::schema::{Column, ColumnType, Schema};
use crate::timestamp::TimestampReader;
use crate::value::{self, Raw, ValueFault};
use crate::warning::{self, Watch};
use crate::wire;

/// A column of the schema, ready to be written.
#[derive(Debug, Clone)]
struct Target {
    column: Column,
    /// The message's own field; none for a property.
    field: Option<u32>,
    property: PropertyName,
    timestamps: TimestampReader,
    /// An event's own time.
    dates_event: bool,
    /// One value a subject is due.
    single_valued: bool,
    /// Its values are ids of people.
    names_person: bool,
}

/// A schema bound to the columns of a file.
#[derive(Debug, Clone)]
pub struct RowChecker {
    schema: Schema,
    names: Vec<String>,
    bound: Vec<Bound>,
    /// The names of the header as properties.
    properties: Vec<PropertyName>,
    targets: Vec<Target>,
    /// Targets without which there is no record.
    required: Vec<usize>,
    /// Targets that the row in hand has given.
    given: Vec<bool>,
    /// Targets that the row of JSON in hand names as the schema writes them.
    exact: Vec<bool>,
    /// The names of the row of JSON in hand, looked up.
    row: Vec<Found>,
    /// The shape of the row whose names these are.
    shape: Option<format::Shape>,
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
        let mut in_schema = Names::of(schema);
        let (names, bound) = match columns {
            Columns::Header(names) => (names.to_vec(), bind::header(schema, &mut in_schema, names)?),
            // Of a file whose rows name their own, nothing is known yet.
            Columns::Named => (Vec::new(), Vec::new()),
        };
        let kind = schema.dataset();
        let targets: Vec<Target> = schema
            .columns()
            .iter()
            .map(|column| Target {
                field: kind.own(&column.name).map(|own| own.field),
                property: PropertyName::new(&column.name),
                dates_event: kind.own(&column.name).is_some_and(|own| own.required),
                single_valued: kind.single_valued == Some(column.name.as_str()),
                names_person: kind.people.contains(&column.name.as_str()),
                timestamps: TimestampReader::new(
                    column.format.as_deref(),
                    column.time_zone.as_deref().unwrap_or(time_zone),
                ),
                column: column.clone(),
            })
            .collect();
        Ok(Self {
            schema: schema.clone(),
            properties: names.iter().map(|name| PropertyName::new(name)).collect(),
            names,
            bound,
            given: vec![false; targets.len()],
            exact: vec![false; targets.len()],
            row: Vec::new(),
            shape: None,
            required: (0..targets.len()).filter(|target| targets[*target].column.required).collect(),
            targets,
            key: Vec::new(),
            value: Vec::new(),
            met: Met::new(in_schema),
            single: None,
        })
    }

    /// Appends the record's fields behind the envelope to `out`; a refused row leaves `out` as it was.
    pub fn check(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.check_watched(row, out, &mut Watch::default()).map_err(|refusal| *refusal)
    }

    /// As [`RowChecker::check`], with an eye on what is odd in the row. A refusal is boxed: a result of one word stays in a
    /// register for the rows that have none.
    pub(crate) fn check_watched(
        &mut self,
        row: &Row<'_>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Box<Refusal>> {
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

    /// Whether the row that was just looked at is of a person on the list, be it valid or not: one that is refused for
    /// another reason would be kept with its text.
    pub(crate) fn is_deleted(&self, row: &Row<'_>, deleted: &DeletedSubjects) -> bool {
        let is_listed = |target: usize, raw: Raw<'_>| {
            self.targets[target].names_person
                && raw.scalar().is_some_and(|subject| deleted.contains(subject.as_bytes()))
        };
        match row.values {
            Values::Fields(fields) => (0..self.bound.len().min(fields.len())).any(|index| {
                let Bound::Schema(target) = self.bound[index] else { return false };
                is_listed(target, Raw::Text(fields.get(index)))
            }),
            Values::Named(values) => self.row.iter().zip(values.iter()).any(|(found, (_, value))| {
                let Bound::Schema(target) = found.bound else { return false };
                (found.exact || !self.exact[target]) && is_listed(target, Raw::Json(value))
            }),
        }
    }

    /// The name of a column of the schema.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.targets.get(column).map_or("", |target| target.column.name.as_str())
    }

    /// The columns that the file has shown so far, in its order, as the schema names them or else as the file does; none
    /// where they are too many to be remembered.
    pub(crate) fn columns(&self) -> Option<Vec<String>> {
        let named = |(name, bound): (&str, Bound)| match bound {
            Bound::Schema(target) => self.name(target).to_owned(),
            _ => name.to_owned(),
        };
        if self.names.is_empty() {
            return Some(self.met.all()?.map(named).collect());
        }
        Some(self.names.iter().map(String::as_str).zip(self.bound.iter().copied()).map(named).collect())
    }

    fn fields(
        &mut self,
        fields: format::Fields<'_>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Box<Refusal>> {
        for index in 0..self.bound.len().min(fields.len()) {
            let text = fields.get(index);
            let bound = self.bound[index];
            // Before the others: what nearly all columns are is told without a table of jumps.
            if let Bound::Schema(target) = bound {
                if !text.is_empty() {
                    self.declared(target, Some(text), || Raw::Text(text), out, watch)?;
                }
                continue;
            }
            match bound {
                _ if text.is_empty() => {}
                Bound::Keep => self.properties[index].string(text, out),
                Bound::Ignore | Bound::Schema(_) => {}
                Bound::Reject => return Err(Box::new(Refusal::unexpected(&self.names[index]))),
                Bound::Taken(target) => return Err(Box::new(Refusal::taken(&self.targets[target].column))),
                Bound::Nameless => return Err(Box::new(Refusal::nameless(index + 1, text))),
            }
        }
        Ok(())
    }

    fn named(
        &mut self,
        values: format::Named<'_>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Box<Refusal>> {
        self.look_up(values);
        let mut others = 0;
        for at in 0..values.len() {
            let Some((name, value)) = values.get(at) else { break };
            let raw = Raw::Json(value);
            let again = || Raw::Json(values.get(at).map_or(JsonRef::Null, |(_, value)| value));
            let Found { mut bound, exact, .. } = self.row[at];
            // An object may hold `ID` and `id`: the one that is written exactly is the schema's.
            if let Bound::Schema(target) = bound
                && !exact
                && self.exact[target]
            {
                bound = self.met.undeclared(name);
            }
            if bound != Bound::Schema(0) {
                others += 1;
            }
            match bound {
                _ if raw.is_null() => {}
                Bound::Schema(target) if self.given[target] => {
                    return Err(Box::new(Refusal::twice(&self.targets[target].column.name)));
                }
                Bound::Schema(target) => self.declared(target, raw.scalar(), again, out, watch)?,
                // No name but one stands in an object twice.
                Bound::Keep | Bound::Nameless => {
                    let value = raw.undeclared();
                    match self.met.property(self.row[at]) {
                        Some(property) => property.write(&value, &mut self.value, out),
                        None => PropertyName::new(name).write(&value, &mut self.value, out),
                    }
                }
                Bound::Ignore => {}
                Bound::Reject => return Err(Box::new(Refusal::unexpected(name))),
                Bound::Taken(target) => return Err(Box::new(Refusal::taken(&self.targets[target].column))),
            }
        }
        let kind = self.schema.dataset();
        if kind.needs_another_column && others == 0 {
            return Err(Box::new(Refusal::subject_alone(kind.subject())));
        }
        Ok(())
    }

    /// Looks up all names of an object before its values are written: which of them is a column may depend on one behind.
    #[inline]
    fn look_up(&mut self, values: format::Named<'_>) {
        let shape = values.shape();
        if shape.is_none() || shape != self.shape {
            self.shape = shape;
            self.look_up_names(values);
        }
    }

    fn look_up_names(&mut self, values: format::Named<'_>) {
        self.exact.fill(false);
        self.row.clear();
        for (at, name) in values.names().enumerate() {
            let found = self.met.find(name, at);
            if let Found { bound: Bound::Schema(target), exact: true, .. } = found {
                self.exact[target] = true;
            }
            self.row.push(found);
        }
    }

    /// A value of a column of the schema, by its text where it is a scalar. The value itself is handed on only where it is
    /// none, or is refused: what goes through memory in parts and is read back whole waits for the store buffer.
    #[inline(always)]
    fn declared<'a>(
        &mut self,
        index: usize,
        scalar: Option<&str>,
        raw: impl Fn() -> Raw<'a>,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), Box<Refusal>> {
        let written = match scalar {
            Some(text) if self.targets[index].column.column_type != ColumnType::StringList => {
                self.scalar(index, text, out, watch)
            }
            _ => self.list(index, raw(), out),
        };
        match written {
            Ok(()) => {
                self.given[index] = true;
                Ok(())
            }
            Err(fault) => Err(self.refused(index, raw(), fault)),
        }
    }

    #[cold]
    fn refused(&self, index: usize, raw: Raw<'_>, fault: ValueFault) -> Box<Refusal> {
        Box::new(Refusal::value(&self.targets[index].column, raw, fault))
    }

    /// A scalar goes from its text straight into the record.
    fn scalar(
        &mut self,
        index: usize,
        text: &str,
        out: &mut Vec<u8>,
        watch: &mut Watch,
    ) -> Result<(), ValueFault> {
        let target = &self.targets[index];
        let property = &target.property;
        match (target.column.column_type, target.field) {
            (ColumnType::String, Some(field)) => {
                if index == 0 {
                    self.key.extend_from_slice(text.as_bytes());
                }
                if target.single_valued {
                    self.single = Some((index, warning::hash(text.as_bytes())));
                }
                wire::bytes(field, text.as_bytes(), out);
            }
            (ColumnType::String | ColumnType::StringList, _) => property.string(text, out),
            (ColumnType::Integer, _) => property.integer(value::integer(text).ok_or(ValueFault::Type)?, out),
            (ColumnType::Number, _) => property.number(value::number(text).ok_or(ValueFault::Type)?, out),
            (ColumnType::Boolean, _) => property.boolean(value::boolean(text).ok_or(ValueFault::Type)?, out),
            (ColumnType::Timestamp, field) => {
                let (at, unit) = target.timestamps.read(text).map_err(ValueFault::Timestamp)?;
                if let Some(unit) = unit {
                    watch.unit(index, unit);
                }
                match field {
                    Some(field) => {
                        watch.own_time(index, at, target.dates_event);
                        wire::timestamp(field, at, out);
                    }
                    None => property.timestamp(at, out),
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, index: usize, raw: Raw<'_>, out: &mut Vec<u8>) -> Result<(), ValueFault> {
        let target = &self.targets[index];
        let typed = raw.typed(target.column.column_type, &target.timestamps)?;
        target.property.write(&typed, &mut self.value, out);
        Ok(())
    }

    /// Every required column has given a value.
    fn complete(&self) -> Result<(), Box<Refusal>> {
        match self.required.iter().find(|target| !self.given[**target]) {
            Some(target) => Err(Box::new(Refusal::missing(&self.targets[*target].column))),
            None => Ok(()),
        }
    }
}
