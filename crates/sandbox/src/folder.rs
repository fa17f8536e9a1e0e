//! A folder of buckets: from keys to files, and the ETag of a file.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use s3s::crypto::{Checksum, Md5};

/// How often a file that changes while its ETag is computed is read again.
const TRIES: usize = 3;

/// The folder that holds the buckets, and what is known of its files.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    settle: Duration,
    known: Mutex<HashMap<PathBuf, Known>>,
}

/// What tells that a file is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self { size: metadata.len(), modified: metadata.modified()? })
    }
}

#[derive(Debug, Clone)]
struct Known {
    stamp: Stamp,
    etag: String,
    /// Put through S3, so never seen half-written.
    is_whole: bool,
}

/// An object as it is now.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) stamp: Stamp,
    /// MD5 of its content, in hexadecimal digits.
    pub(crate) etag: String,
}

impl Folder {
    pub(crate) fn new(root: PathBuf, settle: Duration) -> Self {
        Self { root, settle, known: Mutex::default() }
    }

    /// The folder of a bucket where it exists. The name is one that s3s has found valid.
    pub(crate) fn bucket(&self, name: &str) -> Option<PathBuf> {
        Some(self.root.join(name)).filter(|path| path.is_dir())
    }

    /// The file of a key: none where the key cannot be a file's path. A marker's is a folder.
    pub(crate) fn path(&self, bucket: &str, key: &str) -> Option<PathBuf> {
        let mut path = self.root.join(bucket);
        for segment in key.strip_suffix('/').unwrap_or(key).split('/') {
            if matches!(segment, "" | "." | "..") || segment.contains(['\0', '\\']) {
                return None;
            }
            path.push(segment);
        }
        Some(path)
    }

    /// Opens an object; not found where the key names none.
    pub(crate) fn open(&self, bucket: &str, key: &str) -> io::Result<(File, Object)> {
        let not_found = || io::Error::from(io::ErrorKind::NotFound);
        let path = self.path(bucket, key).ok_or_else(not_found)?;
        let file = File::open(&path).map_err(|err| match err.kind() {
            // A folder of the path is a file.
            io::ErrorKind::NotADirectory => not_found(),
            _ => err,
        })?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            if !key.ends_with('/') || path.read_dir()?.next().is_some() {
                return Err(not_found());
            }
            return Ok((file, marker(&metadata)?));
        }
        if key.ends_with('/') {
            return Err(not_found());
        }
        let object = self.identify(&path, &file)?;
        Ok((file, object))
    }

    /// Size, time and ETag of an open file.
    pub(crate) fn identify(&self, path: &Path, file: &File) -> io::Result<Object> {
        for _ in 0..TRIES {
            let stamp = Stamp::of(&file.metadata()?)?;
            if let Some(known) = self.known(path, stamp) {
                return Ok(Object { stamp, etag: known.etag });
            }
            // Another handle, so that the caller's stays where it is.
            let etag = md5(File::open(path)?)?;
            if Stamp::of(&file.metadata()?)? == stamp && Stamp::of(&path.metadata()?)? == stamp {
                self.remember(path, stamp, etag.clone(), false);
                return Ok(Object { stamp, etag });
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "the file is being written to"))
    }

    /// How long until a file of this stamp is taken for whole; none where it is.
    pub(crate) fn unsettled(&self, path: &Path, stamp: Stamp) -> Option<Duration> {
        // A time in the future says nothing of when the file was written.
        let age = SystemTime::now().duration_since(stamp.modified).ok()?;
        let left = self.settle.checked_sub(age).filter(|left| !left.is_zero())?;
        let is_whole = self.known(path, stamp).is_some_and(|known| known.is_whole);
        (!is_whole).then_some(left)
    }

    /// Notes a file that S3 itself has put, whole and with this ETag.
    pub(crate) fn note_put(&self, path: &Path, etag: &str) -> io::Result<()> {
        let stamp = Stamp::of(&path.metadata()?)?;
        self.remember(path, stamp, etag.to_owned(), true);
        Ok(())
    }

    fn known(&self, path: &Path, stamp: Stamp) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(path).filter(|known| known.stamp == stamp).cloned()
    }

    fn remember(&self, path: &Path, stamp: Stamp, etag: String, is_whole: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), Known { stamp, etag, is_whole });
    }
}

/// An empty folder, which stands for the marker that consoles make for one.
pub(crate) fn marker(metadata: &Metadata) -> io::Result<Object> {
    let stamp = Stamp { size: 0, modified: metadata.modified()? };
    Ok(Object { stamp, etag: hex(&Md5::new().finalize()) })
}

fn md5(mut file: File) -> io::Result<String> {
    let mut md5 = Md5::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&md5.finalize())),
            n => md5.update(&buffer[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
