//! A person signed in by the authorization code flow, with PKCE (RFC 7636), `state` and `nonce` (OpenID Connect Core 1.0,
//! section 3.1).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::StatusCode;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::claims::Claims;
use crate::config::ClientSecret;
use crate::discovery::Metadata;
use crate::error::TokenError;
use crate::provider::Provider;

/// Bytes of what no one may guess.
const RANDOM: usize = 32;

/// Why no one was signed in.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The callback is of no sign-in that this browser began.
    #[error("the answer belongs to no sign-in that was begun in this browser")]
    Forged,
    /// The provider says no, by one of its error codes.
    #[error("the identity provider refused the sign-in ({0})")]
    Denied(String),
    /// The provider takes neither the code nor the client.
    #[error("the identity provider gave no token ({0})")]
    NoToken(String),
    /// What it gave does not hold, or it does not answer.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// A sign-in that has begun; it belongs to one browser, which keeps it where no one else reads or makes it. Its Debug output
/// holds nothing of it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pending {
    state: String,
    nonce: String,
    verifier: String,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pending(..)")
    }
}

/// What the browser brings back from the provider; all of it is anyone's to write.
#[derive(Clone, Default, Deserialize)]
pub struct Callback {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    error: String,
    iss: Option<String>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}

/// The console, as a client of the provider.
#[derive(Debug, Clone)]
pub struct RelyingParty {
    provider: Provider,
    secret: Option<ClientSecret>,
    redirect: String,
    scopes: Vec<String>,
}

impl RelyingParty {
    /// `redirect` is the callback's address, as it was registered at the provider. A client without a secret is a public one.
    #[must_use]
    pub fn new(
        provider: Provider,
        secret: Option<ClientSecret>,
        redirect: String,
        scopes: Vec<String>,
    ) -> Self {
        Self { provider, secret, redirect, scopes }
    }

    /// The address that the browser is sent to, and what it must keep until it comes back.
    pub async fn begin(&self) -> Result<(String, Pending), FlowError> {
        let known = self.provider.known().await?;
        let endpoint = part(known.metadata.authorization_endpoint.as_ref())?;
        let pending = Pending { state: random()?, nonce: random()?, verifier: random()? };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(pending.verifier.as_bytes()));
        let query = form(&[
            ("response_type", "code"),
            ("client_id", &self.provider.config().client_id),
            ("redirect_uri", &self.redirect),
            ("scope", &self.scopes.join(" ")),
            ("state", &pending.state),
            ("nonce", &pending.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok((with_query(endpoint, &query), pending))
    }

    /// The ID token and what it says, for a callback of this very sign-in. The code is sent to the provider, and so is spent,
    /// only where the callback is.
    pub async fn finish(
        &self,
        pending: &Pending,
        callback: &Callback,
    ) -> Result<(String, Claims), FlowError> {
        if !bool::from(callback.state.as_bytes().ct_eq(pending.state.as_bytes())) {
            return Err(FlowError::Forged);
        }
        let known = self.provider.known().await?;
        let issuer = self.provider.config().issuer.as_str();
        match callback.iss.as_deref() {
            Some(named) if named != issuer => return Err(FlowError::Forged),
            None if known.metadata.authorization_response_iss_parameter_supported => {
                return Err(FlowError::Forged);
            }
            _ => {}
        }
        if !callback.error.is_empty() {
            return Err(FlowError::Denied(code(&callback.error)));
        }
        let token = self.exchange(&known.metadata, pending, &callback.code).await?;
        let claims = self.provider.verify(&token).await?;
        claims.check_nonce(&pending.nonce).map_err(TokenError::from)?;
        Ok((token, claims))
    }

    /// The address that ends the session at the provider too, and leads back; none where it has none or does not answer. The
    /// token is not named there: an address is written down by browsers and servers.
    pub async fn end_session(&self, back: &str) -> Option<String> {
        let known = self.provider.known().await.ok()?;
        let endpoint = known.metadata.end_session_endpoint.as_ref()?;
        let query =
            form(&[("client_id", &self.provider.config().client_id), ("post_logout_redirect_uri", back)]);
        Some(with_query(endpoint, &query))
    }

    async fn exchange(
        &self,
        metadata: &Metadata,
        pending: &Pending,
        code: &str,
    ) -> Result<String, FlowError> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            id_token: String,
            #[serde(default)]
            error: String,
        }
        let endpoint = part(metadata.token_endpoint.as_ref())?;
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect),
            ("code_verifier", &pending.verifier),
        ];
        let id = self.provider.config().client_id.as_str();
        let methods = metadata.token_endpoint_auth_methods_supported.as_deref();
        let takes_basic = methods.is_none_or(|all| all.iter().any(|one| one == "client_secret_basic"));
        let mut authorization = None;
        match &self.secret {
            Some(secret) if takes_basic => authorization = Some(basic(id, secret)),
            Some(secret) => fields.extend([("client_id", id), ("client_secret", secret.reveal())]),
            None => fields.push(("client_id", id)),
        }
        let asked = self.provider.fetch().post(endpoint, authorization.as_deref(), form(&fields)).await;
        let (status, body) = asked.map_err(TokenError::Unavailable)?;
        if status.is_server_error() {
            return Err(TokenError::Unavailable(format!("{endpoint} answers {status}")).into());
        }
        let answer: Answer =
            serde_json::from_slice(&body).map_err(|_| FlowError::NoToken(status.as_u16().to_string()))?;
        if status != StatusCode::OK || answer.id_token.is_empty() {
            let why =
                if answer.error.is_empty() { "no id_token".to_owned() } else { self::code(&answer.error) };
            return Err(FlowError::NoToken(why));
        }
        Ok(answer.id_token)
    }
}

fn part(endpoint: Option<&String>) -> Result<&str, TokenError> {
    let lacking =
        || TokenError::Unavailable("it names no endpoint for the authorization code flow".to_owned());
    endpoint.map(String::as_str).ok_or_else(lacking)
}

/// As RFC 6749, section 2.3.1, has it: both parts are form-encoded first.
fn basic(id: &str, secret: &ClientSecret) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret.reveal()))))
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn with_query(endpoint: &str, query: &str) -> String {
    format!("{endpoint}{}{query}", if endpoint.contains('?') { '&' } else { '?' })
}

/// An error code of RFC 6749 and its like; what has another form is anyone's words and is not told.
fn code(text: &str) -> String {
    let is_code = text.len() <= 60 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code { text.to_owned() } else { "unknown error".to_owned() }
}

fn random() -> Result<String, FlowError> {
    let mut bytes = [0; RANDOM];
    SystemRandom::new().fill(&mut bytes).map_err(|_| FlowError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests;
