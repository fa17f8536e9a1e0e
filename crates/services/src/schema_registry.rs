//! A schema registry that nobody here wrote: Apicurio Registry, which speaks Confluent's REST API, with its schemas in memory.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use rcgen::ExtendedKeyUsagePurpose;
use tempfile::TempDir;

use crate::cache::{folder, succeed};
use crate::certificates::{authority, certificate};
use crate::server::{Server, accepts, free_ports};

/// The last version that runs on Java 17.
const VERSION: &str = "3.0.9";
/// Where it speaks Confluent's API.
const PATH: &str = "/apis/ccompat/v7";
/// What a test's registry needs, and little time to start.
const JVM: [&str; 3] = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
const PATIENCE: Duration = Duration::from_secs(120);

/// A running registry, which takes anyone.
#[derive(Debug)]
pub struct SchemaRegistry {
    // Before the folder: the process is gone before its files are.
    _server: Server,
    http: u16,
    https: u16,
    dir: TempDir,
}

impl SchemaRegistry {
    /// Starts one. It comes from Maven Central at the first use.
    pub fn start() -> Result<Self> {
        let home = fetched()?;
        let dir = tempfile::Builder::new().prefix("cortex-schema-registry-").tempdir()?;
        let ports = free_ports(2)?;
        let [http, https] = ports[..] else { anyhow::bail!("two ports") };
        let ca = authority()?;
        std::fs::write(dir.path().join("ca.pem"), ca.pem())?;
        let (chain, key) = certificate(&ca, "registry", ExtendedKeyUsagePurpose::ServerAuth, dir.path())?;
        let mut command = Command::new("java");
        command
            .args(JVM)
            .arg("-Dquarkus.http.host=127.0.0.1")
            .arg(format!("-Dquarkus.http.port={http}"))
            .arg(format!("-Dquarkus.http.ssl-port={https}"))
            .arg("-Dquarkus.http.insecure-requests=enabled")
            .arg(format!("-Dquarkus.http.ssl.certificate.files={}", chain.display()))
            .arg(format!("-Dquarkus.http.ssl.certificate.key-files={}", key.display()))
            .arg("-jar")
            .arg(home.join(format!("apicurio-registry-app-{VERSION}-runner.jar")))
            .current_dir(dir.path());
        let mut server = Server::start("schema-registry", &command, dir.path())?;
        server.wait(PATIENCE, |_| accepts(http) && accepts(https))?;
        Ok(Self { _server: server, http, https, dir })
    }

    /// `http://HOST:PORT/PATH` of Confluent's API.
    pub fn url(&self) -> String {
        Self::url_at(&self.address())
    }

    /// The same at another `HOST:PORT`, such as a proxy's.
    pub fn url_at(address: &str) -> String {
        format!("http://{address}{PATH}")
    }

    /// The same, over TLS.
    pub fn https_url(&self) -> String {
        format!("https://127.0.0.1:{}{PATH}", self.https)
    }

    /// `HOST:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// The CA (PEM) of its certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }
}

fn fetched() -> Result<PathBuf> {
    // Without what its pom names: the archive is whole.
    folder(&format!("apicurio-registry-{VERSION}"), |partial| {
        succeed(
            Command::new("mvn")
                .args(["-q", "-B", "dependency:unpack"])
                .arg(format!("-Dartifact=io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"))
                .arg(format!("-DoutputDirectory={}", partial.display()))
                // The plugin leaves a mark of its work in the folder in which it runs.
                .current_dir(partial),
        )
    })
}
