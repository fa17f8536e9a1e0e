//! What is fetched once and kept for later runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The cache folder: `CORTEX_CACHE`, else `~/.cache/cortex`.
fn root() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CORTEX_CACHE") {
        return Ok(path.into());
    }
    let home = std::env::var_os("HOME").context("neither CORTEX_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/cortex"))
}

/// The folder of this name, filled by `fill` at its first use. A half-filled one is never seen: it is filled beside its
/// place and then moved, by one process at a time.
pub(crate) fn folder(name: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let root = root()?;
    let path = root.join(name);
    fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
    let lock = File::create(root.join(format!("{name}.lock")))?;
    lock.lock()?;
    if !path.exists() {
        let partial = root.join(format!("{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(&partial)?;
        fill(&partial)?;
        fs::rename(&partial, &path)?;
    }
    Ok(path)
}

/// Runs a command to its end; its output is shown where it fails.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} does not start", command.get_program().display()))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
