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
/// A checkpoint of another file, generation or range belongs to a message before this one, and says nothing about it: each
/// is owned by one message for ever, so what names it was written for this message.
pub fn decide<'a>(checkpoint: Option<&'a Checkpoint>, message: &ObjectFound) -> Resume<'a> {
    let range = message.range.as_ref().map_or(0, |range| range.number);
    let is_of_it = |one: &&Checkpoint| {
        one.file_id == message.file_id && one.generation == message.generation && one.range == range
    };
    checkpoint.filter(is_of_it).map_or(Resume::FromStart, Resume::Behind)
}

#[cfg(test)]
mod tests {
    use records::queue::ObjectRange;

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

    #[test]
    fn a_checkpoint_of_another_range_says_nothing() {
        let of = |range| Checkpoint { file_id: vec![1; 16], generation: 2, range, ..Default::default() };
        let message = |number| ObjectFound {
            file_id: vec![1; 16],
            generation: 2,
            range: (number > 0).then(|| ObjectRange { number, ..Default::default() }),
            ..Default::default()
        };
        for (checkpoint, number, is_its_own) in
            [(0, 0, true), (1, 1, true), (0, 1, false), (1, 0, false), (1, 2, false)]
        {
            let checkpoint = of(checkpoint);
            let resumed = decide(Some(&checkpoint), &message(number));
            assert_eq!(resumed == Resume::Behind(&checkpoint), is_its_own, "{} {number}", checkpoint.range);
        }
    }
}
