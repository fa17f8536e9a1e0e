//! How long failures that pass are borne.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::client::is_passing;

/// Bears failures that may pass, until they have gone on for too long.
pub(super) struct Patience {
    limit: Duration,
    failing_since: Option<Instant>,
}

impl Patience {
    /// Bears them for so long without a success between.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, failing_since: None }
    }

    /// What succeeded, or none for a failure that is borne.
    ///
    /// # Errors
    ///
    /// The failure, where it is not of the kind that passes or such failures go on for longer than the limit.
    pub(super) fn bear<T>(&mut self, result: Result<T>, now: Instant) -> Result<Option<T>> {
        match result {
            Ok(value) => {
                self.failing_since = None;
                Ok(Some(value))
            }
            Err(error) if is_passing(&error) => {
                let since = *self.failing_since.get_or_insert(now);
                if now.duration_since(since) > self.limit {
                    return Err(error);
                }
                tracing::warn!(error = format!("{error:#}"), "asked again");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::client::refused;

    #[test]
    fn what_passes_is_borne_until_it_lasts_too_long() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let stalled = || Err::<(), _>(refused(Status::unavailable("the disk stalls")));
        let mut patience = Patience::new(10 * second);
        assert!(matches!(patience.bear(stalled(), begun), Ok(None)));
        assert!(matches!(patience.bear(stalled(), begun + 10 * second), Ok(None)));
        assert!(patience.bear(stalled(), begun + 11 * second).is_err());

        // A success between counts from the start.
        assert!(matches!(patience.bear(Ok(()), begun + 12 * second), Ok(Some(()))));
        assert!(matches!(patience.bear(stalled(), begun + 13 * second), Ok(None)));
    }

    #[test]
    fn what_does_not_pass_is_not_borne() {
        let denied = Err::<(), _>(refused(Status::permission_denied("not yours")));
        assert!(Patience::new(Duration::MAX).bear(denied, Instant::now()).is_err());
    }
}
