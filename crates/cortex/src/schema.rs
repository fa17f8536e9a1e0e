//! `cortex schema`: proposed from files, and compared with the version before.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use dataset::{Proposal, Proposer, Schema};
use format::{Limits, Rows};
use serde_json::json;
use tokio::runtime::Handle;

use crate::args::SchemaCommand;
use crate::validate::content::Contents;
use crate::validate::report::printable;
use crate::validate::{input, schema};
use crate::{UsageError, print};

/// `cortex schema …`
pub(crate) async fn run(command: SchemaCommand) -> Result<ExitCode> {
    match command {
        SchemaCommand::Propose { dataset, json, rows, files } => {
            let proposer = Proposer::new(schema::kind(&dataset)?);
            let runtime = Handle::current();
            let proposal =
                tokio::task::spawn_blocking(move || propose(proposer, &files, rows, runtime)).await??;
            show(&proposal, json)?;
            Ok(ExitCode::SUCCESS)
        }
        SchemaCommand::Check { before, after } => check(&before, &after),
    }
}

/// Looks at every file; one that cannot be read to its end is told, and what came before counts.
fn propose(mut proposer: Proposer, files: &[PathBuf], most: u64, runtime: Handle) -> Result<Proposal> {
    let contents = Contents::new(runtime);
    let inputs = input::all(files);
    input::check(&inputs)?;
    for input in inputs {
        let name = input.name();
        let content = contents.of(&input).map_err(|missing| anyhow::anyhow!("{name}: {}", missing.reason))?;
        let object = content.object().with_context(|| name.clone())?;
        let read = Rows::open(object, &name, Limits::default()).and_then(|mut rows| {
            while rows.place().row < most
                && let Some(item) = rows.next()?
            {
                proposer.look(&item);
            }
            Ok(())
        });
        if let Err(error) = read {
            tell(&format!("{name}: {error}"));
        }
    }
    let proposal = proposer.propose()?;
    anyhow::ensure!(
        !proposal.columns.is_empty(),
        "no file has a column: there is nothing to propose a schema from"
    );
    Ok(proposal)
}

/// Writes a line to standard error, in which a file's own bytes do not steer the terminal. A reader that has gone is no
/// error.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable(line));
}

fn show(proposal: &Proposal, json: bool) -> Result<()> {
    if json {
        let all = json!({ "schema": proposal.schema, "rows": proposal.rows, "columns": proposal.columns,
                          "missing": proposal.missing, "cut": proposal.cut });
        print(&all.to_string());
        return Ok(());
    }
    tell(&format!("{:<32} {:<24} {:<12} {:>6}  EXAMPLES", "HEADER", "COLUMN", "TYPE", "NULL"));
    for column in &proposal.columns {
        let of = column.column_type.map_or("", |of| of.word());
        let note = if column.note.is_empty() { String::new() } else { format!("  ({})", column.note) };
        let examples: Vec<String> = column.examples.iter().map(|one| format!("{one:?}")).collect();
        let nulls = column.null_share * 100.0;
        let (header, name) =
            (column.header.escape_debug().to_string(), column.name.escape_debug().to_string());
        tell(&format!("{header:<32} {name:<24} {of:<12} {nulls:>5.1}%  {}{note}", examples.join(", ")));
    }
    for column in &proposal.missing {
        tell(&format!("no header seems to be the required column {column:?}: name it with `from`"));
    }
    if proposal.cut {
        tell("there are more columns than 4096; the rest was not looked at");
    }
    print(&serde_json::to_string_pretty(&proposal.schema)?);
    Ok(())
}

fn check(before: &Path, after: &Path) -> Result<ExitCode> {
    let changes = read(after)?.breaking_changes_since(&read(before)?);
    for change in &changes {
        let column = if change.column.is_empty() { String::new() } else { format!("{:?}: ", change.column) };
        print(&format!("{column}{}; {}", change.reason, change.advice));
    }
    Ok(if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(path: &Path) -> Result<Schema, UsageError> {
    let usage = |reason: String| UsageError(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
    Schema::parse_json(&text).map_err(|error| usage(error.to_string()))
}
