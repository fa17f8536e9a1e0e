//! An account's deletion list.

use std::collections::{BTreeMap, BTreeSet};

use api::registry::{
    AddDeletedSubjectsRequest, AddDeletedSubjectsResponse, CheckDeletedSubjectsRequest,
    CheckDeletedSubjectsResponse, RemoveDeletedSubjectsRequest, RemoveDeletedSubjectsResponse,
};
use api::worker::{ListDeletedSubjectsRequest, ListDeletedSubjectsResponse};
use jiff::Timestamp;
use serde_json::json;
use tonic::Request;

use super::{Service, Streamed};
use crate::error::CallError;
use crate::name;
use crate::store::{AccountId, Store, SubjectHash};

const MOST_SUBJECTS: usize = 10_000;
const HASHES_A_MESSAGE: u32 = 65_536;

impl Service {
    pub(super) async fn add_deleted_subjects(
        &self,
        request: Request<AddDeletedSubjectsRequest>,
    ) -> Result<AddDeletedSubjectsResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let subjects = hashes(&account, &request.subject_ids)?;
        let added = self.store.add_deleted(&account, &subjects, Timestamp::now()).await?;
        // How many, and not whom.
        let detail = json!({ "added": added });
        self.audit(&actor, &account, "deletions.add", &request.parent, detail).await?;
        Ok(AddDeletedSubjectsResponse { added: u32::try_from(added).unwrap_or(u32::MAX) })
    }

    pub(super) async fn remove_deleted_subjects(
        &self,
        request: Request<RemoveDeletedSubjectsRequest>,
    ) -> Result<RemoveDeletedSubjectsResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let subjects = hashes(&account, &request.subject_ids)?;
        let removed = self.store.remove_deleted(&account, &subjects).await?;
        let detail = json!({ "removed": removed });
        self.audit(&actor, &account, "deletions.remove", &request.parent, detail).await?;
        Ok(RemoveDeletedSubjectsResponse { removed: u32::try_from(removed).unwrap_or(u32::MAX) })
    }

    pub(super) async fn check_deleted_subjects(
        &self,
        request: Request<CheckDeletedSubjectsRequest>,
    ) -> Result<CheckDeletedSubjectsResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let asked = request.into_inner().subject_ids;
        let by_hash: BTreeMap<SubjectHash, String> = hashes(&account, &asked).map(|_| {
            asked.into_iter().map(|subject| (SubjectHash::of(&account, &subject), subject)).collect()
        })?;
        let found = self.store.deleted_among(&account, &by_hash.keys().copied().collect()).await?;
        Ok(CheckDeletedSubjectsResponse {
            deleted_subject_ids: by_hash
                .into_iter()
                .filter(|(hash, _)| found.contains(hash))
                .map(|(_, subject)| subject)
                .collect(),
            total: self.store.count_deleted(&account).await?,
        })
    }

    pub(super) async fn stream_deleted_subjects(
        &self,
        request: Request<ListDeletedSubjectsRequest>,
    ) -> Result<Streamed<ListDeletedSubjectsResponse>, CallError> {
        self.auth.worker(&request).await?;
        let account = AccountId::from(request.into_inner().account_id);
        // Read before the list: a list that changes meanwhile has a greater version, and is asked for again.
        let version = self.store.get_account(&account).await?.deletions_version;
        let begin = Listing { store: self.store.clone(), account, version, after: None, done: false };
        Ok(Box::pin(futures::stream::try_unfold(begin, |listing| async move {
            Ok(listing.next().await.map_err(CallError::from)?)
        })))
    }
}

/// A deletion list on its way to a worker.
struct Listing {
    store: Store,
    account: AccountId,
    version: u64,
    after: Option<SubjectHash>,
    done: bool,
}

impl Listing {
    /// The next message; the first comes even where the list is empty, since it tells the version.
    async fn next(mut self) -> crate::store::Result<Option<(ListDeletedSubjectsResponse, Self)>> {
        if self.done {
            return Ok(None);
        }
        let hashes = self.store.list_deleted(&self.account, self.after, HASHES_A_MESSAGE).await?;
        self.done = hashes.len() < HASHES_A_MESSAGE as usize;
        self.after = hashes.last().copied().or(self.after);
        let hashes = hashes.iter().flat_map(|hash| hash.0).collect();
        Ok(Some((ListDeletedSubjectsResponse { deletions_version: self.version, hashes }, self)))
    }
}

fn hashes(account: &AccountId, subjects: &[String]) -> Result<BTreeSet<SubjectHash>, CallError> {
    if subjects.len() > MOST_SUBJECTS {
        let rule =
            format!("at most {MOST_SUBJECTS}, these are {}; send them in several calls", subjects.len());
        return Err(CallError::invalid("subject_ids", rule));
    }
    if let Some(empty) = subjects.iter().position(String::is_empty) {
        return Err(CallError::invalid("subject_ids", format!("number {} is empty", empty + 1)));
    }
    Ok(subjects.iter().map(|subject| SubjectHash::of(account, subject)).collect())
}
