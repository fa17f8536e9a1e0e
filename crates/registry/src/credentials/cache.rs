//! One session a source until shortly before it expires; many who ask at once cause one AssumeRole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as BlockingMutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use tokio::sync::Mutex;

use super::CredentialsError;

/// A session with less than this left is not handed out any more.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// A session that S3 refused is replaced, but not more often than this: a permission that is missing is not mended by new
/// sessions.
const BETWEEN_REPLACEMENTS: Duration = Duration::from_secs(10);

type Slot = Arc<Mutex<Option<Held>>>;

#[derive(Debug)]
struct Held {
    session: Credentials,
    since: Instant,
}

/// The sessions in use, by scope.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: BlockingMutex<HashMap<String, Slot>>,
}

impl Sessions {
    /// The session of the scope, assumed anew where there is none that will do.
    pub(crate) async fn get<F>(
        &self,
        scope: &str,
        refused_access_key_id: &str,
        assume: impl FnOnce() -> F,
    ) -> Result<Credentials, CredentialsError>
    where
        F: Future<Output = Result<Credentials, CredentialsError>>,
    {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() > 10_000 {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            slots.entry(scope.to_owned()).or_default().clone()
        };
        // Held over the call: whoever asks meanwhile waits for the same session.
        let mut held = slot.lock().await;
        if let Some(one) = held.as_ref() {
            let refused = one.session.access_key_id() == refused_access_key_id;
            let replaceable = one.since.elapsed() >= BETWEEN_REPLACEMENTS;
            if lasts(&one.session) && !(refused && replaceable) {
                return Ok(one.session.clone());
            }
        }
        let session = assume().await?;
        *held = Some(Held { session: session.clone(), since: Instant::now() });
        Ok(session)
    }
}

fn lasts(session: &Credentials) -> bool {
    session.expiry().is_none_or(|expiry| expiry > SystemTime::now() + MARGIN)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn session(number: u32, left: Duration) -> Credentials {
        Credentials::new(format!("ASIA{number}"), "s", None, Some(SystemTime::now() + left), "test")
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_assume_role() {
        let sessions = Sessions::default();
        let calls = AtomicU32::new(0);
        let ask = || {
            sessions.get("s", "", || async {
                let number = calls.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(session(number, Duration::from_secs(3600)))
            })
        };
        let all = futures::future::join_all((0..20).map(|_| ask())).await;
        assert!(all.iter().all(|one| one.as_ref().unwrap().access_key_id() == "ASIA0"));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_session_about_to_expire_is_not_handed_out_again() {
        let sessions = Sessions::default();
        let calls = AtomicU32::new(0);
        for expected in ["ASIA0", "ASIA1"] {
            let got = sessions
                .get("s", "", || async {
                    Ok(session(calls.fetch_add(1, Ordering::SeqCst), Duration::from_secs(60)))
                })
                .await;
            assert_eq!(got.unwrap().access_key_id(), expected);
        }
    }
}
