//! Answers of the console's, without a browser between.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

/// An answer of the console's, without a browser between.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of the cookie that it sets, with its name.
    pub(crate) fn cookie(&self) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")?.split(';').next())
    }

    /// The token of its first form.
    pub(crate) fn form_token(&self) -> Option<&str> {
        self.body.split_once("name=\"form_token\" value=\"")?.1.split('"').next()
    }
}

pub(crate) fn ask(
    console: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
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

pub(crate) fn sign_in(console: &str, token: &str) -> Result<String> {
    let answer =
        ask(console, "POST", "/sign-in", &[("Sec-Fetch-Site", "same-origin")], &format!("token={token}"))?;
    ensure!(answer.status == 303, "{}", answer.head);
    Ok(answer.cookie().context("a cookie")?.to_owned())
}
