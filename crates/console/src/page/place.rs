//! Addresses of accounts and sources, and the names of both in the API.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::error::PageError;
use crate::session::App;

/// What stands as it is in a part of a path, and in a query's value.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Text as a part of an address.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// An account, as an address names it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AccountPlace {
    pub(crate) account: String,
}

impl AccountPlace {
    /// In the API.
    pub(crate) fn name(&self) -> String {
        format!("accounts/{}", self.account)
    }

    /// The address of a page of the account.
    pub(crate) fn href(&self, rest: &str) -> String {
        format!("/accounts/{}{rest}", encoded(&self.account))
    }
}

/// A source, as an address names it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) source: String,
}

impl Place {
    /// Of a source that the API names.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let (account, source) = name.strip_prefix("accounts/")?.split_once("/sources/")?;
        Some(Self { account: account.to_owned(), source: source.to_owned() })
    }

    /// In the API.
    pub(crate) fn name(&self) -> String {
        format!("accounts/{}/sources/{}", self.account, self.source)
    }

    /// The address of a page of the source.
    pub(crate) fn href(&self, rest: &str) -> String {
        format!("/accounts/{}/sources/{}{rest}", encoded(&self.account), encoded(&self.source))
    }

    /// That of a page of its account.
    pub(crate) fn account_href(&self, rest: &str) -> String {
        format!("/accounts/{}{rest}", encoded(&self.account))
    }
}

macro_rules! from_path {
    ($place:ty, $is_whole:expr) => {
        impl FromRequestParts<App> for $place {
            type Rejection = PageError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
                let Path(place) =
                    Path::<Self>::from_request_parts(parts, app).await.map_err(|_| PageError::NotFound)?;
                // A slash in a part would make another name of it.
                if $is_whole(&place) { Ok(place) } else { Err(PageError::NotFound) }
            }
        }
    };
}

from_path!(AccountPlace, |place: &AccountPlace| !place.account.contains('/'));
from_path!(Place, |place: &Place| !place.account.contains('/') && !place.source.contains('/'));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses_and_back() {
        let place = Place::of("accounts/shop/sources/1f").unwrap();
        assert_eq!(place.name(), "accounts/shop/sources/1f");
        assert_eq!(place.href("/files"), "/accounts/shop/sources/1f/files");
        assert_eq!(encoded("a b/ü?&\"<"), "a%20b%2F%C3%BC%3F%26%22%3C");
        assert!(Place::of("accounts/shop").is_none());
    }
}
