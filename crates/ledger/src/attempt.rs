//! Does a generation kill those who read it?
//!
//! A worker that fails says so and tries again; one that crashes or hangs says nothing, and the message comes to another.
//! A generation is told from those that merely were in the same process by being read alone: once an attempt was lost on
//! it, further ones begin only while the worker reads nothing else of the kind, so that a crash then speaks against it.

/// What the ledger knows of the attempts at a generation since it last moved on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts that were begun.
    pub begun: u32,
    /// The last one's name.
    pub name: String,
    /// The chunk that was committed before the first of them began.
    pub chunk: u32,
}

/// An attempt that asks to begin, or to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// Stays the same while the worker lives and handles what goes wrong.
    pub name: String,
    /// The chunk that is committed now.
    pub chunk: u32,
    /// True where the worker reads nothing else that attempts were lost on.
    pub alone: bool,
}

/// What becomes of the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on, or is not counted; `lost` attempts were lost before it.
    GoesOn {
        /// In a row, without a committed chunk.
        lost: u32,
    },
    /// It begins: this is what is known from now on.
    Begins(Attempts),
    /// Attempts were lost: it may begin where the worker asks again, alone.
    OnlyAlone {
        /// In a row, without a committed chunk.
        lost: u32,
    },
    /// So many were lost that none begins any more.
    SetAside {
        /// In a row, without a committed chunk.
        lost: u32,
    },
}

/// Decides on an attempt, where `most` of them may be lost in a row without a committed chunk.
///
/// ```
/// use ledger::attempt::{decide, Asking, Attempts, Decision};
/// let asking = |name: &str, alone| Asking { name: name.into(), chunk: 0, alone };
/// let first = Attempts { begun: 1, name: "a".into(), chunk: 0 };
/// assert_eq!(decide(&Attempts::default(), &asking("a", false), 3), Decision::Begins(first.clone()));
/// assert_eq!(decide(&first, &asking("a", false), 3), Decision::GoesOn { lost: 0 });
/// assert_eq!(decide(&first, &asking("b", false), 3), Decision::OnlyAlone { lost: 1 });
/// let second = Attempts { begun: 2, name: "b".into(), chunk: 0 };
/// assert_eq!(decide(&first, &asking("b", true), 3), Decision::Begins(second));
/// let third = Attempts { begun: 3, name: "c".into(), chunk: 0 };
/// assert_eq!(decide(&third, &asking("d", true), 3), Decision::SetAside { lost: 3 });
/// // A committed chunk is progress: what was lost before it no longer counts.
/// let moved = Asking { chunk: 1, ..asking("d", false) };
/// assert!(matches!(decide(&third, &moved, 3), Decision::Begins(Attempts { begun: 1, .. })));
/// ```
pub fn decide(known: &Attempts, asking: &Asking, most: u32) -> Decision {
    if asking.name.is_empty() {
        return Decision::GoesOn { lost: 0 };
    }
    let moved = asking.chunk > known.chunk;
    if known.begun > 0 && known.name == asking.name && !moved {
        return Decision::GoesOn { lost: known.begun - 1 };
    }
    let lost = if moved { 0 } else { known.begun };
    if lost > 0 && lost >= most {
        Decision::SetAside { lost }
    } else if lost > 0 && !asking.alone {
        Decision::OnlyAlone { lost }
    } else {
        Decision::Begins(Attempts { begun: lost + 1, name: asking.name.clone(), chunk: asking.chunk })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(name: &str, chunk: u32, alone: bool) -> Asking {
        Asking { name: name.into(), chunk, alone }
    }

    /// A worker that dies at the same byte each time, having committed chunks on its way there.
    #[test]
    fn a_file_that_kills_behind_committed_chunks_is_set_aside_too() {
        let mut known = Attempts::default();
        let mut deaths = 0;
        loop {
            let name = format!("worker-{deaths}");
            // The first life commits three chunks; those after it die before the fourth.
            let chunk = if deaths == 0 { 0 } else { 3 };
            match decide(&known, &asking(&name, chunk, true), 4) {
                Decision::Begins(attempts) => known = attempts,
                Decision::SetAside { lost } => {
                    assert_eq!((lost, deaths), (4, 5));
                    return;
                }
                other => panic!("{other:?}"),
            }
            deaths += 1;
        }
    }

    #[test]
    fn a_file_that_was_beside_one_that_kills_is_not_set_aside() {
        // Both are lost once; then one is read alone and finishes, while the other waits and is not counted.
        let lost_once = Attempts { begun: 1, name: "a".into(), chunk: 0 };
        for _ in 0..10 {
            let waits = decide(&lost_once, &asking("b", 0, false), 2);
            assert_eq!(waits, Decision::OnlyAlone { lost: 1 });
        }
    }

    #[test]
    fn a_worker_that_names_no_attempt_is_not_counted() {
        let known = Attempts { begun: 9, name: "a".into(), chunk: 0 };
        assert_eq!(decide(&known, &asking("", 0, false), 3), Decision::GoesOn { lost: 0 });
    }
}
