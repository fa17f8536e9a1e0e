//! The first pass over a file whose source rejects invalid files whole: nothing of it is published.

use bucket::ObjectReader;
use dataset::{Checked, FileChecker, FileFacts, Schema};
use format::{Place, ReadError, Rows};
use ledger::tolerance::Tolerance;
use queue::Lane;

use crate::claim::Claimed;
use crate::fault::{Ended, PipeError, read_failed};
use crate::file::Mode;
use crate::pipe::{Hand, Pipe, ROWS_A_LOOK, look};

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
    /// What is to be published of a file that begins; takes `object`, which may be on its way, where it reads it.
    pub(crate) fn survey(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        claimed: &Claimed,
        schema: &Schema,
        facts: &FileFacts,
        object: &mut Option<ObjectReader>,
    ) -> Result<Surveyed, PipeError> {
        let tolerance = claimed.tolerance();
        if tolerance == Tolerance::Any {
            return Ok(Surveyed::Mode(Mode::Publish));
        }
        let doubt = hand.tries.object == 0;
        let mut opened = match self.open(claimed, object.take(), Place::default(), doubt)? {
            Ok(opened) => opened,
            Err(ended) => return Ok(Surveyed::Ended(ended)),
        };
        let mut checker = FileChecker::new(schema.clone(), facts.clone());
        survey(&mut checker, &mut opened.rows, tolerance, doubt, || look(lane, hand))
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

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor, Read, Seek, SeekFrom};

    use bucket::{BucketError, Place as At};
    use dataset::DatasetKind;
    use format::Limits;

    use super::*;

    const HEADER: &str = "user_id,timestamp,type\n";

    /// What is denied behind its last byte.
    struct Denied(Cursor<Vec<u8>>);

    impl Read for Denied {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into)? {
                0 => {
                    let place = At { bucket: "b".into(), key: "k".into() };
                    let reason = "no".to_owned();
                    Err(BucketError::AccessDenied { place, action: "s3:GetObject", reason }.into())
                }
                read => Ok(read),
            }
        }
    }

    impl Seek for Denied {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn surveyed(object: impl format::Object + 'static, name: &str, tolerance: Tolerance) -> (Surveyed, u64) {
        let mut rows = Rows::open(Box::new(object), name, Limits::default()).unwrap();
        let schema = Schema::default_for(DatasetKind::EVENTS);
        let mut checker = FileChecker::new(schema, FileFacts::default());
        let found = survey(&mut checker, &mut rows, tolerance, false, || Ok(true)).unwrap();
        (found, checker.totals().rows)
    }

    fn mode(text: &str, name: &str, tolerance: Tolerance) -> (Option<Mode>, u64) {
        let (found, rows) = surveyed(Cursor::new(text.to_owned()), name, tolerance);
        (if let Surveyed::Mode(mode) = found { Some(mode) } else { None }, rows)
    }

    #[test]
    fn one_invalid_row_tells_at_once_and_a_share_at_the_end() {
        let text = format!("{HEADER}u,soon,view\n{}", "u,2026-11-23,view\n".repeat(9));
        let share = |points| Tolerance::new(false, points);
        assert_eq!(mode(&text, "a.csv", Tolerance::None), (Some(Mode::Withhold), 1));
        assert_eq!(mode(&text, "a.csv", share(1_000)), (Some(Mode::Publish), 10));
        assert_eq!(mode(&text, "a.csv", share(999)), (Some(Mode::Withhold), 10));
    }

    #[test]
    fn a_file_that_breaks_off_is_invalid_and_one_that_is_denied_is_not() {
        let row = r#"{"user_id": "u", "timestamp": 1, "type": "t"}"#;
        for tolerance in [Tolerance::None, Tolerance::new(false, 5_000)] {
            assert_eq!(mode(&format!("[{row},"), "a.json", tolerance), (Some(Mode::Withhold), 1));
            // Longer than what opening looks at.
            let text = format!("{HEADER}{}", "u,2026-11-23,view\n".repeat(100_000));
            let (found, _) = surveyed(Denied(Cursor::new(text.into_bytes())), "a.csv", tolerance);
            let Surveyed::Ended(ended) = found else { panic!("it says nothing of the file") };
            assert_eq!(ended.error.code, "access_denied");
        }
    }
}
