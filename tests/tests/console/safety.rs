//! Strangers, forged forms, other accounts.

use anyhow::{Context, Result, ensure};
use end_to_end::dev::Dev;

use crate::demo::source_path;
use crate::direct::{ask, sign_in};

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
