//! PostgreSQL, a temporary cluster.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::cache::succeed;
use crate::server::{Server, free_port};

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Debian keeps each version's programs in a folder of its own.
const VERSIONS: &str = "/usr/lib/postgresql";

/// A server: one that was started here, or one that runs already.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    psql: PathBuf,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    // Before the folder: the server is gone before its files are.
    server: Option<Server>,
    command: Command,
    dir: TempDir,
}

impl Postgres {
    /// Starts a server, or takes the one that `CORTEX_TEST_POSTGRES` points at.
    pub fn start() -> Result<Self> {
        match std::env::var("CORTEX_TEST_POSTGRES") {
            Ok(url) => Ok(Self { url, psql: "psql".into(), own: None }),
            Err(_) => Self::start_own(),
        }
    }

    /// Starts a server of its own, whatever runs already: for tests that stop it.
    pub fn start_own() -> Result<Self> {
        let programs = programs()?;
        let dir = tempfile::Builder::new().prefix("cortex-postgres-").tempdir()?;
        let data = dir.path().join("data");
        if is_root()? {
            succeed(Command::new("chown").arg("postgres").arg(dir.path()))?;
        }
        let data_text = data.display().to_string();
        succeed(as_postgres(&programs.join("initdb"))?.args([
            "-D",
            &data_text,
            "-U",
            "cortex",
            "-A",
            "trust",
            "--no-sync",
        ]))?;
        let port = free_port()?;
        let port_text = port.to_string();
        let mut command = as_postgres(&programs.join("postgres"))?;
        let socket = dir.path().display().to_string();
        command.args(["-D", &data_text, "-p", &port_text, "-h", "127.0.0.1", "-k", &socket]);
        // A cluster that is thrown away need not survive a power cut.
        command.args(["-c", "fsync=off", "-c", "max_connections=300"]);
        let mut own = Self {
            url: format!("postgres://cortex@127.0.0.1:{port}/postgres"),
            psql: programs.join("psql"),
            own: Some(Own { server: None, command, dir }),
        };
        own.start_again()?;
        Ok(own)
    }

    /// Stops the server at once, as a crash would: connections break, running transactions are lost, committed ones are
    /// there at the next start. Nothing of it runs any more when this returns. Does nothing to one that is stopped.
    ///
    /// # Errors
    /// Where the server was not started here, or does not end.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut server) = self.own()?.server.take() else { return Ok(()) };
        // Not SIGKILL: orphaned children would hold the shared memory that the next start needs.
        server.signal("QUIT")?;
        server.wait_for_end(PATIENCE)
    }

    /// Starts a stopped server on its data and its port, and waits until it answers. Does nothing to one that runs.
    ///
    /// # Errors
    /// Where the server was not started here, or does not start; the message has the end of its log.
    pub fn start_again(&mut self) -> Result<()> {
        let (psql, url) = (self.psql.clone(), self.url.clone());
        let own = self.own()?;
        if own.server.as_ref().is_some_and(Server::is_running) {
            return Ok(());
        }
        own.server = None;
        let mut server = Server::start("postgres", &own.command, own.dir.path())?;
        server.wait(PATIENCE, |_| query(&psql, &url, "SELECT 1").is_ok())?;
        own.server = Some(server);
        Ok(())
    }

    /// Stops it and starts it again.
    ///
    /// # Errors
    /// As [`stop`](Self::stop) and [`start_again`](Self::start_again).
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.start_again()
    }

    /// Runs SQL in one of its databases, as one transaction where it is several statements.
    ///
    /// # Errors
    /// Where the server refuses it, with what it says.
    pub fn run(&self, url: &str, sql: &str) -> Result<()> {
        query(&self.psql, url, sql)
    }

    /// What a query in one of its databases gives: a line a row, columns separated by `|`.
    ///
    /// # Errors
    /// Where the server refuses it, with what it says.
    pub fn ask(&self, url: &str, sql: &str) -> Result<String> {
        let output = psql(&self.psql, url, sql).args(["-A", "-t"]).output()?;
        ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }

    /// Writes a database into a file, as an operator does who backs it up: `pg_dump`.
    ///
    /// # Errors
    /// Where the server refuses it, with what it says.
    pub fn dump(&self, url: &str, file: &Path) -> Result<()> {
        let mut dump = Command::new(self.psql.with_file_name("pg_dump"));
        succeed(dump.args(["--format=custom", "--dbname", url, "--file"]).arg(file))
    }

    /// Puts back what [`dump`](Self::dump) wrote, into an empty database: `pg_restore`.
    ///
    /// # Errors
    /// Where the server refuses it, with what it says.
    pub fn restore(&self, url: &str, file: &Path) -> Result<()> {
        let mut restore = Command::new(self.psql.with_file_name("pg_restore"));
        succeed(restore.args(["--exit-on-error", "--no-owner", "--dbname", url]).arg(file))
    }

    fn own(&mut self) -> Result<&mut Own> {
        self.own
            .as_mut()
            .context("this PostgreSQL was not started here; a test that stops one takes start_own")
    }

    /// `postgres://…`, a database in which others can be made.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes the database anew and gives its URL. The name may hold a-z, 0-9 and `_`.
    pub fn database(&self, name: &str) -> Result<String> {
        query(&self.psql, &self.url, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))?;
        query(&self.psql, &self.url, &format!("CREATE DATABASE \"{name}\""))?;
        let (server, _) = self.url.rsplit_once('/').context("the URL names no database")?;
        Ok(format!("{server}/{name}"))
    }
}

fn query(psql: &Path, url: &str, sql: &str) -> Result<()> {
    succeed(&mut self::psql(psql, url, sql))
}

fn psql(program: &Path, url: &str, sql: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    command
}

/// The newest version's programs.
fn programs() -> Result<PathBuf> {
    let wanting = || {
        format!(
            "no PostgreSQL server under {VERSIONS}; install Debian's package postgresql, or set CORTEX_TEST_POSTGRES"
        )
    };
    let versions = std::fs::read_dir(VERSIONS).with_context(wanting)?;
    versions
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()))
        .map(|path| path.join("bin"))
        .with_context(wanting)
}

/// The server refuses to run as root: there it runs as Debian's user for it.
fn as_postgres(program: &Path) -> Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir("/");
    Ok(command)
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
