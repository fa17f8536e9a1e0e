//! What reading files of a source would give, without publishing anything: previews, and proposals of a schema.

use std::time::{Duration, Instant};

use api::registry::{
    FileProblem, PreviewSourceRequest, PreviewSourceResponse, ProposeSourceSchemaRequest,
    ProposeSourceSchemaResponse,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, BucketError, Location};
use dataset::DatasetKind;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Request;

use super::{Service, Streamed};
use crate::error::CallError;
use crate::reading::{self, Bounds, Look, Object, Reader, Shown};
use crate::store::Source;
use crate::{convert, name};

/// A preview or a proposal ends after this long.
const DEADLINE: Duration = Duration::from_secs(60);
/// Files of a preview.
const MOST_FILES: u32 = 20;
/// Files of a proposal, and rows of each.
const MOST_SAMPLES: usize = 10;
const SAMPLES: usize = 5;
const SAMPLE_ROWS: u64 = 10_000;
/// Of each file, after decompression.
const BYTES: u64 = 256 << 20;
/// Rejected rows that are shown of each file.
const ERRORS: usize = 20;

impl Service {
    pub(super) async fn preview_source(
        &self,
        request: Request<PreviewSourceRequest>,
    ) -> Result<Streamed<PreviewSourceResponse>, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account_read(&request, &account).await?;
        let request = request.into_inner();
        let files = bounded("max_files", request.max_files, 3, MOST_FILES)?;
        let rows = u64::from(bounded("max_rows", request.max_rows, 1_000, 100_000)?);
        let records = bounded("max_records", request.max_records, 10, 100)? as usize;
        let source = self.store.get_source(&account, &id).await?;
        self.is_complete(&source).await?;
        check_keys(&source, &request.object_keys, MOST_FILES as usize)?;
        let slot = self.looks.begin(&account)?;
        let look = self.look(&actor, "source.preview", &source).await?;
        let objects = look.objects(&request.object_keys, files as usize).await?;
        let (answers, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let _slot = slot;
            let sending = async {
                for found in objects {
                    let shown = Shown { records, errors: ERRORS };
                    let answer = look.preview(found, rows, shown).await;
                    if answers.send(answer.map_err(tonic::Status::from)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! { () = sending => {}, () = answers.closed() => {} }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }

    pub(super) async fn propose_source_schema(
        &self,
        request: Request<ProposeSourceSchemaRequest>,
    ) -> Result<ProposeSourceSchemaResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account_read(&request, &account).await?;
        let keys = request.into_inner().object_keys;
        let source = self.store.get_source(&account, &id).await?;
        self.is_complete(&source).await?;
        check_keys(&source, &keys, MOST_SAMPLES)?;
        let _slot = self.looks.begin(&account)?;
        let kind = DatasetKind::by_name(&source.settings.dataset)
            .ok_or_else(|| CallError::Failed(format!("there is no dataset {:?}", source.settings.dataset)))?;
        let look = self.look(&actor, "source.propose", &source).await?;
        let objects = look.objects(&keys, SAMPLES).await?;
        let (reader, bounds) = (look.reader.clone(), look.bounds(SAMPLE_ROWS));
        let seen = reading::blocking(move || {
            let mut seen = Look::new(kind);
            for found in objects {
                match found {
                    Ok(object) => seen.at(&reader, &object, &bounds),
                    Err(missing) => seen.problem = seen.problem.take().or(Some(missing.problem)),
                }
            }
            seen
        });
        let seen = seen.await.map_err(|error| CallError::Failed(error.to_string()))?;
        if seen.keys.is_empty() {
            return Err(nothing_seen(seen.problem));
        }
        let object_keys = seen.keys.clone();
        let (schema, columns) = seen.propose().map_err(|error| CallError::Precondition {
            code: "NO_SCHEMA".to_owned(),
            reason: error.to_string(),
            advice: "see the files' headers".to_owned(),
        })?;
        Ok(ProposeSourceSchemaResponse { schema: Some(schema), columns, object_keys })
    }

    /// Opens the source's bucket, for a look at its files.
    async fn look(&self, actor: &str, action: &str, source: &Source) -> Result<BucketLook, CallError> {
        let until = Instant::now() + DEADLINE;
        let session = self.issuer.issue(source, "").await?;
        let subject = name::of_source(&source.account, &source.id);
        let detail = json!({ "access_key_id": session.access_key_id() });
        self.audit(actor, &source.account, action, &subject, detail).await?;
        let location = Location::from(&convert::source_work(source.clone(), &self.config.platform));
        let open = |location| Bucket::open(location, SharedCredentialsProvider::new(session.clone()));
        let mut bucket = open(location.clone());
        // A draft may not know yet where its bucket is.
        match bucket.probe().await {
            Ok(()) => {}
            Err(BucketError::WrongRegion { region: Some(region), .. }) => {
                bucket = open(Location { region: Some(region), ..location });
            }
            Err(error) => return Err(refused(&error)),
        }
        let reader = reading::of_source(&self.config, source, bucket, Handle::current())
            .map_err(|error| CallError::Failed(error.to_string()))?;
        Ok(BucketLook { reader, until, stop: CancellationToken::new() })
    }
}

/// A look at files of one source.
struct BucketLook {
    reader: Reader,
    until: Instant,
    /// Stops the thread that reads, once whoever asked has gone away.
    stop: CancellationToken,
}

impl Drop for BucketLook {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An object that was asked for by its key and cannot be had.
struct Missing {
    key: String,
    problem: FileProblem,
}

impl BucketLook {
    /// The objects that were asked for, or the newest.
    async fn objects(
        &self,
        keys: &[String],
        newest: usize,
    ) -> Result<Vec<Result<Object, Missing>>, CallError> {
        let bucket = &self.reader.bucket;
        let found = async {
            if keys.is_empty() {
                let objects = bucket.newest_objects(newest).await.map_err(|error| refused(&error))?;
                return Ok(objects.into_iter().map(|object| Ok(Object::from(object))).collect());
            }
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let version = bucket.version(key).await;
                found.push(
                    version
                        .map(|version| Object { key: key.clone(), etag: version.etag, size: version.size })
                        .map_err(|error| Missing { key: key.clone(), problem: reading::refused(&error) }),
                );
            }
            Ok(found)
        };
        tokio::time::timeout_at(self.until.into(), found).await.map_err(|_| CallError::Precondition {
            code: "storage_unavailable".to_owned(),
            reason: format!("S3 did not answer within {} seconds", DEADLINE.as_secs()),
            advice: "try again in a while".to_owned(),
        })?
    }

    async fn preview(
        &self,
        found: Result<Object, Missing>,
        rows: u64,
        shown: Shown,
    ) -> Result<PreviewSourceResponse, CallError> {
        match found {
            Err(Missing { key, problem }) => Ok(PreviewSourceResponse {
                object_key: key,
                problem: Some(problem),
                ..PreviewSourceResponse::default()
            }),
            Ok(object) => {
                let (reader, bounds) = (self.reader.clone(), self.bounds(rows));
                let read = reading::blocking(move || reader.preview(&object, &bounds, shown)).await;
                read.map_err(|error| CallError::Failed(error.to_string()))
            }
        }
    }

    fn bounds(&self, rows: u64) -> Bounds {
        Bounds { rows, bytes: BYTES, until: self.until, stop: self.stop.clone() }
    }
}

/// Keys must lie below the source's path: its session reaches nothing else, and no one else's files are shown.
fn check_keys(source: &Source, keys: &[String], most: usize) -> Result<(), CallError> {
    if keys.len() > most {
        return Err(CallError::invalid("object_keys", format!("at most {most}, these are {}", keys.len())));
    }
    let prefix = match source.settings.path.as_str() {
        "" => String::new(),
        path => format!("{path}/"),
    };
    let is_below = |key: &str| {
        key.strip_prefix(&prefix).is_some_and(|name| !name.is_empty())
            && key.len() <= 1_024
            && !key.split('/').any(|part| part == "." || part == "..")
    };
    match keys.iter().find(|key| !is_below(key)) {
        None => Ok(()),
        Some(key) => {
            let rule = format!("{key:?} must be a key below the source's path, {prefix:?}");
            Err(CallError::invalid("object_keys", rule))
        }
    }
}

/// The default where zero, the limit where above it.
fn bounded(field: &str, sent: i32, default: u32, limit: u32) -> Result<u32, CallError> {
    match u32::try_from(sent) {
        Ok(0) => Ok(default),
        Ok(sent) => Ok(sent.min(limit)),
        Err(_) => Err(CallError::invalid(field, "must not be negative")),
    }
}

fn refused(error: &BucketError) -> CallError {
    CallError::Precondition {
        code: error.code().to_owned(),
        reason: error.to_string(),
        advice: error.advice(),
    }
}

/// Why no file gave a row.
fn nothing_seen(problem: Option<FileProblem>) -> CallError {
    match problem {
        Some(problem) => {
            CallError::Precondition { code: problem.code, reason: problem.reason, advice: problem.advice }
        }
        None => CallError::Precondition {
            code: "no_rows".to_owned(),
            reason: "no file in a dated folder of the source has a row".to_owned(),
            advice: "upload a file, or name one".to_owned(),
        },
    }
}
