//! An OAuth 2.0 server that nobody here wrote: NAV's `mock-oauth2-server`, which signs tokens for any client, whatever its secret.

use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::maven::java;
use crate::server::{Server, accepts, free_port};

const POM: &str = include_str!("../oauth/pom.xml");
/// The folder of the cache; named after the version in the pom.
const FOLDER: &str = "mock-oauth2-server-2.2.1";
const PATIENCE: Duration = Duration::from_secs(90);

/// See the module.
#[derive(Debug)]
pub struct OauthServer {
    // Before the folder: the process is gone before its files are.
    _server: Server,
    port: u16,
    _dir: TempDir,
}

impl OauthServer {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("cortex-oauth-").tempdir()?;
        let port = free_port()?;
        let mut command = java(FOLDER, POM)?;
        command
            .arg("no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt")
            .env("SERVER_HOSTNAME", "127.0.0.1")
            .env("SERVER_PORT", port.to_string());
        let mut server = Server::start("oauth", &command, dir.path())?;
        server.wait(PATIENCE, |_| accepts(port))?;
        Ok(Self { _server: server, port, _dir: dir })
    }

    /// Where tokens are had: by the client credentials grant for the client that is named, as which they then speak; what is
    /// asked for as scope becomes their audience.
    pub fn token_url(&self) -> String {
        format!("http://127.0.0.1:{}/default/token", self.port)
    }

    /// The keys that its tokens are signed with.
    pub fn jwks_url(&self) -> String {
        format!("http://127.0.0.1:{}/default/jwks", self.port)
    }
}
