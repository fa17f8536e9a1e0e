//! The story of one file: receive, claim, open, rows, check, commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use api::client::Worker;
use dataset::Schema;
use format::{Compression, Item, Place, Rows};
use ledger::checkpoint;
use ledger::outcome::{self, End};
use ledger::resume::{self, Resume};
use queue::{Incoming, Lane, QueueError};
use records::queue::{Checkpoint, Counters, FileError, Outcome};
use tokio::runtime::Handle;
use trace::Origin;
use tracing::{Span, info, info_span, warn};

use crate::ahead::{Ahead, Next};
use crate::chunk::Chunk;
use crate::claim::{Asked, Received};
use crate::config::{Config, most_bytes};
use crate::deletions::Deletions;
use crate::fault::{Ended, GaveUp, PipeError, read_failed, said};
use crate::file::{FileRun, Mode, Reached, facts};
use crate::open::Buckets;
use crate::probation::{Probation, Turn};
use crate::pulse::{Pulse, Pulses};
use crate::range;
use crate::spans;
use crate::split::Cut;
use crate::survey::Surveyed;

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
    pub(crate) deletions: Deletions,
    pub(crate) pulses: Pulses,
    pub(crate) probation: Probation,
    /// Held by the lane that cuts a large object: one at a time, as it holds many parts of it.
    pub(crate) cutting: Mutex<()>,
    /// Names this process, which a restart does not keep.
    pub(crate) process: String,
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

/// Failed tries at the message in hand, or at one that was before it in the chunk.
#[derive(Default)]
pub(crate) struct Tries {
    pub(crate) object: u32,
    any: u32,
    /// The message that panicked last, and how often.
    panics: Option<(i64, u32)>,
}

impl Tries {
    /// Counts a panic against its message, and no other.
    fn panicked(&mut self, offset: i64) {
        self.panics = Some((offset, self.panics_of(offset) + 1));
    }

    pub(crate) fn is_any(&self) -> bool {
        self.any > 0
    }

    pub(crate) fn panics_of(&self, offset: i64) -> u32 {
        self.panics.filter(|(at, _)| *at == offset).map_or(0, |(_, panics)| panics)
    }
}

/// What a lane has beside its queue.
pub(crate) struct Hand {
    pub(crate) chunk: Chunk,
    pub(crate) tries: Tries,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) ahead: Ahead,
    /// Held from the first row of a file that attempts were lost on to its first commit.
    turn: Option<Turn>,
}

impl Pipe {
    /// Works a partition until it is revoked; an error ends the lane, which is then opened again.
    pub(crate) fn run(self: &Arc<Self>, lane: &mut dyn Lane) -> queue::Result<()> {
        let mut hand = Hand {
            chunk: Chunk::new(self.config.chunk.clone()),
            tries: Tries::default(),
            pulse: self.pulses.lane(lane.partition()),
            ahead: Ahead::default(),
            turn: None,
        };
        while !lane.revoked() {
            hand.pulse.rests();
            let patience = hand.chunk.patience(IDLE);
            let Some(next) = self.next(lane, &mut hand, patience)? else {
                hand.chunk.commit(lane)?;
                continue;
            };
            let (offset, span) = (next.incoming.offset, next.span.clone());
            hand.chunk.begin_message(Origin::of(&span));
            // What the unwinding may leave half done is dropped: the chunk by the abort, the file with its frame.
            let worked =
                catch_unwind(AssertUnwindSafe(|| span.in_scope(|| self.message(lane, &mut hand, next))));
            let worked = worked.unwrap_or_else(|panic| Err(PipeError::Panicked(said(panic.as_ref()))));
            if let Err(error) = &worked {
                trace::fail(&span, error.to_string());
            }
            // It ends here: what is waited for from now on is not its work.
            drop(span);
            match worked {
                Ok(Done::Revoked) => break,
                // After a failure each message is committed on its own: if the one that failed is tried again for long,
                // those before it are not held up by it.
                Ok(Done::Whole) => {
                    let alone = hand.tries.any > 0 || hand.turn.is_some();
                    if alone || hand.chunk.is_full() || hand.chunk.is_due() {
                        hand.chunk.commit(lane)?;
                    }
                    // A panic stays known while files before its own are read again.
                    hand.tries = Tries { panics: hand.tries.panics, ..Tries::default() };
                    hand.turn = None;
                }
                Err(PipeError::Queue(QueueError::Aborted(reason))) => {
                    warn!(partition = lane.partition(), reason, "transaction aborted; reading again");
                    self.again(lane, &mut hand)?;
                }
                Err(PipeError::Queue(error)) => return Err(error),
                Err(error) => {
                    hand.tries.object += u32::from(matches!(error, PipeError::Object(_)));
                    if matches!(error, PipeError::Panicked(_)) {
                        hand.tries.panicked(offset);
                    }
                    warn!(partition = lane.partition(), offset, %error, "trying again");
                    self.again(lane, &mut hand)?;
                }
            }
        }
        self.give_back(lane, &mut hand);
        if hand.chunk.is_open() { hand.chunk.commit(lane) } else { Ok(()) }
    }

    /// Drops what is in hand and waits, longer each time and never as long as another lane; the lane then begins at its
    /// committed offset.
    fn again(&self, lane: &mut dyn Lane, hand: &mut Hand) -> queue::Result<()> {
        hand.chunk.clear();
        hand.ahead.clear();
        hand.turn = None;
        lane.abort()?;
        let step = Duration::from_millis(100) * 2_u32.saturating_pow(hand.tries.any.min(10));
        let mut left = step.min(LONGEST_PAUSE).mul_f64(0.5 + fastrand::f64() / 2.0);
        hand.tries.any += 1;
        while !left.is_zero() && !lane.revoked() {
            hand.pulse.beats();
            let nap = left.min(IDLE);
            sleep(nap);
            left -= nap;
        }
        Ok(())
    }

    /// The ledger's word on the message, if it has not been `heard` before. Where attempts were lost on the file, it is asked
    /// again once it is this lane's turn to read such a one; none where the partition is to be let go first.
    fn received(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        incoming: &Incoming,
        heard: Option<Received>,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Option<Received>, PipeError> {
        let attempt = self.attempt(&hand.tries, incoming.offset);
        let received = match heard {
            Some(received) => received,
            None => self.claim(Asked::new(lane.topic(), incoming, checkpoint, &attempt, false))?,
        };
        let Received::Owned(claimed, lost @ 1..) = received else { return Ok(Some(received)) };
        warn!(key = claimed.object.object_key, lost, "attempts at this file were lost; it is read alone");
        // Files before it must not share its fate.
        hand.chunk.commit(lane)?;
        while hand.turn.is_none() {
            if lane.revoked() {
                return Ok(None);
            }
            hand.turn = self.probation.turn();
            if hand.turn.is_none() {
                sleep(IDLE);
            }
        }
        self.claim(Asked::new(lane.topic(), incoming, checkpoint, &attempt, true)).map(Some)
    }

    /// One message of the objects topic, from claim to the last row.
    fn message(&self, lane: &mut dyn Lane, hand: &mut Hand, next: Next) -> Result<Done, PipeError> {
        let Next { incoming, received, mut object, .. } = next;
        let incoming = &incoming;
        let stored = stored_checkpoint(lane);
        let Some(received) = self.received(lane, hand, incoming, received, stored.as_ref())? else {
            return Ok(Done::Revoked);
        };
        let (claimed, gave_up) = match received {
            Received::Owned(claimed, _) => {
                (*claimed, unreachable_for_long(&hand.tries, self.config.attempts))
            }
            Received::SetAside(claimed, lost) => (*claimed, Some(GaveUp::Lost(lost))),
            Received::Skip(reason) => {
                info!(partition = incoming.partition, offset = incoming.offset, reason, "message skipped");
                hand.chunk.end_message(incoming.offset);
                return Ok(Done::Whole);
            }
        };
        hand.pulse.begins(format!("{} generation {}", claimed.object.object_key, claimed.object.generation));
        let span = info_span!(
            "file",
            source = claimed.object.source_id,
            key = claimed.object.object_key,
            generation = claimed.object.generation
        );
        let traceparent = spans::traceparent(&span, incoming);
        let _entered = span.entered();
        if gave_up.is_none() && self.may_split(&claimed, stored.as_ref()) {
            match self.split(lane, hand, &claimed)? {
                Cut::Ranges(plan) => {
                    self.publish_ranges(lane, hand, &claimed, incoming.offset, plan, &traceparent)?;
                    return Ok(Done::Whole);
                }
                Cut::Stopped => return Ok(Done::Revoked),
                Cut::Whole => {}
            }
        }
        let schema = Schema::parse_json(&claimed.source.schema_json)
            .map_err(|error| PipeError::Registry(format!("the source's schema does not hold: {error}")))?;
        let from = match resume::decide(stored.as_ref(), &claimed.object) {
            Resume::FromStart => None,
            Resume::Behind(checkpoint) => Some(checkpoint),
        };
        let at = match from {
            Some(one) => Place { position: one.position, row: one.row_number },
            None => range::begins(claimed.object.range.as_ref()),
        };
        if let Some(one) = from {
            info!(row = one.row_number, position = one.position, "going on behind the checkpoint");
        }
        let mut reached = Reached { position: at.position, ..Reached::default() };
        let gave_up = gave_up.map(|why| why.ended(&claimed, at.position));
        let deleted = match gave_up {
            None => self.deleted(&claimed, &schema, &hand.pulse)?,
            Some(_) => None,
        };
        let forms = self.config.values.of(schema.dataset())?;
        let facts = facts(&claimed, most_bytes(lane.max_message_bytes()), &forms, deleted);
        let (mode, ended) = match (gave_up, from) {
            // It was split because its source takes files with invalid rows.
            (None, None) if claimed.object.range.is_some() => (Mode::Publish, None),
            (None, None) => match self.survey(lane, hand, &claimed, &schema, &facts, &mut object)? {
                Surveyed::Mode(mode) => (mode, None),
                Surveyed::Ended(ended) => (Mode::Withhold, Some(ended)),
                Surveyed::Stopped => return Ok(Done::Revoked),
            },
            (ended, Some(one)) if one.withheld => (Mode::Withhold, ended),
            (ended, _) => (Mode::Publish, ended),
        };
        let worker = &self.config.worker_id;
        let mut file = FileRun::new(claimed, schema, mode, from, traceparent, worker, facts, forms);
        file.limit_samples(hand.chunk.samples_left(&file.claimed.object.source_id));
        let end = match ended {
            Some(ended) => {
                reached.found(&ended);
                RowsEnd::File(ended)
            }
            None => match self.open(&file.claimed, object, at, hand.tries.object == 0)? {
                Ok(mut opened) => {
                    if opened.rows.compression() != Compression::Zip {
                        file.one_document();
                    }
                    self.rows(lane, hand, &mut file, &mut opened.rows, incoming.offset, &mut reached)?
                }
                Err(ended) => {
                    reached.found(&ended);
                    RowsEnd::File(ended)
                }
            },
        };
        let (end, error) = match end {
            RowsEnd::Revoked => return Ok(Done::Revoked),
            RowsEnd::LastByte => (End::Whole, None),
            RowsEnd::File(ended) => (ended.end, Some(ended.error)),
        };
        self.end_file(lane, &mut hand.chunk, &mut file, incoming.offset, &reached, end, error)?;
        Ok(Done::Whole)
    }

    /// Every row of the file that is behind the checkpoint.
    fn rows(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        file: &mut FileRun,
        rows: &mut Rows,
        offset: i64,
        reached: &mut Reached,
    ) -> Result<RowsEnd, PipeError> {
        let mut since_look = 0;
        let range_ends = file.claimed.object.range.map_or(u64::MAX, |range| range.ends);
        reached.format = rows.format().as_str();
        reached.compression = rows.compression().as_str();
        loop {
            reached.position = rows.place().position;
            if reached.position >= range_ends {
                file.finish();
                let exact = range::ends_exactly(&file.claimed, reached.position, hand.tries.object == 0)?;
                return Ok(exact.map_or_else(RowsEnd::File, |()| RowsEnd::LastByte));
            }
            let item = match rows.next() {
                Ok(Some(item)) => item,
                Ok(None) => {
                    file.finish();
                    return Ok(RowsEnd::LastByte);
                }
                Err(error) => {
                    let doubt = hand.tries.object == 0;
                    return Ok(RowsEnd::File(read_failed(error, reached.position, doubt, file.is_begun())?));
                }
            };
            let is_row = !matches!(item, Item::Columns(_));
            let bytes = match file.item(lane, &item)? {
                Ok(bytes) => bytes,
                Err(fault) => return Ok(RowsEnd::File(Ended::at_header(fault, rows.entry()))),
            };
            if !is_row {
                continue;
            }
            hand.chunk.add_row(bytes);
            since_look += 1;
            let look = since_look == ROWS_A_LOOK;
            if since_look == 1 {
                fail::fail_point!("parser.row", file.claimed.object.object_key.contains("poison"), |how| {
                    poisoned(how.as_deref())
                });
            }
            if look {
                since_look = 0;
                hand.pulse.beats();
            }
            let revoked = look && lane.revoked();
            if revoked || hand.chunk.is_full() || (look && hand.chunk.is_due()) {
                self.commit_within(lane, &mut hand.chunk, file, rows.place(), offset, reached)?;
                hand.pulse.moved(reached.position);
                // It has published rows, so the next crash is not counted together with those before.
                hand.turn = None;
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
        file.count(&mut chunk.tally);
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
        let range = file.claimed.object.range.map(|range| range.number);
        let error = match range {
            None => error.or_else(|| outcome::nothing_accepted(&totals, file.claimed.tolerance())),
            // That is for the ledger to say, which knows all ranges.
            Some(_) => error,
        };
        info!(
            range,
            outcome = outcome.as_str_name(),
            rows = totals.rows,
            accepted = totals.accepted,
            rejected = totals.rejected,
            error = error.as_ref().map(|one| one.reason.as_str()),
            "file ended"
        );
        tell(outcome, &totals);
        chunk.tally.ended(range.is_some(), file.dataset(), outcome);
        file.count(&mut chunk.tally);
        chunk.add_samples(&file.claimed.object.source_id, file.sampled());
        file.progress(lane, reached, Some((outcome, error)))?;
        chunk.end_message(offset);
        Ok(())
    }
}

/// Before anything of a file is published: lets others know that the lane lives, and commits what files before it left where
/// that is due. False where the partition is to be let go.
pub(crate) fn look(lane: &mut dyn Lane, hand: &mut Hand) -> Result<bool, PipeError> {
    hand.pulse.beats();
    if lane.revoked() {
        return Ok(false);
    }
    // Of files before this one.
    if hand.chunk.is_due() {
        hand.chunk.commit(lane)?;
    }
    Ok(true)
}

/// The checkpoint at the lane's committed offset; one that is none of ours counts as none.
pub(crate) fn stored_checkpoint(lane: &dyn Lane) -> Option<Checkpoint> {
    checkpoint::decode(lane.checkpoint()).unwrap_or_else(|error| {
        warn!(partition = lane.partition(), %error, "checkpoint not read");
        None
    })
}

/// What became of the file, for who follows its trace.
fn tell(outcome: Outcome, totals: &Counters) {
    let span = Span::current();
    trace::set(&span, "cortex.file.outcome", outcome.as_str_name());
    for (name, rows) in [("cortex.file.accepted", totals.accepted), ("cortex.file.rejected", totals.rejected)]
    {
        trace::set(&span, name, i64::try_from(rows).unwrap_or(i64::MAX));
    }
}

fn unreachable_for_long(tries: &Tries, most: u32) -> Option<GaveUp> {
    (tries.object >= most).then_some(GaveUp::Unreachable(tries.object))
}

/// What a file does to its reader in tests: `return(crash)`, `return(panic)`, `return(hang)`.
#[allow(dead_code, reason = "there are crash points in test builds alone")]
fn poisoned(how: Option<&str>) -> ! {
    match how {
        Some("crash") => std::process::abort(),
        Some("hang") => loop {
            sleep(IDLE);
        },
        _ => std::panic::panic_any("the file is poison"),
    }
}
