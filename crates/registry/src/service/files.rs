//! A source's files, their errors and samples.

use std::collections::BTreeSet;

use api::registry::{
    FileState, ListFileErrorsRequest, ListFileErrorsResponse, ListFilesRequest, ListFilesResponse,
    ListSamplesRequest, ListSamplesResponse, ReprocessFileRequest, ReprocessFileResponse,
    ReprocessFilesRequest, ReprocessFilesResponse,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::Request;

use super::{Service, date, page, precondition, size};
use crate::error::CallError;
use crate::store::{self, StoreError};
use crate::{convert, filter, name};

/// Row errors that are shown of a file.
const MOST_ERRORS: u32 = 100;

impl Service {
    pub(super) async fn list_files(
        &self,
        request: Request<ListFilesRequest>,
    ) -> Result<ListFilesResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let filter = filter::files(&request.filter)?;
        let page = self.store.list_files(&account, &id, &filter, &page).await?;
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
        self.auth.account_read(&request, &account).await?;
        let limit = size(request.get_ref().page_size, 20, 100)?;
        let samples = self.store.list_samples(&account, &id, limit).await?;
        let source = self.store.get_source(&account, &id).await?;
        let schema = dataset::Schema::parse_json(&source.settings.schema.json)
            .inspect_err(|error| tracing::error!(source = %id, %error, "the stored schema does not hold"));
        // Without a schema no one can say what is sensitive, so nothing is shown.
        let Ok(schema) = schema else { return Ok(ListSamplesResponse::default()) };
        let shown = |sample: store::Sample| match masked(&schema, &sample) {
            Ok((record, json)) => Some(convert::sample(sample, record, json)),
            Err(error) => {
                tracing::error!(source = %id, error, "a sample cannot be shown");
                None
            }
        };
        Ok(ListSamplesResponse { samples: samples.into_iter().filter_map(shown).collect() })
    }

    pub(super) async fn list_file_errors(
        &self,
        request: Request<ListFileErrorsRequest>,
    ) -> Result<ListFileErrorsResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let request = request.into_inner();
        let (file, errors) = self
            .store
            .file_errors(&account, &id, &request.object_key, request.generation, MOST_ERRORS)
            .await?;
        // As the schema in force has it: a column may have been marked as sensitive since the file was read.
        let source = self.store.get_source(&account, &id).await?;
        let schema = dataset::Schema::parse_json(&source.settings.schema.json).ok();
        let errors = errors.into_iter().map(|error| masked_error(schema.as_ref(), error));
        Ok(ListFileErrorsResponse {
            errors: errors.map(convert::row_error).collect(),
            file: Some(convert::file(file, self.stuck_since())),
        })
    }

    pub(super) async fn reprocess_files(
        &self,
        request: Request<ReprocessFilesRequest>,
    ) -> Result<ReprocessFilesResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let first = date("start_date", &request.start_date)?;
        let last = date("end_date", &request.end_date)?;
        if last < first {
            return Err(CallError::invalid("end_date", "must not be before start_date"));
        }
        let states = request.states().map(at_rest).collect::<Result<BTreeSet<_>, _>>()?;
        let done =
            self.store.reprocess_dates(&account, &id, (first, last), &states, Timestamp::now()).await?;
        let detail = json!({
            "start_date": first.to_string(),
            "end_date": last.to_string(),
            "opened": done.opened,
        });
        self.audit(&actor, &account, "file.reprocess_dates", &request.parent, detail).await?;
        Ok(ReprocessFilesResponse { opened: done.opened, left_alone: done.left_alone })
    }
}

/// A state that a file at rest may be in, as the store names it.
fn at_rest(state: FileState) -> Result<&'static str, CallError> {
    match state {
        FileState::Accepted => Ok("accepted"),
        FileState::AcceptedWithRejections => Ok("accepted_with_rejections"),
        FileState::Rejected => Ok("rejected"),
        FileState::Incomplete => Ok("incomplete"),
        FileState::Superseded => Ok("superseded"),
        other => {
            let rule = format!("{} is no state of a file at rest", other.as_str_name());
            Err(CallError::invalid("states", rule))
        }
    }
}

impl Service {
    /// What has not moved since then counts as stuck.
    fn stuck_since(&self) -> Timestamp {
        super::stuck_since(self.config.stuck_after)
    }
}

/// The error without what stood in sensitive columns; without a schema, without what stood in any.
fn masked_error(schema: Option<&dataset::Schema>, mut error: store::RowError) -> store::RowError {
    if schema.is_none_or(dataset::Schema::has_sensitive) {
        error.raw.clear();
    }
    error.reason = match schema {
        Some(schema) => schema.shown_reason(&error.code, &error.column, &error.reason).into_owned(),
        None => String::new(),
    };
    error
}

/// The record without the values of sensitive columns, and as JSON.
fn masked(schema: &dataset::Schema, sample: &store::Sample) -> Result<(Vec<u8>, String), String> {
    let record = dataset::mask(schema, &sample.message, &sample.record).map_err(|error| error.to_string())?;
    let json = records::to_json(&sample.message, &record).map_err(|error| error.to_string())?;
    Ok((record, json.to_string()))
}
