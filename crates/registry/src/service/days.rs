//! What arrived by day, and what is still to be read.

use super::Service;
use crate::error::CallError;
use api::registry::{GetBacklogRequest, GetBacklogResponse, ListDaysRequest, ListDaysResponse};
use tonic::Request;

impl Service {
    pub(super) async fn list_days(
        &self,
        _request: Request<ListDaysRequest>,
    ) -> Result<ListDaysResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn get_backlog(
        &self,
        _request: Request<GetBacklogRequest>,
    ) -> Result<GetBacklogResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}
