//! The ledger says whether this queue message owns the generation that it names.

use api::worker::{Claim, ClaimDecision, ClaimFilesRequest, SourceWork};
use ledger::FileId;
use ledger::resume::{self, Resume};
use ledger::tolerance::Tolerance;
use prost::Message;
use queue::Incoming;
use records::queue::{Checkpoint, ObjectFound};

use crate::fault::PipeError;
use crate::pipe::Pipe;

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

impl Pipe {
    /// Asks the ledger for the generation that the message names, for this attempt at reading it; `alone` says that this
    /// worker reads nothing else that attempts were lost on.
    pub(crate) fn claim(
        &self,
        topic: &str,
        incoming: &Incoming,
        checkpoint: Option<&Checkpoint>,
        attempt: &str,
        alone: bool,
    ) -> Result<Received, PipeError> {
        let object = match ObjectFound::decode(incoming.value.as_slice()) {
            Ok(object) => object,
            Err(error) => return Ok(Received::Skip(format!("the value is no ObjectFound: {error}"))),
        };
        let file_id = match FileId::try_from(object.file_id.as_slice()) {
            Ok(id) => id,
            Err(error) => return Ok(Received::Skip(error.to_string())),
        };
        let claim = Claim {
            source_id: object.source_id.clone(),
            file_id: object.file_id.clone(),
            generation: object.generation,
            topic: topic.to_owned(),
            partition: incoming.partition,
            offset: incoming.offset,
            attempt: attempt.to_owned(),
            chunk: match resume::decide(checkpoint, &object) {
                Resume::FromStart => 0,
                Resume::Behind(checkpoint) => checkpoint.chunk,
            },
            alone,
        };
        let request = ClaimFilesRequest { worker_id: self.config.worker_id.clone(), claims: vec![claim] };
        let response = self
            .handle
            .block_on(self.registry.clone().claim_files(request))
            .map_err(|status| PipeError::Registry(format!("{:?}: {}", status.code(), status.message())))?
            .into_inner();
        let Some(result) = response.results.first() else {
            return Err(PipeError::Registry("it gave no result for the claim".into()));
        };
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
        let source = response.sources.into_iter().find(|source| source.source_id == object.source_id);
        let Some(source) = source else {
            return Err(PipeError::Registry("it granted a claim without its source".into()));
        };
        let replaces_generation = result.replaces_generation;
        let claimed = Box::new(Claimed { object, file_id, source, replaces_generation });
        Ok(if is_set_aside { Received::SetAside(claimed, lost) } else { Received::Owned(claimed, lost) })
    }
}
