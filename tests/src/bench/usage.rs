//! What a process has used.

use anyhow::{Context, Result};

use crate::process::Process;

/// From the process's start until now, by Linux' `/proc`.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Of all its threads, in user and kernel mode.
    pub cpu_seconds: f64,
    /// The most memory that was resident.
    pub peak_bytes: u64,
}

impl Usage {
    /// Of a process that still runs.
    pub fn of(process: &Process) -> Result<Self> {
        Ok(Self { cpu_seconds: cpu_seconds(&process.id().to_string())?, peak_bytes: process.peak_bytes()? })
    }
}

/// What this process has used of the processors so far.
pub fn own_cpu_seconds() -> Result<f64> {
    cpu_seconds("self")
}

fn cpu_seconds(process: &str) -> Result<f64> {
    /// Of `/proc`, the same on every Linux that is in use.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in brackets, may hold blanks.
    let (_, fields) = stat.rsplit_once(')').context("a stat line")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |field: usize| -> Result<f64> { Ok(fields.get(field).context("a field")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_A_SECOND)
}
