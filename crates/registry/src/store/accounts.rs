use std::fmt;

use jiff::Timestamp;
use sqlx::any::AnyRow;

use super::{AccountId, Page, PageRequest, Result, Store, StoreError, row::Columns, sql};

const SELECT_ACCOUNT: &str = "SELECT account_id, display_name, external_id, previous_external_id, previous_until, \
    deletions_version, created_at FROM accounts";

/// A customer. `Debug` does not show its External IDs.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// For people.
    pub display_name: String,
    /// What the trust policy of the customer's role must demand; unique among all accounts.
    pub external_id: String,
    /// The External ID before the last rotation, which still holds until `previous_until`.
    pub previous_external_id: Option<String>,
    /// When the one before ceases to hold.
    pub previous_until: Option<Timestamp>,
    /// Changes with every change of the deletion list; 0 while nothing was ever on it.
    pub deletions_version: u64,
    /// When it was made; kept to the microsecond.
    pub created: Timestamp,
}

impl Account {
    /// The External ID before, where it still holds at `now`.
    #[must_use]
    pub fn previous_at(&self, now: Timestamp) -> Option<&str> {
        let holds = self.previous_until.is_some_and(|until| now < until);
        self.previous_external_id.as_deref().filter(|_| holds)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("display_name", &self.display_name)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Makes an account. With a `request_id` that was used before, gives the account made then.
    /// [`StoreError::AlreadyExists`] where the id or the External ID is taken.
    pub async fn create_account(&self, account: &Account, request_id: Option<&str>) -> Result<Account> {
        let done = sqlx::query(
            "INSERT INTO accounts (account_id, display_name, external_id, request_id, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(account.id.as_str())
        .bind(account.display_name.as_str())
        .bind(account.external_id.as_str())
        .bind(request_id)
        .bind(account.created.as_microsecond())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            return self.get_account(&account.id).await;
        }
        let made = sqlx::query(sql(format!("{SELECT_ACCOUNT} WHERE request_id = $1")))
            .bind(request_id)
            .fetch_optional(&self.pool)
            .await?;
        let taken = || StoreError::AlreadyExists { kind: "account", id: account.id.to_string() };
        made.as_ref().map(self::account).ok_or_else(taken)?
    }

    /// Gives the account another External ID; the one that it has holds until `until`.
    pub async fn rotate_external_id(
        &self,
        id: &AccountId,
        external_id: &str,
        until: Timestamp,
    ) -> Result<Account> {
        let done = sqlx::query(
            "UPDATE accounts SET previous_external_id = external_id, previous_until = $3, external_id = $2 \
             WHERE account_id = $1",
        )
        .bind(id.as_str())
        .bind(external_id)
        .bind(until.as_microsecond())
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 {
            return Err(StoreError::no_account(id));
        }
        self.get_account(id).await
    }

    /// The account, or [`StoreError::NotFound`].
    pub async fn get_account(&self, id: &AccountId) -> Result<Account> {
        let row = sqlx::query(sql(format!("{SELECT_ACCOUNT} WHERE account_id = $1")))
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(account).ok_or_else(|| StoreError::no_account(id))?
    }

    /// All accounts, oldest first.
    pub async fn list_accounts(&self, page: &PageRequest) -> Result<Page<Account>> {
        let (created, id) = page.after((i64::MIN, String::new()))?;
        let rows = sqlx::query(sql(format!(
            "{SELECT_ACCOUNT} WHERE (created_at, account_id) > ($1, $2) ORDER BY created_at, account_id LIMIT $3"
        )))
        .bind(created)
        .bind(id)
        .bind(page.limit())
        .fetch_all(&self.pool)
        .await?;
        let accounts = rows.iter().map(account).collect::<Result<Vec<_>>>()?;
        page.page(accounts, |account| (account.created.as_microsecond(), account.id.as_str().to_owned()))
    }
}

fn account(row: &AnyRow) -> Result<Account> {
    let row = Columns(row);
    Ok(Account {
        id: row.text("account_id")?.into(),
        display_name: row.text("display_name")?,
        external_id: row.text("external_id")?,
        previous_external_id: row.text_or_none("previous_external_id")?,
        previous_until: row.time_or_none("previous_until")?,
        deletions_version: row.count("deletions_version")?,
        created: row.time("created_at")?,
    })
}
