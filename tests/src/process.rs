//! Processes of the one binary.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The `cortex` that was built with these tests, or the one that `CORTEX_TEST_BINARY` names.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("CORTEX_TEST_BINARY") {
        return Ok(path.into());
    }
    let tests = std::env::current_exe()?;
    let profile = tests.parent().and_then(Path::parent).context("the test is in no target folder")?;
    let path = profile.join("cortex");
    ensure!(path.exists(), "{} is not built; run `cargo build -p cortex`, or all tests", path.display());
    Ok(path)
}

/// A command of the binary, free of this environment's own settings.
pub fn cortex() -> Result<Command> {
    Ok(command_of(&binary()?))
}

/// The same of another binary, such as an earlier version's.
pub fn command_of(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CORTEX_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A running process; killed when dropped. What it writes goes to a file named after it.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts it.
    pub fn start(name: &str, mut command: Command, logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = command.stdout(out.try_clone()?).stderr(out).spawn().with_context(|| name.to_owned())?;
        Ok(Self { name: name.to_owned(), log, child })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it has had so far, in bytes, by Linux' `/proc`. It must still run.
    pub fn peak_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("a peak")?;
        let kilobytes: u64 = peak.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// SIGKILL: no chance to clean up.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub fn terminate(&mut self, patience: Duration) -> Result<ExitStatus> {
        self.signal("TERM")?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(begun.elapsed() < patience, "{} still runs {patience:?} after SIGTERM", self.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by its name, such as `STOP`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let signalled =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status()?;
        ensure!(signalled.success(), "{} could not be signalled", self.name);
        Ok(())
    }

    /// False once it has ended.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// How it ended; none while it runs.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The end of what it wrote, under its name.
    pub fn tail(&self, lines: usize) -> String {
        let log = self.log();
        let tail: Vec<&str> = log.lines().rev().take(lines).collect();
        format!("--- {} (last lines first)\n{}", self.name, tail.join("\n"))
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has failed by itself is most often why the test did.
        let failed = self
            .child
            .try_wait()
            .ok()
            .flatten()
            .and_then(|status| status.code())
            .is_some_and(|code| code != 0);
        let _ = self.child.kill();
        let _ = self.child.wait();
        if failed || std::thread::panicking() {
            eprintln!("{}", self.tail(25));
        }
    }
}

/// The status of an HTTP GET, and what came with it.
pub fn http_get(address: &str, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split_whitespace().nth(1).context("a status")?;
    Ok((status.parse()?, answer))
}

/// `HOST:PORT` that was free a moment ago.
pub fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Waits for a state, not for a change.
pub fn until(what: &str, patience: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !holds()? {
        ensure!(begun.elapsed() < patience, "waited {patience:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
