//! Whose token a call carries, and what it may do.

use subtle::ConstantTimeEq;
use tonic::Request;
use tonic::metadata::MetadataMap;

use crate::config::Config;
use crate::error::CallError;
use crate::store::{AccountId, Principal, Store, TokenHash};

/// Tells callers by their bearer tokens.
#[derive(Debug, Clone)]
pub(crate) struct Authenticator {
    store: Store,
    admin: [u8; 32],
    worker: [u8; 32],
}

impl Authenticator {
    pub(crate) fn new(config: &Config, store: Store) -> Self {
        let hash = |token: &str| *TokenHash::of(token).as_bytes();
        Self { store, admin: hash(config.admin_token.reveal()), worker: hash(config.worker_token.reveal()) }
    }

    /// For whom the call speaks.
    pub(crate) async fn principal<T>(&self, request: &Request<T>) -> Result<Principal, CallError> {
        let token = bearer(request.metadata()).ok_or(CallError::Unauthenticated)?;
        let hash = TokenHash::of(token);
        // Hashes are compared in constant time, so that how long it takes tells nothing of the token.
        if bool::from(hash.as_bytes().ct_eq(&self.admin)) {
            return Ok(Principal::Admin);
        }
        if bool::from(hash.as_bytes().ct_eq(&self.worker)) {
            return Ok(Principal::Worker);
        }
        self.store.principal(&hash).await?.ok_or(CallError::Unauthenticated)
    }

    /// Only the operator.
    pub(crate) async fn admin<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.principal(request).await? {
            Principal::Admin => Ok(()),
            Principal::Worker | Principal::Account(_) => {
                Err(CallError::Forbidden("this call is for the admin token alone"))
            }
        }
    }

    /// Only scanners and parsers.
    pub(crate) async fn worker<T>(&self, request: &Request<T>) -> Result<(), CallError> {
        match self.principal(request).await? {
            Principal::Worker => Ok(()),
            Principal::Admin | Principal::Account(_) => {
                Err(CallError::Forbidden("this call is for the worker token alone"))
            }
        }
    }

    /// The operator, or the account itself. To everyone else the account does not exist. Gives the actor for the audit
    /// log.
    pub(crate) async fn account<T>(
        &self,
        request: &Request<T>,
        account: &AccountId,
    ) -> Result<String, CallError> {
        match self.principal(request).await? {
            Principal::Admin => Ok("admin".to_owned()),
            Principal::Account(own) if own == *account => Ok(format!("account:{own}")),
            Principal::Account(_) => {
                let id = account.to_string();
                Err(CallError::Store(crate::store::StoreError::NotFound { kind: "account", id }))
            }
            Principal::Worker => Err(CallError::Forbidden("this call is not for workers")),
        }
    }
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    metadata.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}
