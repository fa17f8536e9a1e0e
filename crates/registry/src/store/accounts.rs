use jiff::Timestamp;

use super::{AccountId, Page, PageRequest, Result, Store, unwritten};

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// For people.
    pub display_name: String,
    /// What the trust policy of the customer's role must demand; unique among all accounts.
    pub external_id: String,
    /// When it was made.
    pub created: Timestamp,
}

/// The SHA-256 of a bearer token; the token itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

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

impl Store {
    /// Makes an account. [`super::StoreError::AlreadyExists`] where the id or the External ID is taken.
    pub async fn create_account(&self, account: &Account) -> Result<()> {
        unwritten(account)
    }

    /// The account, or [`super::StoreError::NotFound`].
    pub async fn get_account(&self, id: &AccountId) -> Result<Account> {
        unwritten(id)
    }

    /// All accounts, oldest first.
    pub async fn list_accounts(&self, page: &PageRequest) -> Result<Page<Account>> {
        unwritten(page)
    }

    /// Makes a token known. Doing so again for the same principal changes nothing; for another one it is
    /// [`super::StoreError::AlreadyExists`].
    pub async fn add_token(&self, hash: &TokenHash, principal: &Principal, now: Timestamp) -> Result<()> {
        unwritten((hash, principal, now))
    }

    /// For whom the token speaks; `None` where it is not known.
    pub async fn principal(&self, hash: &TokenHash) -> Result<Option<Principal>> {
        unwritten(hash)
    }
}
