//! The ledger says whether this queue message owns the generation that it names.

use api::worker::{Claim, ClaimDecision, ClaimFilesRequest, ClaimResult, ReleaseClaimsRequest, SourceWork};
use ledger::FileId;
use ledger::resume::{self, Resume};
use ledger::tolerance::Tolerance;
use metrics::counter;
use prost::Message;
use queue::Incoming;
use records::queue::{Checkpoint, ObjectFound};
use tonic::Status;

use crate::fault::PipeError;
use crate::pipe::{Pipe, Tries};

/// A generation that this worker owns.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) object: ObjectFound,
    pub(crate) file_id: FileId,
    pub(crate) source: SourceWork,
    /// The generation whose records this one's take the place of; 0 where none.
    pub(crate) replaces_generation: u32,
}

impl Claimed {
    /// What its source bears of invalid rows.
    pub(crate) fn tolerance(&self) -> Tolerance {
        Tolerance::new(self.source.reject_file, self.source.max_rejected_basis_points)
    }
}

/// What a message on the objects topic is.
#[derive(Debug)]
pub(crate) enum Received {
    /// This message owns the generation: read it. So many attempts were lost on it in a row: where that is not none, it
    /// is to be read alone.
    Owned(Box<Claimed>, u32),
    /// It owns it, and so many attempts were lost that it is ended unread.
    SetAside(Box<Claimed>, u32),
    /// Nothing is to be done with it, for this reason.
    Skip(String),
}

/// A message that asks the ledger for the generation it names, or one that names none.
pub(crate) enum Asked {
    Claim {
        object: Box<ObjectFound>,
        file_id: FileId,
        claim: Claim,
    },
    /// Nothing is to be done with it, for this reason.
    Skip(String),
}

impl Asked {
    /// For this attempt at reading it; `alone` says that this worker reads nothing else that attempts were lost on.
    pub(crate) fn new(
        topic: &str,
        incoming: &Incoming,
        checkpoint: Option<&Checkpoint>,
        attempt: &str,
        alone: bool,
    ) -> Self {
        let object = match ObjectFound::decode(incoming.value.as_slice()) {
            Ok(object) => object,
            Err(error) => return Self::Skip(format!("the value is no ObjectFound: {error}")),
        };
        let file_id = match FileId::try_from(object.file_id.as_slice()) {
            Ok(id) => id,
            Err(error) => return Self::Skip(error.to_string()),
        };
        let chunk = match resume::decide(checkpoint, &object) {
            Resume::FromStart => 0,
            Resume::Behind(checkpoint) => checkpoint.chunk,
        };
        let claim = Claim { chunk, alone, ..claim(&object, topic, incoming, attempt) };
        Self::Claim { object: Box::new(object), file_id, claim }
    }
}

fn claim(object: &ObjectFound, topic: &str, incoming: &Incoming, attempt: &str) -> Claim {
    Claim {
        source_id: object.source_id.clone(),
        file_id: object.file_id.clone(),
        generation: object.generation,
        topic: topic.to_owned(),
        partition: incoming.partition,
        offset: incoming.offset,
        attempt: attempt.to_owned(),
        chunk: 0,
        alone: false,
        range: object.range.map_or(0, |range| range.number),
    }
}

impl Claimed {
    /// The claim that it was granted by.
    pub(crate) fn claim(&self, topic: &str, incoming: &Incoming, attempt: &str) -> Claim {
        claim(&self.object, topic, incoming, attempt)
    }
}

impl Pipe {
    /// Names this process's attempts at a message, which panics that it survived tell apart.
    pub(crate) fn attempt(&self, tries: &Tries, offset: i64) -> String {
        format!("{}/{}", self.process, tries.panics_of(offset))
    }

    /// Asks the ledger for the generation that the message names.
    pub(crate) fn claim(&self, asked: Asked) -> Result<Received, PipeError> {
        let received = self.claim_all(vec![asked])?.pop();
        received.ok_or_else(|| PipeError::Registry("it gave no result for the claim".into()))
    }

    /// Asks for all of them in one call: one answer each, in their order.
    pub(crate) fn claim_all(&self, asked: Vec<Asked>) -> Result<Vec<Received>, PipeError> {
        let claims: Vec<Claim> = asked
            .iter()
            .filter_map(
                |asked| if let Asked::Claim { claim, .. } = asked { Some(claim.clone()) } else { None },
            )
            .collect();
        let count = claims.len();
        let (mut results, sources) = if claims.is_empty() {
            (Vec::new().into_iter(), Vec::new())
        } else {
            let request = ClaimFilesRequest { worker_id: self.config.worker_id.clone(), claims };
            counter!("cortex_parser_claim_calls_total").increment(1);
            let response = self
                .handle
                .block_on(self.registry.clone().claim_files(request))
                .map_err(|status| unanswered(&status))?
                .into_inner();
            if response.results.len() != count {
                let got = response.results.len();
                return Err(PipeError::Registry(format!("it gave {got} results for {count} claims")));
            }
            (response.results.into_iter(), response.sources)
        };
        let received = asked.into_iter().map(|asked| match asked {
            Asked::Skip(reason) => Ok(Received::Skip(reason)),
            Asked::Claim { object, file_id, .. } => {
                let result = results.next().unwrap_or_default();
                received(*object, file_id, &result, &sources)
            }
        });
        received.collect()
    }

    /// Gives back claims whose attempts have not begun.
    pub(crate) fn release(&self, claims: Vec<Claim>) -> Result<(), PipeError> {
        let request = ReleaseClaimsRequest { worker_id: self.config.worker_id.clone(), claims };
        let released = self.handle.block_on(self.registry.clone().release_claims(request));
        released.map(drop).map_err(|status| unanswered(&status))
    }
}

fn unanswered(status: &Status) -> PipeError {
    PipeError::Registry(format!("{:?}: {}", status.code(), status.message()))
}

fn received(
    object: ObjectFound,
    file_id: FileId,
    result: &ClaimResult,
    sources: &[SourceWork],
) -> Result<Received, PipeError> {
    let lost = result.lost_attempts;
    let is_set_aside = match result.decision() {
        ClaimDecision::Granted | ClaimDecision::GrantedAgain => false,
        ClaimDecision::SetAside => true,
        ClaimDecision::OwnedByOther | ClaimDecision::Finished | ClaimDecision::Unknown => {
            return Ok(Received::Skip(format!("{:?}: {}", result.decision(), result.reason)));
        }
        ClaimDecision::Unspecified => {
            return Err(PipeError::Registry("it gave a decision that this worker does not know".into()));
        }
    };
    let source = sources.iter().find(|source| source.source_id == object.source_id).cloned();
    let Some(source) = source else {
        return Err(PipeError::Registry("it granted a claim without its source".into()));
    };
    let replaces_generation = result.replaces_generation;
    let claimed = Box::new(Claimed { object, file_id, source, replaces_generation });
    Ok(if is_set_aside { Received::SetAside(claimed, lost) } else { Received::Owned(claimed, lost) })
}
