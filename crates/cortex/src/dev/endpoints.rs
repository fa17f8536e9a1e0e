//! `DATA_DIR/endpoints.json`: where the parts of a running `cortex dev` are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The addresses in use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Endpoints {
    /// The registry's gRPC, `http://HOST:PORT`.
    pub registry: String,
    /// Health and metrics, `http://HOST:PORT`.
    pub http: String,
    /// The console, `http://HOST:PORT`.
    #[serde(default)]
    pub console: String,
    /// The sandbox's S3 and STS, `http://HOST:PORT`.
    pub s3: String,
    /// Kafka's bootstrap servers; absent with the embedded queue.
    pub kafka: Option<String>,
    /// The embedded queue's file; absent with Kafka.
    pub queue: Option<PathBuf>,
    /// File that holds the admin token.
    pub admin_token_file: PathBuf,
    /// File that holds the token of scanners and parsers.
    pub worker_token_file: PathBuf,
    /// The demo account, which client commands mean where they name none.
    #[serde(default)]
    pub account: Option<String>,
    /// The process.
    pub pid: u32,
}

impl Endpoints {
    fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("endpoints.json")
    }

    /// Of the `cortex dev` on this folder.
    pub(crate) fn read(data_dir: &Path) -> Result<Self> {
        let path = Self::path(data_dir);
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Written whole or not at all, since others wait for the file.
    pub(crate) fn write(&self, data_dir: &Path) -> Result<()> {
        let path = Self::path(data_dir);
        let partial = path.with_extension("json.partial");
        std::fs::write(&partial, serde_json::to_string_pretty(self)?)
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| path.display().to_string())
    }
}
