//! Files that are larger than a console takes: told in words, whether before or after they were sent.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::Dev;

use crate::demo::console;

/// More than connections hold by themselves between a browser and a console that does not read on.
const LARGE: usize = 64 << 20;

fn large(browser: &Browser) -> Result<PathBuf> {
    let path = browser.dir().join("large.csv");
    let mut file = File::create(&path)?;
    file.write_all(b"user_id,timestamp,type\n")?;
    let rows = b"u1,2026-11-23T10:00:00Z,view\n".repeat(40_000);
    for _ in 0..=LARGE / rows.len() {
        file.write_all(&rows)?;
    }
    Ok(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_is_refused_in_words_by_script_and_without() -> Result<()> {
    let dev = Dev::start(false)?;
    let (_console, address) = console(&dev, &["console_max_upload_bytes=1000000"])?;
    let token = dev.secret("demo.token")?;

    let browser = Browser::start(&address, Look { scripts: false, ..Look::default() }).await?;
    browser.sign_in(&token).await?;
    browser.goto("/accounts/demo/check").await?;
    browser.choose("#file", &large(&browser)?).await?;
    browser.press("Check this file").await?;
    browser.sees("This file is too large to be checked here").await?;
    browser.sees("Files up to 1.0 MB are checked in the browser.").await?;
    // The connection is as good as before.
    browser.follow("To the data sources").await?;
    browser.sees("Demo events").await?;

    // A session that is over by then leads to the sign-in, not to a broken connection.
    browser.goto("/accounts/demo/check").await?;
    browser.choose("#file", &large(&browser)?).await?;
    browser.session.devtools("Network.clearBrowserCookies", serde_json::json!({})).await?;
    browser.press("Check this file").await?;
    browser.find("#token").await?;
    browser.close().await?;

    let browser = Browser::start(&address, Look::default()).await?;
    browser.sign_in(&token).await?;
    browser.goto("/accounts/demo/check").await?;
    browser.choose("#file", &large(&browser)?).await?;
    browser.sees("This file is too large to be checked here.").await?;
    browser.press("Check this file").await?;
    ensure!(browser.path().await? == "/accounts/demo/check", "it was sent all the same");
    ensure!(browser.has("#file:invalid").await?, "nothing holds it back");
    browser.close().await
}
