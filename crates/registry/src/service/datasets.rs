//! What a source can be made of, and sample files.

use api::registry::{
    DatasetType, FileFormat, GetSampleFileRequest, GetSampleFileResponse, ListDatasetTypesRequest,
    ListDatasetTypesResponse,
};
use dataset::{DatasetKind, Schema};
use tonic::Request;

use super::Service;
use crate::error::CallError;
use crate::schema::{dataset_name, schema_to_api};

impl Service {
    pub(super) async fn list_dataset_types(
        &self,
        request: Request<ListDatasetTypesRequest>,
    ) -> Result<ListDatasetTypesResponse, CallError> {
        self.auth.anyone(&request).await?;
        let dataset_types = DatasetKind::ALL.into_iter().map(dataset_type).collect();
        Ok(ListDatasetTypesResponse { dataset_types })
    }

    pub(super) async fn get_sample_file(
        &self,
        request: Request<GetSampleFileRequest>,
    ) -> Result<GetSampleFileResponse, CallError> {
        self.auth.anyone(&request).await?;
        let request = request.into_inner();
        let kind = DatasetKind::by_name(dataset_name(request.dataset()))
            .ok_or_else(|| CallError::invalid("dataset", "one of EVENTS, ATTRIBUTES, ITEMS, ID_MAPPINGS"))?;
        let (extension, content_type) = match request.format() {
            FileFormat::Unspecified | FileFormat::Csv => ("csv", "text/csv; charset=utf-8"),
            FileFormat::Tsv => ("tsv", "text/tab-separated-values; charset=utf-8"),
            FileFormat::Json => ("json", "application/json"),
        };
        let sample = dataset::samples(kind)
            .iter()
            .find(|sample| sample.name.rsplit('.').next() == Some(extension))
            .ok_or_else(|| CallError::invalid("format", "the dataset has no sample of this format"))?;
        Ok(GetSampleFileResponse {
            file_name: sample.name.to_owned(),
            content_type: content_type.to_owned(),
            content: sample.bytes.to_vec(),
        })
    }
}

fn dataset_type(kind: &'static DatasetKind) -> DatasetType {
    let schema = schema_to_api(&Schema::default_for(kind));
    DatasetType {
        dataset: schema.dataset,
        display_name: kind.display_name.to_owned(),
        description: kind.description.to_owned(),
        example: kind.example.to_owned(),
        columns: schema.columns,
    }
}
