//! Sessions for sources: at the customer's role by STS, or static keys for an endpoint that the operator allows.

mod cache;
mod sealed;
pub(crate) mod session_policy;
mod sts;

use aws_credential_types::Credentials;
use jiff::Timestamp;
use metrics::counter;
use uuid::Uuid;

use crate::config::{Config, PlatformIdentity};
use crate::error::RegistryError;
use crate::store::{SealedKeys, Source, SourceId, Store, StoreError};

pub(crate) use sealed::{Sealer, StaticKeys};

/// Sealed keys that are looked at together.
const PAGE: u32 = 500;

/// Why there are no credentials for a source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("role {role_arn} cannot be assumed: {reason}")]
    AssumeRole { role_arn: String, reason: String },
    #[error("STS refuses a session at role {role_arn}: {reason}")]
    Sts { role_arn: String, reason: String },
    #[error("STS does not know the platform's own identity: {0}")]
    Platform(String),
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
            Self::Sts { .. } => "session_refused",
            Self::Platform(_) => "platform_identity_refused",
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
            Self::Sts { .. } => "see what STS says of the role, such as its longest session",
            Self::Platform(_) => "have the operator see to the registry's AWS credentials",
            Self::Unavailable(_) | Self::Store(_) => "try again in a while",
            Self::Sealed(_) => {
                "have the operator set the sealing_key that they were sealed with, or name it in sealing_keys_retired; \
                 or give the source its keys anew"
            }
        }
    }

    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Store(error) => error.is_transient(),
            Self::AssumeRole { .. } | Self::Sts { .. } | Self::Platform(_) | Self::Sealed(_) => false,
        }
    }
}

/// By what a source was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    StaticKeys,
    ExternalId,
    /// The one before the rotation; it holds until then.
    PreviousExternalId(Timestamp),
}

/// Gives sessions for sources.
#[derive(Debug)]
pub(crate) struct Issuer {
    store: Store,
    sts: sts::Sts,
    cache: cache::Sessions,
    sealer: Option<Sealer>,
    platform: PlatformIdentity,
}

impl Issuer {
    pub(crate) async fn new(config: &Config, store: Store) -> Result<Self, RegistryError> {
        let sealer = Sealer::of(config)?;
        let (sts, cache) = (sts::Sts::new(config).await, cache::Sessions::default());
        Ok(Self { store, sts, cache, sealer, platform: config.platform.clone() })
    }

    /// Seals static keys of a source for the store; none where no sealing key is set.
    pub(crate) fn seal(&self, source: &SourceId, keys: &StaticKeys) -> Option<SealedKeys> {
        self.sealer.as_ref()?.seal(source, keys)
    }

    /// Seals anew what is sealed under a retired key or in an older form; gives how many. Several registries may do so at
    /// once: keys that changed meanwhile are left alone.
    pub(crate) async fn seal_anew(&self) -> Result<u64, StoreError> {
        let Some(sealer) = &self.sealer else { return Ok(0) };
        let (mut after, mut resealed) = (None, 0);
        loop {
            let page = self.store.list_sealed_keys(after.as_ref(), PAGE).await?;
            for (source, sealed) in &page {
                let opened = match sealer.open(source, sealed) {
                    Ok(opened) => opened,
                    Err(error) => {
                        tracing::warn!(%source, %error, "what is sealed does not open, and stays as it is");
                        continue;
                    }
                };
                if opened.stale
                    && let Some(anew) = sealer.seal(source, &opened.keys)
                    && self.store.replace_sealed_keys(source, sealed, &anew).await?
                {
                    resealed += 1;
                }
            }
            match page.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(resealed),
            }
        }
    }

    /// A session for the source: the cached one, unless it is about to expire or S3 refused it.
    pub(crate) async fn issue(
        &self,
        source: &Source,
        refused_access_key_id: &str,
    ) -> Result<Credentials, CredentialsError> {
        if let Some(keys) = self.static_keys(source).await? {
            return Ok(keys);
        }
        // A changed role, bucket or path must not be served from a session for the old ones.
        let scope = format!("{}/{}", source.id, source.revision);
        let assume = || async {
            let assumed = self.assume(source).await;
            let outcome = assumed.as_ref().map_or_else(CredentialsError::code, |_| "issued");
            counter!("cortex_credential_refreshes_total", "outcome" => outcome).increment(1);
            Ok(assumed?.0)
        };
        self.cache.get(&scope, refused_access_key_id, assume).await
    }

    /// A session for the source that tells of its role as it is now, and by what it was opened.
    pub(crate) async fn open(&self, source: &Source) -> Result<(Credentials, By), CredentialsError> {
        match self.static_keys(source).await? {
            Some(keys) => Ok((keys, By::StaticKeys)),
            None => self.assume(source).await,
        }
    }

    /// Whether the source's role can be assumed with this External ID, or with none. What comes of it may do nothing.
    pub(crate) async fn is_assumable(
        &self,
        source: &Source,
        external_id: Option<&str>,
    ) -> Result<bool, CredentialsError> {
        let ask = sts::Ask {
            role_arn: &source.settings.role_arn,
            session_name: format!("cortex-test-{}", source.id),
            external_id,
            policy: session_policy::nothing(),
        };
        self.sts.is_assumable(&ask).await
    }

    /// An External ID that no role can demand.
    pub(crate) fn wrong_external_id() -> String {
        format!("not-{}", Uuid::new_v4().simple())
    }

    async fn static_keys(&self, source: &Source) -> Result<Option<Credentials>, CredentialsError> {
        let Some(sealed) = self.store.sealed_keys(&source.id).await? else { return Ok(None) };
        let sealer = self.sealer.as_ref().ok_or(CredentialsError::Sealed("no sealing_key is set"))?;
        let keys = sealer.open(&source.id, &sealed)?.keys;
        Ok(Some(Credentials::new(keys.access_key_id, keys.secret_access_key, None, None, "cortex-static")))
    }

    /// With the account's External ID; where the role refuses it, with the one before as long as that holds.
    async fn assume(&self, source: &Source) -> Result<(Credentials, By), CredentialsError> {
        let account = self.store.get_account(&source.account).await?;
        let with = |external_id| sts::Ask {
            role_arn: &source.settings.role_arn,
            session_name: format!("cortex-{}", source.id),
            external_id: Some(external_id),
            policy: session_policy::document(&source.settings, &self.platform),
        };
        let refused = match self.sts.assume(&with(&account.external_id)).await {
            Ok(session) => return Ok((session, By::ExternalId)),
            Err(refused) => refused,
        };
        if let CredentialsError::AssumeRole { .. } = &refused
            && let Some(previous) = account.previous_at(Timestamp::now())
            && let Some(until) = account.previous_until
            && let Ok(session) = self.sts.assume(&with(previous)).await
        {
            tracing::info!(source = %source.id, %until, "the role still demands the External ID before the rotation");
            return Ok((session, By::PreviousExternalId(until)));
        }
        Err(refused)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::config::Secret;
    use crate::store::{
        Account, AccountId, InvalidRows, NewSource, OverwritePolicy, SchemaVersion, SourceSettings,
    };

    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    async fn issuer(store: &Store, current: &str, retired: &[&str]) -> Issuer {
        let secret = |text: &str| Secret::new(text);
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::new(listen, secret("d"), secret("a"), secret("w"));
        config.platform.keys = Some(("id".into(), secret("s")));
        config.sealing_key = Some(secret(current));
        config.sealing_keys_retired = retired.iter().map(|key| secret(key)).collect();
        Issuer::new(&config, store.clone()).await.unwrap()
    }

    async fn source_with_keys(store: &Store, issuer: &Issuer) -> Source {
        let account = Account {
            id: AccountId::from("shop"),
            display_name: "shop".into(),
            external_id: "x".into(),
            previous_external_id: None,
            previous_until: None,
            deletions_version: 0,
            created: Timestamp::UNIX_EPOCH,
        };
        store.create_account(&account, None).await.unwrap();
        let id = SourceId::from(Uuid::new_v4().to_string());
        let keys = StaticKeys { access_key_id: "id".into(), secret_access_key: "hush".into() };
        let new = NewSource {
            sealed_keys: issuer.seal(&id, &keys),
            id,
            account: account.id,
            settings: SourceSettings {
                display_name: "x".into(),
                dataset: "EVENTS".into(),
                bucket: "b".into(),
                path: String::new(),
                role_arn: String::new(),
                region: String::new(),
                endpoint_url: "http://s3".into(),
                expected_bucket_owner: String::new(),
                time_zone: String::new(),
                schema: SchemaVersion { version: 1, json: "{}".into() },
                invalid_rows: InvalidRows::RejectRow,
                overwrite_policy: OverwritePolicy::Replace,
                max_rejected: 0,
                event_queue_url: String::new(),
            },
            request_id: None,
        };
        store.create_source(&new, Timestamp::UNIX_EPOCH).await.unwrap()
    }

    #[tokio::test]
    async fn what_a_retired_key_sealed_is_sealed_anew_and_the_retired_key_needed_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("r.db").display());
        let store = Store::open(&url).await.unwrap();
        let source = source_with_keys(&store, &issuer(&store, OLD, &[]).await).await;

        let without = issuer(&store, NEW, &[]).await;
        assert_eq!(without.seal_anew().await.unwrap(), 0, "what does not open stays as it is");
        assert_eq!(without.open(&source).await.unwrap_err().code(), "keys_not_opened");

        let between = issuer(&store, NEW, &[OLD]).await;
        assert_eq!(between.open(&source).await.unwrap().1, By::StaticKeys);
        assert_eq!(between.seal_anew().await.unwrap(), 1);
        assert_eq!(between.seal_anew().await.unwrap(), 0, "once is enough");

        let (keys, _) = without.open(&source).await.unwrap();
        assert_eq!((keys.access_key_id(), keys.secret_access_key()), ("id", "hush"));
        let unchanged = store.get_source(&source.account, &source.id).await.unwrap();
        assert_eq!(unchanged.revision, source.revision, "nothing changed for the customer");
        store.close().await;
    }
}
