//! The operator's token opens every account.

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::dev::Dev;

use crate::direct::{ask, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_every_account_and_no_one_else_does() -> Result<()> {
    let dev = Dev::start(false)?;
    dev.ask(&["account", "create", "--id", "other", "--name", "<b>Another</b> shop"])?;
    let browser = Browser::start(dev.endpoint("console")?, Look::default()).await?;
    browser.sign_in(&dev.secret("admin.token")?).await?;
    ensure!(browser.path().await? == "/accounts", "the operator begins at the accounts");
    browser.sees("<b>Another</b> shop").await?;
    browser.follow("<b>Another</b> shop").await?;
    browser.sees("Connect your first bucket").await?;
    ensure!(browser.path().await? == "/accounts/other/sources", "{}", browser.path().await?);
    browser.sees("Account other").await?;
    browser.follow("Accounts").await?;
    browser.click("a[href='/accounts/demo/sources']").await?;
    browser.sees("Demo events").await?;
    browser.close().await?;

    // A token of an account opens that account, and knows of no other.
    let console = dev.endpoint("console")?;
    let made = dev.ask(&["account", "token", "create", "other"])?;
    let cookie = sign_in(console, made[0]["token"].as_str().context("a token")?)?;
    for path in ["/accounts", "/accounts/demo/sources", "/accounts/demo/check"] {
        let answer = ask(console, "GET", path, &[("Cookie", &cookie)], "")?;
        ensure!(matches!(answer.status, 403 | 404), "{path}: {}", answer.head);
        ensure!(!answer.body.contains("demo") && !answer.body.contains("Demo"), "{path}: {}", answer.body);
    }
    Ok(())
}
