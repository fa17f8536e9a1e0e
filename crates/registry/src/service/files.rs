//! A source's files, their errors and samples.

use super::{Service, page, precondition, size};
use crate::error::CallError;
use crate::store::StoreError;
use crate::{convert, name};
use api::registry::{
    ListFileErrorsRequest, ListFileErrorsResponse, ListFilesRequest, ListFilesResponse, ListSamplesRequest,
    ListSamplesResponse, ReprocessFileRequest, ReprocessFileResponse, ReprocessFilesRequest,
    ReprocessFilesResponse,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::Request;

impl Service {
    pub(super) async fn list_files(
        &self,
        request: Request<ListFilesRequest>,
    ) -> Result<ListFilesResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let page = self.store.list_files(&account, &id, &page).await?;
        Ok(ListFilesResponse {
            files: page.items.into_iter().map(|file| convert::file(file, self.stuck_since())).collect(),
            next_page_token: page.next_token,
        })
    }

    pub(super) async fn reprocess_file(
        &self,
        request: Request<ReprocessFileRequest>,
    ) -> Result<ReprocessFileResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let key = request.into_inner().object_key;
        let now = Timestamp::now();
        let opened = self.store.reprocess(&account, &id, &key, self.config.stuck_after, now).await;
        let opened = opened.map_err(|error| match error {
            StoreError::Conflict { .. } => precondition(
                "NOT_AT_REST",
                format!("{key:?} is still to be read; it can be reprocessed once it is at rest or stuck"),
            ),
            other => CallError::from(other),
        })?;
        let detail = json!({ "object_key": key, "generation": opened.generation });
        self.audit(&actor, &account, "file.reprocess", &name::of_source(&account, &id), detail).await?;
        Ok(ReprocessFileResponse { file: Some(convert::file(opened, self.stuck_since())) })
    }

    pub(super) async fn list_samples(
        &self,
        request: Request<ListSamplesRequest>,
    ) -> Result<ListSamplesResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account(&request, &account).await?;
        let limit = size(request.get_ref().page_size, 20, 100)?;
        let samples = self.store.list_samples(&account, &id, limit).await?;
        Ok(ListSamplesResponse { samples: samples.into_iter().map(convert::sample).collect() })
    }

    pub(super) async fn list_file_errors(
        &self,
        _request: Request<ListFileErrorsRequest>,
    ) -> Result<ListFileErrorsResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn reprocess_files(
        &self,
        _request: Request<ReprocessFilesRequest>,
    ) -> Result<ReprocessFilesResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}

impl Service {
    /// What has not moved since then counts as stuck.
    fn stuck_since(&self) -> Timestamp {
        super::stuck_since(self.config.stuck_after)
    }
}
