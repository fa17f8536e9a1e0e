//! Files that come in: many small ones, now and then a large one, some that replace others.

use anyhow::Result;
use fastrand::Rng;

use crate::files::{Packing, Style, Upload, events};
use crate::world::World;

/// Ticks between two large files.
const LARGE_EVERY: u64 = 25;

/// What has come in so far.
#[derive(Default)]
pub(super) struct Load {
    ticks: u64,
    small: Vec<String>,
}

impl Load {
    /// Uploads a few files.
    pub(super) fn tick(&mut self, world: &mut World, rng: &mut Rng) -> Result<()> {
        self.ticks += 1;
        for number in 0..rng.u64(1..4) {
            let key = match self.small.len() {
                // One of ten replaces an older one.
                known if known > 0 && rng.u8(0..10) == 0 => self.small[rng.usize(0..known)].clone(),
                _ => self.name(number, rng),
            };
            world.put(&small(&key, rng)?)?;
        }
        if self.ticks % LARGE_EVERY == 1 {
            let key = format!("2026-11-23/large-{}.csv", self.ticks);
            world.put(&events(&key, rng.u64(60_000..180_000), 997, Style::Csv, Packing::Plain)?)?;
        }
        Ok(())
    }

    fn name(&mut self, number: u64, rng: &mut Rng) -> String {
        let ending = ["csv", "tsv", "jsonl", "csv.gz", "jsonl.gz", "tsv.zip"][rng.usize(0..6)];
        let key = format!("2026-11-{:02}/small-{}-{number}.{ending}", 10 + rng.u8(0..12), self.ticks);
        self.small.push(key.clone());
        key
    }
}

/// A file as its name says.
fn small(key: &str, rng: &mut Rng) -> Result<Upload> {
    let style = match key {
        key if key.contains(".tsv") => Style::Tsv,
        key if key.contains(".jsonl") => Style::JsonLines,
        _ => Style::Csv,
    };
    let packing = match key {
        key if key.ends_with(".gz") => Packing::Gzip,
        key if key.ends_with(".zip") => Packing::Zip,
        _ => Packing::Plain,
    };
    events(key, rng.u64(20..600), 41, style, packing)
}
