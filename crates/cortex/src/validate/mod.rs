//! `cortex validate`: files checked by the parser's own code, before they are uploaded.

pub(crate) mod content;
mod identity;
pub(crate) mod input;
mod lines;
mod progress;
pub(crate) mod report;
pub(crate) mod schema;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use dataset::{FileFacts, Schema};
use format::{Limits, ReadError, Rows};
use parser::{Candidate, Report};
use records::queue::Outcome;
use tokio::runtime::Handle;

use crate::UsageError;
use crate::args::ValidateArgs;
use content::{Contents, NotFound};
use input::Input;
use lines::Outputs;
use progress::Progress;
use report::{Found, Printer};

/// Not all files were read, as an output cannot be written (sysexits' EX_IOERR).
const UNWRITTEN: u8 = 74;

/// Checks every file and says what it found.
pub(crate) async fn run(args: ValidateArgs) -> Result<ExitCode> {
    let schema = schema::read(&args)?;
    let runtime = Handle::current();
    let validation = move || {
        // Folders are read first: an output that is made or emptied must be none of their files.
        let inputs = input::all(&args.files);
        input::check(&inputs)?;
        lines::check(&args, &inputs)?;
        Ok(Validation::begin(&args, schema, runtime)?.all(&args, &inputs))
    };
    tokio::task::spawn_blocking(validation).await?
}

/// The status that the process leaves with; the worst of all files counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Valid = 0,
    SomeRejected = 1,
    Refused = 2,
}

impl Status {
    fn of(report: &Report) -> Self {
        match report.outcome {
            Outcome::Accepted => Self::Valid,
            Outcome::AcceptedWithRejections => Self::SomeRejected,
            Outcome::Unspecified | Outcome::Rejected | Outcome::Incomplete | Outcome::Superseded => {
                Self::Refused
            }
        }
    }
}

/// One run over some files.
struct Validation {
    schema: Schema,
    contents: Contents,
    outputs: Outputs,
    progress: Progress,
    printer: Printer,
    /// Files that were read, and the worst of them.
    read: usize,
    worst: Status,
    /// Of the last file of which they are known.
    last_columns: Vec<String>,
}

impl Validation {
    fn begin(args: &ValidateArgs, schema: Schema, runtime: Handle) -> Result<Self, UsageError> {
        let outputs = Outputs::open(args)?;
        Ok(Self {
            schema,
            contents: Contents::new(runtime),
            progress: Progress::begin(),
            printer: Printer::new(args.json, outputs.take_stdout()),
            outputs,
            read: 0,
            worst: Status::Valid,
            last_columns: Vec::new(),
        })
    }

    fn all(mut self, args: &ValidateArgs, inputs: &[Input]) -> ExitCode {
        let written = self.files(args, inputs);
        self.progress.end();
        match written {
            Ok(()) => self.status(),
            // Whoever read the output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                if self.read == inputs.len() {
                    self.status()
                } else {
                    ExitCode::from(UNWRITTEN)
                }
            }
            Err(error) => {
                // A closed standard error leaves no one to tell.
                let _ = writeln!(io::stderr(), "cortex: {error}");
                ExitCode::from(UNWRITTEN)
            }
        }
    }

    /// Every file; an error is one of an output.
    fn files(&mut self, args: &ValidateArgs, inputs: &[Input]) -> io::Result<()> {
        for (index, input) in inputs.iter().enumerate() {
            let name = input.name();
            self.progress.file(index + 1, inputs.len(), &name);
            let (report, found) = self.file(args, input)?;
            self.read += 1;
            self.worst = self.worst.max(Status::of(&report));
            self.progress.pause(|| self.printer.file(&name, &report, &found))?;
        }
        self.progress.end();
        self.outputs.finish()?;
        self.printer.end()
    }

    fn status(&self) -> ExitCode {
        ExitCode::from(self.worst as u8)
    }

    fn file(&mut self, args: &ValidateArgs, input: &Input) -> io::Result<(Report, Found)> {
        let name = input.name();
        let mut found = Found::default();
        let content = match self.contents.of(input) {
            Ok(content) => content,
            Err(reason) => return Ok((unreadable(reason), found)),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let candidate = Candidate {
            name: &name,
            schema: &self.schema,
            facts: FileFacts {
                time_zone: args.time_zone.clone(),
                now: now.as_secs() as i64,
                folder_date: input.folder_date(),
                last_columns: self.last_columns.clone(),
                most_bytes: Some(parser::most_bytes(queue::MAX_MESSAGE_BYTES as usize)),
                json: None,
                deleted: None,
            },
            tolerance: args.tolerance(),
        };
        let progress = &self.progress;
        let open = || {
            let object = content.object().map_err(ReadError::Io)?;
            Rows::open(progress.watch(object, content.size()), &name, Limits::default())
                .map(Rows::decompress_ahead)
        };
        let report = parser::validate(&candidate, open, &mut self.outputs.sink(&mut found))?;
        if report.totals.accepted > 0 && !report.columns.is_empty() {
            self.last_columns.clone_from(&report.columns);
        }
        Ok((report, found))
    }
}

/// A file that was never opened.
fn unreadable(reason: NotFound) -> Report {
    Report {
        outcome: Outcome::Rejected,
        error: Some(reason.into()),
        format: "",
        compression: "",
        totals: Default::default(),
        warnings: Vec::new(),
        columns: Vec::new(),
    }
}
