//! The object as rows, from its start or behind its checkpoint.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use api::worker::SourceWork;
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, IssuedCredentials, Location, ObjectReader, ParallelReader};
use format::{Place, Rows};
use tokio_util::sync::DropGuard;

use crate::claim::Claimed;
use crate::fault::{Ended, PipeError, read_failed};
use crate::pipe::Pipe;
use crate::range;

/// The buckets in use, one a source, so that a source's files share one session and its connections.
#[derive(Default)]
pub(crate) struct Buckets(Mutex<HashMap<String, (SourceWork, Bucket)>>);

impl Buckets {
    fn get(&self, source: &SourceWork, open: impl FnOnce() -> Bucket) -> Bucket {
        // A panic while the lock was held can only have left a map without the new entry.
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(&source.source_id) {
            Some((known, bucket)) if known == source => bucket.clone(),
            _ => {
                let bucket = open();
                buckets.insert(source.source_id.clone(), (source.clone(), bucket.clone()));
                bucket
            }
        }
    }
}

/// An object's rows. Fetching and decompressing it end with them, wherever they wait.
pub(crate) struct Opened {
    pub(crate) rows: Rows,
    _fetching: DropGuard,
}

impl Pipe {
    fn bucket(&self, claimed: &Claimed) -> Bucket {
        self.buckets.get(&claimed.source, || {
            let credentials = IssuedCredentials::new(
                self.registry.clone(),
                claimed.source.source_id.clone(),
                self.config.worker_id.clone(),
            );
            Bucket::open(Location::from(&claimed.source), SharedCredentialsProvider::new(credentials))
        })
    }

    /// A reader of the claimed object, or of its claimed range, which asks for nothing yet.
    pub(crate) fn reader(&self, claimed: &Claimed) -> ObjectReader {
        let object = &claimed.object;
        let bucket = self.bucket(claimed);
        let reader = bucket.reader(&object.object_key, &object.etag, Some(object.size), self.handle.clone());
        match object.range {
            Some(range) => reader.until(range::read_until(&range, &self.config.limits)),
            None => reader,
        }
    }

    /// A reader of all of the claimed object, over several connections.
    pub(crate) fn parallel_reader(&self, claimed: &Claimed) -> ParallelReader {
        let object = &claimed.object;
        let connections = self.config.split.connections;
        let (key, etag) = (&object.object_key, &object.etag);
        self.bucket(claimed).parallel_reader(key, etag, object.size, connections, self.handle.clone())
    }

    /// Opens the claimed object, or `asked`, which is it; for `doubt`, see [`read_failed`]. The inner result is the file's
    /// end, where it cannot be read.
    pub(crate) fn open(
        &self,
        claimed: &Claimed,
        asked: Option<ObjectReader>,
        at: Place,
        doubt: bool,
    ) -> Result<Result<Opened, Ended>, PipeError> {
        let reader = asked.unwrap_or_else(|| self.reader(claimed));
        let fetching = reader.stop_on_drop();
        let key = &claimed.object.object_key;
        match Rows::open_at(Box::new(reader), key, self.config.limits.clone(), at) {
            Ok(rows) => Ok(Ok(Opened { rows: rows.decompress_ahead(), _fetching: fetching })),
            Err(error) => read_failed(error, at.position, doubt, at.position > 0).map(Err),
        }
    }
}
