use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;

use super::{AccountId, Result, Store, StoreError, row::Columns};

/// The SHA-256 of a bearer token; the token itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of a token as it is shown.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// What an account's token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Look, and change nothing.
    ReadOnly,
    /// All that an account may.
    ReadWrite,
}

impl Scope {
    fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read_only",
            Self::ReadWrite => "read_write",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::ReadOnly, Self::ReadWrite]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| StoreError::corrupt(format!("tokens.scope is {text:?}")))
    }
}

/// For whom a token speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The operator: may do all.
    Admin,
    /// A scanner or parser: the worker API.
    Worker,
    /// One account, and nothing of another.
    Account {
        /// The account.
        account: AccountId,
        /// What the token may do.
        scope: Scope,
        /// The token's id; empty for one that was made before tokens had ids.
        token: String,
    },
}

/// An account's token, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountToken {
    /// Its id: a UUID made by the service.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// For people.
    pub display_name: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; `None` for never.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// Makes an account's token known. [`StoreError::NotFound`] where there is no such account,
    /// [`StoreError::AlreadyExists`] where the id or the hash is taken.
    pub async fn add_token(&self, hash: &TokenHash, token: &AccountToken) -> Result<()> {
        self.get_account(&token.account).await?;
        let done = sqlx::query(
            "INSERT INTO tokens (token_hash, role, account_id, token_id, display_name, scope, created_at, expires_at) \
             VALUES ($1, 'account', $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(hash.0.to_vec())
        .bind(token.account.as_str())
        .bind(token.id.as_str())
        .bind(token.display_name.as_str())
        .bind(token.scope.as_str())
        .bind(token.created.as_microsecond())
        .bind(token.expires.map(Timestamp::as_microsecond))
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::AlreadyExists { kind: "token", id: token.id.clone() });
        }
        Ok(())
    }

    /// The account's tokens, newest first, those that have ended among them.
    pub async fn list_tokens(&self, account: &AccountId) -> Result<Vec<AccountToken>> {
        let rows = sqlx::query(
            "SELECT token_id, account_id, display_name, scope, created_at, expires_at FROM tokens \
             WHERE account_id = $1 AND token_id IS NOT NULL ORDER BY created_at DESC, token_id",
        )
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(token).collect()
    }

    /// Forgets a token of the account: it is refused from then on. [`StoreError::NotFound`] where there is none.
    pub async fn revoke_token(&self, account: &AccountId, id: &str) -> Result<()> {
        let done = sqlx::query("DELETE FROM tokens WHERE account_id = $1 AND token_id = $2")
            .bind(account.as_str())
            .bind(id)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::NotFound { kind: "token", id: id.to_owned() });
        }
        Ok(())
    }

    /// For whom the token speaks at `now`; `None` where it is not known, or has ended.
    pub async fn principal(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Principal>> {
        let row = sqlx::query(
            "SELECT role, account_id, token_id, scope FROM tokens \
             WHERE token_hash = $1 AND (expires_at IS NULL OR expires_at > $2)",
        )
        .bind(hash.0.to_vec())
        .bind(now.as_microsecond())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row);
        let (role, account) = (row.text("role")?, row.text_or_none("account_id")?);
        match (role.as_str(), account) {
            ("admin", None) => Ok(Some(Principal::Admin)),
            ("worker", None) => Ok(Some(Principal::Worker)),
            ("account", Some(id)) => Ok(Some(Principal::Account {
                account: id.into(),
                scope: Scope::parse(&row.text("scope")?)?,
                token: row.text_or_none("token_id")?.unwrap_or_default(),
            })),
            _ => Err(StoreError::corrupt(format!("tokens.role is {role:?}"))),
        }
    }
}

fn token(row: &AnyRow) -> Result<AccountToken> {
    let row = Columns(row);
    Ok(AccountToken {
        id: row.text("token_id")?,
        account: row.text("account_id")?.into(),
        display_name: row.text("display_name")?,
        scope: Scope::parse(&row.text("scope")?)?,
        created: row.time("created_at")?,
        expires: row.time_or_none("expires_at")?,
    })
}
