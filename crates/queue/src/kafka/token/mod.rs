//! Tokens for SASL OAUTHBEARER: got once for all clients of a process, and got anew before they end.

mod msk;
mod native;
mod oauth;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use rdkafka::client::OAuthToken;

pub use msk::MskIam;
pub(super) use native::hand_over;
pub use oauth::{ClientCredentials, OAuthSettings};

use super::error::ASKED_AGAIN;

/// A token is got anew once this much of its life has passed. librdkafka asks at 0.8: it must not be given the one that it has.
const FRESH: f64 = 0.75;
/// After a failure the same answer is given for so long: many clients ask at once.
const QUIET: Duration = Duration::from_secs(3);

/// A token as it is shown to brokers.
#[derive(Clone)]
pub struct Token {
    /// What the broker reads.
    pub value: String,
    /// Whom it stands for, as far as is known here.
    pub principal: String,
    /// When the broker takes it no more.
    pub expires: SystemTime,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("principal", &self.principal).field("expires", &self.expires).finish()
    }
}

/// Why there is no token. Never holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// Worth another try.
    #[error("{0}; {ASKED_AGAIN}")]
    Unavailable(String),
    /// The client, its secret or its scope is not accepted.
    #[error("{0}")]
    Denied(String),
}

/// Where tokens come from.
pub trait TokenSource: Send + Sync {
    /// A new one.
    fn fetch(&self) -> BoxFuture<'_, Result<Token, TokenError>>;
}

/// What was got last.
enum Held {
    Nothing,
    Token { token: Token, got: SystemTime },
    Failure { error: TokenError, at: Instant },
}

/// One source for all clients of the process.
pub struct Tokens {
    source: Arc<dyn TokenSource>,
    held: Mutex<Held>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(..)")
    }
}

impl Tokens {
    /// From this source.
    pub fn new(source: impl TokenSource + 'static) -> Self {
        Self { source: Arc::new(source), held: Mutex::new(Held::Nothing) }
    }

    /// The token in hand, or a new one. Blocks; callers that come meanwhile wait for the same one.
    pub(super) fn get(&self) -> Result<OAuthToken, TokenError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Held::Token { token, got } if is_fresh(token, *got) => return Ok(native(token)),
            Held::Failure { error, at } if at.elapsed() < QUIET => return Err(error.clone()),
            _ => {}
        }
        match fetched(&self.source) {
            Ok(token) => {
                let given = native(&token);
                *held = Held::Token { token, got: SystemTime::now() };
                Ok(given)
            }
            Err(error) => {
                *held = Held::Failure { error: error.clone(), at: Instant::now() };
                Err(error)
            }
        }
    }
}

fn is_fresh(token: &Token, got: SystemTime) -> bool {
    let life = token.expires.duration_since(got).unwrap_or_default();
    SystemTime::now() < got + life.mul_f64(FRESH)
}

fn native(token: &Token) -> OAuthToken {
    let expires = token.expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    OAuthToken {
        token: token.value.clone(),
        principal_name: token.principal.clone(),
        lifetime_ms: i64::try_from(expires.as_millis()).unwrap_or(i64::MAX),
    }
}

/// On a thread of its own, since librdkafka asks on any: also on one that drives futures, which must not be blocked on others.
fn fetched(source: &Arc<dyn TokenSource>) -> Result<Token, TokenError> {
    let source = source.clone();
    let fetch = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| TokenError::Unavailable(error.to_string()))?.block_on(source.fetch())
    };
    std::thread::Builder::new()
        .name("kafka-token".to_owned())
        .spawn(fetch)
        .map_err(|error| TokenError::Unavailable(error.to_string()))?
        .join()
        .unwrap_or_else(|_| Err(TokenError::Unavailable("the request for a token panicked".to_owned())))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Gives a token for so long, or a failure where that is zero; counts how often it was asked.
    struct Counting(Duration, Arc<AtomicU32>);

    impl TokenSource for Counting {
        fn fetch(&self) -> BoxFuture<'_, Result<Token, TokenError>> {
            let number = self.1.fetch_add(1, Ordering::SeqCst);
            let life = self.0;
            Box::pin(async move {
                if life.is_zero() {
                    return Err(TokenError::Denied("no such client".to_owned()));
                }
                let value = format!("token-{number}");
                Ok(Token { value, principal: "cortex".to_owned(), expires: SystemTime::now() + life })
            })
        }
    }

    fn asked_twice(life: Duration) -> u32 {
        let count = Arc::new(AtomicU32::new(0));
        let tokens = Tokens::new(Counting(life, count.clone()));
        let first = tokens.get().map(|token| token.token);
        let again = tokens.get().map(|token| token.token);
        assert_eq!(first.is_ok(), again.is_ok());
        count.load(Ordering::SeqCst)
    }

    #[test]
    fn a_token_serves_all_clients_until_its_life_is_mostly_over() {
        assert_eq!(asked_twice(Duration::from_secs(900)), 1);
        assert_eq!(asked_twice(Duration::from_nanos(1)), 2, "one that has ended is not given again");
        assert_eq!(asked_twice(Duration::ZERO), 1, "a failure is not asked for again at once");
    }

    #[test]
    fn a_token_is_not_in_debug_output() {
        let token = Token { value: "hush".to_owned(), principal: "cortex".to_owned(), expires: UNIX_EPOCH };
        assert!(!format!("{token:?}").contains("hush"));
    }
}
