//! Flame graphs of the parser while the whole system is measured. They stay in the target folder: they hold for one machine.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{build, system_with};
use crate::{cargo, needs, run, succeeded, target};

/// Turns stacks into pictures. A tool, not linked in: its licence is the CDDL.
const INFERNO: &str = "0.12.8";

/// Measures the parser under `perf`, and draws a flame graph of each measurement into `target/flame`.
pub(crate) fn draw() -> Result<()> {
    build()?;
    let tools = needs::cache()?.join(format!("inferno-{INFERNO}"));
    if !tools.join("bin/inferno-flamegraph").exists() {
        let version = format!("inferno@{INFERNO}");
        run(cargo().args(["install", "--locked", "--root"]).arg(&tools).arg(version))?;
    }
    let folder = target().join("flame");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    // Unwound stacks are large: one round of fewer rows than a measurement has.
    let environment = [
        ("CORTEX_BENCH_PROFILE", folder.as_os_str()),
        ("CORTEX_BENCH_ROUNDS", OsStr::new("1")),
        ("CORTEX_BENCH_UPLOADS", OsStr::new("1")),
        ("CORTEX_BENCH_ROWS", OsStr::new("600000")),
    ];
    system_with("whole", &environment)?;
    for entry in std::fs::read_dir(&folder)? {
        let profile = entry?.path();
        if profile.extension().is_some_and(|extension| extension == "data") {
            picture(&profile, &tools.join("bin"))?;
        }
    }
    Ok(())
}

/// `perf script | inferno-collapse-perf | inferno-flamegraph`.
fn picture(profile: &Path, tools: &Path) -> Result<()> {
    // NAME.PID.data
    let named = profile.with_extension("");
    let process = named.extension().context("a profile names its process")?;
    let picture = named.with_extension("svg");
    let mut stacks = Command::new("perf")
        .args(["script", "--no-inline", "--input"])
        .arg(profile)
        .arg("--pid")
        .arg(process)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("perf does not start")?;
    let mut folded = Command::new(tools.join("inferno-collapse-perf"))
        .stdin(stacks.stdout.take().context("its output")?)
        .stdout(Stdio::piped())
        .spawn()?;
    let drawn = Command::new(tools.join("inferno-flamegraph"))
        .args(["--title", "cortex parser"])
        .stdin(folded.stdout.take().context("its output")?)
        .stdout(File::create(&picture)?)
        .status()?;
    succeeded("perf script", stacks.wait()?)?;
    succeeded("inferno-collapse-perf", folded.wait()?)?;
    succeeded("inferno-flamegraph", drawn)?;
    ensure!(picture.metadata()?.len() > 0, "{} is empty", picture.display());
    eprintln!("xtask: {}", picture.display());
    Ok(())
}
