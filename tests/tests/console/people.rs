//! Nothing keeps people out: axe-core on every page in both schemes and at several widths, keys alone.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::Dev;
use end_to_end::process::until;

use crate::demo::{PATIENCE, date, draft, events, signed_in, source_path};

/// Weeks of files, each written on its day: some late, one missing, some with refused rows.
fn history(dev: &Dev) -> Result<()> {
    for days_ago in 1..34_i64 {
        if days_ago == 4 {
            continue;
        }
        let date = date(days_ago);
        let rows = 400 + usize::try_from(days_ago * 37 % 23).unwrap_or_default() * 30;
        let path = dev.put(
            &format!("events/{date}/clicks.csv"),
            events(rows, if days_ago % 5 == 0 { 9 } else { 0 }).as_bytes(),
        )?;
        let hour = if days_ago == 9 { 20 } else { 6 };
        let midnight: jiff::civil::Date = date.parse()?;
        let at = midnight.to_zoned_datetime(jiff::tz::TimeZone::UTC)?.timestamp().as_second() + hour * 3_600;
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at)?);
        std::fs::File::options().write(true).open(path)?.set_modified(at)?;
    }
    dev.put(&format!("events/{}/broken.csv.gz", date(0)), b"this is no gzip")?;
    dev.put("events/23-11-2026/a.csv", b"user_id\n")?;
    Ok(())
}

/// How many tables must be moved sideways to be read.
const HALF_SEEN_TABLES: &str = "return [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth).length";

/// Every page: its name among the pictures, and its path.
fn pages(events: &str, draft: &str) -> Vec<(&'static str, String)> {
    let today = date(0);
    vec![
        ("sources", "/accounts/demo/sources".to_owned()),
        ("sources-deleted", "/accounts/demo/sources?state=deleted".to_owned()),
        ("step-1-platform", "/accounts/demo/new".to_owned()),
        ("step-2-data", "/accounts/demo/new/s3".to_owned()),
        ("step-2-columns", format!("{draft}/setup/columns")),
        ("step-3-authorise", format!("{draft}/setup/authorise")),
        ("step-4-connect", format!("{draft}/setup/connect")),
        ("step-5-activate", format!("{draft}/setup/test")),
        ("source", events.to_owned()),
        ("files", format!("{events}/files")),
        ("file", format!("{events}/file?key=events/{}/clicks.csv", date(5))),
        ("file-rejected", format!("{events}/file?key=events/{today}/broken.csv.gz")),
        ("day", format!("{events}/days/{}", date(5))),
        ("samples", format!("{events}/samples")),
        ("schema", format!("{events}/schema")),
        ("settings", format!("{events}/settings")),
        ("audit", format!("{events}/audit")),
        ("delete", format!("{events}/delete")),
        ("check", "/accounts/demo/check".to_owned()),
        ("sample-file", "/samples/events.csv/view".to_owned()),
        ("not-found", "/nothing/here".to_owned()),
    ]
}

fn pictures() -> Result<Option<PathBuf>> {
    let Some(folder) = std::env::var_os("CORTEX_TEST_PICTURES") else { return Ok(None) };
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder)?;
    Ok(Some(folder))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_keeps_people_out_in_either_scheme_and_at_any_width() -> Result<()> {
    let dev = Dev::start(true)?;
    history(&dev)?;
    let events = source_path(&dev, "Demo events")?;
    let draft = draft(&dev, "Clicks of the shop")?;
    until("all files to be read", PATIENCE, || {
        let files = dev.ask(&["source", "files", events.trim_start_matches('/')])?;
        Ok(files.len() >= 36 && files.iter().all(|file| file.get("finish_time").is_some()))
    })?;
    let pictures = pictures()?;
    let mut obstacles = Vec::new();
    for (dark, width) in [(false, 1280), (true, 1280), (false, 375), (true, 375)] {
        let look = Look { dark, width, ..Look::default() };
        let browser = Browser::start(dev.endpoint("console")?, look).await?;
        let about = format!(
            "{}-{}",
            if dark { "dark" } else { "light" },
            if width > 600 { "wide" } else { "narrow" }
        );
        let mut look_at = async |name: &str| -> Result<()> {
            obstacles
                .extend(browser.obstacles().await?.into_iter().map(|one| format!("{name}, {about}: {one}")));
            let over = browser.sideways().await?;
            if over > 0 {
                obstacles.push(format!("{name}, {about}: wider than the screen by {over}"));
            }
            if width < 600 && browser.run(HALF_SEEN_TABLES).await? != 0 {
                obstacles.push(format!("{name}, {about}: a table is not seen whole"));
            }
            if let Some(folder) = &pictures {
                browser.picture(&folder.join(format!("{name}-{about}.png"))).await?;
            }
            Ok(())
        };
        browser.goto("/sign-in").await?;
        look_at("sign-in").await?;
        browser.sign_in(&dev.secret("demo.token")?).await?;
        for (name, path) in pages(&events, &draft) {
            browser.goto(&path).await?;
            look_at(name).await?;
        }
        browser.goto(&format!("{draft}/setup/test")).await?;
        browser.press("Test the connection").await?;
        browser.sees("All is well.").await?;
        look_at("step-5-tested").await?;
        let file = browser.dir().join("clicks.csv");
        std::fs::write(&file, self::events(40, 9))?;
        browser.goto("/accounts/demo/check").await?;
        browser.choose("#file", &file).await?;
        browser.press("Check this file").await?;
        browser.sees("but for the rows below").await?;
        look_at("checked").await?;
        browser.press("Sign out").await?;
        browser.find("#token").await?;
        browser.sign_in(&dev.secret("admin.token")?).await?;
        browser.goto("/accounts").await?;
        look_at("accounts").await?;
        browser.close().await?;
    }
    ensure!(obstacles.is_empty(), "{}", obstacles.join("\n"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_used_by_keys_alone() -> Result<()> {
    let dev = Dev::start(false)?;
    let browser = signed_in(&dev, Look::default()).await?;
    browser.goto("/accounts/demo/sources").await?;
    // Tab by tab: each stop is seen, has a name, and the first leads to the content.
    let mut stops = Vec::new();
    for _ in 0..12 {
        browser.key("\u{e004}").await?;
        let stop = browser
            .run(
                "const at = document.activeElement, style = getComputedStyle(at); \
                 return [at.tagName, (at.getAttribute('aria-label') ?? at.textContent).trim(), style.outlineStyle];",
            )
            .await?;
        ensure!(stop[2] == "solid", "the focus is not seen at {stop}");
        ensure!(stop[1].as_str().is_some_and(|name| !name.is_empty()), "no name: {stop}");
        stops.push(stop[1].as_str().unwrap_or_default().to_owned());
    }
    ensure!(stops[0] == "To the content", "{stops:?}");
    for needed in ["Data sources", "Check a file", "Sign out", "Add a data source"] {
        ensure!(stops.iter().any(|stop| stop == needed), "{needed} is not reached: {stops:?}");
    }
    browser.close().await
}
