//! Cortex on a cluster as companies run it: TLS, SASL, and ACLs that allow each role what `cortex topics acls` prints, and nothing
//! beyond. What is refused is told at once, with what to do.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::{Process, cortex, until};
use end_to_end::s3::Store;
use end_to_end::system::System;
use end_to_end::verdict::{Uploaded, judge};
use services::{OauthServer, SecureKafka};

const PATIENCE: Duration = Duration::from_secs(180);
const AUDIENCE: &str = "kafka";
const USERS: [&str; 4] = ["cortex-registry", "cortex-scanner", "cortex-parser", "cortex-admin"];
/// The status of what is not permitted, and of what does not answer.
const DENIED: i32 = 4;
const UNREACHABLE: i32 = 6;

type Pairs = Vec<(&'static str, String)>;

/// Login by name and password.
fn login(kafka: &SecureKafka, mechanism: &str, user: &str) -> Pairs {
    vec![
        ("CORTEX_KAFKA_SECURITY_PROTOCOL", "sasl_ssl".to_owned()),
        ("CORTEX_KAFKA_CA_FILE", kafka.ca_file().display().to_string()),
        ("CORTEX_KAFKA_SASL_MECHANISM", mechanism.to_owned()),
        ("CORTEX_KAFKA_SASL_USERNAME", user.to_owned()),
        ("CORTEX_KAFKA_SASL_PASSWORD", SecureKafka::password(user)),
    ]
}

/// Login by a token.
fn token(kafka: &SecureKafka, url: &str, client: &str, audience: &str) -> Pairs {
    vec![
        ("CORTEX_KAFKA_SECURITY_PROTOCOL", "sasl_ssl".to_owned()),
        ("CORTEX_KAFKA_CA_FILE", kafka.ca_file().display().to_string()),
        ("CORTEX_KAFKA_SASL_MECHANISM", "OAUTHBEARER".to_owned()),
        ("CORTEX_KAFKA_OAUTH_TOKEN_URL", url.to_owned()),
        ("CORTEX_KAFKA_OAUTH_CLIENT_ID", client.to_owned()),
        ("CORTEX_KAFKA_OAUTH_CLIENT_SECRET", "secret-of-the-client".to_owned()),
        ("CORTEX_KAFKA_OAUTH_SCOPE", audience.to_owned()),
    ]
}

fn with(mut pairs: Pairs, name: &str, value: &str) -> Pairs {
    pairs.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, old)| *old = value.to_owned());
    pairs
}

/// `cortex topics COMMAND` on a listener.
fn topics(command: &str, address: &str, login: &Pairs) -> Result<Output> {
    let mut cortex = cortex()?;
    cortex
        .args(["topics", command, "--kafka", address])
        .envs(login.iter().map(|(name, value)| (name, value)));
    Ok(cortex.output()?)
}

/// It was refused by this status, with this advice, and without a secret.
fn refused(output: &Output, status: i32, advice: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(status), "{:?} where {advice:?} is wanted: {said}", output.status);
    ensure!(said.contains(advice), "no {advice:?} in {said}");
    ensure!(!said.contains("secret-of-"), "a secret is told: {said}");
    Ok(())
}

/// Allows a role what `cortex topics acls` prints for it.
fn allow(kafka: &SecureKafka, role: &str, principal: &str) -> Result<()> {
    let output = cortex()?.args(["topics", "acls", "--role", role, "--principal", principal]).output()?;
    let lines = String::from_utf8(output.stdout)?;
    lines.lines().filter(|line| !line.starts_with('#')).try_for_each(|line| kafka.allow(line))
}

/// The broker applies ACLs a moment after they are made.
fn until_allowed(what: &str, mut asks: impl FnMut() -> Result<Output>) -> Result<()> {
    until(what, PATIENCE, || Ok(asks()?.status.code() != Some(DENIED)))
}

#[test]
fn each_way_to_log_in_works_and_what_is_wrong_is_told() -> Result<()> {
    let oauth = OauthServer::start()?;
    let kafka = SecureKafka::start(&USERS, Some((&oauth, AUDIENCE)))?;
    let admin = |mechanism| login(&kafka, mechanism, "cortex-admin");
    let plan = |pairs: &Pairs| topics("plan", &kafka.sasl(), pairs);

    refused(&plan(&admin("SCRAM-SHA-512"))?, DENIED, "cortex topics acls")?;
    allow(&kafka, "admin", "User:cortex-admin")?;
    until_allowed("the admin to be allowed", || plan(&admin("SCRAM-SHA-512")))?;
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let output = plan(&admin(mechanism))?;
        ensure!(output.status.code() == Some(2), "{mechanism}: {output:?}");
    }
    let by_token = token(&kafka, &oauth.token_url(), "cortex-admin", AUDIENCE);
    let output = plan(&by_token)?;
    ensure!(output.status.code() == Some(2), "OAUTHBEARER: {output:?}");
    let output = topics("apply", &kafka.sasl(), &by_token)?;
    ensure!(output.status.code() == Some(0), "an admin client with a token: {output:?}");

    let (certificate, key) = kafka.client_certificate("admin-by-certificate")?;
    let mut by_certificate = vec![
        ("CORTEX_KAFKA_SECURITY_PROTOCOL", "ssl".to_owned()),
        ("CORTEX_KAFKA_CA_FILE", kafka.ca_file().display().to_string()),
    ];
    refused(&topics("plan", &kafka.mtls(), &by_certificate)?, DENIED, "kafka_client_cert_file")?;
    by_certificate.push(("CORTEX_KAFKA_CLIENT_CERT_FILE", certificate.display().to_string()));
    by_certificate.push(("CORTEX_KAFKA_CLIENT_KEY_FILE", key.display().to_string()));
    allow(&kafka, "admin", "User:CN=admin-by-certificate")?;
    let mtls = || topics("plan", &kafka.mtls(), &by_certificate);
    until_allowed("the certificate to be allowed", mtls)?;
    ensure!(mtls()?.status.code() == Some(0), "{:?}", mtls()?);

    let wrong_password = with(admin("SCRAM-SHA-512"), "CORTEX_KAFKA_SASL_PASSWORD", "secret-of-another");
    refused(&plan(&wrong_password)?, DENIED, "kafka_sasl_password_file")?;
    let other_ca = with(admin("PLAIN"), "CORTEX_KAFKA_CA_FILE", &certificate.display().to_string());
    refused(&plan(&other_ca)?, DENIED, "kafka_ca_file")?;
    let no_tls = with(admin("PLAIN"), "CORTEX_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext");
    let no_tls: Pairs = no_tls.into_iter().filter(|(name, _)| *name != "CORTEX_KAFKA_CA_FILE").collect();
    refused(&plan(&no_tls)?, UNREACHABLE, "kafka_security_protocol")?;
    let other_audience = token(&kafka, &oauth.token_url(), "cortex-admin", "another-cluster");
    refused(&plan(&other_audience)?, DENIED, "see docs/kafka.md")?;
    // Another issuer's keys are not among those that the broker knows.
    let other_issuer = oauth.token_url().replace("/default/", "/another/");
    let other_issuer = token(&kafka, &other_issuer, "cortex-admin", AUDIENCE);
    refused(&plan(&other_issuer)?, DENIED, "see docs/kafka.md")?;
    let no_endpoint = token(&kafka, "http://127.0.0.1:1/token", "cortex-admin", AUDIENCE);
    refused(&plan(&no_endpoint)?, UNREACHABLE, "http://127.0.0.1:1/token")
}

/// Waits for a role that ends by itself; what it wrote.
fn ends_denied(mut process: Process, advice: &str) -> Result<()> {
    until("the role to end", PATIENCE, || Ok(process.status()?.is_some()))?;
    let status = process.status()?.context("a status")?;
    let log = process.log();
    ensure!(status.code() == Some(DENIED) && log.contains(advice), "{status}, no {advice:?} in {log}");
    ensure!(!log.contains("secret-of-"), "a secret is told: {log}");
    Ok(())
}

#[test]
fn the_roles_run_with_the_acls_that_are_documented_and_end_with_a_reason_without_them() -> Result<()> {
    let oauth = OauthServer::start()?;
    let kafka = SecureKafka::start(&USERS, Some((&oauth, AUDIENCE)))?;
    let postgres = services::shared::postgres()?;
    let s3 = services::shared::s3()?;
    let account = format!("secured-{}", std::process::id());
    let database = postgres.database(&account.replace('-', "_"))?;
    let mut system = System::on(&kafka.sasl(), &database, s3.endpoint())?;
    let keys = (s3.access_key(), s3.secret_key());
    let store = Store::new(s3.endpoint(), keys.0, keys.1, &format!("bucket-{account}"))?;
    system.set("CORTEX_CHUNK_ROWS", "1000");

    allow(&kafka, "admin", "User:cortex-admin")?;
    let admin = login(&kafka, "SCRAM-SHA-512", "cortex-admin");
    until_allowed("the admin to be allowed", || topics("apply", &kafka.sasl(), &admin))?;
    let of = |role: &str| login(&kafka, "SCRAM-SHA-512", &format!("cortex-{role}"));
    let start = |role: &str, name: &str, pairs: &Pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        system.worker(role, name, &pairs)
    };
    ends_denied(start("parser", "parser-early", &of("parser"))?, "cortex topics acls")?;
    for role in ["registry", "scanner", "parser"] {
        allow(&kafka, role, &format!("User:cortex-{role}"))?;
    }

    let registry: Vec<_> = of("registry");
    let registry: Vec<_> = registry.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _registry = system.registry_with(&registry)?;
    let _scanner = start("scanner", "scanner", &of("scanner"))?;
    let by_token = token(&kafka, &oauth.token_url(), "cortex-parser", AUDIENCE);
    let mut parsers =
        vec![start("parser", "parser-1", &of("parser"))?, start("parser", "parser-2", &by_token)?];
    system.ask(&["account", "create", "--id", &account])?;
    let source = system.source(&account, "events", store.bucket(), keys)?;
    let mut uploaded = Uploaded::default();
    let mut put = |key: &str, rows: u64| -> Result<()> {
        let upload = events(key, rows, 50, Style::Csv, Packing::Plain)?;
        let key = format!("events/{}", upload.key);
        let etag = store.put(&key, &upload.bytes)?;
        uploaded.add(&key, &etag, &upload);
        Ok(())
    };
    let files = || system.ask(&["source", "files", &source]);
    let at_rest = |wanted: usize| {
        until("the files to be at rest", PATIENCE, || {
            Ok(files()?.iter().filter(|file| file.get("finish_time").is_some()).count() >= wanted)
        })
    };
    // The first files may all be read before the second parser has a partition.
    let mut count = 0;
    until("both parsers to have read a file", PATIENCE, || {
        for number in count..count + 8 {
            put(&format!("2026-11-23/file-{number}.csv"), 3_000)?;
        }
        count += 8;
        at_rest(count)?;
        let read = files()?;
        let worked = |name: &str| read.iter().any(|file| file["worker_id"] == name);
        Ok(worked("parser-1") && worked("parser-2"))
    })?;

    // A right that is taken away in mid-run: the parsers end and say why; with it again nothing is lost or doubled.
    let acl = "--allow-principal User:cortex-parser --operation Write --topic cortex.events.v1";
    kafka.allow(&format!("kafka-acls.sh --bootstrap-server b --remove --force {acl}"))?;
    put("2026-11-23/last.csv", 3_000)?;
    until("a parser to end", PATIENCE, || {
        Ok(parsers.iter_mut().any(|parser| !parser.is_running().unwrap_or(true)))
    })?;
    let at = parsers.iter_mut().position(|parser| !parser.is_running().unwrap_or(true)).context("one")?;
    ends_denied(parsers.remove(at), "cortex topics acls")?;
    kafka.allow(&format!("kafka-acls.sh --bootstrap-server b --add {acl}"))?;
    parsers.push(start("parser", "parser-3", &of("parser"))?);
    at_rest(count + 1)?;
    let verdict = judge(&kafka.inside(), &account, &uploaded, &files()?)?;
    ensure!(verdict.is_good(), "{verdict}");

    let wrong = with(of("parser"), "CORTEX_KAFKA_SASL_PASSWORD", "secret-of-another");
    ends_denied(start("parser", "parser-wrong", &wrong)?, "kafka_sasl_password_file")?;
    let unknown = with(of("scanner"), "CORTEX_KAFKA_CA_FILE", &any_certificate(&kafka)?);
    ends_denied(start("scanner", "scanner-unknown", &unknown)?, "kafka_ca_file")
}

/// A certificate that signed nothing.
fn any_certificate(kafka: &SecureKafka) -> Result<String> {
    let (certificate, _) = kafka.client_certificate("no-authority")?;
    ensure!(Path::new(&certificate).exists());
    Ok(certificate.display().to_string())
}
