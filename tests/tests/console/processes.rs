//! The console as a process of its own, beside the others.

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::cloud::{Cloud, ROLE};
use end_to_end::dev::Dev;
use end_to_end::files::{Packing, Style, events};
use end_to_end::process::until;
use end_to_end::system::System;

use crate::demo::{PATIENCE, console, date};
use crate::direct::{ask, sign_in};
use crate::file::{moves, noted_of_the_bar, watch_the_bar};
use crate::steps::{Named, steps_to_the_role};

const BUCKET: &str = "shop-exports";
const PLATFORM: &str = "999988887777";
/// Of the file that is watched.
const ROWS: u64 = 20_000;

/// Registry on PostgreSQL, scanner, parser on Kafka, an S3 server, the console: nothing is embedded.
#[tokio::test(flavor = "multi_thread")]
async fn the_five_steps_and_a_file_are_seen_across_separate_processes() -> Result<()> {
    let kafka = services::shared::kafka()?;
    let postgres = services::shared::postgres()?;
    let account = format!("console{}", std::process::id());
    let cloud = Cloud::start(BUCKET)?;
    let mut system = System::on(kafka.bootstrap(), &postgres.database(&account)?, cloud.endpoint())?;
    cloud.give_identity(&mut system);
    system.set("CORTEX_AWS_ACCOUNT_ID", PLATFORM);
    let _registry = system.registry()?;
    let (_console, address) = system.console()?;
    let made = system.ask(&["account", "create", "--id", &account])?.remove(0);
    let external_id = made["external_id"].as_str().context("an External ID")?.to_owned();
    cloud.trust(&external_id);
    let made = system.ask(&["account", "token", "create", &account])?.remove(0);

    let browser = Browser::start(&address, Look::default()).await?;
    browser.sign_in(made["token"].as_str().context("a token")?).await?;
    let named = Named { external_id, platform: PLATFORM, bucket: BUCKET };
    steps_to_the_role(&browser, &named, "Clicks", true).await?;
    browser.fill("#role_arn", ROLE).await?;
    browser.press("Save and go on to the test").await?;
    browser.sees("It takes a minute at most.").await?;
    let path = browser.path().await?;
    let source = path.trim_start_matches('/').trim_end_matches("/setup/test").to_owned();
    system.on_its_s3(&source).await?;
    // Something for the test to read.
    cloud.put("events", &events(&format!("{}/first.csv", date(1)), 10, 0, Style::Csv, Packing::Plain)?)?;
    browser.press("Test the connection").await?;
    browser.sees("All is well.").await?;
    browser.press("Activate").await?;
    browser.sees("The source is live").await?;
    browser.sees("No file has been found yet.").await?;

    watch_the_bar(&browser).await?;
    let large = events(&format!("{}/large.csv", date(0)), ROWS, 5_000, Style::Csv, Packing::Plain)?;
    cloud.put("events", &large)?;
    // Ten chunks, each of which is held for longer than the page takes to look again.
    let slow = [("FAILPOINTS", "queue.before-commit=sleep(1500)"), ("CORTEX_CHUNK_ROWS", "2000")];
    let _parser = system.parser("parser", &slow)?;
    let _scanner = system.scanner()?;
    browser.sees("Accepted in part").await?;
    browser.sees("Every file that was found has been read.").await?;
    browser.sees("20,000").await?;
    let mut noted = noted_of_the_bar(&browser).await?;
    noted.retain(|state| *state >= 0.0);
    ensure!(moves(&noted) >= 3, "the bar hardly moved over ten chunks: {noted:?}");

    browser.click("#live table.files a[href*='large.csv']").await?;
    browser.sees("Rejected rows").await?;
    browser.follow("Sample data").await?;
    browser.sees("large.csv").await?;
    browser.follow("Audit trail").await?;
    browser.sees("Made live").await?;
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_so_where_the_registry_is_gone() -> Result<()> {
    let mut dev = Dev::start(false)?;
    let (_console, console) = console(&dev, &[])?;
    let cookie = sign_in(&console, &dev.secret("demo.token")?)?;
    let page = ask(&console, "GET", "/accounts/demo/sources", &[("Cookie", &cookie)], "")?;
    ensure!(page.status == 200 && page.body.contains("Demo events"), "{}", page.body);
    dev.kill()?;
    until("the page to say so", PATIENCE, || {
        let page = ask(&console, "GET", "/accounts/demo/sources", &[("Cookie", &cookie)], "")?;
        Ok(page.status == 503 && page.body.contains("Cortex cannot be reached at the moment"))
    })
}
