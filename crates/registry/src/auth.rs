//! Whose token a call carries, and what it may do.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use jiff::Timestamp;
use subtle::ConstantTimeEq;
use tonic::Request;
use tonic::metadata::MetadataMap;

use crate::config::Config;
use crate::error::{CallError, RegistryError};
use crate::people::{People, Person};
use crate::store::{AccountId, Principal, Scope, Store, StoreError, TokenHash};

/// Tells callers by their bearer tokens.
#[derive(Debug, Clone)]
pub(crate) struct Authenticator {
    store: Store,
    admin: [u8; 32],
    worker: [u8; 32],
    /// Whoever is signed in at a provider; none where there is none.
    people: Option<Arc<People>>,
    /// Requests of each account; none where they are not limited.
    limiter: Option<Arc<DefaultKeyedRateLimiter<AccountId>>>,
}

impl Authenticator {
    /// An error names the setting that cannot be used.
    pub(crate) fn new(config: &Config, store: Store) -> Result<Self, RegistryError> {
        let hash = |token: &str| *TokenHash::of(token).as_bytes();
        // A burst of two seconds' worth, as when a page is opened.
        let quota = NonZeroU32::new(config.requests_per_second).map(|rate| {
            Quota::per_second(rate).allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)))
        });
        let people = config.sign_in.as_ref().map(People::new).transpose()?;
        Ok(Self {
            store,
            admin: hash(config.admin_token.reveal()),
            worker: hash(config.worker_token.reveal()),
            people: people.map(Arc::new),
            limiter: quota.map(|quota| Arc::new(RateLimiter::keyed(quota))),
        })
    }

    /// For whom the call speaks.
    async fn speaker<T>(&self, request: &Request<T>) -> Result<Speaker, CallError> {
        let token = bearer(request.metadata()).ok_or(CallError::Unauthenticated)?;
        let hash = TokenHash::of(token);
        // Hashes are compared in constant time, so that how long it takes tells nothing of the token.
        if bool::from(hash.as_bytes().ct_eq(&self.admin)) {
            return Ok(Speaker::Token(Principal::Admin));
        }
        if bool::from(hash.as_bytes().ct_eq(&self.worker)) {
            return Ok(Speaker::Token(Principal::Worker));
        }
        if let Some(people) = &self.people
            && oidc::looks_like_jwt(token)
        {
            return Ok(Speaker::Person(people.person(token).await?));
        }
        let known = self.store.principal(&hash, Timestamp::now()).await?.ok_or(CallError::Unauthenticated)?;
        if let Principal::Account { account, .. } = &known {
            self.meter(account)?;
        }
        Ok(Speaker::Token(known))
    }

    /// Who calls, but workers. A person's request counts against the account that it is about, where that is theirs.
    async fn caller_about<T>(
        &self,
        request: &Request<T>,
        about: Option<&AccountId>,
    ) -> Result<Caller, CallError> {
        match self.speaker(request).await? {
            Speaker::Token(Principal::Admin) => Ok(Caller::admin()),
            Speaker::Token(Principal::Worker) => Err(CallError::Forbidden("this call is not for workers")),
            Speaker::Token(Principal::Account { account, scope, token }) => {
                Ok(Caller::of(account, scope, &token))
            }
            Speaker::Person(person) => {
                let counted = about.filter(|about| person.accounts.contains_key(about));
                let counted = counted.or_else(|| person.accounts.keys().next());
                // Whoever has no account is shown nothing, and does nothing.
                self.meter(counted.ok_or(CallError::Forbidden(NO_ACCOUNT))?)?;
                Ok(Caller::person(person))
            }
        }
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

    /// Anyone who is known, but workers. For what concerns no account.
    pub(crate) async fn anyone<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        self.caller_about(request, None).await.map(drop)
    }

    /// Who calls and what they may do, but workers.
    pub(crate) async fn caller<T>(&self, request: &Request<T>) -> Result<Caller, CallError> {
        self.caller_about(request, None).await
    }

    /// Only the operator.
    pub(crate) async fn admin<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.speaker(request).await? {
            Speaker::Token(Principal::Admin) => Ok(()),
            _ => Err(CallError::Forbidden("this call is for the admin token alone")),
        }
    }

    /// Only scanners and parsers.
    pub(crate) async fn worker<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.speaker(request).await? {
            Speaker::Token(Principal::Worker) => Ok(()),
            _ => Err(CallError::Forbidden("this call is for the worker token alone")),
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
        let caller = self.caller_about(request, Some(account)).await?;
        let scope = match &caller.accounts {
            None => Some(Scope::ReadWrite),
            Some(own) => own.get(account).copied(),
        };
        let unknown = || StoreError::NotFound { kind: "account", id: account.to_string() };
        Ok((caller.actor, scope.ok_or_else(unknown)?))
    }
}

/// For whom a call speaks.
enum Speaker {
    /// The holder of a token that was made here.
    Token(Principal),
    /// Someone who is signed in at the provider.
    Person(Person),
}

/// Said to those who are known and have nothing here.
const NO_ACCOUNT: &str = "you are signed in, and no account is open to you; ask whoever runs Cortex for one";

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The accounts that are open to them, and how far; none for the operator, who may do all.
    pub(crate) accounts: Option<BTreeMap<AccountId, Scope>>,
    /// As the audit log names it.
    pub(crate) actor: String,
}

impl Caller {
    fn admin() -> Self {
        Self { accounts: None, actor: "admin".to_owned() }
    }

    fn of(account: AccountId, scope: Scope, token: &str) -> Self {
        let actor = if token.is_empty() { format!("account:{account}") } else { format!("token:{token}") };
        Self { accounts: Some(BTreeMap::from([(account, scope)])), actor }
    }

    fn person(person: Person) -> Self {
        Self { accounts: Some(person.accounts), actor: format!("oidc:{}", person.subject) }
    }
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}
