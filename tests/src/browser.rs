//! A real Chromium, driven by its own driver; both end with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;
use crate::webdriver::{By, Element, Session};

/// How long a page may take to show something on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
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
}

impl Default for Look {
    fn default() -> Self {
        Self { scripts: true, dark: false, width: 1280 }
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
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let driver = Process::start("chromedriver", command, dir.path())?;
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
        browser.session.resize(look.width, 1000).await?;
        Ok(browser)
    }

    /// Goes to a page.
    pub async fn goto(&self, path: &str) -> Result<()> {
        self.session.goto(&format!("{}{path}", self.base)).await.with_context(|| path.to_owned())
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
                Err(error) if !error.to_string().starts_with("stale element") => {
                    return Err(error.context(format!("{by:?}")));
                }
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
        // A window has a frame besides, whose height differs.
        let frame = self.run("return outerHeight - innerHeight").await?.as_u64().unwrap_or_default();
        self.session.resize(self.look.width, height + u32::try_from(frame)?).await?;
        let png = STANDARD.decode(self.session.screenshot().await?)?;
        ensure!(!png.is_empty(), "an empty picture");
        std::fs::write(file, png).with_context(|| file.display().to_string())?;
        self.session.resize(self.look.width, 1000).await
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

fn told(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
    let first: Vec<String> =
        nodes.iter().take(3).map(|node| format!("{} ({})", node["html"], node["failureSummary"])).collect();
    format!("{}: {}: {}", violation["id"], violation["help"], first.join("; "))
}

fn is_root() -> Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}
