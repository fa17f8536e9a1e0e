//! A real Chromium, driven by its own driver; both end with the test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, until};
use crate::webdriver::{By, Element, Session};

/// How long a page may take to show something on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(100);

/// How the browser is to be.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whether pages may run scripts.
    pub scripts: bool,
    /// Whether its viewer likes it dark.
    pub dark: bool,
    /// Of the window, in pixels.
    pub width: u32,
    /// Its viewer's time zone, by its IANA name; the machine's where none is given.
    pub zone: Option<&'static str>,
}

impl Default for Look {
    fn default() -> Self {
        Self { scripts: true, dark: false, width: 1280, zone: None }
    }
}

/// See the module.
pub struct Browser {
    /// The session.
    pub session: Session,
    base: String,
    look: Look,
    _ended: Ended,
    _driver: Process,
    dir: TempDir,
}

/// Ends the browser, whatever becomes of its driver: by the folder of its profile, which no other has.
struct Ended(PathBuf);

impl Drop for Ended {
    fn drop(&mut self) {
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        let profile = self.0.as_os_str().as_encoded_bytes();
        for process in processes.flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if line.windows(profile.len()).any(|part| part == profile) {
                let id = process.file_name();
                let _ = Command::new("kill").arg("-KILL").arg(id).output();
            }
        }
    }
}

impl Browser {
    /// Starts one at this address, of which pages are named by their paths.
    pub async fn start(base: &str, look: Look) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        // It takes a port by itself and says which: one that was found free before may be another's by now.
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let mut driver = Process::start("chromedriver", command, dir.path())?;
        let mut port = None;
        until("the browser's driver to listen", PATIENCE, || {
            ensure!(driver.is_running()?, "{}", driver.tail(25));
            port = listening(&driver.log());
            Ok(port.is_some())
        })?;
        let port = port.context("a port")?;
        let profile = dir.path().join("profile");
        let scheme = if look.dark { 0 } else { 1 };
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--no-first-run".to_owned(),
            format!("--window-size={},1000", look.width),
            format!("--blink-settings=preferredColorScheme={scheme}"),
            format!("--user-data-dir={}", profile.display()),
        ];
        // Chromium takes no sandbox as root.
        if Path::new("/proc/self").exists() && is_root()? {
            arguments.push("--no-sandbox".to_owned());
        }
        let scripts = if look.scripts { 1 } else { 2 };
        let capabilities = json!({
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "profile.managed_default_content_settings.javascript": scripts },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let begun = Instant::now();
        let session = loop {
            match Session::start(&format!("http://127.0.0.1:{port}"), capabilities.clone()).await {
                Ok(session) => break session,
                Err(error) if begun.elapsed() > PATIENCE => bail!("the browser does not start: {error}"),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        let browser = Self {
            session,
            base: base.trim_end_matches('/').to_owned(),
            look,
            _ended: Ended(profile),
            _driver: driver,
            dir,
        };
        // A page that loads slowly, or axe-core on a long one, is no failure; chromedriver gives scripts half a minute.
        browser.session.be_patient(PATIENCE).await?;
        browser.be_where_its_viewer_is().await?;
        Ok(browser)
    }

    /// Its language, time zone and screen.
    async fn be_where_its_viewer_is(&self) -> Result<()> {
        self.session.devtools("Emulation.setLocaleOverride", json!({ "locale": "en-US" })).await?;
        if let Some(zone) = self.look.zone {
            self.session.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": zone })).await?;
        }
        self.show(1_000).await
    }

    /// Lets pages write to the clipboard and read it, or forbids it.
    pub async fn clipboard(&self, is_allowed: bool) -> Result<()> {
        let setting = if is_allowed { "granted" } else { "denied" };
        for name in ["clipboard-write", "clipboard-read"] {
            let permission =
                json!({ "permission": { "name": name }, "setting": setting, "origin": self.base });
            self.session.devtools("Browser.setPermission", permission).await?;
        }
        Ok(())
    }

    /// What was copied last.
    pub async fn copied(&self) -> Result<String> {
        let script = "const done = arguments[arguments.length - 1]; \
             navigator.clipboard.readText().then(done, (error) => done({ error: String(error) }));";
        let found = self.session.run_async(script).await?;
        found.as_str().map(str::to_owned).with_context(|| format!("the clipboard gave {found}"))
    }

    /// Follows a link that downloads, and gives the file as it arrived.
    pub async fn download(&self, css: &str, name: &str) -> Result<String> {
        let folder = self.dir.path().join("downloads");
        std::fs::create_dir_all(&folder)?;
        let to = json!({ "behavior": "allow", "downloadPath": folder });
        self.session.devtools("Browser.setDownloadBehavior", to).await?;
        let path = folder.join(name);
        // Under another name until it is whole.
        self.click(css).await?;
        let begun = Instant::now();
        while !path.exists() {
            ensure!(begun.elapsed() < PATIENCE, "{name} does not arrive");
            tokio::time::sleep(POLL).await;
        }
        std::fs::read_to_string(&path).with_context(|| name.to_owned())
    }

    /// Pixels by which the page itself is wider than what is seen of it.
    pub async fn sideways(&self) -> Result<i64> {
        // Of the document's own, not of what scrolls within it.
        let over = self
            .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            .await?;
        over.as_i64().context("a width")
    }

    /// Goes to a page.
    pub async fn goto(&self, path: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.session.goto(&format!("{}{path}", self.base)).await {
                // A browser that is short of memory or time loses a page now and then.
                Err(error) if is_passing(&error) && begun.elapsed() < PATIENCE => {
                    tokio::time::sleep(POLL).await
                }
                done => return done.with_context(|| path.to_owned()),
            }
        }
    }

    /// The path of the page that is shown.
    pub async fn path(&self) -> Result<String> {
        let url = self.session.url().await?;
        let path = url.strip_prefix(&self.base).with_context(|| format!("{url} is elsewhere"))?;
        Ok(path.split(['?', '#']).next().unwrap_or_default().to_owned())
    }

    /// Signs in.
    pub async fn sign_in(&self, token: &str) -> Result<()> {
        self.goto("/sign-in").await?;
        self.fill("#token", token).await?;
        self.press("Sign in").await?;
        self.sees("Sign out").await
    }

    /// The element, once it is there.
    pub async fn find(&self, css: &str) -> Result<Element> {
        self.found(By::Css(css)).await
    }

    async fn found(&self, by: By<'_>) -> Result<Element> {
        let begun = Instant::now();
        loop {
            // A page that is about to change answers with an error.
            if let Some(first) = self.session.find_all(by).await.unwrap_or_default().into_iter().next() {
                return Ok(first);
            }
            if begun.elapsed() > PATIENCE {
                bail!("{by:?} is not there:\n{}", self.shown().await);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// True where such an element is there now.
    pub async fn has(&self, css: &str) -> Result<bool> {
        Ok(!self.session.find_all(By::Css(css)).await?.is_empty())
    }

    /// Clicks.
    pub async fn click(&self, css: &str) -> Result<()> {
        self.clicks(By::Css(css)).await
    }

    /// Presses the button of these words.
    pub async fn press(&self, words: &str) -> Result<()> {
        self.clicks(By::XPath(&format!("//button[normalize-space()=\"{words}\"]"))).await
    }

    /// Follows the link of these words.
    pub async fn follow(&self, words: &str) -> Result<()> {
        self.clicks(By::XPath(&format!("//a[normalize-space()=\"{words}\"]"))).await
    }

    /// What is replaced as one reaches for it is reached for again.
    async fn clicks(&self, by: By<'_>) -> Result<()> {
        let begun = Instant::now();
        loop {
            let element = self.found(by).await?;
            match self.session.click(&element).await {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => bail!("{by:?}: {error}"),
                Err(error) if !is_on_the_move(&error) => return Err(error.context(format!("{by:?}"))),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Types into a field, over what stands there.
    pub async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let field = self.find(css).await?;
        self.session.clear(&field).await?;
        self.session.send_keys(&field, text).await.with_context(|| css.to_owned())
    }

    /// Chooses a file on this machine.
    pub async fn choose(&self, css: &str, file: &Path) -> Result<()> {
        let field = self.find(css).await?;
        self.session.send_keys(&field, &file.display().to_string()).await.with_context(|| css.to_owned())
    }

    /// What stands in a field.
    pub async fn value(&self, css: &str) -> Result<String> {
        let field = self.find(css).await?;
        Ok(self.session.property(&field, "value").await?.as_str().unwrap_or_default().to_owned())
    }

    /// What an element says.
    pub async fn text(&self, css: &str) -> Result<String> {
        let element = self.find(css).await?;
        self.session.text(&element).await
    }

    /// Presses a key where the focus is.
    pub async fn key(&self, key: &str) -> Result<()> {
        let active = self.session.active().await?;
        self.session.send_keys(&active, key).await
    }

    /// Waits until the page says so.
    pub async fn sees(&self, words: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            if self.said().await.is_some_and(|said| said.contains(words)) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the page does not say {words:?}:\n{}", self.shown().await);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What the page says; none while it changes.
    pub async fn said(&self) -> Option<String> {
        let body = self.session.find_all(By::Css("body")).await.ok()?.into_iter().next()?;
        self.session.text(&body).await.ok()
    }

    /// For messages: where it is and what it says.
    async fn shown(&self) -> String {
        let url = self.session.url().await.unwrap_or_default();
        format!("{url}\n{}", self.said().await.unwrap_or_default())
    }

    /// The result of a script.
    pub async fn run(&self, script: &str) -> Result<Value> {
        self.session.run(script).await
    }

    /// What axe-core finds serious or critical on the page.
    pub async fn obstacles(&self) -> Result<Vec<String>> {
        let axe = std::fs::read_to_string(services::axe_core()?)?;
        self.session.run(&axe).await?;
        let script = "const done = arguments[arguments.length - 1]; \
             axe.run(document, { resultTypes: ['violations'] }).then((found) => done(found), (error) => done(String(error)));";
        let found = self.session.run_async(script).await?;
        let violations = found["violations"].as_array().with_context(|| format!("axe gave {found}"))?;
        let is_serious = |one: &&Value| matches!(one["impact"].as_str(), Some("serious" | "critical"));
        Ok(violations.iter().filter(is_serious).map(told).collect())
    }

    /// The whole page as a PNG file.
    pub async fn picture(&self, file: &Path) -> Result<()> {
        let height = self.run("return Math.max(document.documentElement.scrollHeight, 600)").await?;
        let height = u32::try_from(height.as_u64().unwrap_or(1000).min(6_000))?;
        self.show(height).await?;
        let png = STANDARD.decode(self.session.screenshot().await?)?;
        ensure!(!png.is_empty(), "an empty picture");
        std::fs::write(file, png).with_context(|| file.display().to_string())?;
        self.show(1_000).await
    }

    /// Makes what is seen so high.
    async fn show(&self, height: u32) -> Result<()> {
        // A window is never as narrow as a telephone; its screen can be.
        if self.look.width < 500 {
            let screen = json!({ "width": self.look.width, "height": height, "deviceScaleFactor": 1, "mobile": false });
            return self.session.devtools("Emulation.setDeviceMetricsOverride", screen).await.map(drop);
        }
        // A window has a frame besides, whose height differs.
        let frame = self.run("return outerHeight - innerHeight").await?.as_u64().unwrap_or_default();
        self.session.resize(self.look.width, height + u32::try_from(frame)?).await
    }

    /// A folder for this browser's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends it.
    pub async fn close(self) -> Result<()> {
        self.session.close().await
    }
}

/// The port that chromedriver says it is on.
fn listening(log: &str) -> Option<u16> {
    let (_, told) = log.split_once("started successfully on port ")?;
    told.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn told(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
    let first: Vec<String> =
        nodes.iter().take(3).map(|node| format!("{} ({})", node["html"], node["failureSummary"])).collect();
    format!("{}: {}: {}", violation["id"], violation["help"], first.join("; "))
}

/// What is replaced, or still in the making, as one reaches for it.
fn is_on_the_move(error: &anyhow::Error) -> bool {
    let told = error.to_string();
    ["stale element", "element click intercepted", "element not interactable"]
        .iter()
        .any(|one| told.starts_with(one))
}

/// What another try may mend; a console that is not there stays an error at once, for it has been waited for.
fn is_passing(error: &anyhow::Error) -> bool {
    let told = error.to_string();
    ["timeout", "net::ERR_ABORTED", "net::ERR_NETWORK_CHANGED"].iter().any(|one| told.contains(one))
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
