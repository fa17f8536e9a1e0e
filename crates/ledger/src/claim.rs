//! May a queue message read the generation that it names?

/// A place on the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuePosition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
}

/// What the ledger knows of the generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ledgered {
    /// Not in the ledger, or its source was deleted.
    Absent,
    /// Known, and owned by no message yet (whether or not it was marked published).
    Unclaimed,
    /// Owned by the message at this position.
    Claimed(QueuePosition),
    /// Read to its end, by whichever message.
    Finished,
}

/// The answer to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The message owns the generation from now on.
    Granted,
    /// It owned it already: a redelivery.
    GrantedAgain,
    /// Another message owns it.
    OwnedByOther,
    /// Nothing is left to read.
    Finished,
    /// There is no such generation.
    Unknown,
    /// It is the message's, and is ended unread: see [`attempt`](crate::attempt).
    SetAside,
}

/// Decides a claim: a generation goes to the first message that asks, to the same one again, and never to another.
///
/// ```
/// use ledger::claim::{decide, Decision, Ledgered, QueuePosition};
/// let at = |offset| QueuePosition { topic: "t".into(), partition: 0, offset };
/// assert_eq!(decide(&Ledgered::Unclaimed, &at(7)), Decision::Granted);
/// assert_eq!(decide(&Ledgered::Claimed(at(7)), &at(7)), Decision::GrantedAgain);
/// assert_eq!(decide(&Ledgered::Claimed(at(7)), &at(8)), Decision::OwnedByOther);
/// ```
pub fn decide(ledgered: &Ledgered, asking: &QueuePosition) -> Decision {
    match ledgered {
        Ledgered::Absent => Decision::Unknown,
        Ledgered::Unclaimed => Decision::Granted,
        Ledgered::Claimed(owner) if owner == asking => Decision::GrantedAgain,
        Ledgered::Claimed(_) => Decision::OwnedByOther,
        Ledgered::Finished => Decision::Finished,
    }
}
