//! The story of one file: receive, claim, open, rows, check, commit.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use api::client::Worker;
use dataset::{FileChecker, Schema};
use format::{Item, Place, Rows};
use ledger::checkpoint;
use ledger::outcome::{self, End};
use ledger::resume::{self, Resume};
use metrics::counter;
use queue::{Incoming, Lane, QueueError};
use records::queue::{Checkpoint, FileError};
use records::topic::HEADER_TRACEPARENT;
use tokio::runtime::Handle;
use tracing::{info, info_span, warn};

use crate::chunk::Chunk;
use crate::claim::{Claimed, Received};
use crate::config::Config;
use crate::fault::{Ended, PipeError, read_failed};
use crate::file::{FileRun, Mode, Reached, facts};
use crate::open::Buckets;
use crate::survey::survey;

/// How long a lane waits for a message before it looks whether it is to end.
const IDLE: Duration = Duration::from_millis(200);
/// Rows between two looks at the clock and at revocation.
pub(crate) const ROWS_A_LOOK: u64 = 64;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What every lane of this worker shares.
pub(crate) struct Pipe {
    pub(crate) config: Config,
    pub(crate) registry: Worker,
    pub(crate) handle: Handle,
    pub(crate) buckets: Buckets,
}

/// How the work on one message ended.
enum Done {
    /// All of it is in the chunk, or committed.
    Whole,
    /// The partition is to be let go; what was read is committed behind a checkpoint.
    Revoked,
}

/// How the rows of a file ended.
enum RowsEnd {
    File(Ended),
    LastByte,
    Revoked,
}

/// Failed tries at the message in hand.
#[derive(Default)]
struct Tries {
    object: u32,
    any: u32,
}

impl Pipe {
    /// Works a partition until it is revoked; an error ends the lane, which is then opened again.
    pub(crate) fn run(self: &Arc<Self>, lane: &mut dyn Lane) -> queue::Result<()> {
        let mut chunk = Chunk::new(self.config.chunk.clone());
        let mut tries = Tries::default();
        while !lane.revoked() {
            let Some(incoming) = lane.next(chunk.patience(IDLE))? else {
                chunk.commit(lane)?;
                continue;
            };
            match self.message(lane, &mut chunk, &incoming, tries.object) {
                Ok(Done::Revoked) => break,
                // After a failure each message is committed on its own: if the one that failed is tried again for long,
                // those before it are not held up by it.
                Ok(Done::Whole) => {
                    if tries.any > 0 || chunk.is_full() || chunk.is_due() {
                        chunk.commit(lane)?;
                    }
                    tries = Tries::default();
                }
                Err(PipeError::Queue(QueueError::Aborted(reason))) => {
                    warn!(partition = lane.partition(), reason, "transaction aborted; reading again");
                    self.again(lane, &mut chunk, &mut tries)?;
                }
                Err(PipeError::Queue(error)) => return Err(error),
                Err(error) => {
                    if matches!(error, PipeError::Object(_)) {
                        tries.object += 1;
                    }
                    warn!(partition = lane.partition(), offset = incoming.offset, %error, "trying again");
                    self.again(lane, &mut chunk, &mut tries)?;
                }
            }
        }
        if chunk.is_open() { chunk.commit(lane) } else { Ok(()) }
    }

    /// Drops what is in hand and waits, longer each time; the lane then begins at its committed offset.
    fn again(&self, lane: &mut dyn Lane, chunk: &mut Chunk, tries: &mut Tries) -> queue::Result<()> {
        chunk.clear();
        lane.abort()?;
        let mut left =
            (Duration::from_millis(100) * 2_u32.saturating_pow(tries.any.min(10))).min(LONGEST_PAUSE);
        tries.any += 1;
        while !left.is_zero() && !lane.revoked() {
            let nap = left.min(IDLE);
            sleep(nap);
            left -= nap;
        }
        Ok(())
    }

    /// One message of the objects topic, from claim to the last row.
    fn message(
        &self,
        lane: &mut dyn Lane,
        chunk: &mut Chunk,
        incoming: &Incoming,
        failed_tries: u32,
    ) -> Result<Done, PipeError> {
        let claimed = match self.claim(lane.topic(), incoming)? {
            Received::Owned(claimed) => *claimed,
            Received::Skip(reason) => {
                info!(partition = incoming.partition, offset = incoming.offset, reason, "message skipped");
                chunk.end_message(incoming.offset);
                return Ok(Done::Whole);
            }
        };
        let span = info_span!(
            "file",
            source = claimed.object.source_id,
            key = claimed.object.object_key,
            generation = claimed.object.generation
        );
        let traceparent = header(incoming, HEADER_TRACEPARENT);
        if let Ok(parent) = std::str::from_utf8(&traceparent) {
            (self.config.continue_trace)(&span, parent);
        }
        let _entered = span.entered();
        let schema = Schema::parse_json(&claimed.source.schema_json)
            .map_err(|error| PipeError::Registry(format!("the source's schema does not hold: {error}")))?;
        let stored = stored_checkpoint(lane);
        let from = match resume::decide(stored.as_ref(), &claimed.object) {
            Resume::FromStart => None,
            Resume::Behind(checkpoint) => Some(checkpoint),
        };
        let at = from.map_or(Place::default(), |one| Place { position: one.position, row: one.row_number });
        if let Some(one) = from {
            info!(row = one.row_number, position = one.position, "going on behind the checkpoint");
        }
        let mut reached = Reached { position: at.position, ..Reached::default() };
        let gave_up =
            (failed_tries >= self.config.attempts).then(|| gave_up(&claimed, failed_tries, at.position));
        let mode = match (&gave_up, from) {
            (None, None) => self.mode(lane, chunk, &claimed, &schema)?,
            (_, Some(one)) if one.withheld => Some(Mode::Withhold),
            _ => Some(Mode::Publish),
        };
        let Some(mode) = mode else { return Ok(Done::Revoked) };
        let mut file = FileRun::new(claimed, schema, mode, from, traceparent, &self.config.worker_id);
        let end = match gave_up {
            Some(ended) => RowsEnd::File(ended),
            None => match self.open(&file.claimed, at)? {
                Ok(mut rows) => {
                    self.rows(lane, chunk, &mut file, &mut rows, incoming.offset, &mut reached)?
                }
                Err(ended) => RowsEnd::File(ended),
            },
        };
        let (end, error) = match end {
            RowsEnd::Revoked => return Ok(Done::Revoked),
            RowsEnd::LastByte => (End::Whole, None),
            RowsEnd::File(ended) => (ended.end, Some(ended.error)),
        };
        self.end_file(lane, chunk, &mut file, incoming.offset, &reached, end, error)?;
        Ok(Done::Whole)
    }

    /// What is to be published of a file that begins; none where the partition is to be let go first.
    fn mode(
        &self,
        lane: &mut dyn Lane,
        chunk: &mut Chunk,
        claimed: &Claimed,
        schema: &Schema,
    ) -> Result<Option<Mode>, PipeError> {
        if !claimed.source.reject_file {
            return Ok(Some(Mode::Publish));
        }
        match self.open(claimed, Place::default())? {
            Ok(mut rows) => {
                let mut checker = FileChecker::new(schema.clone(), facts(claimed));
                survey(&mut checker, &mut rows, || {
                    if lane.revoked() {
                        return Ok(false);
                    }
                    // Of files before this one.
                    if chunk.is_due() {
                        chunk.commit(lane)?;
                    }
                    Ok(true)
                })
            }
            Err(_) => Ok(Some(Mode::Withhold)),
        }
    }

    /// Every row of the file that is behind the checkpoint.
    fn rows(
        &self,
        lane: &mut dyn Lane,
        chunk: &mut Chunk,
        file: &mut FileRun,
        rows: &mut Rows,
        offset: i64,
        reached: &mut Reached,
    ) -> Result<RowsEnd, PipeError> {
        let mut since_look = 0;
        reached.format = rows.format().as_str();
        reached.compression = rows.compression().as_str();
        loop {
            reached.position = rows.place().position;
            let item = match rows.next() {
                Ok(Some(item)) => item,
                Ok(None) => {
                    file.finish();
                    return Ok(RowsEnd::LastByte);
                }
                Err(error) => return Ok(RowsEnd::File(read_failed(error, reached.position)?)),
            };
            let bytes = match file.item(lane, &item)? {
                Ok(bytes) => bytes,
                Err(fault) => return Ok(RowsEnd::File(fault.into())),
            };
            if matches!(item, Item::Columns(_)) {
                continue;
            }
            chunk.add_row(bytes);
            since_look += 1;
            let look = since_look == ROWS_A_LOOK;
            if look {
                since_look = 0;
            }
            let revoked = look && lane.revoked();
            if revoked || chunk.is_full() || (look && chunk.is_due()) {
                self.commit_within(lane, chunk, file, rows.place(), offset, reached)?;
            }
            if revoked {
                return Ok(RowsEnd::Revoked);
            }
        }
    }

    /// Commits in mid-file, with the checkpoint behind the last row.
    fn commit_within(
        &self,
        lane: &mut dyn Lane,
        chunk: &mut Chunk,
        file: &mut FileRun,
        place: Place,
        offset: i64,
        reached: &mut Reached,
    ) -> queue::Result<()> {
        reached.position = place.position;
        file.progress(lane, reached, None)?;
        let bytes = checkpoint::encode(&file.checkpoint(place))
            .map_err(|error| QueueError::Permanent(error.to_string()))?;
        chunk.commit_within(lane, offset, &bytes)
    }

    /// Publishes the file's last progress; the offset behind it goes with the chunk's commit.
    #[allow(clippy::too_many_arguments)] // one call site, and every one of them a different thing
    fn end_file(
        &self,
        lane: &mut dyn Lane,
        chunk: &mut Chunk,
        file: &mut FileRun,
        offset: i64,
        reached: &Reached,
        end: End,
        error: Option<FileError>,
    ) -> queue::Result<()> {
        let totals = file.totals();
        let outcome = outcome::decide(end, &totals);
        let error = error.or_else(|| outcome::nothing_accepted(&totals));
        info!(
            outcome = outcome.as_str_name(),
            rows = totals.rows,
            accepted = totals.accepted,
            rejected = totals.rejected,
            error = error.as_ref().map(|one| one.reason.as_str()),
            "file ended"
        );
        counter!("cortex_files_total", "outcome" => outcome.as_str_name()).increment(1);
        counter!("cortex_rows_accepted_total").increment(totals.accepted);
        counter!("cortex_rows_rejected_total").increment(totals.rejected);
        file.progress(lane, reached, Some((outcome, error)))?;
        chunk.end_message(offset);
        Ok(())
    }
}

/// The checkpoint at the lane's committed offset; one that is none of ours counts as none.
fn stored_checkpoint(lane: &dyn Lane) -> Option<Checkpoint> {
    checkpoint::decode(lane.checkpoint()).unwrap_or_else(|error| {
        warn!(partition = lane.partition(), %error, "checkpoint not read");
        None
    })
}

fn header(incoming: &Incoming, name: &str) -> Vec<u8> {
    incoming.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn gave_up(claimed: &Claimed, tries: u32, position: u64) -> Ended {
    Ended::unreadable(
        "unavailable",
        format!("{} could not be read in {tries} tries from byte {position} on", claimed.object.object_key),
        "see whether the bucket's endpoint answers, then upload the file again",
        position,
    )
}
