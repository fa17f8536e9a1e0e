//! An OpenID Connect provider that nobody here wrote: node-oidc-provider, a certified one, with people of the test's own.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cache::{folder, succeed};
use crate::server::{Server, accepts, free_port};

/// Pinned, with all that it needs: what passes today passes tomorrow. The name in the cache is the version.
const VERSION: &str = "oidc-provider-9.13.3";
const PACKAGE: &str = include_str!("../identity-provider/package.json");
const LOCK: &str = include_str!("../identity-provider/package-lock.json");
const SCRIPT: &str = include_str!("../identity-provider/provider.mjs");
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running provider. Its browser pages ask for a `login`, which is a person's name, and take any `password`.
#[derive(Debug)]
pub struct IdentityProvider {
    issuer: String,
    _server: Server,
    _dir: TempDir,
}

impl IdentityProvider {
    /// The id of its one client, and the client's secret.
    pub const CLIENT: (&str, &str) = ("cortex-console", "a secret: of the tests & for them alone");

    /// Starts one whose client is led back to `redirect`, and to `signed_out` once it has signed out. `people` is an object:
    /// a name, and the claims of whom has it. Its packages come from npm at the first use.
    pub fn start(redirect: &str, signed_out: &str, people: Value) -> Result<Self> {
        let packages = packages()?;
        let dir = tempfile::Builder::new().prefix("cortex-idp-").tempdir()?;
        let port = free_port()?;
        let issuer = format!("http://127.0.0.1:{port}");
        let (id, secret) = Self::CLIENT;
        let client = json!({
            "client_id": id,
            "client_secret": secret,
            "redirect_uris": [redirect],
            "post_logout_redirect_uris": [signed_out],
        });
        let settings = json!({ "issuer": issuer, "port": port, "clients": [client], "people": people });
        let (script, file) = (dir.path().join("provider.mjs"), dir.path().join("settings.json"));
        std::fs::write(&script, SCRIPT)?;
        std::fs::write(&file, settings.to_string())?;
        let mut command = Command::new("node");
        command.arg(&script).arg(&packages).arg(&file);
        let mut server = Server::start("identity-provider", &command, dir.path())?;
        server.wait(PATIENCE, |_| accepts(port))?;
        Ok(Self { issuer, _server: server, _dir: dir })
    }

    /// `http://HOST:PORT`
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

fn packages() -> Result<PathBuf> {
    folder(VERSION, |partial| {
        std::fs::write(partial.join("package.json"), PACKAGE)?;
        std::fs::write(partial.join("package-lock.json"), LOCK)?;
        let mut install = Command::new("npm");
        install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
        succeed(install.current_dir(partial))
    })
}
