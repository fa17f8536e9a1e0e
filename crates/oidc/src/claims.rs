//! What a token says, once its signature and its claims hold (OpenID Connect Core 1.0, section 3.1.3.7).

use std::fmt;

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use crate::error::Refused;

/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 30;
/// Characters of the longest subject (section 2).
const MAX_SUBJECT: usize = 255;

/// The claims of a token that holds. Its Debug output holds the subject alone: the rest is of a person.
#[derive(Clone)]
pub struct Claims {
    subject: String,
    expires: i64,
    all: Map<String, Value>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Claims {
    /// Who it is, at this provider: never anyone else's.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// When the token ends, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.expires
    }

    /// A name for people to read, chosen by the person or the provider: the address that was verified, else a user name.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        let text = |claim: &str| self.all.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
        let address = self.values("email").first().copied().filter(|text| !text.is_empty());
        address.or_else(|| text("preferred_username")).or_else(|| text("name")).unwrap_or(&self.subject)
    }

    /// The values of a claim, be it a text or a list of texts; none where it is lacking. An address (`email`) that the provider
    /// has not verified is anyone's, and is none.
    #[must_use]
    pub fn values(&self, claim: &str) -> Vec<&str> {
        if claim == "email" && self.all.get("email_verified") != Some(&Value::Bool(true)) {
            return Vec::new();
        }
        match self.all.get(claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it was made for the sign-in that sent this nonce.
    pub(crate) fn check_nonce(&self, nonce: &str) -> Result<(), Refused> {
        let own = self.all.get("nonce").and_then(Value::as_str).unwrap_or_default();
        if bool::from(own.as_bytes().ct_eq(nonce.as_bytes())) { Ok(()) } else { Err(Refused::Nonce) }
    }
}

/// Checks signature and claims.
pub(crate) fn check(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
    issuer: &str,
    client_id: &str,
) -> Result<Claims, Refused> {
    let mut rules = Validation::new(algorithm);
    rules.leeway = LEEWAY;
    rules.validate_nbf = true;
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[client_id]);
    rules.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, key, &rules);
    let all = decoded.map_err(|error| refused(&error))?.claims;
    // A list may be an issuer to the library, and is none to OpenID Connect.
    if all.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(Refused::Issuer);
    }
    check_party(&all, client_id)?;
    let subject = all.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    if subject.is_empty() || subject.chars().count() > MAX_SUBJECT || subject.chars().any(char::is_control) {
        return Err(Refused::Claims);
    }
    let expires = all.get("exp").and_then(Value::as_f64).ok_or(Refused::Claims)?;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "seconds; beyond its range a float becomes the last instant"
    )]
    let expires = expires as i64;
    Ok(Claims { subject, expires, all })
}

/// A token for several audiences, or one that names its party, was given to that party alone.
fn check_party(all: &Map<String, Value>, client_id: &str) -> Result<(), Refused> {
    let has_others = all.get("aud").and_then(Value::as_array).is_some_and(|many| many.len() > 1);
    match all.get("azp") {
        None if has_others => Err(Refused::Audience),
        None => Ok(()),
        Some(party) if party.as_str() == Some(client_id) => Ok(()),
        Some(_) => Err(Refused::Audience),
    }
}

fn refused(error: &Error) -> Refused {
    match error.kind() {
        ErrorKind::InvalidSignature => Refused::Signature,
        ErrorKind::InvalidIssuer => Refused::Issuer,
        ErrorKind::InvalidAudience => Refused::Audience,
        ErrorKind::ExpiredSignature => Refused::Expired,
        ErrorKind::ImmatureSignature => Refused::NotYet,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Refused::Claims,
        ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm | ErrorKind::UnsupportedAlgorithm => {
            Refused::Algorithm
        }
        _ => Refused::Malformed,
    }
}
