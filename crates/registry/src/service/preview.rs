//! What reading files of a source would give, without publishing anything.

use api::registry::{PreviewSourceRequest, PreviewSourceResponse};
use tonic::Request;

use super::{Service, Streamed};
use crate::error::CallError;

impl Service {
    pub(super) async fn preview_source(
        &self,
        _request: Request<PreviewSourceRequest>,
    ) -> Result<Streamed<PreviewSourceResponse>, CallError> {
        Err(CallError::Unimplemented)
    }
}
