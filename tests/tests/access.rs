//! A customer takes Cortex's access away and gives it back: the source says so, loses nothing, and recovers by itself; and
//! no process has written a secret meanwhile.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::cloud::{Cloud, PLATFORM_KEY, ROLE};
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::until;
use end_to_end::system::System;
use end_to_end::world::PATIENCE;
use serde_json::Value;

struct Customer {
    cloud: Cloud,
    system: System,
    source: String,
}

impl Customer {
    fn source(&self) -> Result<Value> {
        Ok(self.system.ask(&["source", "show", &self.source])?.remove(0))
    }

    fn needs_attention(&self, code: &str) -> Result<()> {
        until(&format!("the source to need attention for {code}"), PATIENCE, || {
            let source = self.source()?;
            Ok(source["state"] == "SOURCE_STATE_NEEDS_ATTENTION"
                && source["attention"]["problem"]["code"] == code)
        })
    }

    fn is_active(&self) -> Result<()> {
        until("the source to recover", PATIENCE, || Ok(self.source()?["state"] == "SOURCE_STATE_ACTIVE"))
    }

    fn put(&self, key: &str) -> Result<String> {
        self.cloud.put("events", &events(key, 300, 0, Style::Csv, Packing::Plain)?)
    }

    /// The newest generation of a file.
    fn file(&self, key: &str) -> Result<Option<Value>> {
        let files = self.system.ask(&["source", "files", &self.source])?;
        let own = files.into_iter().filter(|file| file["object_key"] == key);
        Ok(own.max_by_key(|file| file["generation"].as_u64()))
    }

    fn in_state(&self, key: &str, state: &str) -> Result<Value> {
        let mut found = None;
        until(&format!("{key} to be {state}"), PATIENCE, || {
            found = self.file(key)?.filter(|file| file["state"] == state);
            Ok(found.is_some())
        })?;
        found.context("it was seen")
    }
}

#[test]
fn access_that_is_taken_away_is_told_and_its_return_noticed() -> Result<()> {
    let kafka = services::shared::kafka()?;
    let postgres = services::shared::postgres()?;
    let account = format!("access{}", std::process::id());
    let cloud = Cloud::start("customer-bucket")?;
    let mut system = System::on(kafka.bootstrap(), &postgres.database(&account)?, cloud.endpoint())?;
    cloud.give_identity(&mut system);
    // All that they would ever write.
    system.set("CORTEX_LOG", "debug");
    let registry = system.registry()?;
    let scanner = system.scanner()?;
    let parser = system.parser("parser-1", &[])?;

    let made = system.ask(&["account", "create", "--id", &account])?.remove(0);
    let external_id = made["external_id"].as_str().context("an External ID")?.to_owned();
    cloud.trust(&external_id);
    let endpoint = cloud.endpoint().to_owned();
    let mut create =
        vec!["source", "create", "--account", &account, "--name", "Clicks", "--dataset", "events"];
    create.extend(["--bucket", "customer-bucket", "--path", "events", "--role-arn", ROLE]);
    create.extend(["--endpoint-url", endpoint.as_str()]);
    let source = system.ask(&create)?[0]["name"].as_str().context("a name")?.to_owned();
    let customer = Customer { cloud, system, source };
    let first = customer.put("2026-11-23/first.csv")?;
    customer.system.ask(&["source", "activate", &customer.source])?;
    customer.in_state(&first, "FILE_STATE_ACCEPTED")?;

    // The role is gone: its path cannot be listed any more.
    customer.cloud.revoke();
    let waiting = customer.put("2026-11-23/waiting.csv")?;
    customer.needs_attention("role_not_assumable")?;
    ensure!(customer.file(&waiting)?.is_none(), "it cannot be seen");
    customer.cloud.trust(&external_id);
    customer.is_active()?;
    customer.in_state(&waiting, "FILE_STATE_ACCEPTED")?;

    // The path can be listed, and an object cannot be read: its key is refused.
    let denied = "events/2026-11-24/denied.csv";
    customer.cloud.objects().deny_key("customer-bucket", denied);
    customer.put("2026-11-24/denied.csv")?;
    let refused = customer.in_state(denied, "FILE_STATE_REJECTED")?;
    ensure!(refused["error"]["code"] == "kms_denied", "{refused}");
    customer.needs_attention("kms_denied")?;
    customer.cloud.objects().restore("customer-bucket", denied);
    let read = customer.in_state(denied, "FILE_STATE_ACCEPTED")?;
    ensure!(read["generation"].as_u64() > Some(1), "{read}");
    customer.is_active()?;

    std::thread::sleep(Duration::from_millis(200));
    for (name, process) in [("registry", registry), ("scanner", scanner), ("parser", parser)] {
        let log = process.log();
        ensure!(log.len() > 1_000, "{name} has written {} bytes", log.len());
        for secret in [PLATFORM_KEY.1, "admin-token-of-this-test", "worker-token-of-this-test", &external_id]
        {
            ensure!(!log.contains(secret), "{name} has written {secret:?}: {}", around(&log, secret));
        }
    }
    Ok(())
}

fn around<'l>(log: &'l str, secret: &str) -> &'l str {
    log.lines().find(|line| line.contains(secret)).unwrap_or_default()
}
