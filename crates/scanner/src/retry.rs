//! Waiting and trying again: passing trouble is told from lasting, and waits grow with jitter.

use std::time::Duration;

use tonic::{Code, Response, Status};

use crate::ScannerError;

/// Waits that double from `min` to `max`. Each is drawn from the upper half of its step, so that scanners that lost
/// the registry together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    step: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, step: min }
    }

    /// The next wait.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = jitter(self.step);
        self.step = (self.step * 2).min(self.max);
        wait
    }

    pub(crate) fn reset(&mut self) {
        self.step = self.min;
    }
}

/// Between half of `wait` and `wait`.
pub(crate) fn jitter(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// True where the same call may well succeed later.
pub(crate) fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled
            | Code::Internal
            | Code::Unknown
    )
}

/// Tries of one call, over some ten seconds; then its scan is given up, so that a call which always fails does not keep
/// a source leased for ever.
const ATTEMPTS: u32 = 8;

/// Repeats `rpc` while its failure is a passing one. Every call of the worker API may be repeated.
pub(crate) async fn call<T, F>(name: &'static str, mut rpc: impl FnMut() -> F) -> Result<T, ScannerError>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let mut attempt = 1;
    loop {
        match rpc().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if is_passing(&status) && attempt < ATTEMPTS => {
                let wait = backoff.next_wait();
                tracing::warn!(call = name, code = ?status.code(), reason = status.message(), ?wait,
                    "the registry did not answer; it is asked again");
                tokio::time::sleep(wait).await;
                attempt += 1;
            }
            Err(status) => return Err(ScannerError::Registry { call: name, status: Box::new(status) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_begin_again_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for step in [100, 200, 350, 350] {
            let wait = backoff.next_wait();
            let step = Duration::from_millis(step);
            assert!(wait >= step / 2 && wait <= step, "{wait:?} is not of {step:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_tried_again_and_a_lasting_one_is_not() {
        let mut calls = 0;
        let answer = call("Test", || {
            calls += 1;
            let result = match calls {
                1 => Err(Status::unavailable("restarting")),
                _ => Ok(Response::new(7)),
            };
            async move { result }
        });
        assert_eq!(answer.await.unwrap(), 7);
        let refused = call::<(), _>("Test", || async { Err(Status::unauthenticated("no token")) }).await;
        assert!(matches!(refused, Err(ScannerError::Registry { call: "Test", .. })));

        let mut calls = 0;
        let broken = call::<(), _>("Test", || {
            calls += 1;
            async { Err(Status::internal("a bug")) }
        });
        assert!(broken.await.is_err());
        assert_eq!(calls, ATTEMPTS);
    }
}
