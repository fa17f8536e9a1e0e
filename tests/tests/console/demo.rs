//! The demo account of a running `cortex dev`: what lies in its bucket, and who is signed in.

use std::fmt::Write as _;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::{BUCKET, Dev, ROLE};
use end_to_end::process::{Process, cortex, until};

/// How long something may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// The date of today and days before, in UTC.
pub(crate) fn date(days_ago: i64) -> String {
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    today.saturating_sub(jiff::Span::new().days(days_ago)).to_string()
}

/// Rows of events under a header, every so many of which lacks its user.
pub(crate) fn events(rows: usize, broken_every: usize) -> String {
    let mut text = String::from("user_id,timestamp,type,item_id,price\n");
    for row in 1..=rows {
        let user = if broken_every > 0 && row % broken_every == 0 {
            String::new()
        } else {
            format!("u{}", row % 997)
        };
        let _ = writeln!(
            text,
            "{user},2026-11-2{}T10:{:02}:00Z,view,i{},{}.5",
            row % 6,
            row % 60,
            row % 89,
            row % 40
        );
    }
    text
}

/// The address of a page of the demo source of this name.
pub(crate) fn source_path(dev: &Dev, display_name: &str) -> Result<String> {
    let sources = dev.ask(&["source", "list", "demo"])?;
    let found = sources.iter().find(|source| source["display_name"] == display_name);
    let name = found
        .and_then(|source| source["name"].as_str())
        .with_context(|| format!("{display_name} in {sources:?}"))?;
    Ok(format!("/{name}"))
}

pub(crate) async fn signed_in(dev: &Dev, look: Look) -> Result<Browser> {
    let browser = Browser::start(dev.endpoint("console")?, look).await?;
    browser.sign_in(&dev.secret("demo.token")?).await?;
    Ok(browser)
}

/// The address of a new draft, of which all is known that the steps ask for.
pub(crate) fn draft(dev: &Dev, name: &str) -> Result<String> {
    let mut create = vec!["source", "create", "--account", "demo", "--name", name, "--dataset", "events"];
    create.extend(["--bucket", BUCKET, "--path", "events", "--role-arn", ROLE]);
    let made = dev.ask(&create)?;
    Ok(format!("/{}", made[0]["name"].as_str().context("a draft")?))
}

/// Another console on the same registry, as a process of its own with these settings; and its address.
pub(crate) fn console(dev: &Dev, settings: &[&str]) -> Result<(Process, String)> {
    let listen = format!("127.0.0.1:{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let mut command = cortex()?;
    command.args(["console", "--console-listen", &listen, "--registry-url", dev.endpoint("registry")?]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let mut process = Process::start("console", command, dev.dir())?;
    until("the console to listen", PATIENCE, || {
        ensure!(process.is_running()?, "the console has ended: {}", process.tail(25));
        Ok(TcpStream::connect(&listen).is_ok())
    })?;
    Ok((process, format!("http://{listen}")))
}
