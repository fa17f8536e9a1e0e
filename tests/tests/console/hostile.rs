//! Content that would rather run, or be taken for something else.

use anyhow::{Result, ensure};
use end_to_end::browser::Look;
use end_to_end::dev::Dev;

use crate::demo::{date, signed_in, source_path};

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
    let width = browser.sideways().await?;
    ensure!(width == 0, "the page itself scrolls sideways by {width}");

    // Were something not escaped, it would still not run: the browser holds the page to its policy.
    browser
        .run(
            "const inline = document.createElement('script'); inline.textContent = 'window.pwned = 1'; \
             const image = document.createElement('div'); \
             image.innerHTML = '<img src=\"/nothing\" onerror=\"window.pwned = 1\">'; \
             document.body.append(inline, image);",
        )
        .await?;
    harmless("the policy").await?;

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
