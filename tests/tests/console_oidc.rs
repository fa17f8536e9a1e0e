//! Sign-in at an OpenID Connect provider: in a real Chromium at a real provider, and with answers that no real one gives.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use end_to_end::browser::{Browser, Look};
use end_to_end::process::{Process, cortex, until};
use end_to_end::system::System;
use serde_json::{Value, json};
use services::{IdentityProvider, TokenIssuer, TokenKey};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(180);
const ROLE: &str = "arn:aws:iam::111122223333:role/cortex-events";
/// What the console calls the provider: its name is someone's words too.
const NAME: &str = "Shop & Sons";

/// A registry and a console that take a provider's people, with two accounts and a source in each.
struct World {
    system: System,
    console: String,
    /// Resource names.
    sources: BTreeMap<&'static str, String>,
    _processes: [Process; 2],
    dir: TempDir,
}

impl World {
    fn start(listen: &str, issuer: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let database = format!("sqlite://{}?mode=rwc", dir.path().join("registry.db").display());
        let mut system = System::on(services::shared::kafka()?.bootstrap(), &database, "http://127.0.0.1:1")?;
        let (id, secret) = IdentityProvider::CLIENT;
        system.set("CORTEX_OIDC_ISSUER", issuer);
        system.set("CORTEX_OIDC_CLIENT_ID", id);
        let registry = system.registry()?;
        let file = dir.path().join("client-secret");
        std::fs::write(&file, format!("{secret}\n"))?;
        let console = console(listen, &system, issuer, &file, dir.path())?;
        let mut sources = BTreeMap::new();
        for (account, display_name) in [("shop", "Clicks of the shop"), ("other", "Clicks of another")] {
            system.ask(&["account", "create", "--id", account])?;
            let made = system.ask(&[
                "source",
                "create",
                "--account",
                account,
                "--name",
                display_name,
                "--dataset",
                "events",
                "--bucket",
                "a-bucket",
                "--path",
                "events",
                "--role-arn",
                ROLE,
            ])?;
            sources.insert(account, made[0]["name"].as_str().context("a source")?.to_owned());
        }
        let console_url = format!("http://{listen}");
        Ok(Self { system, console: console_url, sources, _processes: [registry, console], dir })
    }

    fn source(&self, account: &str) -> String {
        format!("/{}", self.sources[account])
    }

    /// What both have written down so far.
    fn logs(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("console.log")).unwrap_or_default()
            + &self.system.log("registry")
    }
}

fn console(listen: &str, system: &System, issuer: &str, secret: &Path, logs: &Path) -> Result<Process> {
    let mut command = cortex()?;
    command
        .arg("console")
        .env("CORTEX_CONSOLE_LISTEN", listen)
        .env("CORTEX_CONSOLE_URL", format!("http://{listen}"))
        .env("CORTEX_REGISTRY_URL", format!("http://{}", system.grpc_address()))
        .env("CORTEX_OIDC_ISSUER", issuer)
        .env("CORTEX_OIDC_CLIENT_ID", IdentityProvider::CLIENT.0)
        .env("CORTEX_OIDC_CLIENT_SECRET_FILE", secret)
        .env("CORTEX_OIDC_NAME", NAME)
        .env("CORTEX_OIDC_SCOPES", "openid,profile,email,groups");
    let process = Process::start("console", command, logs)?;
    until("the console to listen", PATIENCE, || Ok(TcpStream::connect(listen).is_ok()))?;
    Ok(process)
}

/// An address that was free a moment ago.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A browser without pages: its cookies, by their hosts.
#[derive(Default, Clone)]
struct Jar(BTreeMap<String, BTreeMap<String, String>>);

/// What makes a token wrong.
type Change = Box<dyn Fn(&mut Value)>;

struct Answer {
    status: u16,
    head: String,
    body: String,
    location: String,
}

impl Jar {
    fn get(&mut self, url: &str) -> Result<Answer> {
        self.ask("GET", url, "")
    }

    fn ask(&mut self, method: &str, url: &str, form: &str) -> Result<Answer> {
        let (host, path) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context("an address")?;
        let own = self.0.entry(host.to_owned()).or_default();
        let cookies: Vec<String> = own.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        let _ = write!(request, "Cookie: {}\r\nContent-Length: {}\r\n", cookies.join("; "), form.len());
        request.push_str("Content-Type: application/x-www-form-urlencoded\r\n\r\n");
        let mut stream = TcpStream::connect(host)?;
        stream.write_all((request + form).as_bytes())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").context("an answer")?;
        let field = |line: &str, name: &str| {
            let (own, value) = line.split_once(": ")?;
            own.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        for cookie in head.lines().filter_map(|line| field(line, "set-cookie")) {
            let (name, value) =
                cookie.split(';').next().unwrap_or_default().split_once('=').context("a cookie")?;
            if cookie.to_ascii_lowercase().contains("max-age=0") || value.is_empty() {
                own.remove(name);
            } else {
                own.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = head.lines().find_map(|line| field(line, "location")).unwrap_or_default();
        let location = if location.starts_with('/') { format!("http://{host}{location}") } else { location };
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a status")?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned(), location })
    }

    /// True where the console keeps a session here.
    fn is_signed_in(&mut self, console: &str) -> Result<bool> {
        Ok(self.get(&format!("{console}/accounts/shop/sources"))?.status == 200)
    }

    /// Signs in at the real provider; gives the callback that it leads back to.
    fn at_provider(&mut self, begun: &str, login: &str) -> Result<String> {
        let form = self.get(begun)?.location;
        let entered = self.ask("POST", &form, &format!("prompt=login&login={login}&password=any"))?;
        let back = self.get(&entered.location)?;
        ensure!(back.location.contains("/sign-in/callback?code="), "{}", back.head);
        Ok(back.location)
    }
}

fn people() -> Value {
    let person = |address: &str, groups: &[&str]| json!({ "email": address, "email_verified": true, "groups": groups, "name": "<b>Someone</b>" });
    json!({
        "ann": person("ann@shop.example", &["staff", "cortex:shop"]),
        "bob": person("bob@shop.example", &["staff"]),
        "eve": person("eve@other.example", &["cortex:other:read-only"]),
        "max": person("max@both.example", &["cortex:other:read-only", "cortex:shop"]),
    })
}

fn provider(listen: &str) -> Result<IdentityProvider> {
    let console = format!("http://{listen}");
    IdentityProvider::start(&format!("{console}/sign-in/callback"), &format!("{console}/sign-in"), people())
}

async fn sign_in(browser: &Browser, login: &str) -> Result<()> {
    browser.follow(&format!("Sign in with {NAME}")).await?;
    browser.fill("input[name=login]", login).await?;
    browser.fill("input[name=password]", "any").await?;
    browser.press("Sign-in").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_at_the_provider_and_sees_their_own_accounts_alone() -> Result<()> {
    let listen = free_address()?;
    let provider = provider(&listen)?;
    let world = World::start(&listen, provider.issuer())?;
    let browser = Browser::start(&world.console, Look::default()).await?;

    // From a page that they wanted, and back to it.
    let own = world.source("shop");
    browser.goto(&own).await?;
    let obstacles = browser.obstacles().await?;
    ensure!(obstacles.is_empty(), "{}", obstacles.join("\n"));
    sign_in(&browser, "ann").await?;
    browser.sees("Clicks of the shop").await?;
    ensure!(browser.path().await?.starts_with(&own), "{}", browser.path().await?);
    browser.sees("ann@shop.example").await?;
    browser.goto("/").await?;
    browser.sees("Clicks of the shop").await?;
    let said = browser.said().await.unwrap_or_default();
    ensure!(!said.contains("Clicks of another"), "{said}");
    for foreign in [world.source("other"), "/accounts/other/sources".to_owned()] {
        browser.goto(&foreign).await?;
        browser.sees("There is nothing here").await?;
    }

    // What they do is theirs in the audit trail.
    browser.goto("/accounts/shop/new/s3").await?;
    browser.fill("#display_name", "Made by Ann").await?;
    browser.click("#dataset-events").await?;
    browser.press("Save and go on").await?;
    browser.sees("Made by Ann").await?;
    let entries = world.system.ask(&["account", "audit", "shop"])?;
    let made = entries.iter().any(|one| one["actor"] == "oidc:ann" && one["action"] == "source.create");
    ensure!(made, "{entries:?}");

    // Signed out here, then at the provider, which asks for a name from then on.
    browser.press("Sign out").await?;
    browser.sees("You are signed out here.").await?;
    browser.goto(&own).await?;
    browser.sees(&format!("Sign in with {NAME}")).await?;
    browser.goto("/sign-in?out=yes").await?;
    browser.follow(&format!("Sign out of {NAME}")).await?;
    browser.press("Yes, sign me out").await?;
    browser.sees(&format!("Sign in with {NAME}")).await?;
    ensure!(browser.path().await? == "/sign-in", "{}", browser.path().await?);

    // Someone who has no account is told so, and someone with several chooses.
    sign_in(&browser, "bob").await?;
    browser.sees("no account of Cortex is open to you").await?;
    browser.close().await?;
    let browser = Browser::start(&world.console, Look::default()).await?;
    browser.goto("/sign-in").await?;
    sign_in(&browser, "max").await?;
    browser.sees("Accounts").await?;
    browser.follow("other").await?;
    browser.sees("Clicks of another").await?;
    browser.sees("Read only").await?;
    ensure!(!browser.has("a[href='/accounts/other/new']").await?, "a reader is offered what it may not do");
    browser.goto("/accounts").await?;
    browser.follow("shop").await?;
    browser.sees("Add a data source").await?;
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_of_the_browser_that_began_it_and_of_it_once() -> Result<()> {
    let listen = free_address()?;
    let provider = provider(&listen)?;
    let world = World::start(&listen, provider.issuer())?;
    let console = &world.console;
    let mut ann = Jar::default();
    let begun = ann.get(&format!("{console}/sign-in/provider?next=/accounts/shop/sources"))?;
    ensure!(begun.status == 303 && begun.location.starts_with(provider.issuer()), "{}", begun.head);
    let cookie = begun.head.lines().find(|line| line.starts_with("set-cookie")).unwrap_or_default();
    ensure!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let callback = ann.at_provider(&begun.location, "ann")?;

    // In another browser it signs no one in: not one without, and not one with a sign-in of its own.
    let browser = Browser::start(console, Look::default()).await?;
    let path = callback.strip_prefix(console.as_str()).context("a callback here")?;
    browser.goto(path).await?;
    browser.sees("This sign-in was not begun in this browser").await?;
    browser.goto("/sign-in/provider").await?;
    browser.find("input[name=login]").await?;
    browser.goto(path).await?;
    browser.sees("This sign-in was not begun in this browser").await?;
    browser.goto("/").await?;
    browser.sees(&format!("Sign in with {NAME}")).await?;
    browser.close().await?;

    // A forged state, in the very browser: refused, and the sign-in is over.
    let mut forged = ann.clone();
    let own_state =
        callback.split("state=").nth(1).and_then(|rest| rest.split('&').next()).context("a state")?;
    let answer = forged.get(&callback.replace(own_state, "forged"))?;
    ensure!(answer.status == 403 && !forged.is_signed_in(console)?, "{}", answer.head);
    ensure!(forged.get(&callback)?.status == 403, "a sign-in that is over was gone on with");

    // The true one, once.
    let before = ann.clone();
    let answer = ann.get(&callback)?;
    ensure!(answer.status == 303 && answer.location.ends_with("/accounts/shop/sources"), "{}", answer.head);
    ensure!(ann.is_signed_in(console)?);
    ensure!(ann.get(&callback)?.status == 403, "played again in the same browser");
    let mut again = before;
    let answer = again.get(&callback)?;
    ensure!(
        answer.status == 502 && answer.body.contains("invalid_grant"),
        "the code was spent: {}",
        answer.head
    );
    ensure!(!again.is_signed_in(console)?);

    // What the provider's answer says is anyone's words, and is not said after them.
    let mut denied = Jar::default();
    let begun = denied.get(&format!("{console}/sign-in/provider"))?.location;
    let state = begun.split("&state=").nth(1).and_then(|rest| rest.split('&').next()).context("a state")?;
    let words = format!("error=%3Cb%3Ewords&state={state}&iss={}", provider.issuer());
    let answer = denied.get(&format!("{console}/sign-in/callback?{words}"))?;
    ensure!(
        answer.status == 403 && answer.body.contains("did not sign you in (unknown error)"),
        "{}",
        answer.body
    );

    // Neither codes nor secrets are written down.
    let code = callback.split("code=").nth(1).and_then(|rest| rest.split('&').next()).context("a code")?;
    let logs = world.logs();
    for hush in [code, own_state, IdentityProvider::CLIENT.1, "eyJ"] {
        ensure!(!logs.contains(hush), "{hush} is in a log");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_do_not_hold_sign_no_one_in() -> Result<()> {
    let listen = free_address()?;
    let key = TokenKey::ec()?;
    let issuer = TokenIssuer::start(vec![key.published("one")])?;
    let world = World::start(&listen, issuer.issuer())?;
    let console = &world.console;
    let header = json!({ "alg": "ES256", "kid": "one" });
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let attempt = |change: &dyn Fn(&mut Value)| -> Result<(Answer, Jar)> {
        let mut jar = Jar::default();
        let begun = jar.get(&format!("{console}/sign-in/provider"))?.location;
        let part = |name: &str| {
            let value = begun.split(&format!("&{name}=")).nth(1)?.split('&').next()?;
            Some(value.to_owned())
        };
        let mut claims = json!({
            "iss": issuer.issuer(), "aud": IdentityProvider::CLIENT.0, "sub": "ann", "exp": now + 600,
            "nonce": part("nonce").context("a nonce")?, "groups": ["cortex:shop"],
        });
        change(&mut claims);
        issuer.give(&key.sign(&header, &claims));
        let state = part("state").context("a state")?;
        let answer = jar.get(&format!("{console}/sign-in/callback?code=a-code&state={state}"))?;
        Ok((answer, jar))
    };
    let (answer, mut jar) = attempt(&|_| {})?;
    ensure!(answer.status == 303 && jar.is_signed_in(console)?, "{}", answer.head);

    let set = |name: &'static str, value: Value| move |claims: &mut Value| claims[name] = value.clone();
    let wrong: [(&str, Change); 6] = [
        ("another sign-in's", Box::new(set("nonce", json!("another")))),
        ("no sign-in's", Box::new(set("nonce", json!(null)))),
        ("another issuer's", Box::new(set("iss", json!("https://evil.example")))),
        ("another client's", Box::new(set("aud", json!("another")))),
        ("over", Box::new(set("exp", json!(now - 3_600)))),
        ("to come", Box::new(set("nbf", json!(now + 3_600)))),
    ];
    for (what, change) in &wrong {
        let (answer, mut jar) = attempt(change.as_ref())?;
        ensure!(answer.status == 403 && answer.body.contains("does not hold"), "{what}: {}", answer.head);
        ensure!(!jar.is_signed_in(console)?, "{what} signed in");
    }

    // More groups than a cookie holds: said, and not dropped by the browser.
    let many: Vec<String> = (0..200).map(|group| format!("group-{group}-of-many")).collect();
    let (answer, mut jar) = attempt(&set("groups", json!(many)))?;
    ensure!(answer.status == 403 && answer.body.contains("no account of Cortex"), "{}", answer.head);
    let many: Vec<String> = many.into_iter().chain(["cortex:shop".to_owned()]).collect();
    let (answer, mut full) = attempt(&set("groups", json!(many)))?;
    ensure!(answer.status == 507 && answer.body.contains("put fewer groups"), "{}", answer.head);
    ensure!(!jar.is_signed_in(console)? && !full.is_signed_in(console)?);

    // A session ends with its token.
    let (_, mut brief) = attempt(&set("exp", json!(now.saturating_sub(10))))?;
    ensure!(!brief.is_signed_in(console)?, "a token that has just ended, within the leeway, is no session");
    Ok(())
}
