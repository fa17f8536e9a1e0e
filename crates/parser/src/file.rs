//! What is known of the file in hand: its counters, its envelope, its samples, and how its rows become messages.

use std::time::{SystemTime, UNIX_EPOCH};

use dataset::{DatasetKind, EnvelopeConst, EnvelopeWriter, Refusal, RowChecker, Schema};
use format::{BadRow, Place, Row};
use prost::{Message, Name};
use queue::{Lane, Outgoing};
use records::queue::{Checkpoint, Counters, FileError, FileProgress, Outcome, SampleRow};
use records::topic::{
    CONTENT_TYPE_PROTOBUF, HEADER_CONTENT_TYPE, HEADER_MESSAGE, HEADER_TRACEPARENT, REJECTED_ROWS,
};
use records::v1::RejectedRow;

use crate::claim::Claimed;

/// Accepted rows of a chunk that go with its progress, for the source's snapshot.
const SAMPLES_A_CHUNK: usize = 5;
/// What a rejected row holds of the raw row, in bytes.
const RAW_BYTES: usize = 16 << 10;

/// The file in hand.
pub(crate) struct FileRun {
    pub(crate) claimed: Claimed,
    pub(crate) schema: Schema,
    kind: &'static DatasetKind,
    envelope: EnvelopeWriter,
    totals: Counters,
    chunk: u32,
    samples: Vec<SampleRow>,
    traceparent: Vec<u8>,
    record: Vec<u8>,
    key: Vec<u8>,
    key_prefix: usize,
    worker_id: String,
}

impl FileRun {
    /// A file that begins, or goes on behind `checkpoint`.
    pub(crate) fn new(
        claimed: Claimed,
        schema: Schema,
        checkpoint: Option<&Checkpoint>,
        traceparent: Vec<u8>,
        worker_id: &str,
    ) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let object = &claimed.object;
        let envelope = EnvelopeWriter::new(&EnvelopeConst {
            account_id: &object.account_id,
            source_id: &object.source_id,
            object_key: &object.object_key,
            etag: &object.etag,
            generation: object.generation,
            ingest_seconds: now.as_secs() as i64,
            ingest_nanos: now.subsec_nanos() as i32,
            file_id: *claimed.file_id.as_bytes(),
        });
        let mut key = claimed.object.account_id.clone().into_bytes();
        key.push(b'/');
        Self {
            kind: schema.dataset(),
            schema,
            envelope,
            totals: checkpoint.and_then(|at| at.totals.clone()).unwrap_or_default(),
            chunk: checkpoint.map_or(0, |at| at.chunk),
            samples: Vec::new(),
            traceparent,
            record: Vec::with_capacity(1024),
            key_prefix: key.len(),
            key,
            worker_id: worker_id.to_owned(),
            claimed,
        }
    }

    /// Checks a row and publishes it, as a record or as a refusal. Gives the bytes published.
    pub(crate) fn row(
        &mut self,
        lane: &mut dyn Lane,
        checker: &mut RowChecker,
        row: &Row<'_>,
    ) -> queue::Result<u64> {
        self.record.clear();
        self.envelope.write(row.at, Some(row.at.row), &mut self.record);
        match checker.check(row, &mut self.record) {
            Ok(()) => {
                self.key.truncate(self.key_prefix);
                self.key.extend_from_slice(checker.key());
                lane.publish(Outgoing {
                    topic: self.kind.topic,
                    key: &self.key,
                    value: &self.record,
                    headers: &headers(self.kind.message, &self.traceparent),
                })?;
                self.totals.rows += 1;
                self.totals.accepted += 1;
                if self.samples.len() < SAMPLES_A_CHUNK {
                    self.samples.push(SampleRow {
                        message: self.kind.message.to_owned(),
                        record: self.record.clone(),
                    });
                }
                Ok(self.record.len() as u64)
            }
            Err(refusal) => {
                let cut = row.raw.len().min(RAW_BYTES);
                self.refuse(lane, row.at, refusal, &row.raw[..cut], cut < row.raw.len())
            }
        }
    }

    /// Publishes a row that could not be read as a refusal. Gives the bytes published.
    pub(crate) fn bad_row(&mut self, lane: &mut dyn Lane, bad: &BadRow<'_>) -> queue::Result<u64> {
        let refusal = Refusal {
            code: bad.fault.code(),
            column: String::new(),
            reason: bad.reason.clone(),
            advice: bad.advice,
        };
        let cut = bad.raw.len().min(RAW_BYTES);
        self.refuse(lane, bad.at, refusal, &bad.raw[..cut], bad.raw_truncated || cut < bad.raw.len())
    }

    fn refuse(
        &mut self,
        lane: &mut dyn Lane,
        at: Place,
        refusal: Refusal,
        raw: &[u8],
        raw_truncated: bool,
    ) -> queue::Result<u64> {
        self.totals.rows += 1;
        self.totals.rejected += 1;
        match self.totals.rejections.get_mut(refusal.code) {
            Some(count) => *count += 1,
            None => {
                self.totals.rejections.insert(refusal.code.to_owned(), 1);
            }
        }
        self.record.clear();
        self.envelope.write(at, Some(at.row), &mut self.record);
        // Protobuf messages concatenate: the envelope stands already, the rest follows.
        let rest = RejectedRow {
            envelope: None,
            code: refusal.code.to_owned(),
            column: refusal.column,
            reason: refusal.reason,
            advice: refusal.advice.to_owned(),
            raw: raw.to_vec(),
            raw_truncated,
        };
        self.record.extend_from_slice(&rest.encode_to_vec());
        let object = &self.claimed.object;
        lane.publish(Outgoing {
            topic: REJECTED_ROWS,
            key: object_key(&object.source_id, &object.object_key).as_bytes(),
            value: &self.record,
            headers: &headers(&RejectedRow::full_name(), &self.traceparent),
        })?;
        Ok(self.record.len() as u64)
    }

    /// Counts so far.
    pub(crate) fn totals(&self) -> &Counters {
        &self.totals
    }

    /// Publishes the progress of the chunk that ends here. Gives the chunk's number.
    pub(crate) fn progress(
        &mut self,
        lane: &mut dyn Lane,
        reached: &Reached,
        ended: Option<(Outcome, Option<FileError>)>,
    ) -> queue::Result<u32> {
        self.chunk += 1;
        let object = &self.claimed.object;
        let (outcome, error) = ended.unwrap_or((Outcome::Unspecified, None));
        let progress = FileProgress {
            account_id: object.account_id.clone(),
            source_id: object.source_id.clone(),
            file_id: object.file_id.clone(),
            generation: object.generation,
            object_key: object.object_key.clone(),
            chunk: self.chunk,
            totals: Some(self.totals.clone()),
            position: reached.position,
            outcome: outcome as i32,
            error,
            format: reached.format.to_owned(),
            compression: reached.compression.to_owned(),
            samples: std::mem::take(&mut self.samples),
            committed_at: Some(SystemTime::now().into()),
            worker_id: self.worker_id.clone(),
        };
        lane.publish(Outgoing {
            topic: records::topic::FILE_PROGRESS,
            key: object_key(&object.source_id, &object.object_key).as_bytes(),
            value: &progress.encode_to_vec(),
            headers: &headers(&FileProgress::full_name(), &self.traceparent),
        })?;
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
            totals: Some(self.totals.clone()),
        }
    }
}

/// How far a file was read, and what it was found to be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reached {
    pub(crate) position: u64,
    pub(crate) format: &'static str,
    pub(crate) compression: &'static str,
}

/// The key of messages about a file: those of one object keep their order.
fn object_key(source_id: &str, object_key: &str) -> String {
    format!("{source_id}/{object_key}")
}

fn headers<'a>(message: &'a str, traceparent: &'a [u8]) -> Vec<(&'a str, &'a [u8])> {
    let mut headers = Vec::with_capacity(3);
    headers.push((HEADER_CONTENT_TYPE, CONTENT_TYPE_PROTOBUF.as_bytes()));
    headers.push((HEADER_MESSAGE, message.as_bytes()));
    if !traceparent.is_empty() {
        headers.push((HEADER_TRACEPARENT, traceparent));
    }
    headers
}
