//! Static keys at rest: sealed by ChaCha20-Poly1305, bound to their source, under a key that can be changed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};

use super::CredentialsError;
use crate::config::{Config, Secret};
use crate::error::RegistryError;
use crate::store::{SealedKeys, SourceId};

/// The first byte of what is sealed: version 1 bound it to nothing, version 2 binds it to its source.
const UNBOUND: u8 = 1;
const BOUND: u8 = 2;
const NONCE_BYTES: usize = 12;

/// Static keys in the clear; never shown.
#[derive(PartialEq, Eq)]
pub(crate) struct StaticKeys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticKeys(..)")
    }
}

/// What was opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) keys: StaticKeys,
    /// True where it is sealed under a retired key, or unbound: it is to be sealed anew.
    pub(crate) stale: bool,
}

/// Seals and opens.
#[derive(Clone)]
pub(crate) struct Sealer {
    current: ChaCha20Poly1305,
    /// They open only.
    retired: Vec<ChaCha20Poly1305>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl Sealer {
    /// With the keys of the settings, 32 bytes in base64 each; none where no key is set.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, RegistryError> {
        let Some(current) = &config.sealing_key else {
            if config.sealing_keys_retired.is_empty() {
                return Ok(None);
            }
            return Err(RegistryError::Setting {
                name: "sealing_key",
                reason: "must be set where sealing_keys_retired is: what they sealed is sealed anew under it"
                    .to_owned(),
            });
        };
        let retired = config.sealing_keys_retired.iter().map(|key| cipher("sealing_keys_retired", key));
        Ok(Some(Self {
            current: cipher("sealing_key", current)?,
            retired: retired.collect::<Result<_, _>>()?,
        }))
    }

    /// Seals for a source; none only where the text is larger than the cipher takes (256 GiB).
    pub(crate) fn seal(&self, source: &SourceId, keys: &StaticKeys) -> Option<SealedKeys> {
        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        let plain = format!("{}\n{}", keys.access_key_id, keys.secret_access_key);
        let payload = Payload { msg: plain.as_bytes(), aad: &associated(BOUND, source) };
        let sealed = self.current.encrypt(&nonce, payload).ok()?;
        Some(SealedKeys([&[BOUND], nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what was sealed for this source, under any of the keys.
    pub(crate) fn open(&self, source: &SourceId, sealed: &SealedKeys) -> Result<Opened, CredentialsError> {
        let wrong = CredentialsError::Sealed;
        let (version, rest) = sealed.0.split_first().ok_or(wrong("nothing is sealed"))?;
        if ![UNBOUND, BOUND].contains(version) || rest.len() < NONCE_BYTES {
            return Err(wrong("they are sealed in a form that this version does not know"));
        }
        let (nonce, text) = rest.split_at(NONCE_BYTES);
        let aad = associated(*version, source);
        let opened = [&self.current].into_iter().chain(&self.retired).enumerate().find_map(|(nth, key)| {
            let payload = Payload { msg: text, aad: &aad };
            Some((nth, key.decrypt(Nonce::from_slice(nonce), payload).ok()?))
        });
        let (nth, plain) =
            opened.ok_or(wrong("they were sealed with another key, for another source, or changed since"))?;
        let plain = String::from_utf8(plain).map_err(|_| wrong("what is sealed is no text"))?;
        let (id, secret) = plain.split_once('\n').ok_or(wrong("what is sealed is no pair of keys"))?;
        let keys = StaticKeys { access_key_id: id.to_owned(), secret_access_key: secret.to_owned() };
        Ok(Opened { keys, stale: nth > 0 || *version == UNBOUND })
    }
}

/// What is not sealed and yet must be the same: without it, one source's keys could be put into another's row.
fn associated(version: u8, source: &SourceId) -> Vec<u8> {
    match version {
        UNBOUND => Vec::new(),
        _ => [b"cortex source ".as_slice(), source.as_str().as_bytes()].concat(),
    }
}

fn cipher(name: &'static str, key: &Secret) -> Result<ChaCha20Poly1305, RegistryError> {
    let bytes = STANDARD.decode(key.reveal().trim()).ok().filter(|bytes| bytes.len() == 32);
    match bytes {
        Some(bytes) => Ok(ChaCha20Poly1305::new(Key::from_slice(&bytes))),
        None => Err(RegistryError::Setting {
            name,
            reason: "must be 32 bytes in base64; `openssl rand -base64 32` makes one".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Secret {
        Secret::new(STANDARD.encode([byte; 32]))
    }

    fn sealer(current: u8, retired: &[u8]) -> Sealer {
        let retired = retired.iter().map(|byte| cipher("k", &key(*byte)).unwrap()).collect();
        Sealer { current: cipher("k", &key(current)).unwrap(), retired }
    }

    fn keys() -> StaticKeys {
        StaticKeys { access_key_id: "id".into(), secret_access_key: "hush".into() }
    }

    fn source(id: &str) -> SourceId {
        SourceId::from(id.to_owned())
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_source_and_unchanged_alone() {
        let sealed = sealer(1, &[]).seal(&source("a"), &keys()).unwrap();
        assert!(!sealed.0.windows(4).any(|part| part == b"hush"));
        let opened = sealer(1, &[]).open(&source("a"), &sealed).unwrap();
        assert_eq!(opened, Opened { keys: keys(), stale: false });
        assert!(!format!("{opened:?} {:?}", sealer(1, &[])).contains("hush"));
        assert!(sealer(2, &[]).open(&source("a"), &sealed).is_err(), "another key");
        assert!(sealer(1, &[]).open(&source("b"), &sealed).is_err(), "another source's row");
        for at in [0, 1, sealed.0.len() - 1] {
            let mut changed = sealed.clone();
            changed.0[at] ^= 3;
            assert!(sealer(1, &[]).open(&source("a"), &changed).is_err(), "byte {at} changed");
        }
    }

    #[test]
    fn what_a_retired_key_or_an_older_version_sealed_opens_and_is_stale() {
        let old = sealer(1, &[]).seal(&source("a"), &keys()).unwrap();
        let opened = sealer(2, &[9, 1]).open(&source("a"), &old).unwrap();
        assert_eq!(opened, Opened { keys: keys(), stale: true });

        let nonce = ChaCha20Poly1305::generate_nonce(&mut OsRng);
        let sealed = sealer(1, &[]).current.encrypt(&nonce, b"id\nhush".as_slice()).unwrap();
        let unbound = SealedKeys([&[UNBOUND], nonce.as_slice(), &sealed].concat());
        let opened = sealer(1, &[]).open(&source("a"), &unbound).unwrap();
        assert_eq!(opened, Opened { keys: keys(), stale: true });
    }

    #[test]
    fn keys_that_are_none_are_refused_by_the_name_of_their_setting() {
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let secret = || Secret::new("x");
        let mut config = Config::new(listen, secret(), secret(), secret());
        assert!(Sealer::of(&config).unwrap().is_none());
        config.sealing_keys_retired = vec![Secret::new("c2hvcnQ=")];
        assert!(Sealer::of(&config).unwrap_err().to_string().contains("sealing_key: must be set"));
        config.sealing_key = Some(key(1));
        let refused = Sealer::of(&config).unwrap_err().to_string();
        assert!(refused.contains("sealing_keys_retired") && !refused.contains("c2hvcnQ="), "{refused}");
        config.sealing_keys_retired.clear();
        config.sealing_key = Some(Secret::new("c2hvcnQ="));
        assert!(Sealer::of(&config).is_err());
    }
}
