//! What the build and the tests need beside Rust and a C compiler, and how it gets there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{root, run};

/// Pinned: what passes today passes tomorrow.
const BUF: &str = "@bufbuild/buf@1.75.0";

/// A program, and the Debian package that holds it.
const PROGRAMS: [(&str, &str); 11] = [
    ("c++", "g++"),
    ("java", "default-jdk-headless"),
    ("mvn", "maven"),
    ("go", "golang-go"),
    ("npm", "npm"),
    ("python3", "python3"),
    ("perl", "perl"),
    ("make", "make"),
    ("setpriv", "util-linux"),
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
];

/// Installs what is missing: as root by apt, otherwise it says what to install.
pub(crate) fn install() -> Result<()> {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !on_path(program) && !is_gos_own(program))
        .map(|(_, package)| *package)
        .collect();
    if !has_postgres() && std::env::var_os("CORTEX_TEST_POSTGRES").is_none() {
        missing.push("postgresql");
    }
    if !has_pip() && std::env::var_os("CORTEX_TEST_PYTHON").is_none() {
        missing.push("python3-pip");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    ensure!(
        on_path("apt-get") && is_root()?,
        "these Debian packages (or what they hold) are missing: {packages}; install them, then try again"
    );
    eprintln!("xtask: installing {packages}");
    run(Command::new("apt-get").args(["update", "-qq"]).stdout(Stdio::null()))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
    run(install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
}

/// Lints the protobuf contracts with buf.
pub(crate) fn lint_contracts() -> Result<()> {
    let folder =
        cache()?.join(BUF.rsplit('@').next().map(|version| format!("buf-{version}")).unwrap_or_default());
    let buf = folder.join("node_modules/.bin/buf");
    if !buf.exists() {
        std::fs::create_dir_all(&folder)?;
        let mut install = Command::new("npm");
        install
            .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
            .arg(&folder)
            .arg(BUF);
        run(install.stdout(Stdio::null()))?;
    }
    run(Command::new(buf).arg("lint").current_dir(root()))
}

pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CORTEX_CACHE") {
        return Ok(path.into());
    }
    let home = std::env::var_os("HOME").context("neither CORTEX_CACHE nor HOME is set")?;
    Ok(Path::new(&home).join(".cache/cortex"))
}

fn on_path(program: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// True for Go where its own installer put it, which `services` looks for too.
fn is_gos_own(program: &str) -> bool {
    program == "go" && Path::new("/usr/local/go/bin/go").is_file()
}

/// True where a server is installed: its client alone makes the same folder.
fn has_postgres() -> bool {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return false };
    versions.flatten().any(|version| version.path().join("bin/postgres").is_file())
}

/// True where Python can install packages, which Debian splits off.
fn has_pip() -> bool {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    pip.status().is_ok_and(|status| status.success())
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
