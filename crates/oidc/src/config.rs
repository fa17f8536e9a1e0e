//! Which provider, and as which client.

use std::fmt;
use std::net::IpAddr;

use crate::error::ConfigError;

/// See the module.
#[derive(Debug, Clone)]
pub struct Config {
    /// The provider's issuer, `https://…`, or `http://` on a loopback address: exactly as its tokens name it in `iss`.
    pub issuer: String,
    /// The client's id at the provider: what tokens name in `aud`.
    pub client_id: String,
    /// CAs (PEM) of the provider's certificate; those of the public web where absent.
    pub ca: Option<Vec<u8>>,
}

impl Config {
    /// What can be said without asking the provider.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_url(&self.issuer).map_err(|reason| ConfigError::Issuer {
            issuer: self.issuer.clone(),
            reason: reason.to_owned(),
        })?;
        if self.issuer.contains(['?', '#']) {
            let reason = "it must have neither a query nor a fragment".to_owned();
            return Err(ConfigError::Issuer { issuer: self.issuer.clone(), reason });
        }
        if self.client_id.is_empty() {
            return Err(ConfigError::ClientId);
        }
        Ok(())
    }
}

/// TLS, or this very machine: keys and tokens come from nowhere else.
pub(crate) fn check_url(url: &str) -> Result<(), &'static str> {
    let wrong = "it must be https://HOST/…, or http:// on a loopback address";
    let uri: http::Uri = url.parse().map_err(|_| wrong)?;
    let host = uri.host().ok_or(wrong)?;
    let is_loopback =
        host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback => Ok(()),
        _ => Err(wrong),
    }
}

/// By which the client is known at the provider's token endpoint. Its Debug output does not hold it.
#[derive(Clone)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Wraps it.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_over_tls_or_on_this_machine() {
        let check = |issuer: &str| {
            Config { issuer: issuer.to_owned(), client_id: "cortex".to_owned(), ca: None }.check()
        };
        for good in
            ["https://id.example", "https://id.example/realms/shop", "http://localhost:1", "http://[::1]:1/a"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for wrong in ["http://id.example", "id.example", "", "ftp://localhost", "https://id.example?a=b"] {
            let error = check(wrong).unwrap_err().to_string();
            assert!(error.contains("oidc_issuer"), "{error}");
        }
        assert!(!format!("{:?}", ClientSecret::new("hush")).contains("hush"));
    }
}
