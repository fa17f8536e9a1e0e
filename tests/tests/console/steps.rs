//! The five steps, from the empty form to a live source.

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::{BUCKET, Dev, ROLE};
use end_to_end::process::until;

use crate::demo::{PATIENCE, signed_in};

/// What the documents must name.
pub(crate) struct Named {
    pub(crate) external_id: String,
    pub(crate) platform: &'static str,
    pub(crate) bucket: &'static str,
}

/// Fills in the steps up to the role's ARN.
pub(crate) async fn steps_to_the_role(
    browser: &Browser,
    named: &Named,
    name: &str,
    scripts: bool,
) -> Result<()> {
    browser.follow("Add a data source").await?;
    browser.sees("Where are your files?").await?;
    browser.click("a.card").await?;
    browser.fill("#display_name", name).await?;
    browser.click("#dataset-events").await?;
    browser.press("Save and go on").await?;

    // The customer's own columns, from a sample whose headers are the customer's.
    let sample = browser.dir().join("sample.csv");
    std::fs::write(&sample, "userId,timestamp,type,price\nu1,2026-11-23T10:00:00Z,view,9.5\n")?;
    browser.choose("#file", &sample).await?;
    browser.press("Propose columns from this file").await?;
    browser.sees("These columns were proposed from your files").await?;
    let user = browser.value("input[name=from-0]").await?;
    ensure!(user == "userId", "{user}");
    browser.fill("input[name=from-0]", "user_id").await?;
    browser.press("Save and go on").await?;
    browser.sees("Let Cortex read your bucket").await?;

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
    browser.fill("#bucket", named.bucket).await?;
    browser.fill("#path", "events").await?;
    browser.press("Show me the documents").await?;
    let trust = browser.text("#trust-policy").await?;
    ensure!(trust.contains(&named.external_id) && trust.contains(named.platform), "{trust}");
    ensure!(
        browser.text("#iam-policy").await?.contains(&format!("arn:aws:s3:::{}", named.bucket)),
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
    let account = dev.ask(&["account", "show", "demo"])?.remove(0);
    let external_id = account["external_id"].as_str().context("an External ID")?.to_owned();
    let named = Named { external_id, platform: "357420518195", bucket: BUCKET };
    steps_to_the_role(&browser, &named, name, scripts).await?;

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
