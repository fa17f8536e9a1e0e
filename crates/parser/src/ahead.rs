//! Messages that were taken off the queue together: claimed by one call to the ledger, and their objects asked for before
//! it is their turn, so that small files cost neither a call nor a round trip each.
//!
//! A claim begins an attempt at a file, and one that ends without a word counts against it; so what was claimed and not
//! begun is given back where its partition is let go. A claim that waited for long behind another file is made anew: its
//! source may have changed meanwhile.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bucket::ObjectReader;
use prost::Message as _;
use queue::{Incoming, Lane};
use records::queue::ObjectFound;
use trace::Origin;
use tracing::{Span, debug};

use crate::claim::{Asked, Claimed, Received};
use crate::pipe::{Hand, Pipe, stored_checkpoint};
use crate::spans;

/// Messages at once: as many as the ledger takes in one call.
const MOST: usize = 100;
/// The last message of a batch is one of a larger object: those behind it would wait.
const SMALL: u64 = 1 << 20;
/// How long a claim stands for what its source is.
const FRESH: Duration = Duration::from_secs(2);
/// Objects that are asked for before their turn, and how large they may be: what they hold in memory is bounded.
const OBJECTS: usize = 8;
const OBJECT_BYTES: u64 = 256 << 10;

/// A message, and what is known of it before its turn.
pub(crate) struct Next {
    pub(crate) incoming: Incoming,
    /// Of the work on it.
    pub(crate) span: Span,
    /// The ledger's word; none where it is still to be asked.
    pub(crate) received: Option<Received>,
    /// Its object, on its way.
    pub(crate) object: Option<ObjectReader>,
}

/// The messages that come next, in the order of the queue.
#[derive(Default)]
pub(crate) struct Ahead {
    messages: VecDeque<Next>,
    claimed: Option<Instant>,
}

impl Ahead {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Forgets them: the lane reads them again.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }
}

fn size(incoming: &Incoming) -> u64 {
    // One that is no such message is skipped, which takes no time.
    ObjectFound::decode(incoming.value.as_slice()).map_or(0, |object| match object.range {
        Some(range) => range.ends.saturating_sub(range.begins),
        None => object.size,
    })
}

impl Pipe {
    /// The next message, waited for if none is ahead; none where none came.
    pub(crate) fn next(
        &self,
        lane: &mut dyn Lane,
        hand: &mut Hand,
        patience: Duration,
    ) -> queue::Result<Option<Next>> {
        if hand.ahead.is_empty() {
            let Some(first) = lane.next(patience)? else { return Ok(None) };
            // After a failure each message is read on its own.
            let most = if hand.tries.is_any() { 1 } else { MOST };
            fill(lane, &mut hand.ahead, &self.config.group, first, most)?;
            self.claim_ahead(lane, hand);
        } else if hand.ahead.claimed.is_some_and(|at| at.elapsed() > FRESH) {
            self.claim_ahead(lane, hand);
        }
        let next = hand.ahead.messages.pop_front();
        self.ask_for_objects(&mut hand.ahead);
        Ok(next)
    }

    /// Claims all that is ahead. Where the ledger does not answer, each is claimed when it is its turn, and its failure is
    /// dealt with there; so is one alone.
    fn claim_ahead(&self, lane: &mut dyn Lane, hand: &mut Hand) {
        let stored = stored_checkpoint(lane);
        hand.ahead.claimed = None;
        for next in &mut hand.ahead.messages {
            // Asked for by what the source was.
            (next.received, next.object) = (None, None);
        }
        if hand.ahead.messages.len() < 2 {
            return;
        }
        let asked = hand.ahead.messages.iter().map(|next| {
            let attempt = self.attempt(&hand.tries, next.incoming.offset);
            Asked::new(lane.topic(), &next.incoming, stored.as_ref(), &attempt, false)
        });
        let asked = asked.collect();
        let spans: Vec<_> = hand.ahead.messages.iter().filter_map(|next| Origin::of(&next.span)).collect();
        match spans::claim(&spans).in_scope(|| self.claim_all(asked)) {
            Ok(received) => {
                for (next, received) in hand.ahead.messages.iter_mut().zip(received) {
                    next.received = Some(received);
                }
                hand.ahead.claimed = Some(Instant::now());
            }
            Err(error) => debug!(%error, "not claimed together"),
        }
    }

    /// Asks for the objects whose turn comes next.
    fn ask_for_objects(&self, ahead: &mut Ahead) {
        for next in ahead.messages.iter_mut().take(OBJECTS).filter(|next| next.object.is_none()) {
            let Some(Received::Owned(claimed, 0)) = &next.received else { continue };
            if claimed.object.size <= OBJECT_BYTES {
                let mut reader = self.reader(claimed);
                next.span.in_scope(|| reader.ask());
                next.object = Some(reader);
            }
        }
    }

    /// Gives back what was claimed and is not read by this lane, as its partition is let go. Where that fails, the next
    /// owner takes the attempts for lost ones and reads each of the files alone.
    pub(crate) fn give_back(&self, lane: &dyn Lane, hand: &mut Hand) {
        let unread = hand.ahead.messages.drain(..).filter_map(|next| match next.received {
            Some(Received::Owned(claimed, 0)) => Some((next.incoming, claimed)),
            _ => None,
        });
        let claims: Vec<_> = unread
            .map(|(incoming, claimed): (Incoming, Box<Claimed>)| {
                let attempt = self.attempt(&hand.tries, incoming.offset);
                claimed.claim(lane.topic(), &incoming, &attempt)
            })
            .collect();
        if claims.is_empty() {
            return;
        }
        let count = claims.len();
        match self.release(claims) {
            Ok(()) => debug!(partition = lane.partition(), count, "claims given back"),
            Err(error) => debug!(%error, partition = lane.partition(), count, "claims not given back"),
        }
    }
}

/// Takes what else has come, up to and with a larger object.
fn fill(
    lane: &mut dyn Lane,
    ahead: &mut Ahead,
    group: &str,
    first: Incoming,
    most: usize,
) -> queue::Result<()> {
    let mut message = Some(first);
    while let Some(incoming) = message {
        let is_last = size(&incoming) > SMALL || ahead.messages.len() + 1 >= most;
        let span = spans::process(group, &incoming);
        ahead.messages.push_back(Next { incoming, span, received: None, object: None });
        message = if is_last { None } else { lane.next(Duration::ZERO)? };
    }
    Ok(())
}
