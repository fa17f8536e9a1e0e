//! The one reader of all formats.

use std::fmt;
use std::ops::Range;

use crate::buffer::Buffer;
use crate::decompress::{Compression, Document, Stream};
use crate::delimited::Delimited;
use crate::fault::{FileCode, ReadError, RowFault};
use crate::item::{BadRow, Columns, Entry, Item, Limits, Place, Row, Values};
use crate::json::Json;
use crate::sniff::{Format, Found, sniff};
use crate::source::Object;

/// The rows of one file.
///
/// ```
/// use std::io::Cursor;
///
/// use format::{Columns, Item, Limits, Rows, Values};
///
/// let file = Cursor::new("user_id,type\nu1,view\nu2,buy\n");
/// let mut rows = Rows::open(Box::new(file), "events.csv", Limits::default())?;
/// let mut types = Vec::new();
/// while let Some(item) = rows.next()? {
///     match item {
///         Item::Columns(Columns::Header(names)) => assert_eq!(names, ["user_id", "type"]),
///         Item::Columns(Columns::Named) => unreachable!("a CSV has a header"),
///         Item::Row(row) => match row.values {
///             Values::Fields(fields) => types.push(fields.get(1).to_owned()),
///             Values::Named(_) => unreachable!("a CSV has fields"),
///         },
///         Item::Bad(row) => panic!("row {}: {}", row.at.row, row.reason),
///     }
/// }
/// assert_eq!(types, ["view", "buy"]);
/// # Ok::<(), format::ReadError>(())
/// ```
pub struct Rows {
    buffer: Buffer,
    limits: Limits,
    /// The one at hand, or the last one.
    document: Option<Document>,
    /// None where there is nothing (more) to read.
    decoder: Option<Decoder>,
    /// None until it has been told.
    format: Option<Format>,
    row: u64,
    columns: ColumnsDue,
}

enum Decoder {
    Delimited(Delimited),
    Json(Json),
}

#[derive(PartialEq)]
enum ColumnsDue {
    Yes,
    No,
    /// No, and no more as long as what follows is JSON.
    NamedOnce,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("format", &self.format())
            .field("compression", &self.compression())
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}

/// What a decoder found; its bytes and values lie in the buffer and the decoder until the next step.
pub(crate) enum Step {
    Row {
        position: u64,
        span: Range<usize>,
    },
    /// What is to be shown of it has been kept by the buffer.
    Bad {
        position: u64,
        fault: RowFault,
        reason: String,
        advice: &'static str,
    },
    End,
}

impl Rows {
    /// Opens an object from its start. `name` is its key or file name, by which formats are told where the content
    /// leaves it open.
    ///
    /// # Errors
    ///
    /// [`ReadError::File`] where the object is not a file that can be read, with what to do about it;
    /// [`ReadError::Io`] where the object itself failed.
    pub fn open(object: Box<dyn Object>, name: &str, limits: Limits) -> Result<Self, ReadError> {
        Self::open_at(object, name, limits, Place::default())
    }

    /// Opens an object behind the row after which [`Rows::place`] gave `at`. The columns come first, as at the start,
    /// then exactly the rows that follow.
    ///
    /// Uncompressed objects are not read up to there, nor are the entries of a zip before the row's; a gzip has to be
    /// decompressed from its start.
    ///
    /// # Errors
    ///
    /// As [`Rows::open`]; besides, [`FileCode::Truncated`] where the object ends before `at`.
    pub fn open_at(
        object: Box<dyn Object>,
        name: &str,
        limits: Limits,
        at: Place,
    ) -> Result<Self, ReadError> {
        let buffer = Buffer::new(Stream::open(object, name, &limits)?);
        let mut rows = Self {
            buffer,
            limits,
            document: None,
            decoder: None,
            format: None,
            row: at.row,
            columns: ColumnsDue::Yes,
        };
        let some = rows.open_document(Some(at.position))?;
        if !some && at.position == 0 {
            let empty = ReadError::file(
                FileCode::EmptyFile,
                0,
                format!("`{name}` has no files in it, or only empty ones"),
                "upload a file with a header and rows",
            );
            return Err(rows.told(empty));
        }
        if some && at.position > rows.buffer.position() {
            rows.buffer.skip_to(at.position).map_err(|error| rows.told(error))?;
            if let Some(Decoder::Json(json)) = &mut rows.decoder {
                json.resume();
            }
        }
        Ok(rows)
    }

    /// Has a thread of its own decompress what is compressed, at most 1 MiB ahead of the rows, once 256 KiB of it have been
    /// decompressed. The object is then read by that thread. The items, their places and the errors are the same; so is a
    /// panic of the object, which [`Rows::next`] hands on.
    ///
    /// Dropping the rows ends the thread: at once, or as soon as the object has answered the read in hand. What may wait
    /// for long should be made to answer then.
    #[must_use]
    pub fn decompress_ahead(mut self) -> Self {
        self.buffer.decompress_ahead();
        self
    }

    /// The next item, or none at the end of the file. After an error there is none.
    ///
    /// # Errors
    ///
    /// [`ReadError::File`] where the file cannot be read on; the rows before were complete. [`ReadError::Io`] where the
    /// object failed: reading may go on from the last [`Rows::place`] with another [`Rows::open_at`].
    #[expect(
        clippy::should_implement_trait,
        reason = "items borrow from the reader, which `Iterator` cannot say"
    )]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        let step = match self.step() {
            Ok(step) => step,
            Err(error) => {
                self.decoder = None;
                return Err(error);
            }
        };
        let Some(decoder) = &self.decoder else { return Ok(None) };
        Ok(Some(match (step, decoder) {
            (None, Decoder::Delimited(delimited)) => Item::Columns(Columns::Header(delimited.header())),
            (None, Decoder::Json(_)) => Item::Columns(Columns::Named),
            (Some(Step::Row { position, span }), decoder) => {
                let raw = self.buffer.taken(span);
                let values = match decoder {
                    Decoder::Delimited(delimited) => Values::Fields(delimited.fields(raw)),
                    Decoder::Json(json) => Values::Named(json.values(raw)),
                };
                Item::Row(Row { at: Place { position, row: self.row }, raw, values })
            }
            (Some(Step::Bad { position, fault, reason, advice }), _) => {
                let (raw, raw_truncated) = self.buffer.kept();
                let at = Place { position, row: self.row };
                Item::Bad(BadRow { at, raw, raw_truncated, fault, reason, advice })
            }
            (Some(Step::End), _) => return Ok(None),
        }))
    }

    /// True where the object may be read in parts that begin behind any of its rows, each by a reader of its own, without
    /// what stands before: delimited rows and JSON lines, uncompressed, in UTF-8. Each part has the object's start besides,
    /// for its columns.
    pub fn is_splittable(&self) -> bool {
        let in_order = match &self.decoder {
            None => false,
            Some(Decoder::Delimited(_)) => true,
            Some(Decoder::Json(json)) => json.is_lines(),
        };
        in_order && self.compression() == Compression::None && !self.buffer.is_utf16()
    }

    /// Goes behind the next row without reading its values, by the same rules by which [`Rows::next`] ends it; false at the
    /// end. For what [is splittable](Rows::is_splittable).
    ///
    /// # Errors
    ///
    /// As [`Rows::next`].
    pub fn skip_row(&mut self) -> Result<bool, ReadError> {
        let skipped = match &mut self.decoder {
            None => return Ok(false),
            Some(Decoder::Delimited(delimited)) => {
                delimited.advance(&mut self.buffer).map(|step| !matches!(step, Step::End))
            }
            Some(Decoder::Json(json)) => json.skip_line(&mut self.buffer),
        };
        match skipped {
            Ok(true) => self.row += 1,
            Ok(false) => self.decoder = None,
            Err(error) => {
                self.decoder = None;
                return Err(self.told(error));
            }
        }
        Ok(self.decoder.is_some())
    }

    /// Behind the last item: what [`Rows::open_at`] needs to go on with the next one.
    pub fn place(&self) -> Place {
        Place { position: self.buffer.position(), row: self.row }
    }

    /// The format of the rows at hand; the entries of a zip may differ.
    pub fn format(&self) -> Format {
        // None only where there is nothing to read: behind an error, or a checkpoint at the end.
        self.format.unwrap_or(Format::Csv)
    }

    /// The entry that the last item came from, where the object is a zip. What refuses its columns is best told with it.
    pub fn entry(&self) -> Option<Entry<'_>> {
        let document = self.document.as_ref().filter(|_| self.compression() == Compression::Zip)?;
        Some(Entry { name: &document.name, position: document.begins })
    }

    /// How the object is compressed.
    pub fn compression(&self) -> Compression {
        self.buffer.stream().compression()
    }

    /// One step; none where it is the columns' turn.
    fn step(&mut self) -> Result<Option<Step>, ReadError> {
        loop {
            let step = match &mut self.decoder {
                None => return Ok(Some(Step::End)),
                Some(_) if self.columns == ColumnsDue::Yes => {
                    let named = self.format == Some(Format::Json);
                    self.columns = if named { ColumnsDue::NamedOnce } else { ColumnsDue::No };
                    return Ok(None);
                }
                Some(Decoder::Delimited(delimited)) => delimited.advance(&mut self.buffer),
                Some(Decoder::Json(json)) => json.advance(&mut self.buffer),
            };
            let step = step.map_err(|error| self.told_of_entry(error))?;
            if !matches!(step, Step::End) {
                self.row += 1;
                return Ok(Some(step));
            }
            self.open_document(None)?;
        }
    }

    /// Opens the document that holds a position, or the next; false where there is none. Documents with nothing in them
    /// are passed over in a zip, where others may follow.
    fn open_document(&mut self, mut holding: Option<u64>) -> Result<bool, ReadError> {
        self.decoder = None;
        loop {
            let document = self.buffer.open_document(holding.take());
            let Some(document) = document.map_err(|error| error.of(self.compression(), None))? else {
                return Ok(false);
            };
            let before = self.format.take();
            match self.open_decoder(&document.name) {
                Err(error) if error.is_empty_file() && self.compression() == Compression::Zip => {
                    self.format = before;
                }
                opened => {
                    self.document = Some(document);
                    return opened.map(|()| true).map_err(|error| self.told_of_entry(error));
                }
            }
        }
    }

    fn open_decoder(&mut self, name: &str) -> Result<(), ReadError> {
        let found = sniff(&mut self.buffer, name)?;
        self.format = Some(found.format());
        self.decoder = Some(match found {
            Found::Delimited(delimiter) => {
                Decoder::Delimited(Delimited::open(&mut self.buffer, delimiter, &self.limits)?)
            }
            Found::Json => Decoder::Json(Json::open(&mut self.buffer, name, &self.limits)?),
        });
        if self.columns != ColumnsDue::NamedOnce || self.format != Some(Format::Json) {
            self.columns = ColumnsDue::Yes;
        }
        Ok(())
    }

    /// An error with what is known of the file.
    fn told(&self, error: ReadError) -> ReadError {
        error.of(self.compression(), self.format)
    }

    /// An error in the document at hand.
    fn told_of_entry(&self, error: ReadError) -> ReadError {
        match self.entry() {
            Some(entry) => self.told(error).in_entry(entry.name),
            None => self.told(error),
        }
    }
}
