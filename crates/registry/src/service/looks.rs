//! Tests, previews and proposals that are under way: a few an account, so that no one keeps the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::CallError;
use crate::store::AccountId;

/// At once, of one account.
const MOST: usize = 4;
/// Accounts that are remembered.
const REMEMBERED: usize = 1_000;

/// What is under way, by account. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Looks(Arc<Mutex<HashMap<AccountId, Arc<Semaphore>>>>);

impl Looks {
    /// A place among those of the account, until it is dropped; refused where all are taken.
    pub(super) fn begin(&self, account: &AccountId) -> Result<OwnedSemaphorePermit, CallError> {
        let places = {
            let mut accounts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if accounts.len() >= REMEMBERED {
                accounts.retain(|_, places| places.available_permits() < MOST);
            }
            accounts.entry(account.clone()).or_insert_with(|| Arc::new(Semaphore::new(MOST))).clone()
        };
        places.try_acquire_owned().map_err(|_| CallError::Busy {
            code: "TOO_MANY_TESTS",
            reason: format!(
                "{MOST} tests, previews or proposals of the account are under way; try again when one has ended"
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_a_few_places_and_takes_none_of_another() {
        let looks = Looks::default();
        let (one, other) = (AccountId::from("one"), AccountId::from("other"));
        let mut held: Vec<_> = (0..MOST).map(|_| looks.begin(&one).unwrap()).collect();
        assert!(matches!(looks.begin(&one), Err(CallError::Busy { .. })));
        assert!(looks.begin(&other).is_ok());
        held.pop();
        assert!(looks.begin(&one).is_ok());
    }
}
