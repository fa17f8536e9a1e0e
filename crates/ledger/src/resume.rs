//! Where does a worker go on in a file?

use records::queue::{Checkpoint, ObjectFound};

/// Where to begin reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Resume<'a> {
    /// At the first byte: nothing of this generation is published.
    FromStart,
    /// Behind the last row that was published.
    Behind(&'a Checkpoint),
}

/// Decides where to begin with the message at the committed offset, given the checkpoint that stands with that offset.
///
/// A checkpoint of another file or generation belongs to a message before this one, and says nothing about it: a
/// generation is owned by one message for ever, so what names this generation was written for this message.
pub fn decide<'a>(checkpoint: Option<&'a Checkpoint>, message: &ObjectFound) -> Resume<'a> {
    match checkpoint {
        Some(one) if one.file_id == message.file_id && one.generation == message.generation => {
            Resume::Behind(one)
        }
        _ => Resume::FromStart,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_counts_for_its_own_generation_only() {
        let checkpoint =
            Checkpoint { file_id: vec![1; 16], generation: 2, position: 99, ..Default::default() };
        let message =
            |id, generation| ObjectFound { file_id: vec![id; 16], generation, ..Default::default() };
        assert_eq!(decide(Some(&checkpoint), &message(1, 2)), Resume::Behind(&checkpoint));
        assert_eq!(decide(Some(&checkpoint), &message(1, 3)), Resume::FromStart);
        assert_eq!(decide(Some(&checkpoint), &message(2, 2)), Resume::FromStart);
        assert_eq!(decide(None, &message(1, 2)), Resume::FromStart);
    }
}
