use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::{Result, StoreError, row::to_json};

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default)]
pub struct PageRequest {
    /// Most items of the page; at least 1 (0 is taken as 1). The service sets its default and its limit.
    pub size: u32,
    /// [`Page::next_token`] of the page before; empty for the first.
    pub token: String,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Opaque; empty on the last page.
    pub next_token: String,
}

impl PageRequest {
    /// Where the page before ended, or `first`.
    pub(super) fn after<K: DeserializeOwned>(&self, first: K) -> Result<K> {
        if self.token.is_empty() {
            return Ok(first);
        }
        let json = URL_SAFE_NO_PAD.decode(&self.token).map_err(|_| StoreError::PageToken)?;
        serde_json::from_slice(&json).map_err(|_| StoreError::PageToken)
    }

    fn size(&self) -> usize {
        usize::try_from(self.size.max(1)).unwrap_or(usize::MAX)
    }

    /// Rows to ask the database for: one more than the page holds tells whether another follows.
    pub(super) fn limit(&self) -> i64 {
        i64::from(self.size.max(1)) + 1
    }

    /// Cuts what [`Self::limit`] gave to the page; `key` says where an item stands in the list's order.
    pub(super) fn page<T, K: Serialize>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Result<Page<T>> {
        let more = items.len() > self.size();
        items.truncate(self.size());
        let next_token = match items.last() {
            Some(last) if more => URL_SAFE_NO_PAD.encode(to_json(&key(last))?),
            _ => String::new(),
        };
        Ok(Page { items, next_token })
    }
}
