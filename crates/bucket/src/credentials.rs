//! Sessions: asked from the registry, kept until shortly before they expire, given up when S3 refuses them.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, SystemTime};

use api::client::Worker;
use api::worker::IssueCredentialsRequest;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use crate::error::causes;

/// A session is renewed this long before it expires, or for short ones after three quarters of their time.
const RENEW_BEFORE: Duration = Duration::from_secs(60);

/// Credentials that the registry issues for one source.
///
/// Keep one per source and open the source's bucket with it. Each ask is a call to the registry: the [`Bucket`]
/// keeps what it got, asks again before it expires, and says which session S3 refused, so that the registry makes a
/// new one.
///
/// [`Bucket`]: crate::Bucket
#[derive(Clone)]
pub struct IssuedCredentials {
    client: Worker,
    source_id: String,
    worker_id: String,
    refused: Refused,
}

impl IssuedCredentials {
    /// For the source, asked in the worker's name.
    pub fn new(client: Worker, source_id: impl Into<String>, worker_id: impl Into<String>) -> Self {
        Self { client, source_id: source_id.into(), worker_id: worker_id.into(), refused: Refused::default() }
    }

    async fn issue(&self) -> provider::Result {
        let refused = self.refused.get();
        let request = IssueCredentialsRequest {
            source_id: self.source_id.clone(),
            worker_id: self.worker_id.clone(),
            refused_access_key_id: refused.clone().unwrap_or_default(),
        };
        let issued = self
            .client
            .clone()
            .issue_credentials(request)
            .await
            .map_err(CredentialsError::provider_error)?
            .into_inner();
        if issued.access_key_id.is_empty() || issued.secret_access_key.is_empty() {
            return Err(CredentialsError::unhandled("the registry issued a session without keys"));
        }
        let expiry = issued.expires_at.map(|at| {
            let since_1970 = Duration::new(
                u64::try_from(at.seconds).unwrap_or_default(),
                u32::try_from(at.nanos).unwrap_or_default(),
            );
            SystemTime::UNIX_EPOCH + since_1970
        });
        let token = (!issued.session_token.is_empty()).then_some(issued.session_token);
        let mut credentials = Credentials::new(
            issued.access_key_id,
            issued.secret_access_key,
            token,
            expiry,
            "cortex-registry",
        );
        self.refused.clear(refused);
        credentials.set_property(self.refused.clone());
        Ok(credentials)
    }
}

impl fmt::Debug for IssuedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCredentials").field("source_id", &self.source_id).finish_non_exhaustive()
    }
}

impl ProvideCredentials for IssuedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.issue())
    }
}

/// The way back from whoever uses a session to whoever issued it: the access key that S3 refused. It travels as a
/// property of the credentials, so it passes through any provider in between.
#[derive(Debug, Clone, Default)]
struct Refused(Arc<StdMutex<Option<String>>>);

impl Refused {
    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, access_key_id: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(access_key_id.to_owned());
    }

    /// Forgets a refusal that was answered, unless another came meanwhile.
    fn clear(&self, answered: Option<String>) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *refused == answered {
            *refused = None;
        }
    }
}

/// True of a session that the registry issued: it replaces them every so often only, so that it may have no other one for
/// some seconds. Static keys are never replaced.
fn is_replaced_later(session: &Credentials) -> bool {
    session.expiry().is_some() && session.get_property::<Refused>().is_some()
}

/// The session in use. The SDK's own cache cannot be told that S3 refused a session before its time, so it is off and
/// this one stands in for it.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: SharedCredentialsProvider,
    current: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    credentials: Credentials,
    renew_at: Option<SystemTime>,
}

impl Session {
    pub(crate) fn new(provider: SharedCredentialsProvider) -> Self {
        Self(Arc::new(Inner { provider, current: Mutex::new(None) }))
    }

    /// The session in use, a new one where it is about to expire.
    pub(crate) async fn current(&self) -> provider::Result {
        let mut current = self.0.current.lock().await;
        let now = SystemTime::now();
        if let Some(kept) = &*current
            && kept.renew_at.is_none_or(|at| now < at)
        {
            return Ok(kept.credentials.clone());
        }
        let credentials = match (self.0.provider.provide_credentials().await, &*current) {
            (Ok(credentials), _) => credentials,
            // It is renewed early so that an issuer that restarts meanwhile stops nobody.
            (Err(err), Some(kept)) if kept.credentials.expiry().is_some_and(|expiry| now < expiry) => {
                tracing::warn!(
                    err = causes(&err),
                    "the session cannot be renewed yet, the old one still holds"
                );
                return Ok(kept.credentials.clone());
            }
            (Err(err), _) => return Err(err),
        };
        let renew_at = credentials.expiry().map(|expiry| {
            let left = expiry.duration_since(now).unwrap_or_default();
            expiry - RENEW_BEFORE.min(left / 4)
        });
        *current = Some(Kept { credentials: credentials.clone(), renew_at });
        Ok(credentials)
    }

    /// Makes a call; where the session is refused, once more with a new one. `not_yet` makes the error where the registry
    /// still gives the one that was refused.
    pub(crate) async fn call<T, E, F>(
        &self,
        from_credentials: impl Fn(&CredentialsError) -> E,
        is_refused: impl Fn(&E) -> bool,
        not_yet: impl Fn(String) -> E,
        send: impl Fn() -> F,
    ) -> Result<T, E>
    where
        E: std::error::Error,
        F: Future<Output = Result<T, E>>,
    {
        let mut refused: Option<String> = None;
        loop {
            let session = self.current().await.map_err(|err| from_credentials(&err))?;
            let access_key_id = session.access_key_id();
            if refused.as_deref() == Some(access_key_id) && is_replaced_later(&session) {
                return Err(not_yet(
                    "the session is refused, and the registry has no other one yet".to_owned(),
                ));
            }
            let err = match send().await {
                Err(err) if refused.is_none() && is_refused(&err) => err,
                answer => return answer,
            };
            tracing::info!(%err, "the session is refused, a new one is asked for");
            self.refuse(access_key_id).await;
            refused = Some(access_key_id.to_owned());
        }
    }

    /// Gives up the session with this key, as S3 refused it, and tells its issuer.
    pub(crate) async fn refuse(&self, access_key_id: &str) {
        let mut current = self.0.current.lock().await;
        if let Some(kept) = current.take_if(|kept| kept.credentials.access_key_id() == access_key_id)
            && let Some(refused) = kept.credentials.get_property::<Refused>()
        {
            refused.set(access_key_id);
        }
    }
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.current())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Issues sessions `KEY1`, `KEY2`, … that last for a given time, as many as it may.
    #[derive(Debug)]
    struct Issuer {
        most: u32,
        issued: Arc<AtomicU32>,
        lasting: Duration,
        refused: Refused,
    }

    impl ProvideCredentials for Issuer {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let n = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
            if n > self.most {
                return future::ProvideCredentials::ready(Err(CredentialsError::unhandled("no more")));
            }
            let expiry = SystemTime::now() + self.lasting;
            let mut credentials = Credentials::new(format!("KEY{n}"), "s", None, Some(expiry), "test");
            credentials.set_property(self.refused.clone());
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    fn session(lasting: Duration) -> (Session, Arc<AtomicU32>, Refused) {
        let (issued, refused) = (Arc::new(AtomicU32::new(0)), Refused::default());
        let issuer = Issuer { most: 2, issued: issued.clone(), lasting, refused: refused.clone() };
        (Session::new(SharedCredentialsProvider::new(issuer)), issued, refused)
    }

    #[tokio::test]
    async fn a_session_is_kept_while_it_holds() {
        let (session, issued, _) = session(Duration::from_secs(900));
        for _ in 0..3 {
            assert_eq!(session.current().await.unwrap().access_key_id(), "KEY1");
        }
        assert_eq!(issued.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_session_is_renewed_before_it_expires() {
        let (session, _, _) = session(Duration::from_millis(400));
        assert_eq!(session.current().await.unwrap().access_key_id(), "KEY1");
        tokio::time::sleep(Duration::from_millis(320)).await;
        assert_eq!(session.current().await.unwrap().access_key_id(), "KEY2");
    }

    #[tokio::test]
    async fn a_session_that_cannot_be_renewed_is_used_until_it_expires() {
        let (session, _, _) = session(Duration::from_millis(1200));
        session.current().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1250)).await;
        assert_eq!(session.current().await.unwrap().access_key_id(), "KEY2");
        tokio::time::sleep(Duration::from_millis(950)).await;
        assert_eq!(
            session.current().await.unwrap().access_key_id(),
            "KEY2",
            "there is no third, but it still holds"
        );
        tokio::time::sleep(Duration::from_millis(350)).await;
        assert!(session.current().await.is_err());
    }

    #[tokio::test]
    async fn a_refused_session_is_given_up_and_its_issuer_told() {
        let (session, _, refused) = session(Duration::from_secs(900));
        session.current().await.unwrap();
        session.refuse("ANOTHER").await;
        assert_eq!(refused.get(), None);
        session.refuse("KEY1").await;
        assert_eq!(refused.get().as_deref(), Some("KEY1"));
        assert_eq!(session.current().await.unwrap().access_key_id(), "KEY2");
    }
}
