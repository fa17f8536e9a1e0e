//! The little of the W3C WebDriver protocol that the tests need: JSON over HTTP to a driver on this machine.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A command ends by then, whatever the browser does: later than what a browser itself gives up on.
const PATIENCE: Duration = Duration::from_secs(360);

/// A session of a browser.
#[derive(Debug, Clone)]
pub struct Session {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
}

/// How an element is found.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// By a CSS selector.
    Css(&'a str),
    /// By an XPath.
    XPath(&'a str),
}

/// An element of the page that is shown; it is gone with the page.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Session {
    /// Starts a browser by the driver at this address.
    pub async fn start(driver: &str, capabilities: Value) -> Result<Self> {
        let http = Client::builder(TokioExecutor::new()).build_http();
        let driver = Self { http, url: driver.to_owned() };
        let request = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = driver.command(Method::POST, "/session", Some(request)).await?;
        let id = answer["sessionId"].as_str().context("a session")?;
        Ok(Self { url: format!("{}/session/{id}", driver.url), ..driver })
    }

    /// Ends the browser.
    pub async fn close(&self) -> Result<()> {
        self.command(Method::DELETE, "", None).await.map(drop)
    }

    /// Goes to an address, and waits for its page.
    pub async fn goto(&self, url: &str) -> Result<()> {
        self.post("/url", json!({ "url": url })).await.map(drop)
    }

    /// The address of the page that is shown.
    pub async fn url(&self) -> Result<String> {
        let answer = self.command(Method::GET, "/url", None).await?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Every element that is found now.
    pub async fn find_all(&self, by: By<'_>) -> Result<Vec<Element>> {
        let (using, value) = match by {
            By::Css(text) => ("css selector", text),
            By::XPath(text) => ("xpath", text),
        };
        let found = self.post("/elements", json!({ "using": using, "value": value })).await?;
        let id = |one: &Value| one[ELEMENT].as_str().map(|id| Element(id.to_owned()));
        Ok(found.as_array().into_iter().flatten().filter_map(id).collect())
    }

    /// The element that has the focus.
    pub async fn active(&self) -> Result<Element> {
        let found = self.command(Method::GET, "/element/active", None).await?;
        Ok(Element(found[ELEMENT].as_str().context("an active element")?.to_owned()))
    }

    /// Clicks an element, and waits for the page that this leads to.
    pub async fn click(&self, element: &Element) -> Result<()> {
        self.of(element, "/click", json!({})).await
    }

    /// Empties a field.
    pub async fn clear(&self, element: &Element) -> Result<()> {
        self.of(element, "/clear", json!({})).await
    }

    /// Presses keys in an element; in a file's field, names the file.
    pub async fn send_keys(&self, element: &Element, text: &str) -> Result<()> {
        self.of(element, "/value", json!({ "text": text })).await
    }

    /// What an element says, as it is seen.
    pub async fn text(&self, element: &Element) -> Result<String> {
        let answer = self.command(Method::GET, &format!("/element/{}/text", element.0), None).await?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// A property of an element, such as the `value` of a field.
    pub async fn property(&self, element: &Element, name: &str) -> Result<Value> {
        self.command(Method::GET, &format!("/element/{}/property/{name}", element.0), None).await
    }

    /// What a script returns.
    pub async fn run(&self, script: &str) -> Result<Value> {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// What a script gives to the function that is its last argument.
    pub async fn run_async(&self, script: &str) -> Result<Value> {
        self.post("/execute/async", json!({ "script": script, "args": [] })).await
    }

    /// A command of Chromium's own, as its DevTools protocol names it.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let told = self.post("/goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await;
        told.with_context(|| command.to_owned())
    }

    /// How long scripts and pages may take.
    pub async fn be_patient(&self, patience: Duration) -> Result<()> {
        let most = u64::try_from(patience.as_millis())?;
        self.post("/timeouts", json!({ "script": most, "pageLoad": most })).await.map(drop)
    }

    /// Sets the size of the window, in pixels.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        self.post("/window/rect", json!({ "width": width, "height": height })).await.map(drop)
    }

    /// What is seen in the window, as PNG in base64.
    pub async fn screenshot(&self) -> Result<String> {
        let answer = self.command(Method::GET, "/screenshot", None).await?;
        Ok(answer.as_str().context("a picture")?.to_owned())
    }

    async fn of(&self, element: &Element, what: &str, body: Value) -> Result<()> {
        self.post(&format!("/element/{}{what}", element.0), body).await.map(drop)
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.command(Method::POST, path, Some(body)).await
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let text = body.map_or_else(String::new, |body| body.to_string());
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(text)))?;
        let answered = async {
            let answer = self.http.request(request).await?;
            let status = answer.status();
            anyhow::Ok((status, answer.into_body().collect().await?.to_bytes()))
        };
        let (status, bytes) =
            tokio::time::timeout(PATIENCE, answered).await.with_context(|| path.to_owned())??;
        let mut answer: Value = serde_json::from_slice(&bytes)?;
        if !status.is_success() {
            let (error, message) = (&answer["value"]["error"], &answer["value"]["message"]);
            let first = message.as_str().unwrap_or_default().lines().next().unwrap_or_default().to_owned();
            bail!("{}: {first}", error.as_str().unwrap_or("the driver refused"));
        }
        Ok(answer["value"].take())
    }
}
