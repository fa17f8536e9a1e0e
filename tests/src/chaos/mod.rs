//! A run in which everything breaks again and again while files come in, and what a consumer then has seen.
//!
//! The faults, their order and the files are drawn from a seed, so that a run can be had again; when each meets the system is
//! up to the machine.

mod fault;
mod load;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::process::until;
use crate::world::World;
use fault::{Faults, restart_what_ended};

/// Parsers and scanners.
const WORKERS: [(&str, &str); 5] = [
    ("parser", "parser-1"),
    ("parser", "parser-2"),
    ("parser", "parser-3"),
    ("scanner", "scanner-1"),
    ("scanner", "scanner-2"),
];
/// How long all may take to come to rest once nothing breaks any more.
const SETTLING: Duration = Duration::from_secs(600);

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// How long faults went on, in seconds.
    pub seconds: u64,
    /// Of the run.
    pub seed: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Objects that were uploaded, those that replaced others left out.
    pub files: usize,
    /// Records and rejected rows that a consumer saw.
    pub rows: u64,
    /// Those it saw twice.
    pub duplicates: u64,
    /// Those it should have seen.
    pub lost: u64,
    /// Those that no upload has.
    pub stray: u64,
    /// Whether `cortex audit` found ledger and topics alike, and what it said.
    pub audit: (bool, Value),
    /// The first of what is wrong.
    pub examples: Vec<String>,
}

impl Report {
    /// True where nothing was lost, doubled or made up, and the ledger agrees.
    pub fn is_good(&self) -> bool {
        self.duplicates == 0 && self.lost == 0 && self.stray == 0 && self.audit.0
    }

    /// As one object.
    pub fn json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "seed": self.seed,
            "faults": self.faults,
            "files": self.files,
            "rows": self.rows,
            "duplicates": self.duplicates,
            "lost": self.lost,
            "stray": self.stray,
            "audit_agrees": self.audit.0,
            "examples": self.examples,
        })
    }
}

/// Breaks everything for so long; `says` is told what happens.
pub fn run(lasting: Duration, seed: u64, says: &dyn Fn(&str)) -> Result<Report> {
    let mut rng = Rng::with_seed(seed);
    let mut world = World::start("chaos", 3)?;
    // Kills come faster than files can be told from what kills their readers.
    world.source(&[("CORTEX_MOST_ATTEMPTS", "1000")])?;
    world.system.set("CORTEX_MOST_ATTEMPTS", "1000");
    world.system.set("CORTEX_LEASE_SECONDS", "3");
    for (role, name) in WORKERS {
        world.run(role, name, &[])?;
    }
    let begun = Instant::now();
    let mut faults = Faults::default();
    let mut load = load::Load::default();
    while begun.elapsed() < lasting {
        load.tick(&mut world, &mut rng)?;
        faults.tick(&mut world, &mut rng, says)?;
        restart_what_ended(&mut world, &WORKERS)?;
        std::thread::sleep(Duration::from_millis(rng.u64(300..1_500)));
    }
    let seconds = begun.elapsed().as_secs();
    says("nothing breaks any more; waiting for rest");
    faults.undo_all(&mut world)?;
    restart_what_ended(&mut world, &WORKERS)?;
    world.system.registry_answers()?;
    let files = world.at_rest_within(SETTLING)?;
    for (role, name) in WORKERS {
        let status = world.process(name)?.terminate(Duration::from_secs(10))?;
        ensure!(status.success(), "{role} {name} ended with {status}");
    }
    let verdict = crate::verdict::judge(world.kafka.bootstrap(), &world.account, &world.uploaded, &files)?;
    let audit = world.system.audit(&world.source)?;
    let injected = world.s3.faults_injected();
    let mut counted = faults.counts;
    counted.extend(injected.into_iter().filter(|(_, count)| *count > 0));
    Ok(Report {
        seconds,
        seed,
        faults: counted,
        files: world.uploaded.keys(),
        rows: verdict.rows,
        duplicates: verdict.duplicates,
        lost: verdict.lost,
        stray: verdict.stray,
        audit,
        examples: verdict.examples,
    })
}

/// Waits for a broker to be back, however busy the machine is.
fn start_brokers(world: &mut World) -> Result<()> {
    until("the brokers", Duration::from_secs(300), || Ok(world.kafka.start_all().is_ok())).context("brokers")
}
