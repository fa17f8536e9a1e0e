//! Walks workers through every point at which they can die, alone and in pairs, and looks at what a reader of committed
//! messages then sees.
//!
//! The world here is what outlives a worker: the ledger's claims, and a queue whose transactions are atomic. The
//! worker does what the parser does, in its order; only the decisions are the real ones.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use ledger::claim::{self, Decision, Ledgered, QueuePosition};
use ledger::resume::{self, Resume};
use ledger::{FileId, checkpoint};
use records::queue::{Checkpoint, ObjectFound};

const ROWS: u64 = 7;
const CHUNK: u64 = 3;

/// What outlives a worker.
#[derive(Clone)]
struct World {
    messages: Vec<ObjectFound>,
    claims: std::collections::BTreeMap<(Vec<u8>, u32), Ledgered>,
    committed_offset: usize,
    metadata: Vec<u8>,
    visible: Vec<(Vec<u8>, u32, u64)>,
}

/// Counts down to the worker's death.
struct Fuse(Option<u32>);

struct Died;

impl Fuse {
    fn burn(&mut self) -> Result<(), Died> {
        match &mut self.0 {
            Some(0) => Err(Died),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Two files; the first is on the queue twice, as after a scanner that died between publish and mark.
fn world() -> World {
    let message = |key: &str| ObjectFound {
        file_id: FileId::of("s", key).as_bytes().to_vec(),
        generation: 1,
        ..Default::default()
    };
    let messages = vec![message("a"), message("b"), message("a")];
    let claims = messages.iter().map(|m| ((m.file_id.clone(), m.generation), Ledgered::Unclaimed)).collect();
    World { messages, claims, committed_offset: 0, metadata: Vec::new(), visible: Vec::new() }
}

impl World {
    fn claim(&mut self, offset: usize) -> Decision {
        let message = &self.messages[offset];
        let asking = QueuePosition { topic: "t".into(), partition: 0, offset: offset as i64 };
        let entry =
            self.claims.entry((message.file_id.clone(), message.generation)).or_insert(Ledgered::Absent);
        let decision = claim::decide(entry, &asking);
        if decision == Decision::Granted {
            *entry = Ledgered::Claimed(asking);
        }
        decision
    }

    fn commit(&mut self, rows: &mut Vec<(Vec<u8>, u32, u64)>, offset: usize, metadata: Vec<u8>) {
        self.visible.append(rows);
        self.committed_offset = offset;
        self.metadata = metadata;
    }
}

/// One life of a worker, from its start to the end of the partition or its death.
fn work(world: &mut World, fuse: &mut Fuse) -> Result<(), Died> {
    let stored = checkpoint::decode(&world.metadata).unwrap();
    let mut offset = world.committed_offset;
    while offset < world.messages.len() {
        fuse.burn()?;
        let message = world.messages[offset].clone();
        let decision = world.claim(offset);
        fuse.burn()?;
        let mut chunk = Vec::new();
        if matches!(decision, Decision::Granted | Decision::GrantedAgain) {
            let mut row = match resume::decide(stored.as_ref(), &message) {
                Resume::FromStart => 0,
                Resume::Behind(at) => at.row_number,
            };
            while row < ROWS {
                row += 1;
                chunk.push((message.file_id.clone(), message.generation, row));
                fuse.burn()?;
                if chunk.len() as u64 == CHUNK {
                    let at = Checkpoint {
                        file_id: message.file_id.clone(),
                        generation: message.generation,
                        row_number: row,
                        ..Default::default()
                    };
                    world.commit(&mut chunk, offset, checkpoint::encode(&at).unwrap());
                    fuse.burn()?;
                }
            }
        }
        fuse.burn()?;
        offset += 1;
        world.commit(&mut chunk, offset, Vec::new());
        fuse.burn()?;
    }
    Ok(())
}

fn each_row_once(world: &World) -> bool {
    let mut expected = Vec::new();
    for key in ["a", "b"] {
        expected.extend((1..=ROWS).map(|row| (FileId::of("s", key).as_bytes().to_vec(), 1, row)));
    }
    let mut seen = world.visible.clone();
    seen.sort();
    expected.sort();
    seen == expected
}

#[test]
fn whatever_pair_of_crashes_each_row_is_seen_once() {
    let mut lives = 0;
    for first in 0.. {
        let mut after_first = world();
        if work(&mut after_first, &mut Fuse(Some(first))).is_ok() {
            assert!(each_row_once(&after_first));
            break;
        }
        for second in 0.. {
            let mut after_second = after_first.clone();
            let ended = work(&mut after_second, &mut Fuse(Some(second))).is_ok();
            if !ended {
                assert!(work(&mut after_second, &mut Fuse(None)).is_ok());
            }
            assert!(each_row_once(&after_second), "died at step {first}, then at step {second}");
            lives += 1;
            if ended {
                break;
            }
        }
    }
    assert!(lives > 100, "the walk must meet every crash point, it met {lives}");
}

#[test]
fn a_key_published_twice_is_read_once() {
    let mut world = world();
    assert!(work(&mut world, &mut Fuse(None)).is_ok());
    assert!(each_row_once(&world));
    assert_eq!(world.claim(2), Decision::OwnedByOther);
}
