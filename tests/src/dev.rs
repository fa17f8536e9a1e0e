//! A running `cortex dev`: the whole system, with a bucket that is a folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Process, cortex, until};

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// The role that the demo account's External ID opens for the folder `events`.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/cortex-events";
/// The demo bucket.
pub const BUCKET: &str = "demo-bucket";

/// See the module.
pub struct Dev {
    dir: TempDir,
    endpoints: Value,
    process: Process,
}

impl Dev {
    /// Starts it, with the sample files or without any file, and waits until it serves.
    pub fn start(samples: bool) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut command = cortex()?;
        command.arg("dev").arg("--data-dir").arg(dir.path().join("dev"));
        if !samples {
            command.arg("--no-samples");
        }
        let mut process = Process::start("dev", command, dir.path())?;
        let path = dir.path().join("dev/endpoints.json");
        until("cortex dev to serve", PATIENCE, || {
            // One that has ended is not waited for, and says why.
            ensure!(process.is_running()?, "cortex dev has ended: {}", process.tail(25));
            Ok(path.exists())
        })?;
        let endpoints = serde_json::from_slice(&std::fs::read(&path)?)?;
        Ok(Self { dir, endpoints, process })
    }

    /// Ends it at once; what it left stays.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// An address by its name in `endpoints.json`.
    pub fn endpoint(&self, name: &str) -> Result<&str> {
        self.endpoints[name].as_str().with_context(|| format!("the address of {name}"))
    }

    /// A folder for what belongs to the same test.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A secret by its file's name, such as `demo.token`.
    pub fn secret(&self, name: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.path().join("dev").join(name))?.trim().to_owned())
    }

    /// Puts a file into the demo bucket; it appears whole. Gives its path.
    pub fn put(&self, key: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.dir.path().join("dev/s3").join(BUCKET).join(key);
        let folder = path.parent().context("a folder")?;
        std::fs::create_dir_all(folder)?;
        let partial = self.dir.path().join("partial");
        std::fs::write(&partial, content)?;
        std::fs::rename(&partial, &path)?;
        Ok(path)
    }

    /// A client command's JSON lines, as the operator.
    pub fn ask(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let mut command = cortex()?;
        command.args(arguments).args(["--json", "--data-dir"]).arg(self.dir.path().join("dev"));
        let output = command.output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        text.lines().map(|line| serde_json::from_str(line).context("a line of JSON")).collect()
    }
}
