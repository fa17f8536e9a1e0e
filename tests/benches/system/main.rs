//! The whole system measured on real components: `cargo bench -p end-to-end --bench system -- NAME`, each of which tells one
//! JSON object. `cargo xtask bench` runs them all. They are one program, as making one takes minutes.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are the output, how far it is goes to standard error"
)]

mod discovery;
mod ledger;
mod ranges;
mod rivals;
mod scheduling;
mod size;
mod whole;

use anyhow::{Result, bail};
// The allocator of the roles, for what is measured in this process and for the bare loop.
use tikv_jemalloc_sys as _;

/// A name, and what it runs.
type Benchmark = (&'static str, fn() -> Result<()>);

const BENCHMARKS: [Benchmark; 7] = [
    ("whole", whole::run),
    ("rivals", rivals::run),
    ("ranges", ranges::run),
    ("size", size::run),
    ("discovery", discovery::run),
    ("ledger", ledger::run),
    ("scheduling", scheduling::run),
];

fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let known = BENCHMARKS.map(|(name, _)| name).join(", ");
    if names.is_empty() {
        // `cargo bench` stays small: these take minutes each.
        eprintln!("name what is to be measured: {known}");
    }
    for name in names {
        let Some((_, run)) = BENCHMARKS.iter().find(|(known, _)| *known == name) else {
            bail!("there is no benchmark {name}; there are {known}");
        };
        run()?;
    }
    Ok(())
}
