//! `cortex completions` and `cortex man`: made from the command line's own definition.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::UsageError;
use crate::args::Cli;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cortex", &mut script);
    put(&script)
}

/// Prints the page of one command, or writes those of all.
pub(crate) fn man(command: &[String], out: Option<&Path>) -> Result<()> {
    let mut cli = Cli::command();
    cli.build();
    if let Some(folder) = out {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        return write_all(&cli, &cli, folder);
    }
    let mut one = &cli;
    for word in command {
        one = one.find_subcommand(word).ok_or_else(|| {
            UsageError(format!("there is no command `{}`; `cortex --help` lists them", command.join(" ")))
        })?;
    }
    put(&page(&cli, one)?)
}

/// A page a command, named as man looks for it: `cortex-source-create.1`.
fn write_all(cli: &clap::Command, command: &clap::Command, folder: &Path) -> Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1"));
    std::fs::write(&path, page(cli, command)?).with_context(|| path.display().to_string())?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        write_all(cli, sub, folder)?;
    }
    Ok(())
}

fn page(cli: &clap::Command, command: &clap::Command) -> Result<Vec<u8>> {
    let mut command = command.clone();
    // The statuses of the process are those of every command, and told by each page.
    if command.get_after_help().is_none()
        && let Some(statuses) = cli.get_after_help()
    {
        command = command.after_help(statuses.clone());
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

/// A reader that has gone (`| head`) is no error.
fn put(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}
