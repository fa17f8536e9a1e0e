//! Static keys at rest: sealed by ChaCha20-Poly1305.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, AeadCore, KeyInit, OsRng};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

use super::CredentialsError;
use crate::config::Secret;
use crate::error::RegistryError;
use crate::store::SealedKeys;

/// The first byte of what is sealed, so that another scheme can follow.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;

/// Static keys in the clear; never shown.
pub(crate) struct StaticKeys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// Seals and opens.
#[derive(Clone)]
pub(crate) struct Sealer(ChaCha20Poly1305);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// With a key of 32 bytes in base64.
    pub(crate) fn new(key: &Secret) -> Result<Self, RegistryError> {
        let bytes = STANDARD.decode(key.reveal().trim()).ok().filter(|bytes| bytes.len() == 32);
        match bytes {
            Some(bytes) => Ok(Self(ChaCha20Poly1305::new(Key::from_slice(&bytes)))),
            None => Err(RegistryError::Setting {
                name: "sealing_key",
                reason: "must be 32 bytes in base64; `openssl rand -base64 32` makes one".to_owned(),
            }),
        }
    }

    /// Seals; none only where the text is larger than the cipher takes (256 GiB).
    pub(crate) fn seal(&self, keys: &StaticKeys) -> Option<SealedKeys> {
        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        let plain = format!("{}\n{}", keys.access_key_id, keys.secret_access_key);
        let sealed = self.0.encrypt(&nonce, plain.as_bytes()).ok()?;
        Some(SealedKeys([&[VERSION], nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed with the same key.
    pub(crate) fn open(&self, sealed: &SealedKeys) -> Result<StaticKeys, CredentialsError> {
        let wrong = CredentialsError::Sealed;
        let (version, rest) = sealed.0.split_first().ok_or(wrong("nothing is sealed"))?;
        if *version != VERSION || rest.len() < NONCE_BYTES {
            return Err(wrong("they are sealed in a form that this version does not know"));
        }
        let (nonce, text) = rest.split_at(NONCE_BYTES);
        let plain = self
            .0
            .decrypt(Nonce::from_slice(nonce), text)
            .map_err(|_| wrong("they were sealed with another key, or changed since"))?;
        let plain = String::from_utf8(plain).map_err(|_| wrong("what is sealed is no text"))?;
        let (id, secret) = plain.split_once('\n').ok_or(wrong("what is sealed is no pair of keys"))?;
        Ok(StaticKeys { access_key_id: id.to_owned(), secret_access_key: secret.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&Secret::new(STANDARD.encode([byte; 32]))).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_alone_and_unchanged_alone() {
        let keys = StaticKeys { access_key_id: "id".into(), secret_access_key: "hush".into() };
        let sealed = sealer(1).seal(&keys).unwrap();
        assert!(!sealed.0.windows(4).any(|part| part == b"hush"));
        assert_eq!(sealer(1).open(&sealed).unwrap().secret_access_key, "hush");
        assert!(sealer(2).open(&sealed).is_err());
        let mut changed = sealed.clone();
        *changed.0.last_mut().unwrap() ^= 1;
        assert!(sealer(1).open(&changed).is_err());
        assert!(Sealer::new(&Secret::new("c2hvcnQ=")).is_err());
    }
}
