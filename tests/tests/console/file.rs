//! The life of a file on the page of its source.

use anyhow::{Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::Dev;
use end_to_end::process::until;

use crate::demo::{PATIENCE, date, events, signed_in, source_path};

/// Has the page itself note each state of its progress bar.
pub(crate) async fn watch_the_bar(browser: &Browser) -> Result<()> {
    let script = "window.noted = []; new MutationObserver(() => { \
             const bar = document.querySelector('#live progress'); \
             if (bar) window.noted.push(bar.hasAttribute('value') ? bar.value : -1); \
         }).observe(document.getElementById('live'), { childList: true, subtree: true });";
    browser.run(script).await.map(drop)
}

/// The states that it was in since; -1 where it did not know how far it is.
pub(crate) async fn noted_of_the_bar(browser: &Browser) -> Result<Vec<f64>> {
    let noted = browser.run("return window.noted").await?;
    Ok(noted.as_array().into_iter().flatten().filter_map(serde_json::Value::as_f64).collect())
}

/// How often a bar moved on.
pub(crate) fn moves(noted: &[f64]) -> usize {
    noted.windows(2).filter(|pair| pair[1] > pair[0]).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_seen_as_it_is_read_down_to_the_rows_that_were_refused() -> Result<()> {
    let dev = Dev::start(false)?;
    let source = source_path(&dev, "Demo events")?;
    let browser = signed_in(&dev, Look::default()).await?;
    browser.goto(&source).await?;
    browser.sees("No file has been found yet.").await?;
    watch_the_bar(&browser).await?;
    let today = date(0);
    dev.put(&format!("events/{today}/large.csv"), events(300_000, 60_000).as_bytes())?;
    browser.sees("Accepted in part").await?;
    browser.sees("300,000").await?;
    let noted = noted_of_the_bar(&browser).await?;
    ensure!(moves(&noted) >= 1, "the bar never moved: {noted:?}");

    browser.click("#live table.files a").await?;
    browser.sees("Rejected rows").await?;
    let rows = browser.text("table.errors").await?;
    ensure!(rows.contains("60,000") && rows.contains("user_id") && rows.contains("missing_value"), "{rows}");
    ensure!(rows.contains(",2026-11-2"), "not the raw text: {rows}");
    browser.press("Read it again").await?;
    browser.sees("It is read again from its start").await?;

    browser.goto(&format!("{source}/days/{today}")).await?;
    until("the second version to be at rest", PATIENCE, || {
        let files = dev.ask(&["source", "files", source.trim_start_matches('/')])?;
        Ok(files.iter().all(|file| file.get("finish_time").is_some()) && files.len() == 2)
    })?;
    browser.press("Read this day again").await?;
    browser.sees("It is read again from its start").await?;
    until("the third version to be found", PATIENCE, || {
        Ok(dev.ask(&["source", "files", source.trim_start_matches('/')])?.len() == 3)
    })?;
    browser.close().await
}
