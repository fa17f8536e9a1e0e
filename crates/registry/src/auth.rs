//! Whose token a call carries, and what it may do.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use subtle::ConstantTimeEq;
use tonic::Request;
use tonic::metadata::MetadataMap;

use crate::config::Config;
use crate::error::CallError;
use crate::store::{AccountId, Principal, Scope, Store, StoreError, TokenHash};

/// Tells callers by their bearer tokens.
#[derive(Debug, Clone)]
pub(crate) struct Authenticator {
    store: Store,
    admin: [u8; 32],
    worker: [u8; 32],
    /// Requests of each account; none where they are not limited.
    limiter: Option<Arc<DefaultKeyedRateLimiter<AccountId>>>,
}

impl Authenticator {
    pub(crate) fn new(config: &Config, store: Store) -> Self {
        let hash = |token: &str| *TokenHash::of(token).as_bytes();
        // A burst of two seconds' worth, as when a page is opened.
        let quota = NonZeroU32::new(config.requests_per_second).map(|rate| {
            Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
        });
        Self {
            store,
            admin: hash(config.admin_token.reveal()),
            worker: hash(config.worker_token.reveal()),
            limiter: quota.map(|quota| Arc::new(RateLimiter::keyed(quota))),
        }
    }

    /// For whom the call speaks.
    async fn principal<T>(&self, request: &Request<T>) -> Result<Principal, CallError> {
        let token = bearer(request.metadata()).ok_or(CallError::Unauthenticated)?;
        let hash = TokenHash::of(token);
        // Hashes are compared in constant time, so that how long it takes tells nothing of the token.
        if bool::from(hash.as_bytes().ct_eq(&self.admin)) {
            return Ok(Principal::Admin);
        }
        if bool::from(hash.as_bytes().ct_eq(&self.worker)) {
            return Ok(Principal::Worker);
        }
        let principal =
            self.store.principal(&hash, Timestamp::now()).await?.ok_or(CallError::Unauthenticated)?;
        if let Principal::Account { account, .. } = &principal {
            self.meter(account)?;
        }
        Ok(principal)
    }

    /// Counts a request against its account's limit.
    fn meter(&self, account: &AccountId) -> Result<(), CallError> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check_key(account).map_err(|early| CallError::TooMany {
            retry_after: early.wait_time_from(DefaultClock::default().now()),
        })
    }

    /// Forgets accounts that have not asked for anything of late.
    pub(crate) fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    /// Anyone whose token is known, but workers. For what concerns no account.
    pub(crate) async fn anyone<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.principal(request).await? {
            Principal::Admin | Principal::Account { .. } => Ok(()),
            Principal::Worker => Err(CallError::Forbidden("this call is not for workers")),
        }
    }

    /// Whose token it is and what it may do, but workers'.
    pub(crate) async fn caller<T>(&self, request: &Request<T>) -> Result<Caller, CallError> {
        match self.principal(request).await? {
            Principal::Admin => Ok(Caller::admin()),
            Principal::Account { account, scope, token } => Ok(Caller::of(account, scope, &token)),
            Principal::Worker => Err(CallError::Forbidden("this call is not for workers")),
        }
    }

    /// Only the operator.
    pub(crate) async fn admin<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.principal(request).await? {
            Principal::Admin => Ok(()),
            Principal::Worker | Principal::Account { .. } => {
                Err(CallError::Forbidden("this call is for the admin token alone"))
            }
        }
    }

    /// Only scanners and parsers.
    pub(crate) async fn worker<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.principal(request).await? {
            Principal::Worker => Ok(()),
            Principal::Admin | Principal::Account { .. } => {
                Err(CallError::Forbidden("this call is for the worker token alone"))
            }
        }
    }

    /// The operator, or the account itself, to look. To everyone else the account does not exist.
    pub(crate) async fn account_read<T>(
        &self,
        request: &Request<T>,
        account: &AccountId,
    ) -> Result<String, CallError> {
        self.of_account(request, account).await.map(|(actor, _)| actor)
    }

    /// The operator, or the account itself by a token that may change things. To everyone else the account does not exist.
    /// Gives the actor for the audit log.
    pub(crate) async fn account<T>(
        &self,
        request: &Request<T>,
        account: &AccountId,
    ) -> Result<String, CallError> {
        match self.of_account(request, account).await? {
            (actor, Scope::ReadWrite) => Ok(actor),
            (_, Scope::ReadOnly) => {
                Err(CallError::Forbidden("this token may look only; it takes one with READ_WRITE"))
            }
        }
    }

    async fn of_account<T>(
        &self,
        request: &Request<T>,
        account: &AccountId,
    ) -> Result<(String, Scope), CallError> {
        let caller = self.caller(request).await?;
        if caller.account.as_ref().is_some_and(|own| own != account) {
            let id = account.to_string();
            return Err(CallError::Store(StoreError::NotFound { kind: "account", id }));
        }
        Ok((caller.actor, caller.scope))
    }
}

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The one account that the token is for; none for the operator's.
    pub(crate) account: Option<AccountId>,
    /// What the token may do.
    pub(crate) scope: Scope,
    /// As the audit log names it.
    pub(crate) actor: String,
}

impl Caller {
    fn admin() -> Self {
        Self { account: None, scope: Scope::ReadWrite, actor: "admin".to_owned() }
    }

    fn of(account: AccountId, scope: Scope, token: &str) -> Self {
        let actor = if token.is_empty() { format!("account:{account}") } else { format!("token:{token}") };
        Self { account: Some(account), scope, actor }
    }
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}
