//! The provider's answers.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use https::Https;
use serde::de::DeserializeOwned;

use crate::error::ConfigError;

/// A client of the provider's HTTP.
#[derive(Debug)]
pub(crate) struct Fetch(Https);

impl Fetch {
    /// Trusts these CAs (PEM), or those of the public web.
    pub(crate) fn new(ca: Option<&[u8]>) -> Result<Self, ConfigError> {
        Https::new(ca).map(Self).map_err(|error| ConfigError::Ca(error.to_string()))
    }

    /// A document of JSON. An error is in words, without anything that was sent.
    pub(crate) async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let request = Request::builder().method(Method::GET).uri(url).header(ACCEPT, "application/json");
        let request = request.body(Full::default()).map_err(|error| format!("{url}: {error}"))?;
        let (status, body) = self.0.ask(request).await.map_err(|reason| format!("{url}: {reason}"))?;
        if status != StatusCode::OK {
            return Err(format!("{url} answers {status}"));
        }
        // Where the document breaks off is told, not what stands there.
        serde_json::from_slice(&body).map_err(|error| {
            format!("{url} is not the JSON it must be (line {}, column {})", error.line(), error.column())
        })
    }

    /// The answer to a form.
    pub(crate) async fn post(
        &self,
        url: &str,
        authorization: Option<&str>,
        form: String,
    ) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::from(form)).map_err(|_| format!("{url}: it cannot be asked"))?;
        self.0.ask(request).await.map_err(|reason| format!("{url}: {reason}"))
    }
}
