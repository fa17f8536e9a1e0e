//! A child process that does not outlive this one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Runs the command in the background and waits on standard input, which this process holds open: at its end, by our
/// hand or by our death, the command is killed. After our death its folder ($1) is removed too, since no one else will;
/// Ctrl-C, which reaches this as well, must not come before that.
const WATCHDOG: &str = r#"exec 3<&0; dir=$1; shift; trap '' INT
"$@" </dev/null 3<&- & child=$!
trap 'kill -KILL $child 2>/dev/null' EXIT
{ while kill -0 $child 2>/dev/null; do sleep 0.2; done; kill -TERM $$ 2>/dev/null; } </dev/null 3<&- &
trap 'exit 1' TERM
grep -q keep <&3 & wait $!; orderly=$?
trap '' TERM; kill -KILL $child 2>/dev/null; wait $child 2>/dev/null
[ $orderly = 0 ] || rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }"#;
/// Says that the end is by our hand.
const KEEP: &[u8] = b"keep\n";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    log: PathBuf,
    watchdog: Child,
    stdin: Option<ChildStdin>,
}

impl Server {
    /// Starts the command, whose files are in `dir`; what it writes goes to a log there.
    pub(crate) fn start(name: &'static str, command: &Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let mut watched = Command::new("bash");
        watched.args(["-c", WATCHDOG, name]).arg(dir);
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
        Ok(Self { name, log, watchdog, stdin })
    }

    /// Waits until the server is `ready`; an early end is reported with what it wrote.
    pub(crate) fn wait(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        while !ready() {
            if let Some(status) = self.watchdog.try_wait()? {
                bail!("{} ended at its start ({status}): {}", self.name, self.tail());
            }
            if begun.elapsed() > patience {
                bail!("{} is not ready after {patience:?}: {}", self.name, self.tail());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The end of what it wrote.
    fn tail(&self) -> String {
        const TAIL: u64 = 4_000;
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
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

/// A port on the loopback address that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// True where something accepts connections on the port.
pub(crate) fn accepts(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(500)).is_ok()
}
