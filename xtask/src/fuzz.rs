//! The fuzz targets of `fuzz/`, built by the stable compiler: coverage by LLVM's own pass, without a sanitizer, as nothing
//! of ours is unsafe.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{cargo, root, succeeded};

/// What `cargo fuzz` gives the compiler, but for the sanitizer.
const INSTRUMENTED: &str = "--cfg fuzzing \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Clink-dead-code";

/// What one input may take: seconds, and MiB of the process with its corpus.
const TIMEOUT: u64 = 10;
const MEMORY: u64 = 256;
/// Bytes of the longest input.
const LONGEST: u64 = 16 << 10;

/// Runs each target, or one, for its share of `seconds`, as many at once as there are cores.
pub(crate) fn run(seconds: u64, target: Option<&str>) -> Result<()> {
    let targets = match target {
        Some(target) => vec![target.to_owned()],
        None => targets()?,
    };
    let programs = build()?;
    let lanes = std::thread::available_parallelism().map_or(1, usize::from).min(targets.len()).max(1);
    let turns = targets.len().div_ceil(lanes) as u64;
    let share = Duration::from_secs((seconds / turns).max(1));
    eprintln!("xtask: fuzzing {} targets for {} s each, {lanes} at once", targets.len(), share.as_secs());

    let waiting = Mutex::new(VecDeque::from(targets));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                loop {
                    // A statement of its own: the lock is not held while the target runs.
                    let next = locked(&waiting).pop_front();
                    let Some(target) = next else { break };
                    if let Err(error) = fuzz(&programs, &target, share) {
                        locked(&failed).push(format!("{target}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names of all targets, in order.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder().join("fuzz_targets"))? {
        let path = entry?.path();
        if let (Some("rs"), Some(name)) =
            (path.extension().and_then(|one| one.to_str()), path.file_stem().and_then(|one| one.to_str()))
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Builds all targets; gives the folder of the programs.
fn build() -> Result<PathBuf> {
    let host = host()?;
    let builds = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(shared) => root().join(shared).join("fuzz"),
        None => folder().join("target"),
    };
    let mut build = cargo();
    // With a target named, the flags are not for build scripts.
    build.args(["build", "--release", "--locked", "--target", &host, "--manifest-path"]);
    build.arg(folder().join("Cargo.toml")).arg("--target-dir").arg(&builds);
    succeeded("the build of the fuzz targets", build.env("RUSTFLAGS", INSTRUMENTED).status()?)?;
    Ok(builds.join(host).join("release"))
}

fn host() -> Result<String> {
    let output =
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    Ok(host.to_owned())
}

/// Fuzzes one target; what it finds on the way is kept beside the programs, what fails in `fuzz/artifacts`.
fn fuzz(programs: &Path, target: &str, share: Duration) -> Result<()> {
    let corpus = programs.join("corpus").join(target);
    let artifacts = folder().join("artifacts").join(target);
    std::fs::create_dir_all(&corpus)?;
    std::fs::create_dir_all(&artifacts)?;
    let log_path = programs.join(format!("{target}.log"));
    let log = std::fs::File::create(&log_path)?;
    let mut command = Command::new(programs.join(target));
    command.arg(&corpus).arg(folder().join("seeds").join(target));
    command.arg(format!("-max_total_time={}", share.as_secs()));
    command.arg(format!("-timeout={TIMEOUT}")).arg(format!("-rss_limit_mb={MEMORY}"));
    command.arg(format!("-max_len={LONGEST}")).arg("-print_final_stats=1").arg("-verbosity=0");
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    let mut child = command
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("there is no fuzz target {target:?}"))?;
    wait(&mut child, target, &log_path)
}

fn wait(child: &mut Child, target: &str, log: &Path) -> Result<()> {
    let status = child.wait()?;
    let said = String::from_utf8_lossy(&std::fs::read(log)?).into_owned();
    if !status.success() {
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.get(lines.len().saturating_sub(40)..).unwrap_or_default();
        bail!("{status}; the input is in fuzz/artifacts/{target}\n{}", last.join("\n"));
    }
    let runs = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let peak = said.lines().find_map(|line| line.strip_prefix("stat::peak_rss_mb:"));
    eprintln!(
        "xtask: {target}: {} runs, {} MiB at most",
        runs.unwrap_or("?").trim(),
        peak.unwrap_or("?").trim()
    );
    Ok(())
}

fn folder() -> PathBuf {
    root().join("fuzz")
}
