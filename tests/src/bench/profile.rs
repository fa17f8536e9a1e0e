//! Profiles of a measured process by Linux' `perf`, for flame graphs.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::Process;

/// Samples a second: few enough that the profile costs the measured process little.
const FREQUENCY: &str = "199";

/// A profile that is being taken; lost where it is dropped before its [`end`](Self::end).
pub(super) struct Profile {
    perf: Child,
}

impl Profile {
    /// Of all that runs on this machine from now on, into `DIR/NAME.PID.data`, where `CORTEX_BENCH_PROFILE` names a folder; else
    /// none. Who draws it takes the process's own: told to follow a process, perf misses threads that begin later.
    pub(super) fn of(process: &Process, name: &str) -> Result<Option<Self>> {
        let Some(folder) = std::env::var_os("CORTEX_BENCH_PROFILE").map(PathBuf::from) else {
            return Ok(None);
        };
        std::fs::create_dir_all(&folder)?;
        // Frame pointers are not kept in release builds, nor in librdkafka: stacks are unwound by debug information.
        let perf = Command::new("perf")
            .args(["record", "--quiet", "--freq", FREQUENCY, "--call-graph", "dwarf,16384"])
            .args(["--all-cpus", "--output"])
            .arg(folder.join(format!("{}.{}.data", name.replace(' ', "-"), process.id())))
            .stdin(Stdio::null())
            .spawn()
            .context("perf does not start: install linux-perf")?;
        Ok(Some(Self { perf }))
    }

    /// Ends it; the profile is in its file then.
    pub(super) fn end(mut self) -> Result<()> {
        // Asked to end, perf writes what it still holds.
        let asked = Command::new("kill").args(["-INT", &self.perf.id().to_string()]).status()?;
        ensure!(asked.success(), "perf has ended by itself");
        self.perf.wait()?;
        Ok(())
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = self.perf.kill();
        let _ = self.perf.wait();
    }
}
