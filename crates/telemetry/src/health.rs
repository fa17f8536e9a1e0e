//! Named checks that say whether the process is ready for work.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The state of one check.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// Whether it holds.
    pub ready: bool,
    /// Why it does not; empty where it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The process' checks. Clones share their state. With no check at all the process counts as ready.
#[derive(Debug, Clone, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<String, Check>>>,
}

impl Health {
    /// With no checks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `check` holds.
    pub fn set_ready(&self, check: &str) {
        self.set(check, Check { ready: true, reason: String::new() });
    }

    /// Says that `check` does not hold, and why.
    pub fn set_not_ready(&self, check: &str, reason: impl Into<String>) {
        self.set(check, Check { ready: false, reason: reason.into() });
    }

    /// True where every check holds.
    pub fn is_ready(&self) -> bool {
        self.checks().values().all(|check| check.ready)
    }

    /// Every check by name.
    pub fn checks(&self) -> BTreeMap<String, Check> {
        self.checks.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, name: &str, check: Check) {
        self.checks.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), check);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_check_that_fails_makes_the_process_not_ready() {
        let health = Health::new();
        assert!(health.is_ready());
        health.set_ready("store");
        health.clone().set_not_ready("queue", "no broker answers");
        assert!(!health.is_ready());
        assert_eq!(health.checks()["queue"].reason, "no broker answers");
        health.set_ready("queue");
        assert!(health.is_ready());
    }
}
