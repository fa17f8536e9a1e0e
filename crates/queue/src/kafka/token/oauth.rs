//! Tokens from an OAuth 2.0 server, by the client credentials grant (RFC 6749, section 4.4).

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use https::Https;
use serde::Deserialize;

use super::{Token, TokenError, TokenSource};
use crate::{QueueError, Result as QueueResult};

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
    https: Https,
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
        let https = trusting(settings.ca_file.as_deref())?;
        Ok(Self { settings, url, https })
    }

    async fn ask(&self) -> Result<Token, TokenError> {
        let OAuthSettings { token_url, client_id, client_secret, scope, .. } = &self.settings;
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
        let answered = self.https.ask(request).await;
        let (status, body) =
            answered.map_err(|error| TokenError::Unavailable(format!("{token_url}: {error}")))?;
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

fn trusting(ca_file: Option<&Path>) -> QueueResult<Https> {
    let unusable = |why: String| {
        let path = ca_file.unwrap_or(Path::new("")).display();
        QueueError::Permanent(format!("CA file {path}: {why}"))
    };
    let pem = ca_file.map(std::fs::read).transpose().map_err(|error| unusable(error.to_string()))?;
    Https::new(pem.as_deref()).map_err(|error| unusable(error.to_string()))
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
