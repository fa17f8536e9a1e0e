use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{
    AccountId, Page, PageRequest, Result, Store,
    row::{Columns, to_json},
};

/// Who did what to what, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: `admin`, `account:{id}`, `token:{id}`, `oidc:{subject}`, `worker:{id}`, `registry`.
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
        sqlx::query(
            "INSERT INTO audit_log (at, actor, account_id, action, subject, detail) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(entry.at.as_microsecond())
        .bind(entry.actor.as_str())
        .bind(entry.account.as_ref().map(AccountId::as_str))
        .bind(entry.action.as_str())
        .bind(entry.subject.as_str())
        .bind(to_json(&entry.detail)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The entries that concern the account, newest first; those about one subject alone where it is given.
    pub async fn list_audit(
        &self,
        account: &AccountId,
        subject: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<AuditEntry>> {
        let before = page.after(i64::MAX)?;
        let query = match subject {
            None => {
                "SELECT audit_id, at, actor, account_id, action, subject, detail FROM audit_log \
                 WHERE account_id = $1 AND audit_id < $2 ORDER BY audit_id DESC LIMIT $3"
            }
            Some(_) => {
                "SELECT audit_id, at, actor, account_id, action, subject, detail FROM audit_log \
                 WHERE account_id = $1 AND audit_id < $2 AND subject = $4 ORDER BY audit_id DESC LIMIT $3"
            }
        };
        let query = sqlx::query(query).bind(account.as_str()).bind(before).bind(page.limit());
        let query = match subject {
            None => query,
            Some(subject) => query.bind(subject),
        };
        let rows = query.fetch_all(&self.pool).await?;
        let numbered = |row| Ok((Columns(row).int("audit_id")?, entry(row)?));
        let entries = rows.iter().map(numbered).collect::<Result<Vec<_>>>()?;
        let page = page.page(entries, |(id, _)| *id)?;
        Ok(Page {
            items: page.items.into_iter().map(|(_, entry)| entry).collect(),
            next_token: page.next_token,
        })
    }
}

fn entry(row: &AnyRow) -> Result<AuditEntry> {
    let row = Columns(row);
    Ok(AuditEntry {
        at: row.time("at")?,
        actor: row.text("actor")?,
        account: row.text_or_none("account_id")?.map(AccountId::from),
        action: row.text("action")?,
        subject: row.text("subject")?,
        detail: row.json("detail")?,
    })
}
