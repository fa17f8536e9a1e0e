//! An account's deletion list.

use super::Service;
use crate::error::CallError;
use api::registry::{
    AddDeletedSubjectsRequest, AddDeletedSubjectsResponse, CheckDeletedSubjectsRequest,
    CheckDeletedSubjectsResponse, RemoveDeletedSubjectsRequest, RemoveDeletedSubjectsResponse,
};
use tonic::Request;

impl Service {
    pub(super) async fn add_deleted_subjects(
        &self,
        _request: Request<AddDeletedSubjectsRequest>,
    ) -> Result<AddDeletedSubjectsResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn remove_deleted_subjects(
        &self,
        _request: Request<RemoveDeletedSubjectsRequest>,
    ) -> Result<RemoveDeletedSubjectsResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn check_deleted_subjects(
        &self,
        _request: Request<CheckDeletedSubjectsRequest>,
    ) -> Result<CheckDeletedSubjectsResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}
