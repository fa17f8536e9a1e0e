//! A large object is cut into ranges, which stand on the queue in its place.
//!
//! It is read as a whole for that, since only the reader's own rules tell where a row ends; but over many connections, and
//! without a look at what stands in the rows. The ranges go out in the transaction that commits the offset behind the object's
//! message, so that they too are made once.

use std::sync::TryLockError;
use std::thread::sleep;
use std::time::Duration;

use format::{ReadError, Rows};
use ledger::resume::{self, Resume};
use ledger::split::{Cuts, range_size};
use ledger::tolerance::Tolerance;
use prost::{Message, Name};
use queue::{Lane, Outgoing};
use records::queue::{Checkpoint, FileProgress, ObjectFound, ObjectRange};
use records::topic::{CONTENT_TYPE_PROTOBUF, OBJECTS};
use tracing::{debug, info};

use crate::claim::Claimed;
use crate::fault::{PipeError, read_failed};
use crate::file::{headers, object_key, progress_of, publish_progress};
use crate::pipe::{Hand, Pipe, look};

/// Rows between two looks at the clock and at revocation: passing over one takes a tenth of the time of reading it.
const ROWS_A_LOOK: u64 = 1_000;
/// The least of a range.
const LEAST: u64 = 8 << 20;
/// Between two looks whether another lane has done with cutting.
const WAIT: Duration = Duration::from_millis(50);

/// What becomes of a large object.
pub(crate) enum Cut {
    /// It is read in these ranges.
    Ranges(Plan),
    /// It is read as a whole.
    Whole,
    /// The partition is to be let go; nothing is lost, as nothing was done.
    Stopped,
}

/// The ranges of an object.
pub(crate) struct Plan {
    ranges: Vec<ObjectRange>,
    format: &'static str,
    compression: &'static str,
}

impl Pipe {
    /// True for an object that is to be cut if what is in it allows.
    pub(crate) fn may_split(&self, claimed: &Claimed, stored: Option<&Checkpoint>) -> bool {
        let object = &claimed.object;
        object.range.is_none()
            // Where a share of invalid rows rejects the file, nothing is published before all are counted.
            && claimed.tolerance() == Tolerance::Any
            && resume::decide(stored, object) == Resume::FromStart
            && self.range_size(object.size).is_some()
    }

    fn range_size(&self, size: u64) -> Option<u64> {
        let split = &self.config.split;
        let least = LEAST.max(4 * self.config.limits.row_bytes as u64);
        range_size(size, split.over, split.range_bytes.max(least))
    }

    /// Looks for the ends of rows at which the claimed object is cut.
    pub(crate) fn split(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        claimed: &Claimed,
    ) -> Result<Cut, PipeError> {
        let object = &claimed.object;
        let Some(size) = self.range_size(object.size) else { return Ok(Cut::Whole) };
        let _cutting = loop {
            match self.cutting.try_lock() {
                Ok(cutting) => break cutting,
                // It guards nothing that a panic could have left half done.
                Err(TryLockError::Poisoned(cutting)) => break cutting.into_inner(),
                Err(TryLockError::WouldBlock) => sleep(WAIT),
            }
            if !look(lane, hand)? {
                return Ok(Cut::Stopped);
            }
        };
        let reader = self.parallel_reader(claimed);
        let opened = Rows::open(Box::new(reader), &object.object_key, self.config.limits.clone());
        // What is wrong with it is told where it is read.
        let Ok(mut rows) = opened else { return Ok(Cut::Whole) };
        if !rows.is_splittable() {
            return Ok(Cut::Whole);
        }
        let (format, compression) = (rows.format().as_str(), rows.compression().as_str());
        let mut cuts = Cuts::new(size);
        let mut since_look = 0;
        loop {
            let behind = rows.place();
            match rows.skip_row() {
                // Where no row follows, no range begins.
                Ok(true) => cuts.row(behind.position, behind.row),
                Ok(false) => break,
                Err(error @ ReadError::Io(_)) => {
                    read_failed(error, behind.position, hand.tries.object == 0, false)?;
                    return Ok(Cut::Whole);
                }
                Err(ReadError::File(fault)) => {
                    debug!(key = object.object_key, reason = fault.reason, "not cut");
                    return Ok(Cut::Whole);
                }
            }
            since_look += 1;
            if since_look == ROWS_A_LOOK {
                since_look = 0;
                if !look(lane, hand)? {
                    return Ok(Cut::Stopped);
                }
            }
        }
        let ranges = cuts.end(object.size);
        let several = ranges.len() > 1;
        Ok(if several { Cut::Ranges(Plan { ranges, format, compression }) } else { Cut::Whole })
    }

    /// Puts the ranges on the queue, one partition after the other, in place of the object's own message at `offset`.
    pub(crate) fn publish_ranges(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        claimed: &Claimed,
        offset: i64,
        plan: Plan,
        traceparent: &[u8],
    ) -> Result<(), PipeError> {
        let Plan { ranges, format, compression } = plan;
        let object = &claimed.object;
        let partitions = lane.partitions()?.max(1);
        let first = lane.partition();
        info!(key = object.object_key, ranges = ranges.len(), "the object is read in ranges");
        let key = object_key(&object.source_id, &object.object_key);
        let name = ObjectFound::full_name();
        let headers = headers(CONTENT_TYPE_PROTOBUF, &name, traceparent);
        for (index, range) in (0..).zip(&ranges) {
            let value = ObjectFound { range: Some(*range), ..object.clone() }.encode_to_vec();
            let message = Outgoing { topic: OBJECTS, key: key.as_bytes(), value: &value, headers: &headers };
            lane.publish_to((first + index % partitions) % partitions, message)?;
        }
        let progress = FileProgress {
            chunk: 1,
            ranges: u32::try_from(ranges.len()).unwrap_or(u32::MAX),
            format: format.to_owned(),
            compression: compression.to_owned(),
            ..progress_of(object, &self.config.worker_id)
        };
        publish_progress(lane, &progress, traceparent)?;
        hand.chunk.end_message(offset);
        // Others may begin at once.
        hand.chunk.commit(lane)?;
        Ok(())
    }
}
