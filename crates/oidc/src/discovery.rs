//! Where the provider's parts are: its discovery document (OpenID Connect Discovery 1.0, section 4).

use serde::Deserialize;

use crate::config::check_url;
use crate::fetch::Fetch;

/// What is used of the document.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// Must be the issuer that is configured.
    pub issuer: String,
    /// The provider's public keys.
    pub jwks_uri: String,
    /// Where a browser is sent to.
    pub authorization_endpoint: Option<String>,
    /// Where a code becomes a token.
    pub token_endpoint: Option<String>,
    /// Where a browser is sent to end the session at the provider too; few have it not.
    pub end_session_endpoint: Option<String>,
    /// How clients may be known at the token endpoint; `client_secret_basic` where it does not say.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Its answers name their issuer (RFC 9207).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

/// The document of this issuer. An error is in words.
pub(crate) async fn discover(fetch: &Fetch, issuer: &str) -> Result<Metadata, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let found: Metadata = fetch.json(&url).await?;
    // Section 4.3: another issuer's document would have another's keys hold here.
    if found.issuer != issuer {
        return Err(format!(
            "{url} is of another issuer than oidc_issuer; set it exactly as the provider does"
        ));
    }
    let parts = [
        Some(&found.jwks_uri),
        found.authorization_endpoint.as_ref(),
        found.token_endpoint.as_ref(),
        found.end_session_endpoint.as_ref(),
    ];
    for part in parts.into_iter().flatten() {
        check_url(part).map_err(|reason| format!("{url} names an address that is not asked: {reason}"))?;
    }
    Ok(found)
}
