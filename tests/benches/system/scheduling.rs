//! Scanners sharing sources, simulated: who leases what and when follows the registry's rule (the source that is longest due
//! first, one lease a call, due again an interval after its completion), time and S3 do not exist. Told as one JSON object,
//! each case beside what `docs/scaling.md`'s model says of it.
//!
//! `CORTEX_BENCH_HOURS` (6) simulated hours a case.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Microseconds.
type Time = u64;
const SECOND: Time = 1_000_000;

/// A fleet and what it scans.
struct Case {
    sources: u32,
    scanners: u32,
    /// Scans at once by one scanner.
    slots: u32,
    interval: Time,
    /// One request to S3, recording its page included.
    request: Time,
    /// Calls to the registry around a scan, one after another.
    calls: Time,
    /// Requests of the largest source's scan; the n-th largest has an n-th of them, and each at least five.
    largest: u32,
}

/// What came of it.
struct Outcome {
    scans: u64,
    busy: f64,
    /// How long sources were overdue when their scan began.
    p50: Time,
    p99: Time,
    worst: Time,
}

pub(crate) fn run() -> Result<()> {
    let hours = match std::env::var("CORTEX_BENCH_HOURS") {
        Ok(text) => text.parse().with_context(|| format!("CORTEX_BENCH_HOURS is no number: {text}"))?,
        Err(_) => 6,
    };
    let slots = u32::try_from(scanner::Config::new("scanner").concurrent_scans)?;
    let case = |sources, scanners, interval: u64, largest| Case {
        sources,
        scanners,
        slots,
        interval: interval * SECOND,
        request: SECOND / 10,
        calls: SECOND / 50,
        largest,
    };
    let cases = [
        case(10, 1, 60, 5),
        case(1_000, 4, 60, 5),
        case(1_000, 6, 60, 2_000),
        case(10_000, 28, 60, 2_000),
        case(100_000, 220, 60, 2_000),
        case(100_000, 24, 600, 2_000),
        // Too few by a third: what then comes late is every source alike, not the small ones.
        case(10_000, 16, 60, 2_000),
    ];
    let told: Vec<Value> =
        cases.iter().map(|case| told(case, &simulate(case, hours * 3_600 * SECOND))).collect();
    println!("{}", json!({ "cases": told }));
    Ok(())
}

impl Case {
    fn requests(&self, source: u32) -> u32 {
        (self.largest / (source + 1)).max(5)
    }

    fn takes(&self, source: u32) -> Time {
        self.calls + Time::from(self.requests(source)) * self.request
    }

    /// The share of its slots that the fleet needs, by the model: of each source, its scan's part of scan and interval.
    fn modelled(&self) -> f64 {
        let of = |source| self.takes(source) as f64 / (self.takes(source) + self.interval) as f64;
        (0..self.sources).map(of).sum::<f64>() / f64::from(self.scanners * self.slots)
    }
}

fn simulate(case: &Case, end: Time) -> Outcome {
    // Sources are made over an interval, and so are due.
    let spread = |source: u32| Time::from(source) * case.interval / Time::from(case.sources);
    let mut due: BinaryHeap<Reverse<(Time, u32)>> =
        (0..case.sources).map(|one| Reverse((spread(one), one))).collect();
    let mut free: BinaryHeap<Reverse<Time>> = (0..case.scanners * case.slots).map(|_| Reverse(0)).collect();
    let (mut late, mut busy) = (Vec::new(), 0);
    while let (Some(Reverse((at, source))), Some(Reverse(slot))) = (due.pop(), free.pop()) {
        let begins = at.max(slot);
        if begins >= end {
            break;
        }
        let ends = begins + case.takes(source);
        late.push(begins - at);
        busy += ends.min(end) - begins;
        due.push(Reverse((ends + case.interval, source)));
        free.push(Reverse(ends));
    }
    late.sort_unstable();
    let at =
        |share: f64| late.get((late.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(0);
    let slots = Time::from(case.scanners * case.slots);
    Outcome {
        scans: late.len() as u64,
        busy: busy as f64 / (slots * end) as f64,
        p50: at(0.5),
        p99: at(0.99),
        worst: at(1.0),
    }
}

fn told(case: &Case, outcome: &Outcome) -> Value {
    let seconds = |time: Time| (time as f64 / SECOND as f64 * 1_000.0).round() / 1_000.0;
    json!({
        "sources": case.sources,
        "scanners": case.scanners,
        "interval_seconds": case.interval / SECOND,
        "requests_of_the_largest": case.largest,
        "scans": outcome.scans,
        "slots_busy": (outcome.busy * 1_000.0).round() / 1_000.0,
        "slots_busy_by_the_model": (case.modelled() * 1_000.0).round() / 1_000.0,
        "late_seconds": { "p50": seconds(outcome.p50), "p99": seconds(outcome.p99), "worst": seconds(outcome.worst) },
    })
}
