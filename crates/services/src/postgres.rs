//! PostgreSQL, a temporary cluster.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
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
    // In this order: the server is gone before its files are.
    _server: Option<Server>,
    _dir: Option<TempDir>,
}

impl Postgres {
    /// Starts a server, or takes the one that `CORTEX_TEST_POSTGRES` points at.
    pub fn start() -> Result<Self> {
        match std::env::var("CORTEX_TEST_POSTGRES") {
            Ok(url) => Ok(Self { url, psql: "psql".into(), _server: None, _dir: None }),
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
        let mut server = Server::start("postgres", &command, dir.path())?;
        let url = format!("postgres://cortex@127.0.0.1:{port}/postgres");
        let psql = programs.join("psql");
        server.wait(PATIENCE, || query(&psql, &url, "SELECT 1").is_ok())?;
        Ok(Self { url, psql, _server: Some(server), _dir: Some(dir) })
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
    succeed(Command::new(psql).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]))
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
