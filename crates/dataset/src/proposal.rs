//! A schema proposed from sample files, for the customer to accept.

use std::collections::{HashMap, HashSet};

use format::{Columns, Item, JsonRef, Values};
use serde::Serialize;
use serde_json::json;

use crate::kind::{DatasetKind, OwnColumn};
use crate::names::folded;
use crate::schema::{self, ColumnType, Schema, SchemaError};
use crate::shown::SHOWN;
use crate::timestamp::{TimestampFault, TimestampReader};
use crate::value::{Raw, Typed, ValueFault, is_whole};

/// Columns that are looked at; those of a header, and of JSON.
const MOST_COLUMNS: usize = 4_096;
/// Examples of a column.
const MOST_EXAMPLES: usize = 3;

/// Looks at sample files, one after another, and proposes the schema that takes their rows.
///
/// ```
/// use dataset::{DatasetKind, Proposer};
/// use format::{Limits, Rows};
///
/// let file = std::io::Cursor::new("userId,timestamp,type,price\nu1,2026-11-23,view,9.5\n");
/// let mut rows = Rows::open(Box::new(file), "events.csv", Limits::default())?;
/// let mut proposer = Proposer::new(DatasetKind::EVENTS);
/// while let Some(item) = rows.next()? {
///     proposer.look(&item);
/// }
/// let proposal = proposer.propose()?;
/// assert_eq!(proposal.schema.columns()[0].from.as_deref(), Some("userId"));
/// assert_eq!(proposal.columns[3].column_type, Some(dataset::ColumnType::Number));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Proposer {
    kind: &'static DatasetKind,
    iso: TimestampReader,
    columns: Vec<Seen>,
    by_header: HashMap<String, usize>,
    /// Columns of the header at hand, by position.
    header: Vec<Option<usize>>,
    rows: u64,
    unseen: bool,
}

/// What is proposed.
#[derive(Debug)]
pub struct Proposal {
    /// The schema, which holds.
    pub schema: Schema,
    /// What was seen, in the order of the files.
    pub columns: Vec<ProposedColumn>,
    /// Required columns of the dataset that no header seems to be: to be named with `from` by hand.
    pub missing: Vec<&'static str>,
    /// Rows that were looked at.
    pub rows: u64,
    /// True where there were more columns than are looked at.
    pub cut: bool,
}

/// One column of the samples.
#[derive(Debug, Serialize)]
pub struct ProposedColumn {
    /// In the files.
    pub header: String,
    /// In the schema; empty where it is not in it, and kept as an additional column.
    pub name: String,
    /// Its type; none where it is not in the schema.
    #[serde(rename = "type", serialize_with = "word")]
    pub column_type: Option<ColumnType>,
    /// Share of the rows without a value, 0 to 1.
    pub null_share: f64,
    /// A few of its values, cut at 100 characters.
    pub examples: Vec<String>,
    /// Why it is as it is, where that is not plain.
    pub note: String,
}

fn word<S: serde::Serializer>(of: &Option<ColumnType>, serializer: S) -> Result<S::Ok, S::Error> {
    of.map(ColumnType::word).serialize(serializer)
}

/// A column as far as it was seen.
#[derive(Debug)]
struct Seen {
    header: String,
    values: u64,
    /// Types, from narrow to wide, that took every value.
    fits: Vec<ColumnType>,
    /// Every value was written as JSON of a kind that no type holds.
    nested: bool,
    /// A value was a list, in JSON or written as such.
    lists: bool,
    /// A number that would not be written again as it stands, such as 007, or one of more digits than a float keeps.
    inexact: bool,
    /// Whole numbers could all be Unix times of this century.
    unix: bool,
    /// A date was ambiguous.
    ambiguous: bool,
    /// And no number.
    ambiguous_text: bool,
    words: bool,
    examples: Vec<String>,
}

const FROM_NARROW: [ColumnType; 6] = [
    ColumnType::Boolean,
    ColumnType::Integer,
    ColumnType::Number,
    ColumnType::Timestamp,
    ColumnType::String,
    ColumnType::StringList,
];

impl Proposer {
    /// For files of that dataset.
    pub fn new(kind: &'static DatasetKind) -> Self {
        Self {
            kind,
            iso: TimestampReader::new(None, "UTC"),
            columns: Vec::new(),
            by_header: HashMap::new(),
            header: Vec::new(),
            rows: 0,
            unseen: false,
        }
    }

    /// Takes what comes next in a file; rows that cannot be read are passed over.
    pub fn look(&mut self, item: &Item<'_>) {
        match item {
            Item::Columns(Columns::Header(names)) => {
                self.header = names.iter().map(|name| self.column(name)).collect();
            }
            Item::Columns(Columns::Named) => self.header.clear(),
            Item::Bad(_) => {}
            Item::Row(row) => {
                self.rows += 1;
                match row.values {
                    Values::Fields(fields) => {
                        for (at, field) in fields.iter().enumerate() {
                            if let Some(Some(column)) = self.header.get(at).copied() {
                                self.columns[column].value(Raw::Text(field), &self.iso);
                            }
                        }
                    }
                    Values::Named(values) => {
                        for (name, value) in values.iter() {
                            if let Some(column) = self.column(name) {
                                self.columns[column].value(Raw::Json(value), &self.iso);
                            }
                        }
                    }
                }
            }
        }
    }

    fn column(&mut self, name: &str) -> Option<usize> {
        // It can be no column of a schema, and is none that a person would miss.
        if schema::is_blank(name) {
            return None;
        }
        if let Some(known) = self.by_header.get(name) {
            return Some(*known);
        }
        if self.columns.len() == MOST_COLUMNS || !schema::is_name(name) {
            self.unseen = true;
            return None;
        }
        self.by_header.insert(name.to_owned(), self.columns.len());
        self.columns.push(Seen::new(name));
        Some(self.columns.len() - 1)
    }

    /// The schema that takes what was seen, as far as the dataset's own columns allow.
    pub fn propose(self) -> Result<Proposal, SchemaError> {
        let mut own: Vec<Option<&'static OwnColumn>> = vec![None; self.columns.len()];
        let mut missing = Vec::new();
        for column in self.kind.columns {
            match self.header_of(column, &own) {
                Some(at) => own[at] = Some(column),
                None if column.required => missing.push(column.name),
                None => {}
            }
        }
        let mut columns: Vec<ProposedColumn> = self
            .columns
            .iter()
            .zip(&own)
            .map(|(seen, own)| seen.proposed(*own, self.kind, self.rows))
            .collect();
        leave_out_rivals(&mut columns, self.kind);
        let named = columns.iter().filter_map(|column| {
            let of = column.column_type?;
            let from = (column.header != column.name).then_some(column.header.as_str());
            // The dataset says the type of its own.
            let of = self.kind.own(&column.name).is_none().then(|| of.word());
            (from.is_some() || of.is_some()).then(|| json!({ "name": column.name, "from": from, "type": of }))
        });
        let text = json!({ "dataset": self.kind.name, "columns": named.collect::<Vec<_>>() }).to_string();
        let schema = Schema::parse_json(&text)?;
        Ok(Proposal { schema, columns, missing, rows: self.rows, cut: self.unseen })
    }

    /// The header that is most likely this column of the dataset: the same name, the same in another case or spelling, or
    /// a name that it goes by elsewhere.
    fn header_of(&self, column: &OwnColumn, taken: &[Option<&'static OwnColumn>]) -> Option<usize> {
        let free = |test: &dyn Fn(&str) -> bool| {
            self.columns.iter().zip(taken).position(|(seen, taken)| taken.is_none() && test(&seen.header))
        };
        free(&|header| header == column.name)
            .or_else(|| free(&|header| plain(header) == plain(column.name)))
            .or_else(|| column.aliases.iter().find_map(|alias| free(&|header| plain(header) == *alias)))
    }
}

/// Headers match in any case: one that the schema does not name would be taken for one that differs in case alone. Nor is
/// one named that the dataset's own column could be read from, where a file has only that.
fn leave_out_rivals(columns: &mut [ProposedColumn], kind: &DatasetKind) {
    let is_own = |one: &ProposedColumn| kind.own(&one.name).is_some();
    let headers = |of: &dyn Fn(&ProposedColumn) -> bool| -> HashSet<String> {
        columns.iter().filter(|one| of(one)).map(|one| folded(&one.header)).collect()
    };
    let left_out = headers(&|one| one.column_type.is_none());
    let own = headers(&is_own);
    for column in columns.iter_mut().filter(|one| one.column_type.is_some() && !is_own(one)) {
        let header = folded(&column.header);
        let note = match () {
            () if own.contains(&header) => {
                "the dataset's column is read from a header that differs in case alone"
            }
            () if left_out.contains(&header) => "another header differs in case alone, and has no type",
            () => continue,
        };
        column.name.clear();
        column.column_type = None;
        column.note = note.to_owned();
    }
}

/// Letters and digits in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Seen {
    fn new(header: &str) -> Self {
        Self {
            header: header.to_owned(),
            values: 0,
            fits: FROM_NARROW.to_vec(),
            nested: false,
            lists: false,
            inexact: false,
            unix: true,
            ambiguous: false,
            ambiguous_text: false,
            words: false,
            examples: Vec::new(),
        }
    }

    fn value(&mut self, raw: Raw<'_>, iso: &TimestampReader) {
        if raw.is_null() {
            return;
        }
        self.values += 1;
        let shown = raw.shown();
        if self.examples.len() < MOST_EXAMPLES {
            let example: String = shown.chars().take(SHOWN).collect();
            if !self.examples.contains(&example) {
                self.examples.push(example);
            }
        }
        self.nested |= matches!(raw, Raw::Json(JsonRef::Json(_)));
        self.lists |= matches!(raw, Raw::Json(JsonRef::List(_))) || shown.starts_with('[');
        let digits = shown.trim_start_matches(['-', '+']);
        self.words |= shown.chars().any(char::is_alphabetic);
        let typed = |of| raw.typed(of, iso);
        self.inexact |= shown.starts_with('+')
            || (digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."))
            || (is_whole(shown.trim_ascii()) && typed(ColumnType::Integer).is_err());
        let ambiguous = typed(ColumnType::Timestamp) == Err(ValueFault::Timestamp(TimestampFault::Ambiguous));
        self.ambiguous |= ambiguous;
        self.ambiguous_text |= ambiguous && typed(ColumnType::Number).is_err();
        let of_this_century =
            |typed| matches!(typed, Ok(Typed::Timestamp(at, Some(_))) if at.seconds >= 946_684_800);
        self.unix &= of_this_century(typed(ColumnType::Timestamp));
        self.fits.retain(|of| typed(*of).is_ok());
    }

    fn proposed(&self, own: Option<&'static OwnColumn>, kind: &DatasetKind, rows: u64) -> ProposedColumn {
        let (of, note) = match own {
            Some(own) => (Some(own.column_type), self.note_of_own(own)),
            // A name of the dataset's own that is another column there.
            None if kind.own(&self.header).is_some() => {
                (None, "another header is the dataset's column of this name".to_owned())
            }
            None => self.chosen(),
        };
        let name = match (own, of) {
            (Some(own), _) => own.name.to_owned(),
            (None, Some(_)) => self.header.clone(),
            (None, None) => String::new(),
        };
        ProposedColumn {
            header: self.header.clone(),
            name,
            column_type: of,
            null_share: if rows == 0 { 1.0 } else { 1.0 - self.values as f64 / rows as f64 },
            examples: self.examples.clone(),
            note,
        }
    }

    fn note_of_own(&self, own: &OwnColumn) -> String {
        match () {
            () if self.fits.contains(&own.column_type) => String::new(),
            () if self.ambiguous => "dates that could be more than one: give the column a format".to_owned(),
            () => format!("some values are not {}: their rows will be rejected", own.column_type.word()),
        }
    }

    /// The narrowest type that takes every value and is meant by its name; none for what no type takes.
    fn chosen(&self) -> (Option<ColumnType>, String) {
        let fits = |of: ColumnType| self.fits.contains(&of);
        let said = |of: ColumnType, note: &str| (Some(of), note.to_owned());
        if self.values == 0 {
            return (None, "no value was seen, so that its type is not known".to_owned());
        }
        if self.nested {
            return (None, "lists or objects within lists, kept as JSON text".to_owned());
        }
        if self.lists && fits(ColumnType::StringList) {
            return said(ColumnType::StringList, "");
        }
        if fits(ColumnType::String) && self.inexact && fits(ColumnType::Number) {
            return said(ColumnType::String, "leading zeros, signs or digits would be lost in a number");
        }
        if fits(ColumnType::String) && fits(ColumnType::Integer) && names_an_id(&self.header) {
            return said(ColumnType::String, "an id by its name");
        }
        if fits(ColumnType::Integer) && self.unix && names_a_time(&self.header) {
            return said(ColumnType::Timestamp, "Unix times by their size and name");
        }
        // Zeros and ones alone are numbers: whether they mean yes and no is not for a reader to say.
        let narrow = FROM_NARROW.into_iter().filter(|of| fits(*of));
        let mut narrow = narrow.filter(|of| *of != ColumnType::Boolean || self.words);
        match narrow.next() {
            Some(ColumnType::String) if self.ambiguous_text => said(
                ColumnType::String,
                "dates that could be more than one: make it a timestamp with a format",
            ),
            Some(of) => said(of, ""),
            None => (None, "no type takes every value; they are kept as they are".to_owned()),
        }
    }
}

fn names_an_id(header: &str) -> bool {
    let plain = plain(header);
    ["id", "code", "zip", "phone", "postal", "sku", "ean", "isbn"]
        .iter()
        .any(|ending| plain.ends_with(ending))
}

fn names_a_time(header: &str) -> bool {
    let plain = plain(header);
    ["time", "timestamp", "date", "at", "on", "ts"].iter().any(|ending| plain.ends_with(ending))
}
