//! Tokens from an OAuth 2.0 server, by the client credentials grant (RFC 6749, section 4.4).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use super::{Token, TokenError, TokenSource};
use crate::{QueueError, Result as QueueResult};

/// How long the server may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of the largest answer that is read.
const LARGEST_ANSWER: usize = 1 << 20;
/// The life of a token whose end is not told.
const LIFE: Duration = Duration::from_secs(300);

/// Which server, and as whom.
#[derive(Clone)]
pub struct OAuthSettings {
    /// The server's token endpoint.
    pub token_url: String,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// What is asked for; nothing where empty.
    pub scope: String,
    /// CAs (PEM) of the server's certificate; those of the public web if absent.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for OAuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthSettings")
            .field("token_url", &self.token_url)
            .field("client_id", &self.client_id)
            .field("scope", &self.scope)
            .finish()
    }
}

/// A client of the server's.
#[derive(Debug)]
pub struct ClientCredentials {
    settings: OAuthSettings,
    url: Uri,
    tls: Arc<ClientConfig>,
}

/// The server's answer (RFC 6749, sections 5.1 and 5.2).
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    expires_in: Option<u64>,
    error: Option<String>,
    error_description: Option<String>,
}

impl ClientCredentials {
    /// Checks the settings; asks at the first use.
    ///
    /// # Errors
    /// Where the URL is none, or the CAs cannot be read.
    pub fn new(settings: OAuthSettings) -> QueueResult<Self> {
        let wrong = |what: String| QueueError::Permanent(what);
        let url: Uri = settings.token_url.parse().map_err(|error| {
            wrong(format!("the token endpoint {:?} is no URL: {error}", settings.token_url))
        })?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(wrong(format!("the token endpoint {:?} is no https:// URL", settings.token_url)));
        }
        let tls = Arc::new(trusting(settings.ca_file.as_deref())?);
        Ok(Self { settings, url, tls })
    }

    async fn ask(&self) -> Result<Token, TokenError> {
        let OAuthSettings { token_url, client_id, client_secret, scope, .. } = &self.settings;
        let unavailable = |what: String| TokenError::Unavailable(format!("{token_url}: {what}"));
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut form = "grant_type=client_credentials".to_owned();
        if !scope.is_empty() {
            form = format!("{form}&scope={}", encode(scope));
        }
        // Encoded as a form before it is encoded as basic authentication (RFC 6749, section 2.3.1).
        let basic = STANDARD.encode(format!("{}:{}", encode(client_id), encode(client_secret)));
        let request = Request::post(self.url.clone())
            .header(header::AUTHORIZATION, format!("Basic {basic}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(form)))
            .map_err(|error| TokenError::Denied(format!("{token_url}: {error}")))?;
        let asked = async {
            let response =
                self.client().request(request).await.map_err(|error| unavailable(with_causes(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| unavailable(error.to_string()))?.to_bytes();
            Ok((status, body))
        };
        let answered = tokio::time::timeout(ANSWER, asked).await;
        let (status, body) = answered.map_err(|_| unavailable(format!("no answer within {ANSWER:?}")))??;
        self.token(status, &body)
    }

    /// What an answer says. Nothing of its body but the error's own fields is told: it may hold a token.
    fn token(&self, status: StatusCode, body: &[u8]) -> Result<Token, TokenError> {
        let OAuthSettings { token_url, client_id, .. } = &self.settings;
        let answer: Option<Answer> = serde_json::from_slice(body).ok();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(TokenError::Unavailable(format!("{token_url} answered {status}")));
        }
        let Some(answer) = answer else {
            return Err(TokenError::Denied(format!("{token_url} answered {status} and no JSON")));
        };
        let Some(value) = answer.access_token.filter(|_| status.is_success()) else {
            let code = answer.error.unwrap_or_else(|| "no token".to_owned());
            let more = answer.error_description.map(|text| format!(" ({text})")).unwrap_or_default();
            return Err(TokenError::Denied(format!(
                "{token_url} gives client {client_id:?} no token: {status}: {code}{more}"
            )));
        };
        let life = answer.expires_in.map_or(LIFE, Duration::from_secs);
        let principal = subject(&value).unwrap_or_else(|| client_id.clone());
        Ok(Token { value, principal, expires: SystemTime::now() + life })
    }

    fn client(&self) -> Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(self.tls.as_ref().clone())
            .https_or_http()
            .enable_http1()
            .build();
        Client::builder(TokioExecutor::new()).build(connector)
    }
}

impl TokenSource for ClientCredentials {
    fn fetch(&self) -> BoxFuture<'_, Result<Token, TokenError>> {
        Box::pin(self.ask())
    }
}

/// Whom the token is for, where it is a JWT; it is the broker that checks it.
fn subject(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.sub)
}

fn trusting(ca_file: Option<&Path>) -> QueueResult<ClientConfig> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unreadable =
                |why: String| QueueError::Permanent(format!("CA file {}: {why}", path.display()));
            let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(unreadable("it holds no certificate in PEM".to_owned()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| QueueError::Permanent(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// An error and what caused it: the outermost says too little.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> ClientCredentials {
        ClientCredentials::new(OAuthSettings {
            token_url: "https://login.example/token".to_owned(),
            client_id: "cortex-parser".to_owned(),
            client_secret: "hush".to_owned(),
            scope: String::new(),
            ca_file: None,
        })
        .unwrap()
    }

    #[test]
    fn an_answer_is_a_token_or_says_what_is_wrong() {
        // {"sub":"cortex-parser@clients"}
        let jwt = "e30.eyJzdWIiOiJjb3J0ZXgtcGFyc2VyQGNsaWVudHMifQ.x";
        let body = format!(r#"{{"access_token":"{jwt}","expires_in":60}}"#);
        let token = client().token(StatusCode::OK, body.as_bytes()).unwrap();
        assert_eq!((token.value.as_str(), token.principal.as_str()), (jwt, "cortex-parser@clients"));
        let opaque = client().token(StatusCode::OK, br#"{"access_token":"opaque"}"#).unwrap();
        assert_eq!(opaque.principal, "cortex-parser");

        let body = br#"{"error":"invalid_client","error_description":"wrong secret"}"#;
        let refused = client().token(StatusCode::UNAUTHORIZED, body);
        let Err(TokenError::Denied(text)) = refused else { panic!("{refused:?}") };
        assert!(text.contains("invalid_client") && text.contains("wrong secret"), "{text}");
        let busy = client().token(StatusCode::SERVICE_UNAVAILABLE, b"<html>");
        assert!(matches!(busy, Err(TokenError::Unavailable(_))), "{busy:?}");
        let nothing = client().token(StatusCode::OK, br#"{"access_token":7,"note":"tok"}"#);
        assert!(matches!(&nothing, Err(TokenError::Denied(text)) if !text.contains("tok\"")), "{nothing:?}");
    }

    #[test]
    fn the_secret_is_not_in_debug_output() {
        assert!(!format!("{:?}", client()).contains("hush"));
    }
}
