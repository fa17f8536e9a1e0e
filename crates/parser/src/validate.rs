//! A file read as the pipe reads it, with nothing published: for who wants to know before uploading.

use std::io;

use dataset::{Checked, EnvelopeConst, EnvelopeWriter, FileChecker, FileFacts, Schema};
use format::{BadRow, Item, ReadError, Row, Rows};
use ledger::FileId;
use ledger::outcome::{self, End};
use ledger::tolerance::Tolerance;
use prost::{Message, Name};
use records::queue::{Counters, FileError, FileWarning, Outcome};
use records::v1::RejectedRow;

use crate::fault::{Ended, PipeError, read_failed};
use crate::file::{Mode, warning};
use crate::refused::refused;
use crate::survey::{Surveyed, survey};

/// The file that is looked at.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// Its key or file name.
    pub name: &'a str,
    /// What its rows must be.
    pub schema: &'a Schema,
    /// What is known of it beside its bytes.
    pub facts: FileFacts,
    /// How many invalid rows its source bears.
    pub tolerance: Tolerance,
}

/// What the file's rows become. An error stops the reading.
pub trait Sink {
    /// A record of the dataset's message, encoded.
    fn record(&mut self, message: &str, record: &[u8]) -> io::Result<()>;
    /// A refused row, and the same encoded with its envelope as a `cortex.records.v1.RejectedRow`.
    fn rejected(&mut self, row: &Rejected<'_>) -> io::Result<()>;
}

/// A refused row.
#[derive(Debug)]
pub struct Rejected<'a> {
    /// Its number, from 1.
    pub row: u64,
    /// The byte, after decompression, where it begins.
    pub position: u64,
    /// All of it but its envelope.
    pub fields: &'a RejectedRow,
    /// Its full name.
    pub message: &'a str,
    /// As it would stand on the topic.
    pub record: &'a [u8],
}

/// What the file was found to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How the generation would end.
    pub outcome: Outcome,
    /// Why it was refused, or is not whole.
    pub error: Option<FileError>,
    /// `csv`, `tsv` or `json`; empty where it could not be told.
    pub format: &'static str,
    /// `none`, `gzip`, …; empty where it could not be told.
    pub compression: &'static str,
    /// Counts.
    pub totals: Counters,
    /// The first warning of each code in a column.
    pub warnings: Vec<FileWarning>,
    /// The file's columns, to be compared with the next file's; empty where not known as a whole.
    pub columns: Vec<String>,
}

/// Reads a file to its end, or to where it cannot be read further. `open` opens it from its start; it is called twice
/// where the source does not bear any number of invalid rows.
///
/// # Errors
///
/// Those of the sink alone: what is wrong with the file stands in the report.
pub fn validate(
    candidate: &Candidate<'_>,
    mut open: impl FnMut() -> Result<Rows, ReadError>,
    sink: &mut dyn Sink,
) -> io::Result<Report> {
    let mode = match candidate.tolerance {
        Tolerance::Any => Mode::Publish,
        _ => first_pass(candidate, &mut open),
    };
    let mut reading = Reading {
        checker: FileChecker::new(candidate.schema.clone(), candidate.facts.clone()),
        message: candidate.schema.dataset().message,
        envelope: envelope(candidate),
        tolerance: candidate.tolerance,
        mode,
        format: "",
        compression: "",
        position: 0,
    };
    let ended = match open() {
        Ok(mut rows) => reading.rows(&mut rows, sink)?,
        Err(error) => {
            let ended = failed(error, 0);
            (reading.format, reading.compression) = (ended.format, ended.compression);
            Some(ended)
        }
    };
    Ok(reading.report(ended))
}

/// What cannot be read at all: it is withheld, and the second pass says why.
fn first_pass(candidate: &Candidate<'_>, open: &mut impl FnMut() -> Result<Rows, ReadError>) -> Mode {
    let Ok(mut rows) = open() else { return Mode::Withhold };
    let mut checker = FileChecker::new(candidate.schema.clone(), candidate.facts.clone());
    match survey(&mut checker, &mut rows, candidate.tolerance, false, || Ok(true)) {
        Ok(Surveyed::Mode(mode)) => mode,
        Ok(Surveyed::Ended(_) | Surveyed::Stopped) | Err(_) => Mode::Withhold,
    }
}

struct Reading {
    checker: FileChecker,
    message: &'static str,
    envelope: EnvelopeWriter,
    tolerance: Tolerance,
    mode: Mode,
    format: &'static str,
    compression: &'static str,
    position: u64,
}

impl Reading {
    /// Every row; gives what ended the file before its last byte.
    fn rows(&mut self, rows: &mut Rows, sink: &mut dyn Sink) -> io::Result<Option<Ended>> {
        self.format = rows.format().as_str();
        self.compression = rows.compression().as_str();
        let mut record = Vec::with_capacity(1024);
        loop {
            self.position = rows.place().position;
            let item = match rows.next() {
                Ok(Some(item)) => item,
                Ok(None) => {
                    self.checker.finish();
                    return Ok(None);
                }
                Err(error) => return Ok(Some(failed(error, self.position))),
            };
            record.clear();
            if let Item::Row(Row { at, .. }) | Item::Bad(BadRow { at, .. }) = &item {
                self.envelope.write(*at, Some(at.row), &mut record);
            }
            match self.checker.check(&item, &mut record) {
                Err(fault) => return Ok(Some(Ended::at_header(fault, rows.entry()))),
                Ok(Checked::Columns) => {}
                Ok(Checked::Accepted { .. }) if self.mode == Mode::Withhold => {}
                Ok(Checked::Accepted { .. }) => sink.record(self.message, &record)?,
                Ok(Checked::Refused(row)) => {
                    let at = row.at;
                    let fields = refused(row);
                    record.extend_from_slice(&fields.encode_to_vec());
                    sink.rejected(&Rejected {
                        row: at.row,
                        position: at.position,
                        fields: &fields,
                        message: &RejectedRow::full_name(),
                        record: &record,
                    })?;
                }
            }
        }
    }

    fn report(self, ended: Option<Ended>) -> Report {
        let mut totals = self.checker.totals().clone();
        if self.mode == Mode::Withhold {
            totals.accepted = 0;
        }
        let (end, error) = match ended {
            None => (End::Whole, None),
            Some(ended) => (ended.end, Some(ended.error)),
        };
        Report {
            outcome: outcome::decide(end, &totals),
            error: error.or_else(|| outcome::nothing_accepted(&totals, self.tolerance)),
            format: self.format,
            compression: self.compression,
            warnings: self.checker.warnings().iter().map(warning).collect(),
            columns: self.checker.columns().to_vec(),
            totals,
        }
    }
}

/// A source of its own, its first generation.
fn envelope(candidate: &Candidate<'_>) -> EnvelopeWriter {
    EnvelopeWriter::new(&EnvelopeConst {
        account_id: "",
        source_id: "",
        object_key: candidate.name,
        etag: "",
        generation: 1,
        replaces_generation: 0,
        ingest_seconds: candidate.facts.now,
        ingest_nanos: 0,
        file_id: *FileId::of("", candidate.name).as_bytes(),
    })
}

/// There is no later here: what would be tried again ends the file.
fn failed(error: ReadError, position: u64) -> Ended {
    read_failed(error, position, false, true).unwrap_or_else(|error| {
        let reason = match error {
            PipeError::Object(reason) | PipeError::Registry(reason) | PipeError::Panicked(reason) => reason,
            PipeError::Queue(error) => error.to_string(),
        };
        Ended::unreadable("unavailable", reason, "see whether it can be read, and try again", position)
    })
}
