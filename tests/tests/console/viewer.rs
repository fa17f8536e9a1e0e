//! What scripts add for who looks: times in their zone, and files that are dropped.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::Dev;
use end_to_end::process::until;
use end_to_end::webdriver::By;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::demo::{PATIENCE, date, draft, events, signed_in, source_path};

/// Each point in time on the page, and how it is shown.
async fn times(browser: &Browser) -> Result<BTreeMap<Timestamp, String>> {
    let mut times = BTreeMap::new();
    for time in browser.session.find_all(By::Css("time")).await? {
        let at = browser.session.property(&time, "dateTime").await?;
        let at: Timestamp = at.as_str().context("a time")?.parse()?;
        // Chromium sets a narrow space before AM and PM.
        times.insert(at, browser.session.text(&time).await?.replace('\u{202f}', " "));
    }
    Ok(times)
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_shown_in_the_viewers_own_zone() -> Result<()> {
    let dev = Dev::start(false)?;
    let source = source_path(&dev, "Demo events")?;
    let mut shown = Vec::new();
    for (zone, name) in [("Asia/Kolkata", "first.csv"), ("America/Los_Angeles", "second.csv")] {
        let browser = signed_in(&dev, Look { zone: Some(zone), ..Look::default() }).await?;
        dev.put(&format!("events/{}/{name}", date(0)), events(10, 0).as_bytes())?;
        until("the file to be read", PATIENCE, || {
            let files = dev.ask(&["source", "files", source.trim_start_matches('/')])?;
            let is_read = |file: &serde_json::Value| {
                file.get("finish_time").is_some()
                    && file["object_key"].as_str().is_some_and(|key| key.ends_with(name))
            };
            Ok(files.iter().any(is_read))
        })?;
        browser.goto(&format!("{source}/files")).await?;
        let times = times(&browser).await?;
        ensure!(!times.is_empty(), "no times on the page");
        let expected = |at: &Timestamp| -> Result<String> {
            Ok(at.in_tz(zone)?.strftime("%b %-d, %Y, %I:%M %p").to_string())
        };
        for (at, text) in &times {
            ensure!(*text == expected(at)?, "{at} in {zone} is shown as {text}");
        }
        shown.push(times);
        browser.close().await?;
    }
    let both: Vec<_> = shown[0].keys().filter(|at| shown[1].contains_key(at)).collect();
    ensure!(!both.is_empty() && both.iter().all(|at| shown[0][at] != shown[1][at]), "{shown:?}");

    let browser = signed_in(&dev, Look { scripts: false, ..Look::default() }).await?;
    browser.goto(&format!("{source}/files")).await?;
    for (at, text) in times(&browser).await? {
        let utc = at.to_zoned_datetime(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
        ensure!(text == utc, "{at} without script is shown as {text}");
    }
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn times_that_come_later_are_in_the_viewers_zone_too() -> Result<()> {
    let dev = Dev::start(false)?;
    let source = source_path(&dev, "Demo events")?;
    let browser = signed_in(&dev, Look { zone: Some("Asia/Kolkata"), ..Look::default() }).await?;
    browser.goto(&source).await?;
    browser.sees("No file has been found yet.").await?;
    dev.put(&format!("events/{}/later.csv", date(0)), events(10, 0).as_bytes())?;
    browser.find("#live table.files time").await?;
    let text = browser.text("#live table.files time").await?;
    ensure!(text.ends_with("AM") || text.ends_with("PM"), "it is shown as {text}");
    browser.close().await
}

/// Drops a file of this text on an element; gives whether the browser is left to open it, which file the form has then, and
/// whether the field said that it would take it.
async fn drop_file(browser: &Browser, on: &str, name: &str, text: &str) -> Result<serde_json::Value> {
    let (on, name, text) = (serde_json::json!(on), serde_json::json!(name), serde_json::json!(text));
    let script = format!(
        "const target = document.querySelector({on}), dataTransfer = new DataTransfer(); \
         dataTransfer.items.add(new File([{text}], {name})); \
         const fire = (kind) => target.dispatchEvent(new DragEvent(kind, {{ bubbles: true, cancelable: true, dataTransfer }})); \
         fire('dragover'); const isOffered = target.classList.contains('over'); \
         const isOpened = fire('drop'); \
         return [isOpened, document.getElementById('file').files[0]?.name ?? null, isOffered];"
    );
    browser.run(&script).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_dropped_is_checked_and_its_columns_proposed() -> Result<()> {
    let dev = Dev::start(false)?;
    let draft = draft(&dev, "Dropped")?;
    let browser = signed_in(&dev, Look::default()).await?;
    browser.goto("/accounts/demo/check").await?;
    let missed = drop_file(&browser, "h1", "missed.csv", "a\n1\n").await?;
    ensure!(missed == serde_json::json!([false, null, false]), "beside the field: {missed}");
    let dropped = drop_file(&browser, "[data-drop]", "dropped.csv", &events(40, 9)).await?;
    ensure!(dropped == serde_json::json!([false, "dropped.csv", true]), "{dropped}");
    browser.press("Check this file").await?;
    browser.sees("This file would be taken, but for the rows below.").await?;
    browser.sees("dropped.csv").await?;

    browser.goto(&format!("{draft}/setup/columns")).await?;
    drop_file(&browser, "[data-drop]", "own.csv", "user_id,timestamp,type,colour\nu1,2026-11-23,view,red\n")
        .await?;
    browser.press("Propose columns from this file").await?;
    browser.sees("These columns were proposed from your files").await?;
    ensure!(
        browser.value("input[name=name-4]").await? == "colour"
            || browser.value("input[name=name-3]").await? == "colour",
        "its column is not there"
    );
    browser.close().await
}
