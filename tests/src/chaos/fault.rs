//! What breaks, and how it is mended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use fastrand::Rng;
use services::{Match, Operation, S3Fault};

use super::start_brokers;
use crate::republish::republish_some;
use crate::world::World;

/// What was broken and is to be mended.
enum Undo {
    Resume(String),
    StartBroker,
    PassDatabase,
}

/// The faults of a run.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) counts: BTreeMap<&'static str, u64>,
    pending: Vec<(Instant, Undo)>,
}

impl Faults {
    /// Mends what is due, and breaks one thing more.
    pub(super) fn tick(&mut self, world: &mut World, rng: &mut Rng, says: &dyn Fn(&str)) -> Result<()> {
        let now = Instant::now();
        let (due, pending) = std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at <= now);
        self.pending = pending;
        let due: Vec<(Instant, Undo)> = due;
        for (_, undo) in due {
            mend(world, undo)?;
        }
        let parser = format!("parser-{}", rng.u8(1..4));
        let scanner = format!("scanner-{}", rng.u8(1..3));
        let name = match rng.u8(0..100) {
            0..30 => self.kill(world, &parser, "parser killed")?,
            30..38 => self.freeze(world, &parser, "parser frozen beyond its session", rng)?,
            38..44 => self.terminate(world, &parser)?,
            44..50 => self.kill(world, &scanner, "scanner killed")?,
            50..53 => self.freeze(world, &scanner, "scanner frozen beyond its lease", rng)?,
            53..60 => self.kill(world, "registry", "registry killed")?,
            60..65 => self.kill_broker(world, rng)?,
            65..72 => {
                world.postgres.cut();
                "database cut off"
            }
            72..75 => self.refuse_database(world, rng),
            75..80 => {
                republish_some(world.kafka.bootstrap(), "cortex.objects.v1", rng.usize(1..20))?;
                "keys published again"
            }
            _ => {
                break_s3(world, rng);
                ""
            }
        };
        if !name.is_empty() {
            says(name);
            *self.counts.entry(name).or_default() += 1;
        }
        Ok(())
    }

    /// Mends everything.
    pub(super) fn undo_all(&mut self, world: &mut World) -> Result<()> {
        for (_, undo) in std::mem::take(&mut self.pending) {
            mend(world, undo)?;
        }
        world.postgres.pass();
        world.s3.clear();
        start_brokers(world)
    }

    fn kill(&self, world: &mut World, process: &str, name: &'static str) -> Result<&'static str> {
        // What is frozen is left to wake.
        if self.is_frozen(process) {
            return Ok("");
        }
        world.process(process)?.kill()?;
        Ok(name)
    }

    fn terminate(&self, world: &mut World, process: &str) -> Result<&'static str> {
        if self.is_frozen(process) || !world.process(process)?.is_running()? {
            return Ok("");
        }
        world.process(process)?.signal("TERM")?;
        Ok("parser told to end")
    }

    fn freeze(
        &mut self,
        world: &mut World,
        process: &str,
        name: &'static str,
        rng: &mut Rng,
    ) -> Result<&'static str> {
        if self.is_frozen(process) || !world.process(process)?.is_running()? {
            return Ok("");
        }
        world.process(process)?.signal("STOP")?;
        self.later(rng.u64(8..14), Undo::Resume(process.to_owned()));
        Ok(name)
    }

    fn is_frozen(&self, process: &str) -> bool {
        self.pending.iter().any(|(_, undo)| matches!(undo, Undo::Resume(frozen) if frozen == process))
    }

    /// One broker at a time: with two of three away all would stand still.
    fn kill_broker(&mut self, world: &mut World, rng: &mut Rng) -> Result<&'static str> {
        if self.pending.iter().any(|(_, undo)| matches!(undo, Undo::StartBroker)) {
            return Ok("");
        }
        world.kafka.kill(rng.usize(0..world.kafka.len()))?;
        self.later(rng.u64(3..10), Undo::StartBroker);
        Ok("broker killed")
    }

    fn refuse_database(&mut self, world: &mut World, rng: &mut Rng) -> &'static str {
        world.postgres.refuse();
        self.later(rng.u64(2..12), Undo::PassDatabase);
        "database refusing"
    }

    fn later(&mut self, seconds: u64, undo: Undo) {
        self.pending.push((Instant::now() + Duration::from_secs(seconds), undo));
    }
}

fn mend(world: &mut World, undo: Undo) -> Result<()> {
    match undo {
        Undo::Resume(process) => {
            let process = world.process(&process)?;
            if process.is_running()? {
                process.signal("CONT")?;
            }
        }
        Undo::StartBroker => start_brokers(world)?,
        Undo::PassDatabase => world.postgres.pass(),
    }
    Ok(())
}

/// The proxy counts by itself which of these took effect.
fn break_s3(world: &mut World, rng: &mut Rng) {
    let times = rng.u32(1..4);
    let bytes = rng.u64(1_000..2_000_000);
    let get = Match::from(Operation::GetObject);
    let list = Match::from(Operation::ListObjectsV2);
    match rng.u8(0..10) {
        0 => world.s3.break_next(get, times, S3Fault::Status { status: 500, code: "InternalError" }),
        1 => world.s3.break_next(get, times, S3Fault::Status { status: 503, code: "SlowDown" }),
        2 | 3 => world.s3.break_next(get, times, S3Fault::ResetAfter(bytes)),
        4 => world.s3.break_next(get, times, S3Fault::ShortBody(bytes)),
        5 => world.s3.break_next(get, 1, S3Fault::SilenceAfter { bytes, lasting: Duration::from_secs(3) }),
        // Files of one chunk: of a larger one a checkpoint in between keeps the checksum from being known.
        6 => world.s3.break_next(
            Match::part(Operation::GetObject, "small"),
            1,
            S3Fault::AlterByte(rng.u64(30..2_000)),
        ),
        7 => world.s3.break_next(list, 1, S3Fault::RepeatPage),
        8 => world.s3.break_next(list, 1, S3Fault::SkipKeys(rng.u32(1..30))),
        _ => world.s3.break_next(list, times, S3Fault::Status { status: 503, code: "SlowDown" }),
    }
}

/// As an orchestrator does.
pub(super) fn restart_what_ended(world: &mut World, workers: &[(&str, &str)]) -> Result<()> {
    if !world.process("registry")?.is_running()? {
        let registry = world.system.start_registry(&[])?;
        world.processes.insert("registry".to_owned(), registry);
    }
    for (role, name) in workers {
        if !world.process(name)?.is_running()? {
            world.run(role, name, &[])?;
        }
    }
    Ok(())
}
