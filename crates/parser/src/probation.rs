//! Files on which attempts were lost are read one at a time in a worker, so that a crash speaks against one file alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The turn to read such a file; each worker has one.
#[derive(Debug, Default)]
pub(crate) struct Probation(Arc<AtomicBool>);

/// Holds the turn until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Arc<AtomicBool>);

impl Probation {
    /// The turn, where no other lane has it.
    pub(crate) fn turn(&self) -> Option<Turn> {
        let free = self.0.compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        free.then(|| Turn(self.0.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lane_has_the_turn_at_a_time() {
        let probation = Probation::default();
        let turn = probation.turn();
        assert!(turn.is_some() && probation.turn().is_none());
        drop(turn);
        assert!(probation.turn().is_some());
    }
}
