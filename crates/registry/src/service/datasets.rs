//! What a source can be made of, and sample files.

use super::Service;
use crate::error::CallError;
use api::registry::{
    GetSampleFileRequest, GetSampleFileResponse, ListDatasetTypesRequest, ListDatasetTypesResponse,
};
use tonic::Request;

impl Service {
    pub(super) async fn list_dataset_types(
        &self,
        _request: Request<ListDatasetTypesRequest>,
    ) -> Result<ListDatasetTypesResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn get_sample_file(
        &self,
        _request: Request<GetSampleFileRequest>,
    ) -> Result<GetSampleFileResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}
