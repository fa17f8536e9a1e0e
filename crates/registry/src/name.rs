//! Resource names: `accounts/{account}/sources/{source}`.

use uuid::Uuid;

use crate::error::CallError;
use crate::store::{AccountId, SourceId};

/// `accounts/{account}`
pub(crate) fn account(field: &str, name: &str) -> Result<AccountId, CallError> {
    name.strip_prefix("accounts/")
        .filter(|id| is_account_id(id))
        .map(AccountId::from)
        .ok_or_else(|| CallError::invalid(field, format!("{name:?} must be accounts/{{account}}")))
}

/// `accounts/{account}/sources/{source}`
pub(crate) fn source(field: &str, name: &str) -> Result<(AccountId, SourceId), CallError> {
    let parse = || {
        let (account, source) = name.strip_prefix("accounts/")?.split_once("/sources/")?;
        let source = Uuid::try_parse(source).ok()?;
        is_account_id(account).then(|| (AccountId::from(account), SourceId::from(source.to_string())))
    };
    parse().ok_or_else(|| {
        CallError::invalid(field, format!("{name:?} must be accounts/{{account}}/sources/{{source}}"))
    })
}

/// `accounts/{account}/tokens/{token}`
pub(crate) fn token(field: &str, name: &str) -> Result<(AccountId, String), CallError> {
    let parse = || {
        let (account, token) = name.strip_prefix("accounts/")?.split_once("/tokens/")?;
        let token = Uuid::try_parse(token).ok()?;
        is_account_id(account).then(|| (AccountId::from(account), token.to_string()))
    };
    parse().ok_or_else(|| {
        CallError::invalid(field, format!("{name:?} must be accounts/{{account}}/tokens/{{token}}"))
    })
}

/// The name of a source.
pub(crate) fn of_source(account: &AccountId, source: &SourceId) -> String {
    format!("accounts/{account}/sources/{source}")
}

/// 3 to 63 of a-z, 0-9 and '-', beginning with a letter, not ending with '-' (AIP-122).
pub(crate) fn is_account_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=63).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && id.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_only_in_their_form() {
        assert!(account("name", "accounts/shop-1").is_ok());
        for wrong in ["shop", "accounts/", "accounts/Shop", "accounts/a/b", "accounts/1abc", "accounts/abc-"]
        {
            assert!(account("name", wrong).is_err(), "{wrong}");
        }
        let id = Uuid::new_v4();
        assert!(source("name", &format!("accounts/shop/sources/{id}")).is_ok());
        assert!(source("name", "accounts/shop/sources/../../x").is_err());
    }
}
