//! A `cortex dev` and commands that are run against it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A `cortex dev` without samples; its commands run in a home of their own. Ended even when the test fails.
pub(crate) struct Dev {
    pub(crate) dir: PathBuf,
    pub(crate) home: tempfile::TempDir,
    child: Child,
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Dev {
    pub(crate) fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("dev");
        let child = program(home.path())
            .args(["dev", "--json", "--no-samples", "--data-dir"])
            .arg(&dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let dev = Self { dir, home, child };
        dev.until("it to be up", || dev.dir.join("endpoints.json").exists());
        dev
    }

    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let mut program = program(self.home.path());
        program.args(command).env("CORTEX_DATA_DIR", &self.dir);
        program
    }

    pub(crate) fn run(&self, command: &[&str]) -> Outcome {
        outcome(&mut self.command(command), "")
    }

    /// Runs it with a line of standard input an answer.
    pub(crate) fn answer(&self, command: &[&str], answers: &[&str]) -> Outcome {
        let input: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
        outcome(&mut self.command(command), &input)
    }

    /// A file appears whole in the demo bucket.
    pub(crate) fn drop_file(&self, key: &str, text: &str) {
        let path = self.dir.join("s3/demo-bucket").join(key);
        let partial = path.with_file_name(".partial");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&partial, text).unwrap();
        std::fs::rename(&partial, &path).unwrap();
    }

    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(90), "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Runs a command that knows of no `cortex dev`.
pub(crate) fn bare(home: &Path, command: &[&str]) -> Outcome {
    with_input(home, command, "")
}

pub(crate) fn with_input(home: &Path, command: &[&str], input: &str) -> Outcome {
    outcome(program(home).args(command), input)
}

/// Types into a terminal that the command runs on, and gives all that it shows.
pub(crate) fn type_into(dev: &Dev, command: &str, typed: &str) -> String {
    let line = format!("{} {command}", env!("CARGO_BIN_EXE_cortex"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", &line, "/dev/null"]).current_dir(dev.home.path());
    clean(&mut script, dev.home.path());
    script.env("CORTEX_DATA_DIR", &dev.dir);
    outcome(&mut script, typed).stdout
}

fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortex"));
    command.current_dir(home);
    clean(&mut command, home);
    command
}

/// Nothing of the one who runs the tests is known to the command.
fn clean(command: &mut Command, home: &Path) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CORTEX_")) {
        command.env_remove(name);
    }
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
}

fn outcome(command: &mut Command, input: &str) -> Outcome {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that ends before it has read all is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome {
        status: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}
