//! The console in a real Chromium, against a running system: the five steps, a file as it is read, hostile content, what
//! keeps people out, and what keeps strangers out.
//!
//! `CORTEX_TEST_PICTURES` names a folder for a picture of each page, such as `docs/images`.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::{BUCKET, Dev, ROLE};
use end_to_end::process::{Process, cortex, until};

const PATIENCE: Duration = Duration::from_secs(180);

/// The date of today and days before, in UTC.
fn date(days_ago: i64) -> String {
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    today.saturating_sub(jiff::Span::new().days(days_ago)).to_string()
}

/// Rows of events under a header, every so many of which lacks its user.
fn events(rows: usize, broken_every: usize) -> String {
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
fn source_path(dev: &Dev, display_name: &str) -> Result<String> {
    let sources = dev.ask(&["source", "list", "demo"])?;
    let found = sources.iter().find(|source| source["display_name"] == display_name);
    let name = found
        .and_then(|source| source["name"].as_str())
        .with_context(|| format!("{display_name} in {sources:?}"))?;
    Ok(format!("/{name}"))
}

async fn signed_in(dev: &Dev, look: Look) -> Result<Browser> {
    let browser = Browser::start(dev.endpoint("console")?, look).await?;
    browser.sign_in(&dev.secret("demo.token")?).await?;
    Ok(browser)
}

/// Fills in the steps up to the test.
async fn steps_to_the_test(dev: &Dev, browser: &Browser, name: &str, scripts: bool) -> Result<()> {
    browser.follow("Add a data source").await?;
    browser.sees("Where are your files?").await?;
    browser.click("a.card").await?;
    browser.fill("#display_name", name).await?;
    browser.click("#dataset-events").await?;
    browser.press("Save and go on").await?;

    // The customer's own columns, from a sample whose headers are the customer's.
    let sample = dev.dir().join("sample.csv");
    std::fs::write(&sample, "userId,timestamp,type,price\nu1,2026-11-23T10:00:00Z,view,9.5\n")?;
    browser.choose("#file", &sample).await?;
    browser.press("Propose columns from this file").await?;
    browser.sees("These columns were proposed from your files").await?;
    let user = browser.value("input[name=from-0]").await?;
    ensure!(user == "userId", "{user}");
    browser.fill("input[name=from-0]", "user_id").await?;
    browser.press("Save and go on").await?;

    // Who leaves comes back to where they were.
    browser.goto("/").await?;
    browser.follow(name).await?;
    browser.sees("Columns").await?;
    let kept = browser.value("input[name=name-4]").await?;
    ensure!(kept == "price", "the draft has lost its columns: {kept}");
    browser.press("Save and go on").await?;

    browser.sees("Let Cortex read your bucket").await?;
    if scripts {
        browser.fill("#bucket", "Not_A_Bucket").await?;
        browser.sees("A bucket's name has 3 to 63").await?;
    }
    browser.fill("#bucket", BUCKET).await?;
    browser.fill("#path", "events").await?;
    browser.press("Show me the documents").await?;
    let trust = browser.text("#trust-policy").await?;
    let account = dev.ask(&["account", "show", "demo"])?.remove(0);
    let external_id = account["external_id"].as_str().context("an External ID")?;
    ensure!(trust.contains(external_id) && trust.contains("357420518195"), "{trust}");
    ensure!(
        browser.text("#iam-policy").await?.contains(&format!("arn:aws:s3:::{BUCKET}")),
        "no bucket in the policy"
    );
    ensure!(browser.has("a[href*='cortex-role.yaml'][download]").await?, "no template to download");
    ensure!(browser.has("a[href*='cortex-role.tf'][download]").await?, "no Terraform to download");
    browser.follow("I have the role's ARN: go on").await
}

/// All of it, by script or without.
async fn walk(dev: &Dev, scripts: bool) -> Result<()> {
    let browser = signed_in(dev, Look { scripts, ..Look::default() }).await?;
    let name = if scripts { "Clicks by script" } else { "Clicks without" };
    steps_to_the_test(dev, &browser, name, scripts).await?;

    // A role that is not there: the test says which step failed, and what to do.
    browser.fill("#role_arn", "arn:aws:iam::111122223333:role/not-there").await?;
    browser.press("Save and go on to the test").await?;
    browser.press("Test the connection").await?;
    browser.sees("Not connected yet.").await?;
    let failed = browser.text("ol.test li.bad").await?;
    ensure!(failed.contains("Cortex can take on the role") && failed.contains("What to do"), "{failed}");
    ensure!(!browser.has("form[action$='/activate']").await?, "what failed cannot be activated");

    browser.follow("Change bucket or role").await?;
    browser.fill("#role_arn", ROLE).await?;
    browser.press("Save and go on to the test").await?;
    browser.press("Test the connection").await?;
    browser.sees("All is well.").await?;
    browser.press("Activate").await?;
    browser.sees("The source is live").await?;
    let path = browser.path().await?;

    // It takes the bucket's files by itself.
    until("a file to be accepted", PATIENCE, || {
        let files = dev.ask(&["source", "files", path.trim_start_matches('/')])?;
        Ok(files.iter().any(|file| file["state"] == "FILE_STATE_ACCEPTED"))
    })?;
    browser.press("Pause").await?;
    browser.sees("The source is paused").await?;
    browser.press("Resume").await?;
    browser.sees("The source is live again").await?;
    browser.follow("Audit trail").await?;
    for words in ["Made as a draft", "Connection tested", "Made live", "Paused", "Resumed"] {
        browser.sees(words).await?;
    }
    browser.follow("Overview").await?;
    browser.follow("Delete…").await?;
    browser.press("Delete this source").await?;
    browser.sees("The source is deleted").await?;
    browser.follow("Deleted").await?;
    browser.press("Bring it back").await?;
    browser.sees("The source is back, paused").await?;
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_steps_lead_to_a_live_source_by_script_and_without() -> Result<()> {
    let dev = Dev::start(true)?;
    walk(&dev, true).await?;
    walk(&dev, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_seen_as_it_is_read_down_to_the_rows_that_were_refused() -> Result<()> {
    let dev = Dev::start(false)?;
    let source = source_path(&dev, "Demo events")?;
    let browser = signed_in(&dev, Look::default()).await?;
    browser.goto(&source).await?;
    browser.sees("No file has been found yet.").await?;
    // Each state that the page goes through is noted by the page itself.
    browser
        .run(
            "window.noted = []; new MutationObserver(() => { const bar = document.querySelector('#live progress'); \
             if (bar) window.noted.push(bar.hasAttribute('value') ? bar.value : -1); }) \
             .observe(document.getElementById('live'), { childList: true, subtree: true });",
        )
        .await?;
    let today = date(0);
    dev.put(&format!("events/{today}/large.csv"), events(300_000, 60_000).as_bytes())?;
    browser.sees("Accepted in part").await?;
    browser.sees("300,000").await?;
    let noted = browser.run("return window.noted").await?;
    let noted: Vec<f64> = noted.as_array().unwrap().iter().filter_map(serde_json::Value::as_f64).collect();
    let moved = noted.windows(2).filter(|pair| pair[1] > pair[0]).count();
    ensure!(moved >= 1, "the bar never moved: {noted:?}");

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

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_values_are_shown_and_run_nowhere() -> Result<()> {
    let dev = Dev::start(false)?;
    let source = source_path(&dev, "Demo events")?;
    let today = date(0);
    let long = "x".repeat(10_000);
    let script = "<script>window.pwned = 1</script><img src=x onerror=window.pwned=1>";
    let name = "<img src=x onerror='window.pwned=1'>\u{202e}vsc.exe&key=1#x.csv";
    let text = format!(
        "user_id,timestamp,type,\"{script}\"\n\
         {script},2026-11-23T10:00:00Z,view,{long}\n\
         \u{202e}evil,2026-11-23T10:00:00Z,view,\u{200b}\n\
         u3,{script},view,{long}\n"
    );
    dev.put(&format!("events/{today}/{name}"), text.as_bytes())?;
    dev.put("events/<b>not a date/a.csv", b"user_id\n")?;
    let browser = signed_in(&dev, Look::default()).await?;
    let harmless = async |what: &str| -> Result<()> {
        let found = browser
            .run("return [window.pwned ?? null, document.querySelectorAll('main img, main script, main b').length]")
            .await?;
        ensure!(found == serde_json::json!([null, 0]), "{what}: {found}");
        Ok(())
    };
    browser.goto(&source).await?;
    browser.sees("Accepted in part").await?;
    browser.sees("U+202E").await?;
    harmless("the overview").await?;
    browser.goto(&source).await?;
    browser.sees("Not in a dated folder").await?;
    browser.sees("<b>not a date").await?;
    harmless("the hints").await?;

    browser.click("#live table.files a").await?;
    browser.sees("As it stands in the file").await?;
    browser.sees("<script>window.pwned = 1</script>").await?;
    harmless("the file").await?;
    browser.goto(&format!("{source}/samples")).await?;
    browser.sees("10,000 characters").await?;
    browser.sees("U+202E").await?;
    harmless("the samples").await?;
    let width = browser
        .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        .await?;
    ensure!(width == 0, "the page itself scrolls sideways by {width}");

    // The same file, looked at before it is uploaded.
    let local = browser.dir().join("hostile.csv");
    std::fs::write(&local, &text)?;
    browser.goto("/accounts/demo/check").await?;
    browser.choose("#file", &local).await?;
    browser.press("Check this file").await?;
    browser.sees("This file would be taken, but for the rows below.").await?;
    browser.sees("invalid_type").await?;
    harmless("the check").await?;

    // A name that a person gives.
    browser.goto("/accounts/demo/new/s3").await?;
    browser.fill("#display_name", script).await?;
    browser.click("#dataset-items").await?;
    browser.press("Save and go on").await?;
    browser.sees("<script>window.pwned = 1</script>").await?;
    harmless("a source's name").await?;
    browser.goto("/accounts/demo/sources").await?;
    browser.sees("<script>window.pwned = 1</script>").await?;
    harmless("the list").await?;
    browser.close().await
}

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
    let draft = dev.ask(&[
        "source",
        "create",
        "--account",
        "demo",
        "--name",
        "Clicks of the shop",
        "--dataset",
        "events",
        "--bucket",
        BUCKET,
        "--path",
        "events",
        "--role-arn",
        ROLE,
    ])?;
    let draft = format!("/{}", draft[0]["name"].as_str().context("a draft")?);
    until("all files to be read", PATIENCE, || {
        let files = dev.ask(&["source", "files", events.trim_start_matches('/')])?;
        Ok(files.len() >= 36 && files.iter().all(|file| file.get("finish_time").is_some()))
    })?;
    let pictures = pictures()?;
    let mut obstacles = Vec::new();
    for (dark, width) in [(false, 1280), (true, 1280), (false, 390), (true, 390)] {
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
            let overflow = browser.run("return document.documentElement.scrollWidth - innerWidth").await?;
            if overflow.as_i64().unwrap_or_default() > 0 {
                obstacles.push(format!("{name}, {about}: wider than the screen by {overflow}"));
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

/// An answer of the console's, without a browser between.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// The value of the cookie that it sets, with its name.
    fn cookie(&self) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next())
    }

    /// The token of its first form.
    fn form_token(&self) -> Option<&str> {
        self.body.split_once("name=\"form_token\" value=\"")?.1.split('"').next()
    }
}

fn ask(console: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    let host = console.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    if !body.is_empty() {
        let _ = write!(
            request,
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a status")?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

fn sign_in(console: &str, token: &str) -> Result<String> {
    let answer =
        ask(console, "POST", "/sign-in", &[("Sec-Fetch-Site", "same-origin")], &format!("token={token}"))?;
    ensure!(answer.status == 303, "{}", answer.head);
    Ok(answer.cookie().context("a cookie")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_forged_forms_and_other_accounts_are_kept_out() -> Result<()> {
    let dev = Dev::start(false)?;
    let console = dev.endpoint("console")?.to_owned();
    let source = source_path(&dev, "Demo events")?;
    let own = sign_in(&console, &dev.secret("demo.token")?)?;
    let with = |cookie: &str, path: &str| ask(&console, "GET", path, &[("Cookie", cookie)], "");

    // Who is not signed in sees nothing, and comes back to where they wanted to go.
    let answer = ask(&console, "GET", &source, &[], "")?;
    ensure!(
        answer.status == 303 && answer.head.contains("location: /sign-in?next=%2Faccounts"),
        "{}",
        answer.head
    );
    ensure!(ask(&console, "GET", &format!("{source}/live"), &[], "")?.status == 401);
    let wrong = ask(&console, "POST", "/sign-in", &[], "token=cortex_wrong")?;
    ensure!(wrong.status == 403 && wrong.cookie().is_none(), "{}", wrong.head);

    let page = with(&own, &source)?;
    ensure!(page.status == 200, "{}", page.head);
    for header in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
        "x-content-type-options: nosniff",
        "cache-control: no-store",
        "frame-ancestors 'none'",
    ] {
        ensure!(page.head.contains(header), "{header} in {}", page.head);
    }
    for inline in [" style=", "<style", " onclick=", "<script>"] {
        ensure!(!page.body.contains(inline), "{inline} in the page");
    }
    let token = dev.secret("demo.token")?;
    ensure!(!page.body.contains(&token) && !own.contains(&token), "the token is shown");
    let signed = ask(&console, "POST", "/sign-in", &[], &format!("token={token}"))?;
    let cookie = signed.head.lines().find(|line| line.starts_with("set-cookie")).unwrap_or_default();
    ensure!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");

    // A change takes a form of the very session, from the console's own pages.
    let pause = format!("{source}/pause");
    let form = format!("form_token={}", page.form_token().context("a form")?);
    let refused = |headers: &[(&str, &str)], body: &str| -> Result<u16> {
        Ok(ask(&console, "POST", &pause, headers, body)?.status)
    };
    ensure!(refused(&[("Cookie", &own)], "x=y")? == 403, "a form without its token");
    ensure!(
        refused(&[("Cookie", &own), ("Sec-Fetch-Site", "cross-site")], &form)? == 403,
        "from another site"
    );
    ensure!(refused(&[("Cookie", &own), ("Origin", "https://evil.example")], &form)? == 403, "by its origin");
    let again = sign_in(&console, &token)?;
    ensure!(refused(&[("Cookie", &again)], &form)? == 403, "another session's form");
    ensure!(refused(&[], &form)? == 303, "no session: to the sign-in");
    let is_active = || -> Result<bool> {
        Ok(dev.ask(&["source", "show", source.trim_start_matches('/')])?[0]["state"] == "SOURCE_STATE_ACTIVE")
    };
    ensure!(is_active()?, "a forged form has paused the source");
    ensure!(refused(&[("Cookie", &own), ("Sec-Fetch-Site", "same-origin")], &form)? == 303);
    ensure!(!is_active()?, "the true form has not");

    // Another account's pages are not there; a token that may look only changes nothing.
    dev.ask(&["account", "create", "--id", "other"])?;
    let made = dev.ask(&["account", "token", "create", "other"])?;
    let other = sign_in(&console, made[0]["token"].as_str().context("a token")?)?;
    for path in [
        source.clone(),
        format!("{source}/files"),
        "/accounts/demo/sources".to_owned(),
        format!("{source}/audit"),
    ] {
        let answer = with(&other, &path)?;
        ensure!(answer.status == 404 && !answer.body.contains("Demo events"), "{path}: {}", answer.head);
    }
    let made = dev.ask(&["account", "token", "create", "demo", "--read-only"])?;
    let reader = sign_in(&console, made[0]["token"].as_str().context("a token")?)?;
    let page = with(&reader, &source)?;
    ensure!(page.status == 200 && !page.body.contains("/resume"), "a reader is offered what it may not do");
    let form = format!("form_token={}", page.form_token().context("a form")?);
    let resume = ask(&console, "POST", &format!("{source}/resume"), &[("Cookie", &reader)], &form)?;
    ensure!(resume.status == 403 && resume.body.contains("Your token may look"), "{}", resume.head);

    // A token that is revoked ends its session, and the sign-in says so.
    let id =
        made[0]["account_token"]["name"].as_str().or_else(|| made[0]["name"].as_str()).context("its name")?;
    dev.ask(&["account", "token", "revoke", id])?;
    let ended = with(&reader, &source)?;
    ensure!(ended.status == 303 && ended.head.contains("location: /sign-in?ended"), "{}", ended.head);
    ensure!(
        with(&reader, "/sign-in?ended=yes")?.body.contains("Your session has ended"),
        "no way to sign in again"
    );

    // A cookie that was tampered with is none.
    let mut forged = own.clone();
    forged.pop();
    ensure!(with(&forged, &source)?.status == 303);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_as_a_role_of_its_own_and_says_so_where_the_registry_is_gone() -> Result<()> {
    let dev = Dev::start(false)?;
    let logs = tempfile::tempdir()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = cortex()?;
    command.args(["console", "--console-listen", &listen, "--registry-url", dev.endpoint("registry")?]);
    let _console = Process::start("console", command, logs.path())?;
    let console = format!("http://{listen}");
    until("the console to listen", PATIENCE, || Ok(TcpStream::connect(&listen).is_ok()))?;
    let cookie = sign_in(&console, &dev.secret("demo.token")?)?;
    let page = ask(&console, "GET", "/accounts/demo/sources", &[("Cookie", &cookie)], "")?;
    ensure!(page.status == 200 && page.body.contains("Demo events"), "{}", page.body);
    drop(dev);
    until("the page to say so", PATIENCE, || {
        let page = ask(&console, "GET", "/accounts/demo/sources", &[("Cookie", &cookie)], "")?;
        Ok(page.status == 503 && page.body.contains("Cortex cannot be reached at the moment"))
    })
}
