//! A bucket of any number of objects that costs nothing to hold: keys, ETags and sizes follow from a folder and a number.

mod answer;
mod contents;
mod query;
mod serve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::background::Background;
use serve::State;

/// An S3 endpoint with one generated bucket. It knows `ListObjectsV2` and `GetBucketLocation`, and checks no signatures: what
/// it stands in for is a bucket's size, not S3.
///
/// Every folder holds `part-0000000000.csv` and so on, of which [`append`](Self::append) adds more at the end,
/// [`scatter`](Self::scatter) some in between, and [`overwrite`](Self::overwrite) changes the ETag. It stops when it is dropped.
#[derive(Debug)]
pub struct GeneratedS3 {
    endpoint: String,
    state: Arc<State>,
    _background: Background,
}

impl GeneratedS3 {
    /// Starts one: `bucket` has so many objects in each of `folders` below `path`.
    pub fn start(
        bucket: &str,
        path: &str,
        folders: impl IntoIterator<Item = String>,
        objects: u64,
    ) -> Result<Self> {
        let state = Arc::new(State::new(bucket, path, folders, objects));
        let (background, address) = Background::listen("generated-s3", {
            let state = Arc::clone(&state);
            move |listener| serve::serve(listener, state)
        })?;
        Ok(Self { endpoint: format!("http://{address}"), state, _background: background })
    }

    /// `http://HOST:PORT` for the client.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Adds so many objects behind all others of a folder, which need not exist yet.
    pub fn append(&self, folder: &str, objects: u64) {
        self.state.change(|contents| contents.append(folder, objects));
    }

    /// Adds so many objects at places of a folder that are spread evenly over it.
    pub fn scatter(&self, folder: &str, objects: u64) {
        self.state.change(|contents| contents.scatter(folder, objects));
    }

    /// Gives the object with this number in a folder another ETag.
    pub fn overwrite(&self, folder: &str, number: u64) {
        self.state.change(|contents| contents.overwrite(folder, number));
    }

    /// Has every request wait for so long.
    pub fn slow(&self, pause: Duration) {
        self.state.slow(pause);
    }

    /// Answers with at most so many keys, whatever is asked for, as S3 may: many pages of few objects.
    pub fn short_pages(&self, keys: usize) {
        self.state.short_pages(keys);
    }

    /// LIST requests so far.
    pub fn list_requests(&self) -> u64 {
        self.state.lists().values().sum()
    }

    /// LIST requests so far, by prefix.
    pub fn lists(&self) -> BTreeMap<String, u64> {
        self.state.lists()
    }
}
