//! `cortex validate`: files checked by the parser's own code, before they are uploaded.

pub(crate) mod content;
pub(crate) mod input;
mod lines;
mod progress;
mod report;
pub(crate) mod schema;

use std::io;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use dataset::{FileFacts, Schema};
use format::{Limits, ReadError, Rows};
use parser::{Candidate, Report};
use records::queue::Outcome;
use tokio::runtime::Handle;

use crate::args::ValidateArgs;
use content::{Contents, NotFound};
use input::Input;
use lines::Outputs;
use progress::Progress;
use report::{Found, Printer};

/// Checks every file and says what it found.
pub(crate) async fn run(args: ValidateArgs) -> Result<ExitCode> {
    let schema = schema::read(&args)?;
    lines::check(&args)?;
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || Validation::begin(&args, schema, runtime)?.all(&args)).await?
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
    /// Of the file before.
    last_columns: Vec<String>,
}

impl Validation {
    fn begin(args: &ValidateArgs, schema: Schema, runtime: Handle) -> Result<Self> {
        let outputs = Outputs::open(args)?;
        Ok(Self {
            schema,
            contents: Contents::new(runtime),
            progress: Progress::begin(),
            printer: Printer::new(args.json, outputs.take_stdout()),
            outputs,
            last_columns: Vec::new(),
        })
    }

    fn all(mut self, args: &ValidateArgs) -> Result<ExitCode> {
        let inputs = input::all(&args.files);
        let mut worst = Status::Valid;
        for (index, input) in inputs.iter().enumerate() {
            let name = input.name();
            self.progress.file(index + 1, inputs.len(), &name);
            let said = self.file(args, input).and_then(|(report, found)| {
                worst = worst.max(Status::of(&report));
                self.progress.pause(|| self.printer.file(&name, &report, &found))
            });
            match said {
                Ok(()) => {}
                // Whoever read the output has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(code(worst)),
                Err(error) => return Err(error).context("the output cannot be written"),
            }
        }
        self.progress.end();
        match self.outputs.finish().and_then(|()| self.printer.end()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(error).context("the output cannot be written")
            }
            _ => Ok(code(worst)),
        }
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
            },
            reject_file: args.reject_file,
        };
        let progress = &self.progress;
        let open = || {
            let object = content.object().map_err(ReadError::Io)?;
            Rows::open(progress.watch(object, content.size()), &name, Limits::default())
        };
        let report = parser::validate(&candidate, open, &mut self.outputs.sink(&mut found))?;
        if report.totals.accepted > 0 {
            self.last_columns.clone_from(&report.columns);
        }
        Ok((report, found))
    }
}

fn code(status: Status) -> ExitCode {
    ExitCode::from(status as u8)
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
