//! The demo account of a running `cortex dev`: what lies in its bucket, and who is signed in.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::Dev;

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
