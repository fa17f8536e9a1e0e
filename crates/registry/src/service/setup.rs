//! What a customer pastes into AWS.

use super::Service;
use crate::error::CallError;
use api::registry::{GetSetupDocumentsRequest, GetSetupDocumentsResponse};
use tonic::Request;

impl Service {
    pub(super) async fn get_setup_documents(
        &self,
        _request: Request<GetSetupDocumentsRequest>,
    ) -> Result<GetSetupDocumentsResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}
