//! The two APIs.

mod connection;
mod registry;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::credentials::Issuer;
use crate::store::{AccountId, AuditEntry, Store};

/// The instant so long ago.
pub(crate) fn stuck_since(stuck_after: Duration) -> Timestamp {
    Timestamp::now().checked_sub(stuck_after).unwrap_or(Timestamp::MIN)
}

/// What both APIs work with.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) config: Arc<Config>,
    pub(crate) store: Store,
    pub(crate) auth: Authenticator,
    pub(crate) issuer: Arc<Issuer>,
}

impl Service {
    /// Writes down who did what; a log that cannot be written refuses the call.
    async fn audit(
        &self,
        actor: &str,
        account: &AccountId,
        action: &str,
        subject: &str,
        detail: serde_json::Value,
    ) -> Result<(), crate::error::CallError> {
        let entry = AuditEntry {
            at: Timestamp::now(),
            actor: actor.to_owned(),
            account: Some(account.clone()),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail,
        };
        Ok(self.store.audit(&entry).await?)
    }
}
