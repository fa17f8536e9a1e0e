//! Sessions for sources: at the customer's role by STS, or static keys for an endpoint that the operator allows.

mod cache;
mod sealed;
mod session_policy;
mod sts;

use aws_credential_types::Credentials;

use crate::config::Config;
use crate::error::RegistryError;
use crate::store::{SealedKeys, Source, Store, StoreError};

pub(crate) use sealed::{Sealer, StaticKeys};

/// Why there are no credentials for a source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("role {role_arn} cannot be assumed: {reason}")]
    AssumeRole { role_arn: String, reason: String },
    #[error("STS does not answer for now: {0}")]
    Unavailable(String),
    #[error("the source's static keys cannot be opened: {0}")]
    Sealed(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CredentialsError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::AssumeRole { .. } => "role_not_assumable",
            Self::Unavailable(_) => "sts_unavailable",
            Self::Sealed(_) => "keys_not_opened",
            Self::Store(_) => "store_failed",
        }
    }

    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::AssumeRole { .. } => {
                "see that the role exists, that its trust policy names the platform's account, and that it demands the \
                 account's External ID exactly as shown"
            }
            Self::Unavailable(_) | Self::Store(_) => "try again in a while",
            Self::Sealed(_) => {
                "set the sealing_key that they were sealed with, or give the source its keys anew"
            }
        }
    }

    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Store(error) => error.is_transient(),
            Self::AssumeRole { .. } | Self::Sealed(_) => false,
        }
    }
}

/// Gives sessions for sources.
#[derive(Debug)]
pub(crate) struct Issuer {
    store: Store,
    sts: sts::Sts,
    cache: cache::Sessions,
    sealer: Option<Sealer>,
}

impl Issuer {
    pub(crate) async fn new(config: &Config, store: Store) -> Result<Self, RegistryError> {
        let sealer = config.sealing_key.as_ref().map(Sealer::new).transpose()?;
        Ok(Self { store, sts: sts::Sts::new(config).await, cache: cache::Sessions::default(), sealer })
    }

    /// Seals static keys for the store; none where no sealing key is set.
    pub(crate) fn seal(&self, keys: &StaticKeys) -> Option<SealedKeys> {
        self.sealer.as_ref()?.seal(keys)
    }

    /// A session for the source: the cached one, unless it is about to expire or S3 refused it.
    pub(crate) async fn issue(
        &self,
        source: &Source,
        refused_access_key_id: &str,
    ) -> Result<Credentials, CredentialsError> {
        if let Some(sealed) = self.store.sealed_keys(&source.id).await? {
            let sealer = self.sealer.as_ref().ok_or(CredentialsError::Sealed("no sealing_key is set"))?;
            let keys = sealer.open(&sealed)?;
            return Ok(Credentials::new(
                keys.access_key_id,
                keys.secret_access_key,
                None,
                None,
                "cortex-static",
            ));
        }
        let external_id = self.store.get_account(&source.account).await?.external_id;
        // A changed role, bucket or path must not be served from a session for the old ones.
        let scope = format!("{}/{}", source.id, source.revision);
        self.cache.get(&scope, refused_access_key_id, || self.sts.assume(source, &external_id)).await
    }
}
