//! The documents that make a role, as a browser gets them: copied, and downloaded.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::{BUCKET, Dev};
use serde_json::{Value, json};

use crate::demo::{PATIENCE, draft, signed_in};

/// The platform's account in `cortex dev`.
const PLATFORM: &str = "357420518195";
const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// The page of a new draft, with all that can be copied in sight.
async fn documents(dev: &Dev) -> Result<Browser> {
    let draft = draft(dev, "Documents")?;
    let browser = signed_in(dev, Look::default()).await?;
    browser.goto(&format!("{draft}/setup/authorise")).await?;
    browser.fill("#kms_key_arn", KEY).await?;
    browser.press("Make them anew").await?;
    // These name the key: they are the new ones.
    browser.find("#documents a[href*=kms_key_arn]").await?;
    unfold(&browser).await?;
    Ok(browser)
}

async fn unfold(browser: &Browser) -> Result<()> {
    let script = "for (const way of document.querySelectorAll('details[name=way]')) { way.name = ''; way.open = true; }";
    browser.run(script).await.map(drop)
}

/// What an element holds, to the letter.
async fn content(browser: &Browser, id: &str) -> Result<String> {
    let text = browser.run(&format!("return document.getElementById('{id}').textContent")).await?;
    Ok(text.as_str().context("text")?.to_owned())
}

fn external_id(dev: &Dev) -> Result<String> {
    let account = dev.ask(&["account", "show", "demo"])?.remove(0);
    Ok(account["external_id"].as_str().context("an External ID")?.to_owned())
}

/// The trust policy lets this platform in, with this External ID alone.
fn trusts(trust: &Value, external_id: &str) -> Result<()> {
    let [statement] = &trust["Statement"].as_array().context("statements")?[..] else {
        anyhow::bail!("{trust}");
    };
    ensure!(statement["Principal"]["AWS"] == format!("arn:aws:iam::{PLATFORM}:root"), "{trust}");
    ensure!(statement["Condition"]["StringEquals"]["sts:ExternalId"] == external_id, "{trust}");
    ensure!(statement["Effect"] == "Allow" && statement["Action"] == "sts:AssumeRole", "{trust}");
    Ok(())
}

/// The permissions open this folder of this bucket, and its key.
fn opens(policy: &Value) -> Result<()> {
    let statements = policy["Statement"].as_array().context("statements")?;
    let resource = |action: &str| {
        let found = statements.iter().find(|one| one["Action"] == action);
        found.map(|one| one["Resource"].clone()).unwrap_or_default()
    };
    ensure!(resource("s3:GetObject") == format!("arn:aws:s3:::{BUCKET}/events/*"), "{policy}");
    ensure!(resource("s3:ListBucket") == format!("arn:aws:s3:::{BUCKET}"), "{policy}");
    ensure!(resource("kms:Decrypt") == KEY, "{policy}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_is_what_is_shown() -> Result<()> {
    let dev = Dev::start(false)?;
    let browser = documents(&dev).await?;
    browser.clipboard(true).await?;
    let ids = browser
        .run("return [...document.querySelectorAll('main button[data-copy]')].map((one) => one.dataset.copy)")
        .await?;
    let all = [
        "iam-policy",
        "trust-policy",
        "platform-account",
        "external-id",
        "cloudformation",
        "terraform",
        "aws-cli",
    ];
    ensure!(ids == json!(all), "{ids}");
    for id in all {
        let shown = content(&browser, id).await?;
        ensure!(!shown.is_empty(), "{id} is empty");
        browser.click(&format!("button[data-copy={id}]")).await?;
        let begun = Instant::now();
        while browser.copied().await? != shown {
            ensure!(begun.elapsed() < PATIENCE, "{id}: {:?} was copied", browser.copied().await?);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    browser.click("button[data-copy=trust-policy]").await?;
    browser.sees("Copied").await?;
    let id = external_id(&dev)?;
    trusts(&serde_json::from_str(&content(&browser, "trust-policy").await?)?, &id)?;
    opens(&serde_json::from_str(&content(&browser, "iam-policy").await?)?)?;
    ensure!(content(&browser, "external-id").await? == id);
    ensure!(content(&browser, "platform-account").await? == PLATFORM);

    // Where a browser forbids it, all is selected for the viewer to copy.
    browser.clipboard(false).await?;
    browser.click("button[data-copy=trust-policy]").await?;
    browser.sees("Selected: press Ctrl+C").await?;
    let selected = browser.run("return getSelection().toString()").await?;
    let shown = content(&browser, "trust-policy").await?;
    ensure!(selected.as_str().is_some_and(|text| text.trim() == shown.trim()), "{selected}");
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_downloaded_makes_the_role_that_is_shown() -> Result<()> {
    let dev = Dev::start(false)?;
    let browser = documents(&dev).await?;
    let id = external_id(&dev)?;

    let template = browser.download("a[href*='cortex-role.yaml']", "cortex-role.yaml").await?;
    ensure!(template == content(&browser, "cloudformation").await?, "{template}");
    let template: Value = serde_yaml_ng::from_str(&template)?;
    let role = &template["Resources"]["CortexRole"];
    ensure!(role["Type"] == "AWS::IAM::Role", "{template}");
    trusts(&role["Properties"]["AssumeRolePolicyDocument"], &id)?;
    opens(&role["Properties"]["Policies"][0]["PolicyDocument"])?;

    let module = browser.download("a[href*='cortex-role.tf']", "cortex-role.tf").await?;
    ensure!(module == content(&browser, "terraform").await?, "{module}");
    let body = hcl::parse(&module)?;
    trusts(&encoded(&body, "aws_iam_role", "assume_role_policy")?, &id)?;
    opens(&encoded(&body, "aws_iam_role_policy", "policy")?)?;

    let script = browser.download("a[href*='cortex-role.sh']", "cortex-role.sh").await?;
    ensure!(script.contains(&id) && script.contains(PLATFORM) && script.contains(BUCKET), "{script}");
    browser.close().await
}

/// The document that an attribute of a resource gives to `jsonencode`.
fn encoded(body: &hcl::Body, resource: &str, attribute: &str) -> Result<Value> {
    let block = body.blocks().find(|block| block.labels.first().is_some_and(|one| one.as_str() == resource));
    let attribute = block.and_then(|block| block.body.attributes().find(|one| one.key.as_str() == attribute));
    let Some(hcl::Expression::FuncCall(call)) = attribute.map(|one| &one.expr) else {
        anyhow::bail!("{resource} encodes nothing");
    };
    ensure!(call.name.name.as_str() == "jsonencode", "{call:?}");
    let text = format!("it = {}\n", hcl::format::to_string(&call.args[0])?);
    let mut encoded: Value = hcl::from_str(&text)?;
    Ok(encoded["it"].take())
}
