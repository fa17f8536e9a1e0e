//! The bytes of an input, wherever they are.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bucket::{Bucket, BucketError, Identity, ObjectVersion};
use format::Object;
use records::queue::FileError;
use tokio::runtime::Handle;

use super::input::Input;

/// Where inputs come from.
pub(crate) struct Contents {
    runtime: Handle,
    /// Looked up where the first object is read.
    identity: OnceLock<Identity>,
}

/// Bytes that can be read from their start, several times.
pub(crate) enum Content {
    File { path: PathBuf, size: u64 },
    Spooled { file: File, size: u64 },
    Object { bucket: Bucket, key: String, version: ObjectVersion, runtime: Handle },
}

/// Why there are no bytes.
pub(crate) struct NotFound {
    code: &'static str,
    pub(crate) reason: String,
    advice: String,
}

impl Contents {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, identity: OnceLock::new() }
    }

    /// Finds an input's bytes. What cannot be read twice is written to a file without a name first.
    pub(crate) fn of(&self, input: &Input) -> Result<Content, NotFound> {
        match input {
            Input::Stdin => Ok(spooled(io::stdin().lock())?),
            Input::Path(path) => Ok(local(path)?),
            Input::Object { bucket, key } => Ok(self.object(bucket, key)?),
            Input::Unusable { code, reason, .. } => {
                let advice = match *code {
                    "access_denied" => "allow reading it",
                    _ => "name files, folders with files in them, s3://BUCKET/KEY or -",
                };
                Err(NotFound { code, reason: reason.clone(), advice: advice.to_owned() })
            }
        }
    }

    fn object(&self, bucket: &str, key: &str) -> Result<Content, BucketError> {
        let identity = self.identity.get_or_init(|| self.runtime.block_on(Identity::of_environment()));
        let (opened, version) = self.runtime.block_on(identity.open(bucket, key))?;
        Ok(Content::Object { bucket: opened, key: key.to_owned(), version, runtime: self.runtime.clone() })
    }
}

impl Content {
    /// In bytes, as it is stored.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::File { size, .. } | Self::Spooled { size, .. } => *size,
            Self::Object { version, .. } => version.size,
        }
    }

    /// A reader from its start. Those of spooled bytes share their place: one at a time.
    pub(crate) fn object(&self) -> io::Result<Box<dyn Object>> {
        Ok(match self {
            Self::File { path, .. } => Box::new(File::open(path)?),
            Self::Spooled { file, .. } => {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Box::new(file)
            }
            Self::Object { bucket, key, version, runtime } => {
                Box::new(bucket.reader(key, &version.etag, Some(version.size), runtime.clone()))
            }
        })
    }
}

fn local(path: &Path) -> io::Result<Content> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(Content::File { path: path.to_owned(), size: metadata.len() })
    } else {
        // A pipe: `<(zcat events.Z)`
        spooled(file)
    }
}

fn spooled(mut from: impl Read) -> io::Result<Content> {
    let mut file = tempfile::tempfile()?;
    let size = io::copy(&mut from, &mut file)?;
    Ok(Content::Spooled { file, size })
}

impl From<io::Error> for NotFound {
    fn from(error: io::Error) -> Self {
        let (code, advice) = match error.kind() {
            io::ErrorKind::NotFound => ("not_found", "look at the path"),
            io::ErrorKind::PermissionDenied => ("access_denied", "allow reading it"),
            io::ErrorKind::StorageFull => {
                ("unavailable", "set TMPDIR to a folder that has room for all of it")
            }
            _ => ("unavailable", "see whether it can be read, and try again"),
        };
        Self { code, reason: error.to_string(), advice: advice.to_owned() }
    }
}

impl From<BucketError> for NotFound {
    fn from(error: BucketError) -> Self {
        let advice = match &error {
            BucketError::CredentialsRefused { .. } => {
                "Give AWS credentials that S3 takes: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.".into()
            }
            BucketError::Unavailable { .. } => "See whether the endpoint answers, and try again.".into(),
            BucketError::WrongRegion { .. } => "Set AWS_REGION to the bucket's.".into(),
            BucketError::NoSuchBucket { .. } => "Look at the bucket's name.".into(),
            other => other.advice(),
        };
        Self { code: error.code(), reason: error.to_string(), advice }
    }
}

impl From<NotFound> for FileError {
    fn from(reason: NotFound) -> Self {
        Self { code: reason.code.to_owned(), reason: reason.reason, advice: reason.advice, position: 0 }
    }
}
