//! A broker as companies run it: TLS, SASL, and ACLs that let no one do anything until they are told to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rcgen::{CertifiedIssuer, ExtendedKeyUsagePurpose, KeyPair};
use tempfile::TempDir;

use super::broker::{CLUSTER, PATIENCE, READY};
use super::jars::{self, Jvm, java};
use crate::OauthServer;
use crate::cache::succeed;
use crate::certificates::{authority, certificate};
use crate::server::{Server, accepts, free_ports};

/// One broker with three listeners: SASL over TLS, TLS with client certificates, and an open one for the test itself, where
/// everyone is a super user.
///
/// Every user may log in by PLAIN and by SCRAM, with [`SecureKafka::password`]; those of an [`OauthServer`] by its tokens. Without
/// ACLs they may do nothing.
#[derive(Debug)]
pub struct SecureKafka {
    // Before the folder: the process is gone before its files are.
    _server: Server,
    sasl: u16,
    mtls: u16,
    inside: u16,
    ca: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl SecureKafka {
    /// Starts a broker for these users, and for the tokens of an OAuth server where one is given; `audience` is what they must be
    /// for.
    pub fn start(users: &[&str], oauth: Option<(&OauthServer, &str)>) -> Result<Self> {
        jars::fetch()?;
        let dir = tempfile::Builder::new().prefix("cortex-kafka-").tempdir()?;
        let ports = free_ports(4)?;
        let [sasl, mtls, inside, controller] = ports[..] else { anyhow::bail!("four ports") };
        let ca = authority()?;
        std::fs::write(dir.path().join("ca.pem"), ca.pem())?;
        certificate(&ca, "broker", ExtendedKeyUsagePurpose::ServerAuth, dir.path())?;
        let settings = settings(dir.path(), &ports, users, oauth);
        let properties = dir.path().join("server.properties");
        std::fs::write(&properties, settings)?;
        let mut format = java(Jvm::Small)?;
        format.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"]).arg(&properties);
        for user in users {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
                let password = Self::password(user);
                format.args(["--add-scram", &format!("{mechanism}=[name={user},password={password}]")]);
            }
        }
        succeed(&mut format)?;
        let mut command = Command::new("java");
        if let Some((server, _)) = oauth {
            let allowed = format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}", server.jwks_url());
            command.arg(allowed);
        }
        command.args(java(Jvm::Small)?.get_args()).arg("kafka.Kafka").arg(&properties);
        let mut server = Server::start("kafka", &command, dir.path())?;
        server
            .wait(PATIENCE, |server| server.said(READY) && [sasl, mtls, inside].into_iter().all(accepts))?;
        let _ = controller;
        Ok(Self { _server: server, sasl, mtls, inside, ca, dir })
    }

    /// A user's password.
    pub fn password(user: &str) -> String {
        format!("secret-of-{user}")
    }

    /// `HOST:PORT` of the listener with SASL over TLS.
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.sasl)
    }

    /// `HOST:PORT` of the listener with client certificates.
    pub fn mtls(&self) -> String {
        format!("127.0.0.1:{}", self.mtls)
    }

    /// `HOST:PORT` of the listener without any of it.
    pub fn inside(&self) -> String {
        format!("127.0.0.1:{}", self.inside)
    }

    /// The CA (PEM) of the broker's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// A certificate for a client, whose principal is `User:CN=NAME`, and its key.
    pub fn client_certificate(&self, name: &str) -> Result<(PathBuf, PathBuf)> {
        certificate(&self.ca, name, ExtendedKeyUsagePurpose::ClientAuth, self.dir.path())
    }

    /// Runs a `kafka-acls.sh …` line, as it would be in Kafka's folder, on the listener of super users.
    pub fn allow(&self, line: &str) -> Result<()> {
        let words = shell_words(line)?;
        let (script, arguments) = words.split_first().context("an empty line")?;
        ensure!(script == "kafka-acls.sh", "{line}");
        let inside = self.inside();
        let mut own = Vec::new();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bootstrap-server" => {
                    words.next();
                    own.extend([word.as_str(), &inside]);
                }
                "--command-config" => drop(words.next()),
                other => own.push(other),
            }
        }
        succeed(&mut jars::tool("org.apache.kafka.tools.AclCommand", &own)?)
    }
}

/// The words of a line as a shell splits them.
fn shell_words(line: &str) -> Result<Vec<String>> {
    let split = format!("printf '%s\\n' {line}");
    let output = Command::new("bash").args(["-c", &split]).output()?;
    ensure!(output.status.success(), "{line}");
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn settings(dir: &Path, ports: &[u16], users: &[&str], oauth: Option<(&OauthServer, &str)>) -> String {
    let [sasl, mtls, inside, controller] = ports[..] else { return String::new() };
    let dir = dir.display();
    let logins: String =
        users.iter().map(|user| format!(" user_{user}=\"{}\"", SecureKafka::password(user))).collect();
    let modules = "org.apache.kafka.common.security";
    let mut mechanisms = "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN".to_owned();
    let mut bearer = String::new();
    if let Some((server, audience)) = oauth {
        mechanisms.push_str(",OAUTHBEARER");
        let prefix = "listener.name.sasl.oauthbearer";
        // Kafka 4.1 looks for the validator without the mechanism's prefix, and takes a client's where it finds none: that one
        // looks at neither signature nor audience.
        bearer = format!(
            "{prefix}.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required ;\n\
             {prefix}.sasl.server.callback.handler.class={modules}.oauthbearer.OAuthBearerValidatorCallbackHandler\n\
             sasl.oauthbearer.jwt.validator.class={modules}.oauthbearer.BrokerJwtValidator\n\
             {prefix}.sasl.oauthbearer.jwks.endpoint.url={}\n\
             {prefix}.sasl.oauthbearer.expected.audience={audience}\n\
             {prefix}.connections.max.reauth.ms=4000\n",
            server.jwks_url()
        );
    }
    format!(
        "node.id=1\n\
         process.roles=broker,controller\n\
         controller.listener.names=CONTROLLER\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=SASL://127.0.0.1:{sasl},MTLS://127.0.0.1:{mtls},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=SASL://127.0.0.1:{sasl},MTLS://127.0.0.1:{mtls},INSIDE://127.0.0.1:{inside}\n\
         listener.security.protocol.map=SASL:SASL_SSL,MTLS:SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=INSIDE\n\
         ssl.keystore.type=PEM\n\
         ssl.keystore.location={dir}/broker.store.pem\n\
         ssl.truststore.type=PEM\n\
         ssl.truststore.location={dir}/ca.pem\n\
         listener.name.mtls.ssl.client.auth=required\n\
         sasl.enabled.mechanisms={mechanisms}\n\
         listener.name.sasl.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required ;\n\
         listener.name.sasl.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required ;\n\
         listener.name.sasl.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required{logins} ;\n\
         {bearer}\
         authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         super.users=User:ANONYMOUS\n\
         auto.create.topics.enable=false\n\
         log.dirs={dir}/data\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         group.initial.rebalance.delay.ms=0\n\
         group.min.session.timeout.ms=1000\n"
    )
}
