//! The provider's answers: over TLS, bounded in bytes and time, without following redirects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;

use crate::error::ConfigError;

/// A question and its answer take no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the largest answer that is read: a set of keys is some kilobytes.
const MAX_ANSWER: usize = 1 << 20;

/// A client of the provider's HTTP.
#[derive(Debug)]
pub(crate) struct Fetch {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Fetch {
    /// Trusts these CAs (PEM), or those of the public web.
    pub(crate) fn new(ca: Option<&[u8]>) -> Result<Self, ConfigError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::Ca(error.to_string()))?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// A document of JSON. An error is in words, without anything that was sent.
    pub(crate) async fn json<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let request = Request::builder().method(Method::GET).uri(url).header(ACCEPT, "application/json");
        let request = request.body(Full::default()).map_err(|error| format!("{url}: {error}"))?;
        let (status, body) = self.ask(request).await.map_err(|reason| format!("{url}: {reason}"))?;
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
        self.ask(request).await.map_err(|reason| format!("{url}: {reason}"))
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), String> {
        let answered = async {
            let answer = self.client.request(request).await.map_err(|error| innermost(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| innermost(error.as_ref()))?;
            Ok((status, body.to_bytes()))
        };
        let in_time = tokio::time::timeout(PATIENCE, answered).await;
        in_time.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
    }
}

fn roots(ca: Option<&[u8]>) -> Result<RootCertStore, ConfigError> {
    let Some(pem) = ca else {
        return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| ConfigError::Ca(error.to_string()))?;
        roots.add(certificate).map_err(|error| ConfigError::Ca(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(ConfigError::Ca("no certificate is in it".to_owned()));
    }
    Ok(roots)
}

/// What lies at the bottom of an error: hyper's own words are "client error (Connect)".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
