//! What the benchmarks of the whole system share: the rows, the stage on which they are read, and what a process has used.

mod profile;
mod rows;
mod stage;
mod usage;

use anyhow::{Context, Result};

pub use rows::csv;
pub use stage::{PARTITIONS, PATIENCE, Parsed, Stage, folder};
pub use usage::{Usage, own_cpu_seconds};

/// A number that `CORTEX_BENCH_{name}` may set.
pub fn setting(name: &str, default: u64) -> Result<u64> {
    let name = format!("CORTEX_BENCH_{name}");
    match std::env::var(&name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is no number: {text}")),
        Err(_) => Ok(default),
    }
}
