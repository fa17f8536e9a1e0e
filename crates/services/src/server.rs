//! A child process that does not outlive this one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cache::succeed;

/// Runs the command in the background and waits on standard input, which this process holds open: at its end, by our
/// hand or by our death, the command is killed. After our death its folder ($1) is removed too, since no one else will;
/// Ctrl-C, which reaches this as well, must not come before that. The command's process id goes to a file ($2), whole or
/// not at all.
const WATCHDOG: &str = r#"exec 3<&0; dir=$1; pid=$2; shift 2; trap '' INT
"$@" </dev/null 3<&- & child=$!
echo $child >"$pid.new" && mv "$pid.new" "$pid"
trap 'kill -KILL $child 2>/dev/null' EXIT
{ while kill -0 $child 2>/dev/null; do sleep 0.2; done; kill -TERM $$ 2>/dev/null; } </dev/null 3<&- &
trap 'exit 1' TERM
grep -q keep <&3 & wait $!; orderly=$?
trap '' TERM; kill -KILL $child 2>/dev/null; wait $child 2>/dev/null
[ $orderly = 0 ] || rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }"#;
/// Says that the end is by our hand.
const KEEP: &[u8] = b"keep\n";
/// How long the watchdog may take to start its command.
const SPAWN: Duration = Duration::from_secs(20);
/// How often a state is looked at.
const POLL: Duration = Duration::from_millis(50);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    log: PathBuf,
    /// Where this run's part of the log begins.
    log_start: u64,
    pid: PathBuf,
    watchdog: Child,
    stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts the command, whose files are in `dir`; what it writes goes to a log there.
    pub(crate) fn start(name: &'static str, command: &Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let log_start = out.metadata()?.len();
        let pid = dir.join(format!("{name}.pid"));
        if pid.exists() {
            std::fs::remove_file(&pid)?;
        }
        let mut watched = Command::new("bash");
        watched.args(["-c", WATCHDOG, name]).arg(dir).arg(&pid);
        watched.arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => watched.env(key, value),
                None => watched.env_remove(key),
            };
        }
        if let Some(current) = command.get_current_dir() {
            watched.current_dir(current);
        }
        let mut watchdog =
            watched.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out).spawn().context(name)?;
        let stdin = watchdog.stdin.take();
        Ok(Self { name, log, log_start, pid, watchdog, stdin })
    }

    /// Sends a signal (`STOP`, `CONT`, `TERM`, `QUIT`, `KILL`) to the server itself.
    ///
    /// # Errors
    /// Where the server has ended.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.pid.exists() && begun.elapsed() < SPAWN {
            std::thread::sleep(POLL);
        }
        let pid = self.process().with_context(|| format!("{} has ended: {}", self.name, self.tail()))?;
        // The shell's own `kill`: the program of that name is not on every machine.
        succeed(Command::new("bash").args(["-c", r#"kill -s "$0" "$1""#, signal, &pid.to_string()]))
    }

    /// True while its process is there, also where a signal holds it.
    pub(crate) fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// The server's process id. The watchdog must be its parent: the id of an ended process may be another's by now.
    fn process(&self) -> Option<u32> {
        let pid: u32 = std::fs::read_to_string(&self.pid).ok()?.trim().parse().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let ours = field("PPid:")?.parse() == Ok(self.watchdog.id());
        (ours && !field("State:")?.starts_with('Z')).then_some(pid)
    }

    /// True where this run has written the text.
    pub(crate) fn said(&self, text: &str) -> bool {
        self.written(self.log_start).contains(text)
    }

    /// Waits until the server has ended by itself or by a signal.
    pub(crate) fn wait_for_end(&mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        while self.watchdog.try_wait()?.is_none() {
            if begun.elapsed() > patience {
                bail!("{} has not ended after {patience:?}: {}", self.name, self.tail());
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until the server is `ready`; an early end is reported with what it wrote.
    pub(crate) fn wait(&mut self, patience: Duration, mut ready: impl FnMut(&Self) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !ready(self) {
            if let Some(status) = self.watchdog.try_wait()? {
                bail!("{} ended at its start ({status}): {}", self.name, self.tail());
            }
            if begun.elapsed() > patience {
                bail!("{} is not ready after {patience:?}: {}", self.name, self.tail());
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// The end of what it wrote.
    fn tail(&self) -> String {
        const TAIL: u64 = 4_000;
        let length = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        self.written(length.saturating_sub(TAIL))
    }

    /// What it wrote from this byte on; nothing where the log cannot be read.
    fn written(&self, from: u64) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(from))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            // An error means that the watchdog has ended already, and the server with it.
            let _ = stdin.write_all(KEEP);
        }
        let _ = self.watchdog.wait();
    }
}

/// Ports on the loopback address that were free a moment ago, all different. They lie below those that Linux gives to
/// outgoing connections (from 32768 on), or a client might be given the port of a server that is down for a while.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>> {
    const RANGE: std::ops::Range<u16> = 12_000..32_000;
    const TRIES: usize = 1_000;
    let held: Vec<TcpListener> =
        std::iter::repeat_with(|| TcpListener::bind(("127.0.0.1", fastrand::u16(RANGE))))
            .take(TRIES)
            .filter_map(Result::ok)
            .take(count)
            .collect();
    ensure!(held.len() == count, "no {count} free ports within {RANGE:?}");
    held.iter().map(|one| Ok(one.local_addr()?.port())).collect()
}

/// One such port.
pub(crate) fn free_port() -> Result<u16> {
    free_ports(1)?.pop().context("no port")
}

/// True where something accepts connections on the port.
pub(crate) fn accepts(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(500)).is_ok()
}
