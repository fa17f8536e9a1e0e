//! Records and rejected rows as lines of protobuf JSON.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use parser::{Rejected, Sink};

use super::report::Found;
use crate::UsageError;
use crate::args::ValidateArgs;

/// Where lines go, if anywhere.
pub(crate) struct Outputs {
    records: Option<Lines>,
    rejects: Option<Lines>,
    stdout_is_taken: bool,
}

type Lines = BufWriter<Box<dyn Write + Send>>;

/// Refuses outputs that would be mixed up with each other or written over an input.
pub(crate) fn check(args: &ValidateArgs) -> Result<(), UsageError> {
    let stdout = |path: &Option<std::path::PathBuf>| path.as_deref() == Some(Path::new("-"));
    let takers = [
        ("--json", args.json),
        ("--records -", stdout(&args.records)),
        ("--rejects -", stdout(&args.rejects)),
    ];
    let takers: Vec<&str> = takers.iter().filter(|(_, takes)| *takes).map(|(name, _)| *name).collect();
    if takers.len() > 1 {
        return Err(UsageError(format!(
            "{} all write to standard output; name a file for one",
            takers.join(" and ")
        )));
    }
    if args.records.is_some() && args.records == args.rejects {
        return Err(UsageError("--records and --rejects name the same file; name two".to_owned()));
    }
    for output in [&args.records, &args.rejects].into_iter().flatten() {
        let same = |file: &&std::path::PathBuf| match (file.canonicalize(), output.canonicalize()) {
            (Ok(file), Ok(output)) => file.is_file() && file == output,
            _ => false,
        };
        if let Some(file) = args.files.iter().find(same) {
            return Err(UsageError(format!("{} would be written over; name another output", file.display())));
        }
    }
    Ok(())
}

impl Outputs {
    pub(crate) fn open(args: &ValidateArgs) -> Result<Self> {
        let mut stdout_is_taken = false;
        let mut open = |path: &Option<std::path::PathBuf>| -> Result<Option<Lines>> {
            let Some(path) = path else { return Ok(None) };
            if path == Path::new("-") {
                stdout_is_taken = true;
                return Ok(Some(BufWriter::new(Box::new(io::stdout()))));
            }
            let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
            Ok(Some(BufWriter::new(Box::new(file))))
        };
        Ok(Self { records: open(&args.records)?, rejects: open(&args.rejects)?, stdout_is_taken })
    }

    /// True where lines go to standard output, so that the summary must not.
    pub(crate) fn take_stdout(&self) -> bool {
        self.stdout_is_taken
    }

    /// Takes the rows of one file.
    pub(crate) fn sink<'a>(&'a mut self, found: &'a mut Found) -> impl Sink + 'a {
        Both { outputs: self, found }
    }

    pub(crate) fn finish(&mut self) -> io::Result<()> {
        [&mut self.records, &mut self.rejects].into_iter().flatten().try_for_each(Write::flush)
    }
}

struct Both<'a> {
    outputs: &'a mut Outputs,
    found: &'a mut Found,
}

impl Sink for Both<'_> {
    fn record(&mut self, message: &str, record: &[u8]) -> io::Result<()> {
        write(&mut self.outputs.records, message, record)
    }

    fn rejected(&mut self, row: &Rejected<'_>) -> io::Result<()> {
        self.found.add(row);
        write(&mut self.outputs.rejects, row.message, row.record)
    }
}

fn write(out: &mut Option<Lines>, message: &str, record: &[u8]) -> io::Result<()> {
    let Some(out) = out else { return Ok(()) };
    let json = records::to_json(message, record).map_err(io::Error::other)?;
    serde_json::to_writer(&mut *out, &json)?;
    out.write_all(b"\n")
}
