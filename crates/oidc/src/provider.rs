//! One provider: what it publishes, kept for an hour, and the tokens that hold by it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::claims::{self, Claims};
use crate::config::Config;
use crate::crypto;
use crate::discovery::{Metadata, discover};
use crate::error::{ConfigError, Refused, TokenError};
use crate::fetch::Fetch;
use crate::keys::{Found, Keys, Published};

/// What is published is taken for true for so long; then it is asked for again, so that a key that was withdrawn ends.
const FRESH: Duration = Duration::from_secs(3_600);
/// And for so long where the provider does not answer.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Bytes of the longest token.
const MAX_TOKEN: usize = 16 << 10;

/// How often the provider is asked.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// After an answer: tokens with made-up key ids cost the provider no more than this.
    answered: Duration,
    /// After none.
    failed: Duration,
}

const PACE: Pace = Pace { answered: Duration::from_secs(10), failed: Duration::from_secs(2) };

/// See the module. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Provider(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    fetch: Fetch,
    pace: Pace,
    known: RwLock<Option<Arc<Known>>>,
    /// Held while the provider is asked, so that one asks for all.
    last: Mutex<Option<Asked>>,
}

/// When the provider was last asked, and whether in vain.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    failed: bool,
}

/// What is published.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) metadata: Metadata,
    keys: Keys,
    at: Instant,
}

impl Provider {
    /// Checks the settings. The provider itself need not be there yet: it is asked when the first token comes.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_pace(config, PACE)
    }

    fn with_pace(config: Config, pace: Pace) -> Result<Self, ConfigError> {
        config.check()?;
        crypto::install();
        let fetch = Fetch::new(config.ca.as_deref())?;
        Ok(Self(Arc::new(Inner { config, fetch, pace, known: RwLock::new(None), last: Mutex::new(None) })))
    }

    /// Whose token it is. A token of another issuer, for another client, over, or without a signature by one of the
    /// provider's keys is refused; [`TokenError::Unavailable`] where the keys are not to be had.
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::Malformed.into());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Malformed)?;
        // What must be understood and is not known here (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(Refused::Malformed.into());
        }
        if !crypto::is_public(header.alg) {
            return Err(Refused::Algorithm.into());
        }
        let mut known = self.known().await?;
        let id = header.kid.as_deref();
        if matches!(known.keys.find(id, header.alg), Found::Nothing) {
            // Keys change: the new one may have been published since.
            known = self.newer_than(&known).await?;
        }
        let key = match known.keys.find(id, header.alg) {
            Found::Key(key) => key,
            Found::OtherAlgorithm => return Err(Refused::Algorithm.into()),
            Found::Nothing => return Err(Refused::UnknownKey.into()),
        };
        let config = &self.0.config;
        Ok(claims::check(token, key, header.alg, &config.issuer, &config.client_id)?)
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn fetch(&self) -> &Fetch {
        &self.0.fetch
    }

    /// What is published, asked for where it is not known or has grown old.
    pub(crate) async fn known(&self) -> Result<Arc<Known>, TokenError> {
        let Some(known) = self.kept() else {
            return self.ask(&mut *self.0.last.lock().await, None).await;
        };
        if known.at.elapsed() < FRESH {
            return Ok(known);
        }
        // One asks; the others go on with what there is.
        let Ok(mut last) = self.0.last.try_lock() else { return Ok(known) };
        match self.ask(&mut last, Some(&known)).await {
            Err(error) if known.at.elapsed() < KEPT => {
                tracing::warn!(%error, "the identity provider's keys are not renewed for now");
                Ok(known)
            }
            asked => asked,
        }
    }

    /// What is published by now; the same where it was asked for too lately.
    async fn newer_than(&self, known: &Arc<Known>) -> Result<Arc<Known>, TokenError> {
        let mut last = self.0.last.lock().await;
        if last.is_some_and(|last| self.is_too_early(last)) {
            return Ok(self.kept().unwrap_or_else(|| known.clone()));
        }
        self.ask(&mut last, Some(known)).await
    }

    fn kept(&self) -> Option<Arc<Known>> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_too_early(&self, last: Asked) -> bool {
        let pause = if last.failed { self.0.pace.failed } else { self.0.pace.answered };
        last.at.elapsed() < pause
    }

    /// Asks the provider, unless someone else has since `seen`, or it was asked too lately.
    async fn ask(
        &self,
        last: &mut Option<Asked>,
        seen: Option<&Arc<Known>>,
    ) -> Result<Arc<Known>, TokenError> {
        if let Some(kept) = self.kept()
            && seen.is_none_or(|seen| !Arc::ptr_eq(seen, &kept))
        {
            return Ok(kept);
        }
        if last.is_some_and(|last| self.is_too_early(last)) {
            return Err(TokenError::Unavailable("it did not answer a moment ago".to_owned()));
        }
        let asked = self.published().await;
        *last = Some(Asked { at: Instant::now(), failed: asked.is_err() });
        let known = Arc::new(asked.map_err(TokenError::Unavailable)?);
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        Ok(known)
    }

    async fn published(&self) -> Result<Known, String> {
        let metadata = discover(&self.0.fetch, &self.0.config.issuer).await?;
        let published: Published = self.0.fetch.json(&metadata.jwks_uri).await?;
        Ok(Known { metadata, keys: published.into(), at: Instant::now() })
    }
}

#[cfg(test)]
mod tests;
