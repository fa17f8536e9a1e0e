//! Files of a source looked at as the parser reads them, with nothing published.
//!
//! **Invariants.** The same decoders, checks, limits and codes as in the parser. A look is bounded in rows, bytes and time,
//! whatever the file is. Values of sensitive columns are not shown.

mod bounds;
mod preview;
mod propose;

use std::io::{self, Read as _};
use std::sync::Arc;

use api::registry::FileProblem;
use bucket::{Bucket, BucketError, ListedObject};
use dataset::{FileFacts, Schema, SchemaError};
use format::{ReadError, Rows};
use jiff::Timestamp;
use tokio::runtime::Handle;

use crate::config::Config;
use crate::store::{InvalidRows, Source};

use bounds::{Bounded, Stopped};

pub(crate) use bounds::Bounds;
pub(crate) use preview::Shown;
pub(crate) use propose::Look;

/// An object, as it was when it had this ETag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) size: u64,
}

impl From<ListedObject> for Object {
    fn from(listed: ListedObject) -> Self {
        Self { key: listed.key, etag: listed.etag, size: listed.size }
    }
}

/// Reads files of one source.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) bucket: Bucket,
    pub(crate) account: String,
    pub(crate) source: String,
    pub(crate) schema: Arc<Schema>,
    pub(crate) time_zone: String,
    /// True where one invalid row rejects its whole file.
    pub(crate) reject_file: bool,
    /// Hundredths of a percent of invalid rows over which a file is rejected whole; no limit where 0.
    pub(crate) most_rejected: u32,
    pub(crate) limits: format::Limits,
    /// Of a record and its key.
    pub(crate) most_record_bytes: usize,
    pub(crate) runtime: Handle,
}

impl Reader {
    /// Reads the first bytes of an object, to see that it can be read. Blocks.
    pub(crate) fn touch(&self, object: &Object, bounds: &Bounds) -> Result<(), FileProblem> {
        let mut reader = self.object(object, bounds);
        // An empty object has no byte, and is one that can be read.
        match reader.by_ref().take(1).read_to_end(&mut Vec::new()) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(ReadError::Io(error))
                .unwrap_or_else(|| problem("timed_out", Stopped, "try again in a while"))),
        }
    }

    fn rows(&self, object: &Object, bounds: &Bounds) -> Result<Rows, ReadError> {
        Rows::open(Box::new(self.object(object, bounds)), &object.key, self.limits.clone())
    }

    fn object(&self, object: &Object, bounds: &Bounds) -> Bounded<bucket::ObjectReader> {
        let reader = self.bucket.reader(&object.key, &object.etag, Some(object.size), self.runtime.clone());
        // Someone waits for the answer: what does not come soon is told.
        Bounded::new(reader.with_tries(2), bounds.clone())
    }

    fn facts(&self, object: &Object) -> FileFacts {
        let below = object.key.strip_prefix(&self.bucket.location().prefix()).unwrap_or_default();
        let folder = below.split_once('/').map_or("", |(folder, _)| folder);
        FileFacts {
            time_zone: self.time_zone.clone(),
            now: Timestamp::now().as_second(),
            folder_date: folder.parse::<jiff::civil::Date>().map(|date| date.to_string()).unwrap_or_default(),
            last_columns: Vec::new(),
            most_bytes: Some(self.most_record_bytes),
            json: None,
            deleted: None,
        }
    }
}

/// Why a file cannot be read, or not further; none where the time was over.
fn failed(error: ReadError) -> Option<FileProblem> {
    match error {
        ReadError::File(fault) => Some(FileProblem {
            position: fault.position,
            ..problem(fault.code.as_str(), &fault.reason, fault.advice)
        }),
        ReadError::Io(error) => match BucketError::of(&error) {
            Some(refused) => Some(self::refused(refused)),
            None if Stopped::is(&error) => None,
            None => Some(problem("unavailable", &error, "see whether it can be read, and try again")),
        },
    }
}

/// What S3 said.
pub(crate) fn refused(error: &BucketError) -> FileProblem {
    problem(error.code(), error, error.advice())
}

fn problem(code: &str, reason: impl ToString, advice: impl Into<String>) -> FileProblem {
    FileProblem { code: code.to_owned(), reason: reason.to_string(), advice: advice.into(), position: 0 }
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}

/// A reader of the source's files, with the limits and rules of the parser.
pub(crate) fn of_source(
    config: &Config,
    source: &Source,
    bucket: Bucket,
    runtime: Handle,
) -> Result<Reader, SchemaError> {
    let settings = &source.settings;
    Ok(Reader {
        bucket,
        account: source.account.to_string(),
        source: source.id.to_string(),
        schema: Arc::new(Schema::parse_json(&settings.schema.json)?),
        time_zone: if settings.time_zone.is_empty() { "UTC".to_owned() } else { settings.time_zone.clone() },
        reject_file: settings.invalid_rows == InvalidRows::RejectFile,
        most_rejected: settings.max_rejected,
        limits: config.limits.clone(),
        most_record_bytes: config.most_record_bytes,
        runtime,
    })
}
