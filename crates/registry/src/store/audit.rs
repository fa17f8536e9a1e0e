use jiff::Timestamp;

use super::{AccountId, Result, Store, unwritten};

/// Who did what to what, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: `admin`, `account:{id}`, `worker:{id}`.
    pub actor: String,
    /// The account concerned; `None` where it concerns none.
    pub account: Option<AccountId>,
    /// What was done, such as `source.activate` or `credentials.issue`.
    pub action: String,
    /// What it was done to: a resource name.
    pub subject: String,
    /// More, without secrets.
    pub detail: serde_json::Value,
}

impl Store {
    /// Adds an entry to the audit log.
    pub async fn audit(&self, entry: &AuditEntry) -> Result<()> {
        unwritten(entry)
    }

    /// The newest entries that concern the account, newest first.
    pub async fn list_audit(&self, account: &AccountId, limit: u32) -> Result<Vec<AuditEntry>> {
        unwritten((account, limit))
    }
}
