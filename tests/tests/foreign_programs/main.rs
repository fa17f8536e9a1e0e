//! Cortex beside programs that are not ours: a gRPC client, and a collector of traces.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client;
mod collector;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// On one broker parsers are of one group, and one system's would pass over the files of another.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static BROKER: Mutex<()> = Mutex::new(());
    BROKER.lock().unwrap_or_else(PoisonError::into_inner)
}
