//! Whether each lane still moves: a file that hangs its reader must not hang its partition for ever.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;

/// The pulses of all lanes of a worker.
#[derive(Debug)]
pub(crate) struct Pulses {
    begun: Instant,
    lanes: Mutex<HashMap<i32, Arc<Pulse>>>,
}

/// One lane's.
#[derive(Debug)]
pub(crate) struct Pulse {
    begun: Instant,
    /// Milliseconds after `begun`; `AT_REST` while no file is in hand.
    beat: AtomicU64,
    file: Mutex<String>,
    partition: String,
}

const AT_REST: u64 = u64::MAX;

/// A lane that has not moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stalled {
    pub(crate) partition: i32,
    pub(crate) file: String,
    pub(crate) silent: Duration,
}

impl Pulses {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), lanes: Mutex::default() }
    }

    /// The pulse of a lane that begins; it is watched until it is dropped.
    pub(crate) fn lane(&self, partition: i32) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            begun: self.begun,
            beat: AtomicU64::new(AT_REST),
            file: Mutex::default(),
            partition: partition.to_string(),
        });
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.insert(partition, pulse.clone());
        pulse
    }

    /// A lane whose file has not moved for longer than `limit`.
    pub(crate) fn stalled(&self, limit: Duration) -> Option<Stalled> {
        let now = self.begun.elapsed();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, pulse| Arc::strong_count(pulse) > 1);
        lanes.iter().find_map(|(partition, pulse)| {
            let beat = pulse.beat.load(Ordering::SeqCst);
            let silent = now.saturating_sub(Duration::from_millis(beat));
            (beat != AT_REST && silent > limit).then(|| Stalled {
                partition: *partition,
                file: pulse.file.lock().unwrap_or_else(PoisonError::into_inner).clone(),
                silent,
            })
        })
    }
}

impl Pulse {
    /// A file is in hand.
    pub(crate) fn begins(&self, file: String) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        self.beats();
        gauge!("cortex_parser_file_begun_timestamp", "partition" => self.partition.clone()).set(unix_now());
        self.moved(0);
    }

    /// The lane still moves.
    pub(crate) fn beats(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(AT_REST - 1);
        self.beat.store(now, Ordering::SeqCst);
    }

    /// Rows up to this byte, after decompression, are committed.
    pub(crate) fn moved(&self, position: u64) {
        gauge!("cortex_parser_file_moved_timestamp", "partition" => self.partition.clone()).set(unix_now());
        gauge!("cortex_parser_file_position_bytes", "partition" => self.partition.clone())
            .set(position as f64);
    }

    /// No file is in hand.
    pub(crate) fn rests(&self) {
        if self.beat.swap(AT_REST, Ordering::SeqCst) != AT_REST {
            gauge!("cortex_parser_file_begun_timestamp", "partition" => self.partition.clone()).set(0.0);
        }
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.rests();
    }
}

fn unix_now() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_stalled_while_a_file_is_in_hand_and_does_not_move() {
        let pulses = Pulses::new();
        let pulse = pulses.lane(3);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(pulses.stalled(Duration::ZERO), None);
        pulse.begins("a.csv".to_owned());
        std::thread::sleep(Duration::from_millis(20));
        let stalled = pulses.stalled(Duration::from_millis(10)).unwrap();
        assert_eq!((stalled.partition, stalled.file.as_str()), (3, "a.csv"));
        pulse.beats();
        assert_eq!(pulses.stalled(Duration::from_secs(60)), None);
        pulse.rests();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(pulses.stalled(Duration::ZERO), None);
    }

    #[test]
    fn a_lane_that_has_ended_is_not_watched() {
        let pulses = Pulses::new();
        let pulse = pulses.lane(3);
        pulse.begins("a.csv".to_owned());
        drop(pulse);
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(pulses.stalled(Duration::ZERO), None);
    }
}
