//! The first pass over a file whose source rejects invalid files whole: nothing of it is published.

use dataset::{Checked, FileChecker, FileFacts, Schema};
use format::{Place, ReadError, Rows};
use ledger::tolerance::Tolerance;
use queue::Lane;

use crate::claim::Claimed;
use crate::fault::{Ended, PipeError, read_failed};
use crate::file::Mode;
use crate::pipe::{Hand, Pipe, ROWS_A_LOOK};

/// What the first pass says.
pub(crate) enum Surveyed {
    /// What the second pass publishes.
    Mode(Mode),
    /// The object cannot be read, which says nothing of its rows: there is no second pass.
    Ended(Ended),
    /// The partition is to be let go; nothing is lost, as nothing was done.
    Stopped,
}

impl Pipe {
    /// What is to be published of a file that begins.
    pub(crate) fn survey(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        claimed: &Claimed,
        schema: &Schema,
        facts: &FileFacts,
    ) -> Result<Surveyed, PipeError> {
        let tolerance = claimed.tolerance();
        if tolerance == Tolerance::Any {
            return Ok(Surveyed::Mode(Mode::Publish));
        }
        let doubt = hand.tries.object == 0;
        let mut rows = match self.open(claimed, Place::default(), doubt)? {
            Ok(rows) => rows,
            Err(ended) => return Ok(Surveyed::Ended(ended)),
        };
        let mut checker = FileChecker::new(schema.clone(), facts.clone());
        survey(&mut checker, &mut rows, tolerance, doubt, || {
            hand.pulse.beats();
            if lane.revoked() {
                return Ok(false);
            }
            // Of files before this one.
            if hand.chunk.is_due() {
                hand.chunk.commit(lane)?;
            }
            Ok(true)
        })
    }
}

/// Whether the second pass publishes the file's records; it stops at the first thing that no count of valid rows makes up
/// for. `look` is asked every so many rows whether to go on.
pub(crate) fn survey(
    checker: &mut FileChecker,
    rows: &mut Rows,
    tolerance: Tolerance,
    doubt: bool,
    mut look: impl FnMut() -> Result<bool, PipeError>,
) -> Result<Surveyed, PipeError> {
    let withhold = Ok(Surveyed::Mode(Mode::Withhold));
    let mut record = Vec::new();
    let mut since_look = 0;
    loop {
        let Place { position, .. } = rows.place();
        let item = match rows.next() {
            Ok(Some(item)) => item,
            Ok(None) if checker.totals().accepted == 0 => return withhold,
            Ok(None) if tolerance.is_exceeded_by(checker.totals()) => return withhold,
            Ok(None) => return Ok(Surveyed::Mode(Mode::Publish)),
            Err(error) => {
                let is_of_file = matches!(error, ReadError::File(_));
                // The object's passing errors are tried again; a file that cannot be read to its end is invalid.
                let ended = read_failed(error, position, doubt, false)?;
                return if is_of_file { withhold } else { Ok(Surveyed::Ended(ended)) };
            }
        };
        record.clear();
        let is_refused = match checker.check(&item, &mut record) {
            Ok(Checked::Columns | Checked::Accepted { .. }) => false,
            Ok(Checked::Refused(_)) => true,
            Err(_) => return withhold,
        };
        // Whether a share is exceeded, only the last row tells.
        if is_refused && tolerance == Tolerance::None && tolerance.is_exceeded_by(checker.totals()) {
            return withhold;
        }
        since_look += 1;
        if since_look == ROWS_A_LOOK {
            since_look = 0;
            if !look()? {
                return Ok(Surveyed::Stopped);
            }
        }
    }
}
