//! An S3 server that nobody here wrote: VersityGW over a folder.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::cache::{folder, succeed};
use crate::go;
use crate::server::{Server, accepts, free_port};

/// Pinned: what the tests rely on was seen with it.
const VERSION: &str = "v1.8.0";
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server: one that was started here, or one that runs already.
#[derive(Debug)]
pub struct ForeignS3 {
    endpoint: String,
    access_key: String,
    secret_key: String,
    _server: Option<Server>,
    _dir: Option<TempDir>,
}

impl ForeignS3 {
    /// Starts a server, or takes the one that `CORTEX_TEST_S3` points at.
    pub fn start() -> Result<Self> {
        match std::env::var("CORTEX_TEST_S3") {
            Ok(url) => Self::running(&url),
            Err(_) => Self::start_own(),
        }
    }

    fn running(url: &str) -> Result<Self> {
        let parts = || {
            let (scheme, rest) = url.split_once("://")?;
            let (keys, host) = rest.split_once('@')?;
            let (access, secret) = keys.split_once(':')?;
            Some((format!("{scheme}://{}", host.trim_end_matches('/')), access.to_owned(), secret.to_owned()))
        };
        let (endpoint, access_key, secret_key) =
            parts().context("CORTEX_TEST_S3 must be http://ACCESS:SECRET@HOST:PORT")?;
        Ok(Self { endpoint, access_key, secret_key, _server: None, _dir: None })
    }

    fn start_own() -> Result<Self> {
        let program = program()?;
        let dir = tempfile::Builder::new().prefix("cortex-s3-").tempdir()?;
        let data = dir.path().join("data");
        std::fs::create_dir(&data)?;
        let port = free_port()?;
        let (access_key, secret_key) = ("cortexaccess", "cortexsecretcortexsecret");
        let mut command = Command::new(program);
        command.env("ROOT_ACCESS_KEY", access_key).env("ROOT_SECRET_KEY", secret_key);
        // Connections are kept open between requests, as S3's are: its default is to close each.
        command.args(["--port", &format!("127.0.0.1:{port}"), "--quiet", "--keep-alive", "posix"]).arg(&data);
        let mut server = Server::start("versitygw", &command, dir.path())?;
        server.wait(PATIENCE, |_| accepts(port))?;
        Ok(Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            access_key: access_key.to_owned(),
            secret_key: secret_key.to_owned(),
            _server: Some(server),
            _dir: Some(dir),
        })
    }

    /// `http://HOST:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Access key id of its owner.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Secret access key of its owner.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }
}

/// The program, built by Go at the first use.
pub(crate) fn program() -> Result<PathBuf> {
    let name = format!("versitygw-{VERSION}");
    let folder = folder(&name, |partial| {
        let module = format!("github.com/versity/versitygw/cmd/versitygw@{VERSION}");
        succeed(go::command()?.args(["install", "-trimpath", &module]).env("GOBIN", partial.canonicalize()?))
    })?;
    Ok(folder.join("versitygw"))
}
