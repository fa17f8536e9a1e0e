//! The first pass over a file whose source rejects invalid files whole: nothing of it is published.

use dataset::{Checked, FileChecker};
use format::{Place, Rows};

use crate::fault::{PipeError, read_failed};
use crate::file::Mode;
use crate::pipe::ROWS_A_LOOK;

/// Whether the second pass publishes the file's records; it stops at the first thing that is wrong. None where `look`,
/// which is asked every so many rows whether to go on, says no: nothing is lost, as nothing was done.
pub(crate) fn survey(
    checker: &mut FileChecker,
    rows: &mut Rows,
    doubt: bool,
    mut look: impl FnMut() -> Result<bool, PipeError>,
) -> Result<Option<Mode>, PipeError> {
    let mut record = Vec::new();
    let mut since_look = 0;
    loop {
        let Place { position, .. } = rows.place();
        let item = match rows.next() {
            Ok(Some(item)) => item,
            Ok(None) if checker.totals().accepted > 0 => return Ok(Some(Mode::Publish)),
            Ok(None) => return Ok(Some(Mode::Withhold)),
            // The object's own errors are tried again; a file that cannot be read to its end is invalid.
            Err(error) => return read_failed(error, position, doubt, false).map(|_| Some(Mode::Withhold)),
        };
        record.clear();
        match checker.check(&item, &mut record) {
            Ok(Checked::Columns | Checked::Accepted { .. }) => {}
            Ok(Checked::Refused(_)) | Err(_) => return Ok(Some(Mode::Withhold)),
        }
        since_look += 1;
        if since_look == ROWS_A_LOOK {
            since_look = 0;
            if !look()? {
                return Ok(None);
            }
        }
    }
}
