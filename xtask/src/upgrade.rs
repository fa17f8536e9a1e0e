//! The rolling upgrade of `tests/tests/database/upgrade.rs`, from a version that is built for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{cargo, root, run, succeeded, target, test};

/// The test that is run, and one of the binary's own package: without that the binary is not built.
const TEST: [&str; 5] = ["--workspace", "--test", "database", "--test", "codes"];
const NAME: &str = "upgrade::";

/// Builds `revision` and has the test replace it by this version, and back.
pub(crate) fn run_from(revision: &str) -> Result<()> {
    let previous = build(revision)?;
    let arguments: Vec<String> = TEST.into_iter().chain([NAME]).map(str::to_owned).collect();
    test(&arguments, &[("CORTEX_TEST_PREVIOUS_BINARY", &previous)])
}

/// The binary of a revision, built from its own sources beside what this one builds. What revisions share is built once.
fn build(revision: &str) -> Result<PathBuf> {
    let commit = commit(revision)?;
    let folder = target().join("upgrade");
    let (sources, builds) = (folder.join(&commit), folder.join("target"));
    let binary = folder.join(format!("cortex-{commit}"));
    if binary.exists() {
        return Ok(binary);
    }
    check_out(&commit, &sources)?;
    eprintln!("xtask: building {revision} ({commit})");
    let mut build = cargo();
    // As the present one is built: for the tests of its package, with the workspace's features.
    build.args(["test", "--no-run", "--locked"]).args(["--workspace", "--test", "codes"]);
    run(build.current_dir(&sources).env("CARGO_TARGET_DIR", &builds))?;
    std::fs::copy(builds.join("debug/cortex"), &binary).context("the binary that was built")?;
    std::fs::remove_dir_all(&sources)?;
    Ok(binary)
}

fn commit(revision: &str) -> Result<String> {
    let mut parse = git();
    parse.args([
        "rev-parse",
        "--verify",
        "--short=12",
        "--end-of-options",
        &format!("{revision}^{{commit}}"),
    ]);
    let output = parse.stderr(Stdio::inherit()).output().context("git does not start")?;
    ensure!(output.status.success(), "there is no revision {revision} here; fetch it, or its tag");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The sources of a commit, and nothing besides.
fn check_out(commit: &str, sources: &Path) -> Result<()> {
    if sources.exists() {
        std::fs::remove_dir_all(sources)?;
    }
    std::fs::create_dir_all(sources)?;
    let mut archive = git().args(["archive", commit]).stdout(Stdio::piped()).spawn()?;
    let tar = archive.stdout.take().context("git archive writes nothing")?;
    // Dated now: by the commit's date cargo would take what it built of a later one for newer, and leave it.
    let unpacked = Command::new("tar").args(["-xm", "-C"]).arg(sources).stdin(tar).status()?;
    succeeded("git archive", archive.wait()?)?;
    succeeded("tar", unpacked)
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(root());
    git
}
