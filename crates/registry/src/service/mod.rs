//! The two APIs.

mod accounts;
mod connection;
mod datasets;
mod days;
mod deletions;
mod files;
mod looks;
mod preview;
mod registry;
mod schemas;
mod setup;
mod sources;
mod worker;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_stream::Stream;
use tonic::Status;

use crate::auth::Authenticator;
use crate::config::Config;
use crate::convert;
use crate::credentials::Issuer;
use crate::error::CallError;
use crate::store::{AccountId, AuditEntry, PageRequest, Store};

pub(crate) use looks::Looks;

/// The answer of a call that streams.
pub(crate) type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

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
    pub(crate) looks: Looks,
}

impl Service {
    /// A source as the API shows it.
    fn shown(&self, source: crate::store::Source) -> Option<api::registry::Source> {
        Some(convert::source(source, self.config.delete_grace))
    }

    /// Writes down who did what; a log that cannot be written refuses the call.
    async fn audit(
        &self,
        actor: &str,
        account: &AccountId,
        action: &str,
        subject: &str,
        detail: serde_json::Value,
    ) -> Result<(), CallError> {
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

fn page(size_sent: i32, token: String) -> Result<PageRequest, CallError> {
    Ok(PageRequest { size: size(size_sent, 50, 1_000)?, token })
}

/// As AIP-158: the default where zero, the limit where above it.
fn size(sent: i32, default: u32, limit: u32) -> Result<u32, CallError> {
    match u32::try_from(sent) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(size.min(limit)),
        Err(_) => Err(CallError::invalid("page_size", "must not be negative")),
    }
}

/// YYYY-MM-DD
fn date(field: &str, text: &str) -> Result<jiff::civil::Date, CallError> {
    text.parse().map_err(|_| CallError::invalid(field, format!("{text:?} must be a date, YYYY-MM-DD")))
}

fn precondition(code: &str, reason: String) -> CallError {
    CallError::Precondition { code: code.to_owned(), reason, advice: String::new() }
}
