//! A Go that can build today's modules.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cache::{folder, succeed};

/// Where Go's own installer puts it, which not every shell has on its path.
const INSTALLED: &str = "/usr/local/go/bin/go";
/// Fetched where the Go at hand is older than 1.21: from then on Go fetches what a module asks for by itself.
const TOOLCHAIN: &str = "1.25.0";

/// A `go` command.
pub(crate) fn command() -> Result<Command> {
    let Some((program, minor)) = ["go", INSTALLED]
        .into_iter()
        .filter_map(|program| Some((program, minor(program)?)))
        .max_by_key(|(_, minor)| *minor)
    else {
        bail!("no Go; install it (Debian's package golang-go), or set CORTEX_TEST_S3");
    };
    if minor >= 21 {
        let mut command = Command::new(program);
        command.env("GOTOOLCHAIN", "auto");
        return Ok(command);
    }
    let mut command = Command::new(newer(program)?.join("bin/go"));
    command.env_remove("GOROOT");
    Ok(command)
}

/// The program of a folder that holds a main package and its go.mod, built at the first use and kept under this name: another
/// content needs another name.
///
/// # Errors
/// Where there is no Go, a module cannot be fetched, or it does not build.
pub fn go_program(name: &str, source: &Path) -> Result<PathBuf> {
    let kept = folder(name, |partial| {
        let program = partial.canonicalize()?.join("program");
        succeed(command()?.args(["build", "-trimpath", "-o"]).arg(program).arg(".").current_dir(source))
    })?;
    Ok(kept.join("program"))
}

/// The `N` of this program's version 1.N; none where it does not start.
fn minor(program: &str) -> Option<u32> {
    let output = Command::new(program).args(["env", "GOVERSION"]).current_dir("/").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let digits: String = text.trim().strip_prefix("go1.")?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A newer Go, which an old one can fetch too: a toolchain is a module like any other.
fn newer(old: &str) -> Result<PathBuf> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("Go {TOOLCHAIN} is not fetched for {other}; install a Go of 1.21 or newer"),
    };
    folder(&format!("go-{TOOLCHAIN}"), |partial| {
        let modules = partial.canonicalize()?.join("modules");
        let module = format!("golang.org/toolchain@v0.0.1-go{TOOLCHAIN}.linux-{machine}");
        let mut fetch = Command::new(old);
        fetch.args(["mod", "download", "-modcacherw", &module]).env("GOMODCACHE", &modules);
        succeed(fetch.current_dir(partial))?;
        for entry in fs::read_dir(modules.join(&module))? {
            let entry = entry?;
            fs::rename(entry.path(), partial.join(entry.file_name()))?;
        }
        fs::remove_dir_all(&modules)?;
        // What a module's archive cannot hold: a module within it, and which files are programs.
        fs::rename(partial.join("src/_go.mod"), partial.join("src/go.mod"))?;
        make_executable(&partial.join("bin"))?;
        make_executable(&partial.join("pkg/tool"))
    })
}

fn make_executable(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            make_executable(&path)?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}
