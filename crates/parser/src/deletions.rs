//! The accounts' deletion lists: asked for once a version, and shared by a worker's lanes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::client::Worker;
use api::worker::{ListDeletedSubjectsRequest, ListDeletedSubjectsResponse};
use dataset::{DeletedSubjects, Schema, SubjectHash};
use tonic::Status;

use crate::claim::Claimed;
use crate::fault::PipeError;
use crate::pipe::Pipe;
use crate::pulse::Pulse;

/// Hashes that are kept of all accounts together, 64 MiB; beyond, the lists that were not used for longest are asked for
/// again. A list that a file in hand needs is kept, whatever its length.
const MOST_HASHES: usize = 4 << 20;
/// The registry is taken for lost where nothing of a list comes for so long.
const SILENCE: Duration = Duration::from_secs(60);

/// The lists in use.
#[derive(Default)]
pub(crate) struct Deletions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    accounts: HashMap<String, Account>,
    uses: u64,
}

/// One account's. Whoever asks for its list holds it, so that the other lanes wait for the one answer.
#[derive(Default)]
struct Account {
    list: Arc<Mutex<Option<Listed>>>,
    hashes: usize,
    used: u64,
}

/// A list as the registry gave it.
#[derive(Clone)]
struct Listed {
    version: u64,
    subjects: Arc<DeletedSubjects>,
}

impl Deletions {
    /// The account's list of that version, or a newer one. What was kept is not asked for again.
    fn of(
        &self,
        account_id: &str,
        version: u64,
        ask: impl FnOnce() -> Result<Answer, PipeError>,
    ) -> Result<Arc<DeletedSubjects>, PipeError> {
        let list = self.account(account_id);
        let mut list = locked(&list);
        if let Some(listed) = &*list
            && listed.version == version
        {
            return Ok(listed.subjects.clone());
        }
        let Answer { version, hashes } = ask()?;
        let subjects = Arc::new(DeletedSubjects::new(account_id, hashes));
        *list = Some(Listed { version: version.unwrap_or_default(), subjects: subjects.clone() });
        self.make_room(account_id, subjects.len(), MOST_HASHES);
        Ok(subjects)
    }

    fn account(&self, account_id: &str) -> Arc<Mutex<Option<Listed>>> {
        let mut kept = locked(&self.0);
        kept.uses += 1;
        let used = kept.uses;
        let account = kept.accounts.entry(account_id.to_owned()).or_default();
        account.used = used;
        account.list.clone()
    }

    /// The account's list has so many hashes: where all have more than `most`, those of other accounts go.
    fn make_room(&self, account_id: &str, hashes: usize, most: usize) {
        let mut kept = locked(&self.0);
        if let Some(account) = kept.accounts.get_mut(account_id) {
            account.hashes = hashes;
        }
        let mut all: usize = kept.accounts.values().map(|account| account.hashes).sum();
        while all > most {
            let others = kept.accounts.iter().filter(|(id, _)| *id != account_id);
            let Some(oldest) = others.min_by_key(|(_, account)| account.used).map(|(id, _)| id.clone())
            else {
                return;
            };
            all -= kept.accounts.remove(&oldest).map_or(0, |account| account.hashes);
        }
    }
}

/// What is kept is whole at any time: a panic leaves an old list at most.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has come of the registry's answer. Without a message, the list is empty by now.
#[derive(Debug, Default)]
struct Answer {
    version: Option<u64>,
    hashes: Vec<SubjectHash>,
}

impl Answer {
    fn add(&mut self, message: &ListDeletedSubjectsResponse) -> Result<(), PipeError> {
        let version = *self.version.get_or_insert(message.deletions_version);
        if version != message.deletions_version {
            return Err(PipeError::Registry("the deletion list changed while it was sent".into()));
        }
        let (hashes, rest) = message.hashes.as_chunks();
        if !rest.is_empty() {
            let reason =
                format!("a part of the deletion list has {} bytes, not 16 a hash", message.hashes.len());
            return Err(PipeError::Registry(reason));
        }
        self.hashes.extend_from_slice(hashes);
        Ok(())
    }
}

impl Pipe {
    /// The people of whom the file's account keeps nothing; none where there are none, or the dataset has none.
    pub(crate) fn deleted(
        &self,
        claimed: &Claimed,
        schema: &Schema,
        pulse: &Pulse,
    ) -> Result<Option<Arc<DeletedSubjects>>, PipeError> {
        let source = &claimed.source;
        if source.deletions_version == 0 || schema.dataset().people.is_empty() {
            return Ok(None);
        }
        let ask = || self.handle.block_on(ask(self.registry.clone(), &source.account_id, pulse));
        self.deletions.of(&source.account_id, source.deletions_version, ask).map(Some)
    }
}

async fn ask(mut registry: Worker, account_id: &str, pulse: &Pulse) -> Result<Answer, PipeError> {
    let refused = |status: Status| {
        let (code, message) = (status.code(), status.message());
        PipeError::Registry(format!("the deletion list of {account_id}: {code:?}: {message}"))
    };
    let request = ListDeletedSubjectsRequest { account_id: account_id.to_owned() };
    let mut parts = registry.list_deleted_subjects(request).await.map_err(refused)?.into_inner();
    let mut answer = Answer::default();
    loop {
        pulse.beats();
        let part = tokio::time::timeout(SILENCE, parts.message()).await;
        let part =
            part.map_err(|_| PipeError::Registry(format!("the deletion list of {account_id} stopped")))?;
        match part.map_err(refused)? {
            Some(part) => answer.add(&part)?,
            None => return Ok(answer),
        }
    }
}

#[cfg(test)]
mod tests {
    use dataset::{Refusal, subject_hash};

    use super::*;

    fn answer(version: u64, subjects: &[&str]) -> Answer {
        let hashes = subjects.iter().map(|subject| subject_hash("a", subject.as_bytes())).collect();
        Answer { version: Some(version), hashes }
    }

    fn unasked() -> Result<Answer, PipeError> {
        panic!("it is kept")
    }

    #[test]
    fn a_list_is_asked_for_once_a_version() {
        let deletions = Deletions::default();
        let first = deletions.of("a", 1, || Ok(answer(1, &["u"]))).unwrap();
        assert!(first.contains(b"u") && !first.contains(b"v"));
        assert!(Arc::ptr_eq(&first, &deletions.of("a", 1, unasked).unwrap()));
        let second = deletions.of("a", 2, || Ok(answer(2, &["v"]))).unwrap();
        assert!(second.contains(b"v") && !second.contains(b"u"));
        assert!(first.contains(b"u"), "a file in hand keeps the list that it began with");
        assert!(deletions.of("a", 2, unasked).unwrap().contains(b"v"));
    }

    #[test]
    fn a_registry_that_does_not_answer_lets_nothing_slip() {
        let deletions = Deletions::default();
        let unanswered = || Err(PipeError::Registry("down".into()));
        assert!(deletions.of("a", 1, unanswered).is_err());
        deletions.of("a", 1, || Ok(answer(1, &["u"]))).unwrap();
        assert!(deletions.of("a", 2, unanswered).is_err(), "the list before is not taken for the new one");
        assert!(deletions.of("a", 2, || Ok(answer(2, &["v"]))).unwrap().contains(b"v"));
    }

    #[test]
    fn a_list_that_changed_since_the_claim_is_taken_as_it_is_now() {
        let deletions = Deletions::default();
        assert!(deletions.of("a", 1, || Ok(answer(3, &["u"]))).unwrap().contains(b"u"));
        assert!(deletions.of("a", 3, unasked).unwrap().contains(b"u"));
        assert!(deletions.of("a", 4, || Ok(Answer::default())).unwrap().is_empty());
    }

    #[test]
    fn an_accounts_list_is_no_others() {
        let deletions = Deletions::default();
        deletions.of("a", 1, || Ok(answer(1, &["u"]))).unwrap();
        assert!(!deletions.of("b", 1, || Ok(answer(1, &["u"]))).unwrap().contains(b"u"));
    }

    #[test]
    fn the_lists_that_were_not_used_for_longest_make_room() {
        let deletions = Deletions::default();
        for account in ["a", "b", "c"] {
            deletions.of(account, 1, || Ok(answer(1, &["u", "v"]))).unwrap();
        }
        deletions.of("a", 1, unasked).unwrap();
        deletions.make_room("c", 2, 4);
        let kept = |account: &str| locked(&deletions.0).accounts.contains_key(account);
        assert!(kept("a") && !kept("b") && kept("c"));
        deletions.make_room("c", 9, 4);
        assert!(!kept("a") && kept("c"), "the one in hand stays, however long");
    }

    #[test]
    fn an_answer_is_put_together_from_its_parts() {
        let part = |version, hashes: &[u8]| ListDeletedSubjectsResponse {
            deletions_version: version,
            hashes: hashes.to_vec(),
        };
        let mut answer = Answer::default();
        answer.add(&part(5, &[1; 32])).unwrap();
        answer.add(&part(5, &[2; 16])).unwrap();
        assert_eq!((answer.version, &answer.hashes[..]), (Some(5), &[[1; 16], [1; 16], [2; 16]][..]));
        assert!(answer.add(&part(6, &[3; 16])).is_err(), "half of one list and half of another are none");
        assert!(answer.add(&part(5, &[3; 17])).is_err());
    }

    #[test]
    fn rows_of_deleted_subjects_are_known_by_one_code() {
        assert_eq!(ledger::tolerance::SUBJECT_DELETED, Refusal::SUBJECT_DELETED);
    }
}
