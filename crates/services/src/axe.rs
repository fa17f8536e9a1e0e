//! axe-core, which finds what keeps people out of a web page.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache::{folder, succeed};

/// Pinned: what passes today passes tomorrow. Its licence is the Mozilla Public License 2.0; it is fetched, not kept here.
const VERSION: &str = "4.10.3";

/// The script of axe-core, by npm at its first use; `CORTEX_TEST_AXE` names one that is there.
pub fn axe_core() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CORTEX_TEST_AXE") {
        return Ok(path.into());
    }
    let kept = folder(&format!("axe-core-{VERSION}"), |folder| {
        let mut install = Command::new("npm");
        install.args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
            "--prefix",
        ]);
        succeed(install.arg(folder).arg(format!("axe-core@{VERSION}")))
    })?;
    Ok(kept.join("node_modules/axe-core/axe.min.js"))
}
