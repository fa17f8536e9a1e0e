//! A part of a large object, from the beginning of one row to that of another.

use format::{Limits, Place};
use ledger::outcome::{End, OBJECT_ALTERED};
use records::queue::ObjectRange;

use crate::claim::Claimed;
use crate::fault::{Ended, PipeError};

/// Where reading begins.
pub(crate) fn begins(range: Option<&ObjectRange>) -> Place {
    range.map_or(Place::default(), |range| Place { position: range.begins, row: range.rows_before })
}

/// The byte before which reading ends: what stands behind the range may tell how its last row is read.
pub(crate) fn read_until(range: &ObjectRange, limits: &Limits) -> u64 {
    range.ends.saturating_add(limits.bytes_ahead() as u64)
}

/// Whether a row ends where the range does; the inner error is the file's end. Each range begins where the one before it
/// ends, and the first with the object: so where all of them end with a row, each row was read once. Where one does not,
/// what was read when the object was cut was not what is read now. `doubt` has it read once more.
pub(crate) fn ends_exactly(
    claimed: &Claimed,
    position: u64,
    doubt: bool,
) -> Result<Result<(), Ended>, PipeError> {
    let object = &claimed.object;
    let Some(range) = object.range.filter(|range| range.ends != position) else { return Ok(Ok(())) };
    let reason = format!(
        "range {} of {} was cut at byte {}, where no row ends: a row goes on to byte {position}",
        range.number, object.object_key, range.ends
    );
    if doubt {
        return Err(PipeError::Object(format!("{reason}; it is read once more, to be sure")));
    }
    let advice =
        "nothing: it is read again; if it stays so, see which network device or proxy alters what passes";
    let ended = Ended::unreadable(OBJECT_ALTERED, reason, advice, position);
    Ok(Err(Ended { end: End::Changed, ..ended }))
}
