//! Jars, and the Java that runs them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache::{folder, succeed};

/// The folder of what a pom pins, fetched by Maven at the first use and kept under this name.
pub(crate) fn jars(name: &str, pom: &str) -> Result<PathBuf> {
    let kept = folder(name, |partial| {
        let path = partial.join("pom.xml");
        std::fs::write(&path, pom)?;
        let libs = format!("-DoutputDirectory={}", partial.join("libs").display());
        succeed(
            Command::new("mvn")
                .args(["-q", "-B", "-f"])
                .arg(&path)
                .args(["dependency:copy-dependencies", &libs]),
        )
    })?;
    Ok(kept.join("libs"))
}

/// A `java` command with the jars of a pom on its class path, without settings or the class to run. `name` is that of their
/// folder in the cache: another pom needs another.
///
/// # Errors
/// Where there is no Java or no Maven, or a jar cannot be fetched.
pub fn java(name: &str, pom: &str) -> Result<Command> {
    let jars = jars(name, pom)?;
    succeed(Command::new("java").arg("-version"))?;
    let mut command = Command::new("java");
    command.arg("-cp").arg(jars.join("*"));
    Ok(command)
}
