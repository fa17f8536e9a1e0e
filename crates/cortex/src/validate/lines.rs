//! Records and rejected rows as lines of protobuf JSON.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use parser::{Rejected, Sink};

use super::identity::Identity;
use super::input::Input;
use super::report::Found;
use crate::UsageError;
use crate::args::ValidateArgs;

/// Where lines go, if anywhere.
pub(crate) struct Outputs {
    records: Option<Lines>,
    rejects: Option<Lines>,
    stdout_is_taken: bool,
}

struct Lines {
    /// For people.
    name: String,
    out: BufWriter<Box<dyn Write + Send>>,
}

/// Refuses outputs that would be mixed up with each other or written over what is read.
pub(crate) fn check(args: &ValidateArgs, inputs: &[Input]) -> Result<(), UsageError> {
    let takers = [
        ("--json", args.json),
        ("--records -", args.records.as_deref().is_some_and(is_stdout)),
        ("--rejects -", args.rejects.as_deref().is_some_and(is_stdout)),
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
    let outputs = written(args);
    for (index, (one, identity)) in outputs.iter().enumerate() {
        if let Some((other, _)) = outputs[..index].iter().find(|(_, before)| before == identity) {
            return Err(UsageError(format!("{other} and {one} name the same file; name two")));
        }
    }
    let read = inputs.iter().filter_map(|input| Some((input.name(), identity(input)?)));
    let schema =
        args.schema.iter().filter_map(|path| Some((path.display().to_string(), Identity::of(path)?)));
    // Looked for only where something is written: there may be many files.
    let taken = outputs.first().and_then(|_| {
        read.chain(schema).find_map(|(name, read)| {
            let (output, _) = outputs.iter().find(|(_, written)| *written == read)?;
            Some((name, *output))
        })
    });
    match taken {
        Some((name, output)) => Err(UsageError(format!(
            "{name} is to be read, and would be written over by {output}; name another output"
        ))),
        None => Ok(()),
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new("/dev/stdout")
}

/// The files that are written. Standard output is one where it was led into a file.
fn written(args: &ValidateArgs) -> Vec<(&'static str, Identity)> {
    let named =
        |path: &Option<PathBuf>| path.as_deref().filter(|path| !is_stdout(path)).and_then(Identity::of);
    let outputs = [
        ("--records", named(&args.records)),
        ("--rejects", named(&args.rejects)),
        ("standard output", Identity::of_open(&io::stdout())),
    ];
    outputs.into_iter().filter_map(|(name, identity)| Some((name, identity?))).collect()
}

fn identity(input: &Input) -> Option<Identity> {
    match input {
        Input::Stdin => Identity::of_open(&io::stdin()),
        Input::Path(path) => Identity::of(path),
        Input::Object { .. } | Input::Unusable { .. } => None,
    }
}

impl Outputs {
    /// Makes the files, or empties them.
    pub(crate) fn open(args: &ValidateArgs) -> Result<Self, UsageError> {
        let lines = |path: &Option<PathBuf>| path.as_deref().map(Lines::open).transpose();
        let stdout_is_taken =
            [&args.records, &args.rejects].into_iter().flatten().any(|path| is_stdout(path));
        Ok(Self { records: lines(&args.records)?, rejects: lines(&args.rejects)?, stdout_is_taken })
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
        [&mut self.records, &mut self.rejects].into_iter().flatten().try_for_each(Lines::finish)
    }
}

impl Lines {
    fn open(path: &Path) -> Result<Self, UsageError> {
        if is_stdout(path) {
            return Ok(Self { name: "standard output".into(), out: BufWriter::new(Box::new(io::stdout())) });
        }
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self { name, out: BufWriter::new(Box::new(file)) }),
            Err(error) => Err(UsageError(format!("{name} cannot be written: {error}"))),
        }
    }

    fn write(&mut self, message: &str, record: &[u8]) -> io::Result<()> {
        let json = records::to_json(message, record).map_err(io::Error::other)?;
        serde_json::to_writer(&mut self.out, &json)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|error| unwritten(&self.name, &error))
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush().map_err(|error| unwritten(&self.name, &error))
    }
}

/// An output's error, which says whose it is.
pub(crate) fn unwritten(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name} cannot be written: {error}"))
}

struct Both<'a> {
    outputs: &'a mut Outputs,
    found: &'a mut Found,
}

impl Sink for Both<'_> {
    fn record(&mut self, message: &str, record: &[u8]) -> io::Result<()> {
        self.outputs.records.as_mut().map_or(Ok(()), |out| out.write(message, record))
    }

    fn rejected(&mut self, row: &Rejected<'_>) -> io::Result<()> {
        self.found.add(row);
        self.outputs.rejects.as_mut().map_or(Ok(()), |out| out.write(row.message, row.record))
    }
}
