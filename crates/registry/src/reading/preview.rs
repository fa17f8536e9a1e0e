//! What reading a file would give.

use std::io;

use api::registry::{FileProblem, FileWarning, PreviewSourceResponse, PreviewedRecord, RowError};
use dataset::{
    Checked, EnvelopeConst, EnvelopeWriter, FileChecker, MASKED, RefusedRow, Schema, Warning, mask,
};
use format::{BadRow, Entry, Item, Row};
use jiff::Timestamp;
use ledger::FileId;
use ledger::outcome;
use ledger::tolerance::Tolerance;
use records::queue::Counters;

use super::{Bounds, Object, Reader, failed, problem};

/// Of a raw row that is refused, in bytes; as in the ledger.
const RAW_ERROR_BYTES: usize = 512;
/// Of a raw row that is accepted, in bytes.
const RAW_BYTES: usize = 4 << 10;
/// A larger record is not shown.
const RECORD_BYTES: usize = 16 << 10;
/// What is shown of a file in all: an answer must stay well below what gRPC takes.
const SHOWN_BYTES: usize = 2 << 20;

/// How much is shown of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) records: usize,
    pub(crate) errors: usize,
}

impl Reader {
    /// Reads a file as far as the bounds allow. Blocks.
    pub(crate) fn preview(&self, object: &Object, bounds: &Bounds, shown: Shown) -> PreviewSourceResponse {
        let mut preview = Preview::new(self, object, shown);
        match self.rows(object, bounds) {
            Ok(mut rows) => {
                preview.response.format = rows.format().as_str().to_owned();
                preview.response.compression = rows.compression().as_str().to_owned();
                preview.read(&mut rows, bounds);
            }
            Err(error) => {
                if let format::ReadError::File(fault) = &error {
                    preview.response.format = fault.format.map_or("", format::Format::as_str).to_owned();
                    let compression = fault.compression.map_or("", format::Compression::as_str);
                    preview.response.compression = compression.to_owned();
                }
                preview.response.problem = failed(error);
            }
        }
        preview.finish()
    }
}

struct Preview<'a> {
    reader: &'a Reader,
    shown: Shown,
    shown_bytes: usize,
    envelope: EnvelopeWriter,
    checker: FileChecker,
    response: PreviewSourceResponse,
}

impl<'a> Preview<'a> {
    fn new(reader: &'a Reader, object: &Object, shown: Shown) -> Self {
        let now = Timestamp::now();
        let envelope = EnvelopeWriter::new(&EnvelopeConst {
            account_id: &reader.account,
            source_id: &reader.source,
            object_key: &object.key,
            etag: &object.etag,
            generation: 1,
            replaces_generation: 0,
            ingest_seconds: now.as_second(),
            ingest_nanos: now.subsec_nanosecond(),
            file_id: *FileId::of(&reader.source, &object.key).as_bytes(),
        });
        Self {
            reader,
            shown,
            shown_bytes: 0,
            envelope,
            checker: FileChecker::new(reader.schema.as_ref().clone(), reader.facts(object)),
            response: PreviewSourceResponse {
                object_key: object.key.clone(),
                size: object.size,
                ..Default::default()
            },
        }
    }

    /// Rows up to a bound, or to what ends the file.
    fn read(&mut self, rows: &mut format::Rows, bounds: &Bounds) {
        let mut record = Vec::with_capacity(1024);
        loop {
            let seen = self.checker.totals().rows;
            if seen >= bounds.rows || rows.place().position >= bounds.bytes || bounds.are_over() {
                return;
            }
            let item = match rows.next() {
                Ok(Some(item)) => item,
                Ok(None) => {
                    self.checker.finish();
                    self.response.complete = true;
                    return;
                }
                Err(error) => {
                    self.response.problem = failed(error);
                    return;
                }
            };
            record.clear();
            if let Item::Row(Row { at, .. }) | Item::Bad(BadRow { at, .. }) = &item {
                self.envelope.write(*at, Some(at.row), &mut record);
            }
            if let Err(fault) = self.check(&item, &mut record) {
                self.response.problem = Some(at_header(fault, rows.entry()));
                return;
            }
        }
    }

    fn check(&mut self, item: &Item<'_>, record: &mut Vec<u8>) -> Result<(), dataset::HeaderFault> {
        let error = match self.checker.check(item, record)? {
            Checked::Refused(row) if self.response.errors.len() < self.shown.errors => {
                Some(row_error(&self.reader.schema, &row))
            }
            Checked::Refused(_) | Checked::Columns => None,
            Checked::Accepted { .. } => {
                if let Item::Row(row) = item {
                    self.show(row, record);
                }
                None
            }
        };
        self.response.errors.extend(error);
        Ok(())
    }

    fn show(&mut self, row: &Row<'_>, record: &[u8]) {
        let full = self.response.records.len() >= self.shown.records || self.shown_bytes >= SHOWN_BYTES;
        if full || record.len() > RECORD_BYTES {
            return;
        }
        let schema = &self.reader.schema;
        let message = schema.dataset().message;
        let json = match mask(schema, message, record) {
            Ok(masked) => {
                records::to_json(message, &masked).map(|json| json.to_string()).map_err(io::Error::other)
            }
            Err(error) => Err(io::Error::other(error)),
        };
        let Ok(json) = json.inspect_err(|error| tracing::error!(%error, "a record cannot be shown")) else {
            return;
        };
        let raw = if schema.has_sensitive() { MASKED.to_owned() } else { text(row.raw, RAW_BYTES) };
        self.shown_bytes += raw.len() + json.len();
        self.response.records.push(PreviewedRecord {
            row_number: Some(row.at.row),
            position: row.at.position,
            raw,
            json,
        });
    }

    fn finish(self) -> PreviewSourceResponse {
        let mut totals = self.checker.totals().clone();
        let mut response = self.response;
        response.warnings =
            self.checker.warnings().iter().map(|one| warning(&self.reader.schema, one)).collect();
        if self.reader.withholds(&totals, response.complete) {
            totals.accepted = 0;
            response.records.clear();
        }
        if response.problem.is_none() && (response.complete || totals.accepted == 0) && totals.rows > 0 {
            response.problem = outcome::nothing_accepted(&totals, self.reader.tolerance())
                .map(|error| problem(&error.code, error.reason, error.advice));
        }
        response.rows = totals.rows;
        response.accepted = totals.accepted;
        response.rejected = totals.rejected;
        response.rejections = totals.rejections.into_iter().collect();
        response
    }
}

impl Reader {
    /// What the source bears of invalid rows.
    fn tolerance(&self) -> Tolerance {
        Tolerance::new(self.reject_file, self.most_rejected)
    }

    /// Whether the source would reject the file whole, as far as it was read.
    fn withholds(&self, totals: &Counters, complete: bool) -> bool {
        let tolerance = self.tolerance();
        (complete || tolerance == Tolerance::None) && tolerance.is_exceeded_by(totals)
    }
}

fn at_header(fault: dataset::HeaderFault, entry: Option<Entry<'_>>) -> FileProblem {
    match entry {
        Some(entry) => FileProblem {
            position: entry.position,
            ..problem(fault.code, format!("in `{}`: {}", entry.name, fault.reason), fault.advice)
        },
        None => problem(fault.code, fault.reason, fault.advice),
    }
}

fn row_error(schema: &Schema, row: &RefusedRow<'_>) -> RowError {
    RowError {
        row_number: Some(row.at.row),
        position: row.at.position,
        code: row.refusal.code.to_owned(),
        column: row.refusal.column.clone(),
        reason: schema.shown_reason(row.refusal.code, &row.refusal.column, &row.refusal.reason).into_owned(),
        advice: row.refusal.advice.to_owned(),
        raw: if schema.has_sensitive() { String::new() } else { text(row.raw, RAW_ERROR_BYTES) },
    }
}

fn warning(schema: &Schema, warning: &Warning) -> FileWarning {
    FileWarning {
        code: warning.code.as_str().to_owned(),
        column: warning.column.clone(),
        reason: schema.shown_warning(warning).into_owned(),
        advice: warning.advice.to_owned(),
        row_number: warning.at.row,
        position: warning.at.position,
    }
}

/// The beginning of a raw row, as text.
fn text(raw: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&raw[..raw.len().min(most)]).into_owned()
}
