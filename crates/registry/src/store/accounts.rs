use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;

use super::{AccountId, Page, PageRequest, Result, Store, StoreError, row::Columns};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// For people.
    pub display_name: String,
    /// What the trust policy of the customer's role must demand; unique among all accounts.
    pub external_id: String,
    /// When it was made; kept to the microsecond.
    pub created: Timestamp,
}

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

/// For whom a token speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The operator: may do all.
    Admin,
    /// A scanner or parser: the worker API.
    Worker,
    /// One account, and nothing of another.
    Account(AccountId),
}

impl Principal {
    fn role(&self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Worker => "worker",
            Self::Account(_) => "account",
        }
    }

    fn account(&self) -> Option<&str> {
        match self {
            Self::Account(id) => Some(id.as_str()),
            Self::Admin | Self::Worker => None,
        }
    }
}

impl Store {
    /// Makes an account. [`StoreError::AlreadyExists`] where the id or the External ID is taken.
    pub async fn create_account(&self, account: &Account) -> Result<()> {
        let done = sqlx::query(
            "INSERT INTO accounts (account_id, display_name, external_id, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(account.id.as_str())
        .bind(account.display_name.as_str())
        .bind(account.external_id.as_str())
        .bind(account.created.as_microsecond())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::AlreadyExists { kind: "account", id: account.id.to_string() });
        }
        Ok(())
    }

    /// The account, or [`StoreError::NotFound`].
    pub async fn get_account(&self, id: &AccountId) -> Result<Account> {
        let row = sqlx::query(
            "SELECT account_id, display_name, external_id, created_at FROM accounts WHERE account_id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(account).ok_or_else(|| StoreError::no_account(id))?
    }

    /// All accounts, oldest first.
    pub async fn list_accounts(&self, page: &PageRequest) -> Result<Page<Account>> {
        let (created, id) = page.after((i64::MIN, String::new()))?;
        let rows = sqlx::query(
            "SELECT account_id, display_name, external_id, created_at FROM accounts \
             WHERE (created_at, account_id) > ($1, $2) ORDER BY created_at, account_id LIMIT $3",
        )
        .bind(created)
        .bind(id)
        .bind(page.limit())
        .fetch_all(&self.pool)
        .await?;
        let accounts = rows.iter().map(account).collect::<Result<Vec<_>>>()?;
        page.page(accounts, |account| (account.created.as_microsecond(), account.id.as_str().to_owned()))
    }

    /// Makes a token known. Doing so again for the same principal changes nothing; for another one it is
    /// [`StoreError::AlreadyExists`]. [`StoreError::NotFound`] where there is no such account.
    pub async fn add_token(&self, hash: &TokenHash, principal: &Principal, now: Timestamp) -> Result<()> {
        if let Principal::Account(account) = principal {
            self.get_account(account).await?;
        }
        let done = sqlx::query(
            "INSERT INTO tokens (token_hash, role, account_id, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(hash.0.to_vec())
        .bind(principal.role())
        .bind(principal.account())
        .bind(now.as_microsecond())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 && self.principal(hash).await?.as_ref() != Some(principal) {
            return Err(StoreError::AlreadyExists { kind: "token", id: String::new() });
        }
        Ok(())
    }

    /// For whom the token speaks; `None` where it is not known.
    pub async fn principal(&self, hash: &TokenHash) -> Result<Option<Principal>> {
        let row = sqlx::query("SELECT role, account_id FROM tokens WHERE token_hash = $1")
            .bind(hash.0.to_vec())
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns(&row);
        let (role, account) = (row.text("role")?, row.text_or_none("account_id")?);
        match (role.as_str(), account) {
            ("admin", None) => Ok(Some(Principal::Admin)),
            ("worker", None) => Ok(Some(Principal::Worker)),
            ("account", Some(id)) => Ok(Some(Principal::Account(id.into()))),
            _ => Err(StoreError::corrupt(format!("tokens.role is {role:?}"))),
        }
    }
}

fn account(row: &AnyRow) -> Result<Account> {
    let row = Columns(row);
    Ok(Account {
        id: row.text("account_id")?.into(),
        display_name: row.text("display_name")?,
        external_id: row.text("external_id")?,
        created: row.time("created_at")?,
    })
}
