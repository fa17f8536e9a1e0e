//! What is known of the file in hand: its counters, its envelope, its samples, and how its rows become messages.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use dataset::{
    Checked, DatasetKind, DeletedSubjects, EnvelopeConst, EnvelopeWriter, FileChecker, FileFacts,
    HeaderFault, Schema, Warning,
};
use format::{BadRow, Item, Place, Row};
use prost::{Message, Name};
use queue::{Lane, Outgoing};
use records::queue::{
    Checkpoint, Counters, FileError, FileProgress, FileWarning, ObjectFound, Outcome, RefusedRow, SampleRow,
};
use records::topic::{
    CONTENT_TYPE_PROTOBUF, HEADER_CONTENT_TYPE, HEADER_MESSAGE, HEADER_TRACEPARENT, REJECTED_ROWS,
};
use records::v1::RejectedRow;

use crate::claim::Claimed;
use crate::fault::Ended;
use crate::form::{Form, Forms};
use crate::refused::{SHOWN_A_CHUNK, refused, shown};
use crate::tally::Tally;

/// Accepted rows of a chunk that go with its progress, for the source's snapshot.
const SAMPLES_A_CHUNK: usize = 5;
/// The largest record that goes as a sample: progress messages stay small.
const SAMPLE_BYTES: usize = 16 << 10;

/// What is published of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Its records and its refused rows.
    Publish,
    /// Its refused rows alone: it is invalid, and its source rejects such files whole.
    Withhold,
}

/// The file in hand.
pub(crate) struct FileRun {
    pub(crate) claimed: Claimed,
    pub(crate) mode: Mode,
    checker: FileChecker,
    kind: &'static DatasetKind,
    schema: Schema,
    envelope: EnvelopeWriter,
    chunk: u32,
    /// What chunks before the one in hand came to.
    counted: Counters,
    samples: Vec<SampleRow>,
    /// As many samples go with the chunk in hand.
    most_samples: usize,
    refusals: Vec<RefusedRow>,
    traceparent: Vec<u8>,
    forms: Forms,
    /// Behind what its form puts before it.
    record: Vec<u8>,
    /// A rejected row as JSON, where they are published so.
    rejected: Vec<u8>,
    key: Vec<u8>,
    key_prefix: usize,
    worker_id: String,
}

impl FileRun {
    /// A file that begins, or goes on behind `checkpoint`.
    #[allow(clippy::too_many_arguments)] // one call site, and every one of them a different thing
    pub(crate) fn new(
        claimed: Claimed,
        schema: Schema,
        mode: Mode,
        checkpoint: Option<&Checkpoint>,
        traceparent: Vec<u8>,
        worker_id: &str,
        facts: FileFacts,
        forms: Forms,
    ) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let object = &claimed.object;
        let envelope = EnvelopeWriter::new(&EnvelopeConst {
            account_id: &object.account_id,
            source_id: &object.source_id,
            object_key: &object.object_key,
            etag: &object.etag,
            generation: object.generation,
            replaces_generation: claimed.replaces_generation,
            ingest_seconds: now.as_secs() as i64,
            ingest_nanos: now.subsec_nanos() as i32,
            file_id: *claimed.file_id.as_bytes(),
        })
        .behind(forms.record.prefix());
        let mut key = claimed.object.account_id.clone().into_bytes();
        key.push(b'/');
        let kind = schema.dataset();
        let is_inner = claimed.object.range.is_some_and(|range| range.begins > 0);
        let checker = match checkpoint {
            None if !is_inner => FileChecker::new(schema.clone(), facts),
            // What is odd in the header is told by the first range.
            None => FileChecker::resume(schema.clone(), facts, Counters::default()),
            Some(at) => FileChecker::resume(schema.clone(), facts, at.totals.clone().unwrap_or_default()),
        };
        Self {
            kind,
            schema,
            mode,
            checker,
            envelope,
            chunk: checkpoint.map_or(0, |at| at.chunk),
            counted: checkpoint.and_then(|at| at.totals.clone()).unwrap_or_default(),
            samples: Vec::new(),
            most_samples: SAMPLES_A_CHUNK,
            refusals: Vec::new(),
            traceparent,
            forms,
            record: Vec::with_capacity(1024),
            rejected: Vec::new(),
            key_prefix: key.len(),
            key,
            worker_id: worker_id.to_owned(),
            claimed,
        }
    }

    /// Checks an item and publishes what becomes of it, a record or a refusal. Gives the bytes published; the inner error
    /// ends the file.
    pub(crate) fn item(
        &mut self,
        lane: &mut dyn Lane,
        item: &Item<'_>,
    ) -> queue::Result<Result<u64, HeaderFault>> {
        self.record.clear();
        if let Item::Row(Row { at, .. }) | Item::Bad(BadRow { at, .. }) = item {
            self.envelope.write(*at, Some(at.row), &mut self.record);
        }
        match self.checker.check(item, &mut self.record) {
            Err(fault) => Ok(Err(fault)),
            Ok(Checked::Columns) => Ok(Ok(0)),
            Ok(Checked::Accepted { .. }) if self.mode == Mode::Withhold => Ok(Ok(0)),
            Ok(Checked::Accepted { key, json }) => {
                self.key.truncate(self.key_prefix);
                self.key.extend_from_slice(key);
                let form = &self.forms.record;
                let value = if form.json().is_some() { json } else { self.record.as_slice() };
                lane.publish(Outgoing {
                    topic: self.kind.topic,
                    key: &self.key,
                    value,
                    headers: &headers(form.content_type(), self.kind.message, &self.traceparent),
                })?;
                let record = &self.record[form.prefix().len()..];
                if self.samples.len() < self.most_samples && record.len() <= SAMPLE_BYTES {
                    let message = self.kind.message.to_owned();
                    self.samples.push(SampleRow { message, record: record.to_vec() });
                }
                Ok(Ok(value.len() as u64))
            }
            Ok(Checked::Refused(row)) => {
                if self.refusals.len() < SHOWN_A_CHUNK {
                    self.refusals.push(shown(&row, &self.schema));
                }
                let at = row.at;
                // Protobuf messages concatenate: the envelope stands already, the rest follows.
                self.record.extend_from_slice(&refused(row).encode_to_vec());
                let form = &self.forms.rejected;
                let value = match form {
                    Form::Json(encoder) => {
                        self.rejected.clear();
                        if let Err(error) = encoder.write(&self.record, &mut self.rejected) {
                            return Ok(Err(HeaderFault::no_json(at, &error)));
                        }
                        &self.rejected
                    }
                    // That of the record's topic stands there.
                    Form::Protobuf | Form::Confluent(_) => {
                        self.record[..form.prefix().len()].copy_from_slice(form.prefix());
                        &self.record
                    }
                };
                let object = &self.claimed.object;
                lane.publish(Outgoing {
                    topic: REJECTED_ROWS,
                    key: object_key(&object.source_id, &object.object_key).as_bytes(),
                    value,
                    headers: &headers(form.content_type(), &RejectedRow::full_name(), &self.traceparent),
                })?;
                Ok(Ok(value.len() as u64))
            }
        }
    }

    /// Of the chunk in hand, which has files before this one, so many more samples are wanted.
    pub(crate) fn limit_samples(&mut self, left: usize) {
        self.most_samples = left.min(SAMPLES_A_CHUNK);
    }

    /// Samples of the chunk in hand.
    pub(crate) fn sampled(&self) -> usize {
        self.samples.len()
    }

    /// The file is no zip of several: see [`FileChecker::one_document`].
    pub(crate) fn one_document(&mut self) {
        self.checker.one_document();
    }

    /// True once rows of it, or its progress, are committed or in the chunk in hand.
    pub(crate) fn is_begun(&self) -> bool {
        self.chunk > 0
    }

    /// The last byte, or that of the range, has been read.
    pub(crate) fn finish(&mut self) {
        if self.is_last() {
            self.checker.finish();
        }
    }

    /// True where the end of what is read is the object's.
    fn is_last(&self) -> bool {
        let object = &self.claimed.object;
        object.range.is_none_or(|range| range.ends >= object.size)
    }

    /// Counts so far, of what is published.
    pub(crate) fn totals(&self) -> Counters {
        let mut totals = self.checker.totals().clone();
        if self.mode == Mode::Withhold {
            totals.accepted = 0;
        }
        totals
    }

    /// Its dataset's name.
    pub(crate) fn dataset(&self) -> &'static str {
        self.kind.name
    }

    /// Adds the rows of the chunk that ends here.
    pub(crate) fn count(&mut self, tally: &mut Tally) {
        let totals = self.totals();
        tally.rows(self.kind.name, &self.counted, &totals);
        self.counted = totals;
    }

    /// A warning as people see it who look at the ledger.
    fn shown(&self, one: &Warning) -> FileWarning {
        FileWarning { reason: self.schema.shown_warning(one).into_owned(), ..warning(one) }
    }

    /// Publishes the progress of the chunk that ends here. Gives the chunk's number.
    pub(crate) fn progress(
        &mut self,
        lane: &mut dyn Lane,
        reached: &Reached,
        ended: Option<(Outcome, Option<FileError>)>,
    ) -> queue::Result<u32> {
        self.chunk += 1;
        let columns =
            if ended.is_some() && self.is_last() { self.checker.columns().to_vec() } else { Vec::new() };
        let object = &self.claimed.object;
        let (outcome, error) = ended.unwrap_or((Outcome::Unspecified, None));
        let progress = FileProgress {
            chunk: self.chunk,
            totals: Some(self.totals()),
            position: reached.position,
            outcome: outcome as i32,
            error,
            format: reached.format.to_owned(),
            compression: reached.compression.to_owned(),
            samples: std::mem::take(&mut self.samples),
            warnings: self.checker.warnings().iter().map(|one| self.shown(one)).collect(),
            refusals: std::mem::take(&mut self.refusals),
            columns,
            ..progress_of(object, &self.worker_id)
        };
        // A file that goes on does so in a chunk of its own.
        self.most_samples = SAMPLES_A_CHUNK;
        publish_progress(lane, &progress, &self.traceparent)?;
        Ok(self.chunk)
    }

    /// The checkpoint behind the rows published so far.
    pub(crate) fn checkpoint(&self, place: Place) -> Checkpoint {
        Checkpoint {
            file_id: self.claimed.object.file_id.clone(),
            generation: self.claimed.object.generation,
            chunk: self.chunk,
            position: place.position,
            row_number: place.row,
            totals: Some(self.totals()),
            withheld: self.mode == Mode::Withhold,
            range: self.claimed.object.range.map_or(0, |range| range.number),
        }
    }
}

/// A progress message that names what it is of, and says nothing yet.
pub(crate) fn progress_of(object: &ObjectFound, worker_id: &str) -> FileProgress {
    FileProgress {
        account_id: object.account_id.clone(),
        source_id: object.source_id.clone(),
        file_id: object.file_id.clone(),
        generation: object.generation,
        object_key: object.object_key.clone(),
        range: object.range,
        committed_at: Some(SystemTime::now().into()),
        worker_id: worker_id.to_owned(),
        ..FileProgress::default()
    }
}

/// Publishes it with the chunk in hand.
pub(crate) fn publish_progress(
    lane: &mut dyn Lane,
    progress: &FileProgress,
    traceparent: &[u8],
) -> queue::Result<()> {
    lane.publish(Outgoing {
        topic: records::topic::FILE_PROGRESS,
        key: object_key(&progress.source_id, &progress.object_key).as_bytes(),
        value: &progress.encode_to_vec(),
        headers: &headers(CONTENT_TYPE_PROTOBUF, &FileProgress::full_name(), traceparent),
    })
}

/// What the checker must know of the file beside its bytes; `most_bytes` is what a message may have beside its headers and
/// the account in its key.
pub(crate) fn facts(
    claimed: &Claimed,
    most_bytes: usize,
    forms: &Forms,
    deleted: Option<Arc<DeletedSubjects>>,
) -> FileFacts {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileFacts {
        time_zone: claimed.source.time_zone.clone(),
        now: now.as_secs() as i64,
        folder_date: claimed.object.date.clone(),
        last_columns: claimed.source.last_columns.clone(),
        most_bytes: Some(most_bytes),
        json: forms.record.json().cloned(),
        deleted,
    }
}

pub(crate) fn warning(warning: &Warning) -> FileWarning {
    FileWarning {
        code: warning.code.as_str().to_owned(),
        column: warning.column.clone(),
        reason: warning.reason.clone(),
        advice: warning.advice.to_owned(),
        row_number: warning.at.row,
        position: warning.at.position,
    }
}

/// How far a file was read, and what it was found to be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reached {
    pub(crate) position: u64,
    pub(crate) format: &'static str,
    pub(crate) compression: &'static str,
}

impl Reached {
    /// What a file was found to be that could not be opened.
    pub(crate) fn found(&mut self, ended: &Ended) {
        self.format = ended.format;
        self.compression = ended.compression;
    }
}

/// The key of messages about a file: those of one object keep their order.
pub(crate) fn object_key(source_id: &str, object_key: &str) -> String {
    format!("{source_id}/{object_key}")
}

/// A message's headers, which cost no allocation a row.
pub(crate) struct Headers<'a> {
    all: [(&'a str, &'a [u8]); 3],
    count: usize,
}

impl<'a> Deref for Headers<'a> {
    type Target = [(&'a str, &'a [u8])];

    fn deref(&self) -> &Self::Target {
        &self.all[..self.count]
    }
}

pub(crate) fn headers<'a>(content_type: &'a str, message: &'a str, traceparent: &'a [u8]) -> Headers<'a> {
    Headers {
        all: [
            (HEADER_CONTENT_TYPE, content_type.as_bytes()),
            (HEADER_MESSAGE, message.as_bytes()),
            (HEADER_TRACEPARENT, traceparent),
        ],
        count: if traceparent.is_empty() { 2 } else { 3 },
    }
}
