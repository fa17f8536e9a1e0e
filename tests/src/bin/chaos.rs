//! `chaos SECONDS SEED [--json]`: what `cargo xtask chaos` runs. Leaves with 1 unless nothing was lost, doubled or made up.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use end_to_end::chaos;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "the report is what it is run for")]
fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| -> Result<u64> {
        arguments.get(index).context("usage: chaos SECONDS SEED [--json]")?.parse().context("a number")
    };
    let (seconds, seed) = (number(0)?, number(1)?);
    let is_json = arguments.get(2).is_some_and(|flag| flag == "--json");
    let begun = Instant::now();
    let says = |what: &str| {
        if !is_json {
            eprintln!("{:>6.1} s  {what}", begun.elapsed().as_secs_f64());
        }
    };
    let report = chaos::run(Duration::from_secs(seconds), seed, &says)?;
    if is_json {
        println!("{}", report.json());
    } else {
        println!("{:#}", report.json());
    }
    if !report.audit.0 {
        eprintln!("chaos: the audit found {}", report.audit.1);
    }
    Ok(report.is_good())
}
