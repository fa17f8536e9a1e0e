//! The provider's public keys (JWK Set, RFC 7517), and which of them a token names.

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::crypto::is_public;

/// A set as it is published. Keys that are not understood stand beside ones that are.
#[derive(Debug, Deserialize)]
pub(crate) struct Published {
    keys: Vec<Value>,
}

/// The keys that may check a token.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The one algorithm that it is for; any of its family where it does not say.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

/// What there is for a token's header.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Key(&'a DecodingKey),
    /// There is a key of that id, and it is for another algorithm.
    OtherAlgorithm,
    Nothing,
}

impl From<Published> for Keys {
    fn from(published: Published) -> Self {
        Self(published.keys.into_iter().filter_map(key).collect())
    }
}

/// None where it is not for signatures, is shared, or is of a kind that is not known here.
fn key(published: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(published).ok()?;
    if matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_)) {
        return None;
    }
    if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match jwk.common.key_algorithm {
        None => None,
        Some(named) => Some(Algorithm::try_from(named).ok().filter(|one| is_public(*one))?),
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, key })
}

impl Keys {
    /// The key of this id that is for this algorithm. A token without an id is taken where one key alone fits.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let fits = |key: &&Key| {
            key.key.family().algorithms().contains(&algorithm)
                && key.algorithm.is_none_or(|own| own == algorithm)
        };
        let named: Vec<&Key> = match id {
            Some(id) => self.0.iter().filter(|key| key.id.as_deref() == Some(id)).collect(),
            None => self.0.iter().collect(),
        };
        let fitting: Vec<&Key> = named.iter().copied().filter(fits).collect();
        match (fitting.as_slice(), named.as_slice()) {
            ([one], _) => Found::Key(&one.key),
            // Two of one id would be the provider's fault; which one is meant is not to be guessed.
            ([], [_, ..]) if id.is_some() => Found::OtherAlgorithm,
            _ => Found::Nothing,
        }
    }
}
