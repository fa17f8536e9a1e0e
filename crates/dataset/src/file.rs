//! A file's rows checked one by one, counted, and watched for what is odd: what the parser and `cortex validate` share.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use format::{Columns, Item, Place};
use records::JsonEncoder;
use records::queue::Counters;

use crate::bind::HeaderFault;
use crate::check::RowChecker;
use crate::deleted::DeletedSubjects;
use crate::refusal::Refusal;
use crate::schema::Schema;
use crate::warning::{Warning, WarningCode, Watch};

/// Columns of a file that are compared with the next file's, and the bytes of their names.
const MOST_COLUMNS: usize = 4_096;
const MOST_COLUMN_BYTES: usize = 64 << 10;

/// What is known of a file beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct FileFacts {
    /// IANA zone of timestamps without an offset, where a column names none.
    pub time_zone: String,
    /// When it is read, in seconds since the Unix epoch.
    pub now: i64,
    /// The date of its folder, `YYYY-MM-DD`; empty where it has none.
    pub folder_date: String,
    /// The columns of the source's last file; empty where not known.
    pub last_columns: Vec<String>,
    /// The most bytes that a record and its key may have together, so that the queue takes them; none: any.
    pub most_bytes: Option<usize>,
    /// Writes records of the schema's dataset as JSON, where they are published so and it is JSON that must not be larger.
    pub json: Option<JsonEncoder>,
    /// The people of whom nothing is to be kept; none where there are none.
    pub deleted: Option<Arc<DeletedSubjects>>,
}

/// What became of an item of a file.
#[derive(Debug)]
pub enum Checked<'a> {
    /// Columns, not a row.
    Columns,
    /// The record's fields stand behind the envelope.
    Accepted {
        /// Its user, item or original id.
        key: &'a [u8],
        /// The record as JSON; empty where [`FileFacts::json`] is none.
        json: &'a [u8],
    },
    /// Nothing was written.
    Refused(RefusedRow<'a>),
}

/// A row that is refused.
#[derive(Debug)]
pub struct RefusedRow<'a> {
    /// Where it begins, and its number.
    pub at: Place,
    /// Why.
    pub refusal: Refusal,
    /// As it stands in the file; empty where it is of a deleted subject.
    pub raw: &'a [u8],
    /// True where `raw` was cut.
    pub raw_truncated: bool,
}

/// One file's checker.
///
/// ```
/// use dataset::{Checked, DatasetKind, FileChecker, FileFacts, Schema};
/// use format::{Limits, Rows};
///
/// let file = std::io::Cursor::new("user_id,timestamp,type\nu1,2026-11-23,view\nu2,soon,view\n");
/// let mut rows = Rows::open(Box::new(file), "events.csv", Limits::default())?;
/// let mut checker = FileChecker::new(Schema::default_for(DatasetKind::EVENTS), FileFacts::default());
/// let mut record = Vec::new();
/// while let Some(item) = rows.next()? {
///     record.clear();
///     if let Checked::Refused(row) = checker.check(&item, &mut record)? {
///         assert_eq!((row.at.row, row.refusal.code), (2, "invalid_type"));
///     }
/// }
/// checker.finish();
/// assert_eq!((checker.totals().accepted, checker.totals().rejected), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FileChecker {
    schema: Schema,
    facts: FileFacts,
    rows: Option<RowChecker>,
    watch: Watch,
    totals: Counters,
    /// The last record as JSON.
    json: Vec<u8>,
    /// Of the documents before the one at hand.
    columns: ColumnNames,
    /// Rows before the first one here were checked by another.
    resumed: bool,
    /// The file is one document, and not several in an archive.
    one_document: bool,
    /// A header was read, and not only rows that name their own.
    has_header: bool,
}

impl FileChecker {
    /// A checker of a file that is read from its start.
    pub fn new(schema: Schema, facts: FileFacts) -> Self {
        let watch = Watch::new(facts.now, &facts.folder_date);
        Self {
            schema,
            facts,
            rows: None,
            watch,
            totals: Counters::default(),
            json: Vec::new(),
            columns: ColumnNames::default(),
            resumed: false,
            one_document: false,
            has_header: false,
        }
    }

    /// A checker of the rest of a file, of which `totals` were counted before. Warnings begin anew: what the rows before
    /// would have been compared with (the unit of a column, the value of an id) is not known, and no example of theirs is
    /// kept.
    pub fn resume(schema: Schema, facts: FileFacts, totals: Counters) -> Self {
        Self { totals, resumed: true, ..Self::new(schema, facts) }
    }

    /// Says that the file is one document, not a zip of several: if it has a header, that tells all of its columns, also to
    /// a checker that resumes. Without this word, those of a resumed file are not known as a whole.
    pub fn one_document(&mut self) {
        self.one_document = true;
    }

    /// Checks an item and appends an accepted row's fields to `out`, behind the envelope that stands there; a refused row
    /// leaves `out` as it was. Whatever stands before the envelope counts as part of the record's size; with
    /// [`FileFacts::json`] nothing may.
    ///
    /// # Errors
    ///
    /// A header that does not fit the schema ends the file.
    pub fn check<'a>(
        &'a mut self,
        item: &'a Item<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Checked<'a>, HeaderFault> {
        let row = match item {
            Item::Columns(columns) => {
                self.begin_document(*columns)?;
                return Ok(Checked::Columns);
            }
            Item::Bad(bad) => {
                let refusal = Refusal {
                    code: bad.fault.code(),
                    column: String::new(),
                    reason: bad.reason.clone(),
                    advice: bad.advice,
                };
                self.count_refusal(refusal.code);
                let (at, raw, raw_truncated) = (bad.at, bad.raw, bad.raw_truncated);
                return Ok(Checked::Refused(RefusedRow { at, refusal, raw, raw_truncated }));
            }
            Item::Row(row) => row,
        };
        let Some(rows) = &mut self.rows else { return Err(headless()) };
        let envelope = out.len();
        let mut checked = rows.check_watched(row, out, &mut self.watch);
        if let (Ok(()), Some(encoder)) = (&checked, &self.facts.json) {
            self.json.clear();
            encoder.write(out, &mut self.json).map_err(|error| HeaderFault::no_json(row.at, &error))?;
        }
        if checked.is_ok() {
            let value = if self.facts.json.is_some() { self.json.len() } else { out.len() };
            checked = fits(value + rows.key().len(), self.facts.most_bytes);
        }
        let is_deleted = self.facts.deleted.as_ref().is_some_and(|list| rows.is_deleted(row, list));
        let checked = if is_deleted { Err(Box::new(Refusal::subject_deleted())) } else { checked };
        if let Err(refusal) = checked {
            out.truncate(envelope);
            self.count_refusal(refusal.code);
            let (at, raw) = (row.at, if is_deleted { &[] } else { row.raw });
            return Ok(Checked::Refused(RefusedRow { at, refusal: *refusal, raw, raw_truncated: false }));
        }
        let Some(rows) = &self.rows else { return Err(headless()) };
        self.totals.rows += 1;
        self.totals.accepted += 1;
        let warnings = &mut self.totals.warnings;
        self.watch.accept(
            row.at,
            rows.key(),
            |column| rows.name(column),
            |code| count(warnings, code.as_str()),
        );
        Ok(Checked::Accepted { key: rows.key(), json: &self.json })
    }

    /// The file has been read to its end: its columns are compared with those of the source's last file.
    pub fn finish(&mut self) {
        self.keep_columns();
        let (Some(here), false) = (self.columns.all(), self.facts.last_columns.is_empty()) else { return };
        let before = &self.facts.last_columns;
        let absent = |from: &[String], names: &[String]| -> Vec<String> {
            let from: HashSet<&String> = from.iter().collect();
            names.iter().filter(|name| !from.contains(name)).cloned().collect()
        };
        let appeared = absent(before, here);
        let mut vanished = absent(here, before);
        if !self.has_seen_all_columns() {
            // Rows of JSON that were read before, or another document of a zip, may have had them.
            vanished.clear();
        }
        for (code, names) in
            [(WarningCode::ColumnAppeared, appeared), (WarningCode::ColumnVanished, vanished)]
        {
            for name in names {
                count(&mut self.totals.warnings, code.as_str());
                self.watch.column(code, &name);
            }
        }
    }

    /// What was counted up to here.
    pub fn totals(&self) -> &Counters {
        &self.totals
    }

    /// The first warning of each code in a column, as far as this checker has seen the file; at most 20.
    pub fn warnings(&self) -> &[Warning] {
        self.watch.examples()
    }

    /// The file's columns after [`FileChecker::finish`], for the next file to be compared with; empty where they are not
    /// known as a whole.
    pub fn columns(&self) -> &[String] {
        match self.columns.all() {
            Some(names) if self.has_seen_all_columns() => names,
            _ => &[],
        }
    }

    fn has_seen_all_columns(&self) -> bool {
        !self.resumed || (self.one_document && self.has_header)
    }

    fn begin_document(&mut self, columns: Columns<'_>) -> Result<(), HeaderFault> {
        self.keep_columns();
        self.has_header = matches!(columns, Columns::Header(_));
        self.rows = Some(RowChecker::new(&self.schema, columns, &self.facts.time_zone)?);
        Ok(())
    }

    fn keep_columns(&mut self) {
        if let Some(rows) = self.rows.take() {
            match rows.columns() {
                Some(names) => names.iter().for_each(|name| self.columns.add(name)),
                None => self.columns.overflown = true,
            }
        }
    }

    fn count_refusal(&mut self, code: &str) {
        self.totals.rows += 1;
        self.totals.rejected += 1;
        count(&mut self.totals.rejections, code);
    }
}

fn count(counts: &mut BTreeMap<String, u64>, code: &str) {
    match counts.get_mut(code) {
        Some(count) => *count += 1,
        None => {
            counts.insert(code.to_owned(), 1);
        }
    }
}

fn fits(bytes: usize, most: Option<usize>) -> Result<(), Box<Refusal>> {
    match most {
        Some(most) if bytes > most => Err(Box::new(Refusal::record_too_large(bytes, most))),
        _ => Ok(()),
    }
}

fn headless() -> HeaderFault {
    HeaderFault {
        code: "malformed_document",
        reason: "a row stands before any header".to_owned(),
        advice: "give the file a header row".to_owned(),
    }
}

/// The names of a file's columns, in its order.
#[derive(Debug, Default)]
struct ColumnNames {
    names: Vec<String>,
    known: HashSet<String>,
    bytes: usize,
    overflown: bool,
}

impl ColumnNames {
    fn add(&mut self, name: &str) {
        if self.overflown || name.is_empty() || self.known.contains(name) {
            return;
        }
        self.bytes += name.len();
        if self.names.len() == MOST_COLUMNS || self.bytes > MOST_COLUMN_BYTES {
            *self = Self { overflown: true, ..Self::default() };
            return;
        }
        self.known.insert(name.to_owned());
        self.names.push(name.to_owned());
    }

    /// None where they are too many to be compared.
    fn all(&self) -> Option<&[String]> {
        (!self.overflown).then_some(&self.names)
    }
}
