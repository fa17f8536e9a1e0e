//! Python with the readers and writers of tables that most files come from.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cache::{folder, succeed};

/// Pinned: what other readers say of a file is part of what the tests hold.
const PACKAGES: [&str; 3] = ["pandas==2.2.3", "numpy==2.1.3", "duckdb==1.1.3"];

/// A Python with pandas and DuckDB, answering a script's questions one line at a time.
#[derive(Debug)]
pub struct Python {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    /// Starts a script that answers each line of its standard input by one line on its standard output. The interpreter
    /// is `CORTEX_TEST_PYTHON` (which then has the packages itself), else `python3` with packages of the cache folder.
    pub fn start(script: &Path) -> Result<Self> {
        let mut command = match std::env::var_os("CORTEX_TEST_PYTHON") {
            Some(program) => Command::new(program),
            None => {
                let mut command = Command::new("python3");
                command.env("PYTHONPATH", packages("python", &PACKAGES)?);
                command
            }
        };
        command.arg(script);
        Self::run(command)
    }

    /// The same on other packages, pinned as pip names them; `name` is that of their folder in the cache.
    pub fn with(name: &str, pinned: &[&str], script: &Path) -> Result<Self> {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", packages(name, pinned)?).arg(script);
        Self::run(command)
    }

    /// Starts what answers so.
    pub(crate) fn run(mut command: Command) -> Result<Self> {
        command.env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", command.get_program().display()))?;
        let questions = child.stdin.take().context("no standard input")?;
        let answers = BufReader::new(child.stdout.take().context("no standard output")?);
        Ok(Self { child, questions, answers })
    }

    /// What the script answers to a question, neither with its line end.
    pub fn ask(&mut self, question: &str) -> Result<String> {
        ensure!(!question.contains('\n'), "a question is one line");
        self.questions.write_all(format!("{question}\n").as_bytes()).context("the script is gone")?;
        let mut answer = String::new();
        ensure!(self.answers.read_line(&mut answer)? > 0, "the script ended: see its traceback above");
        answer.truncate(answer.trim_end().len());
        Ok(answer)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Gone already, or not to be stopped: nothing waits for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `python3` with these packages, pinned as pip names them, and without a script; `name` is that of their folder in the cache.
/// What is given as `path` is found before them.
///
/// # Errors
/// Where there is no Python, or a package cannot be fetched.
pub fn python(name: &str, pinned: &[&str], path: &Path) -> Result<Command> {
    let found = std::env::join_paths([path, &packages(name, pinned)?])?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", found).env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// The folder of the packages, built for this interpreter's version.
pub(crate) fn packages(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let version = Command::new("python3")
        .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        .output()
        .context("no python3; install it (Debian's package python3-pip), or set CORTEX_TEST_PYTHON")?;
    let version = String::from_utf8(version.stdout)?;
    let pinned: Vec<_> =
        packages.iter().map(|one| one.replace("==", "-").replace(['[', ']', ','], "-")).collect();
    let name = format!("{name}-{}-{}", version.trim(), pinned.join("-"));
    folder(&name, |partial| {
        let mut install = Command::new("python3");
        install.args([
            "-m",
            "pip",
            "install",
            "-q",
            "--disable-pip-version-check",
            "--no-compile",
            "--target",
        ]);
        succeed(install.arg(partial).args(packages))
    })
}
