//! The data folder: one process at a time, its tokens and keys.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use uuid::Uuid;

/// A data folder that this process holds.
#[derive(Debug)]
pub(super) struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder if need be and holds it until dropped.
    pub(super) fn hold(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root.join("s3")).with_context(|| root.display().to_string())?;
        let root = root.canonicalize().with_context(|| root.display().to_string())?;
        let path = root.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another cortex dev runs on {}; stop it, or give another --data-dir", root.display())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
        }
    }

    /// A file in the folder.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The secret in the file of this name, made at the first start; only the owner may read it.
    pub(super) fn secret(&self, name: &str) -> Result<String> {
        let path = self.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
                write_secret(&path, &secret)?;
                Ok(secret)
            }
            Err(error) => Err(error).with_context(|| path.display().to_string()),
        }
    }
}

/// Writes a secret where only the owner may read it; over one that stands there.
pub(super) fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let write = || {
        let options = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).clone();
        let mut file = options.open(path)?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| path.display().to_string())
}
