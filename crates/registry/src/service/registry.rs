//! `registry.v1` over gRPC: each call is answered by the module of what it is about.

use api::registry::registry_service_server::RegistryService;
use api::registry::{
    ActivateSourceRequest, ActivateSourceResponse, AddDeletedSubjectsRequest, AddDeletedSubjectsResponse,
    CheckDeletedSubjectsRequest, CheckDeletedSubjectsResponse, CreateAccountRequest, CreateAccountResponse,
    CreateAccountTokenRequest, CreateAccountTokenResponse, CreateSourceRequest, CreateSourceResponse,
    DeleteSourceRequest, DeleteSourceResponse, GetAccountRequest, GetAccountResponse, GetBacklogRequest,
    GetBacklogResponse, GetCallerRequest, GetCallerResponse, GetSampleFileRequest, GetSampleFileResponse,
    GetSetupDocumentsRequest, GetSetupDocumentsResponse, GetSourceRequest, GetSourceResponse,
    ListAccountTokensRequest, ListAccountTokensResponse, ListAccountsRequest, ListAccountsResponse,
    ListAuditEntriesRequest, ListAuditEntriesResponse, ListDatasetTypesRequest, ListDatasetTypesResponse,
    ListDaysRequest, ListDaysResponse, ListFileErrorsRequest, ListFileErrorsResponse, ListFilesRequest,
    ListFilesResponse, ListSamplesRequest, ListSamplesResponse, ListSourceSchemasRequest,
    ListSourceSchemasResponse, ListSourcesRequest, ListSourcesResponse, PauseSourceRequest,
    PauseSourceResponse, PreviewSourceRequest, PreviewSourceResponse, ProposeSourceSchemaRequest,
    ProposeSourceSchemaResponse, RemoveDeletedSubjectsRequest, RemoveDeletedSubjectsResponse,
    ReprocessFileRequest, ReprocessFileResponse, ReprocessFilesRequest, ReprocessFilesResponse,
    ResumeSourceRequest, ResumeSourceResponse, RevokeAccountTokenRequest, RevokeAccountTokenResponse,
    RotateExternalIdRequest, RotateExternalIdResponse, SetSourceSchemaRequest, SetSourceSchemaResponse,
    TestSourceRequest, TestSourceResponse, UndeleteSourceRequest, UndeleteSourceResponse,
    UpdateSourceRequest, UpdateSourceResponse,
};
use tonic::{Request, Response, Status};

use super::{Service, Streamed};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RegistryService for Service {
    async fn get_caller(&self, request: Request<GetCallerRequest>) -> Answer<GetCallerResponse> {
        Ok(Response::new(self.get_caller(request).await?))
    }

    async fn create_account(&self, request: Request<CreateAccountRequest>) -> Answer<CreateAccountResponse> {
        Ok(Response::new(self.create_account(request).await?))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Answer<GetAccountResponse> {
        Ok(Response::new(self.get_account(request).await?))
    }

    async fn list_accounts(&self, request: Request<ListAccountsRequest>) -> Answer<ListAccountsResponse> {
        Ok(Response::new(self.list_accounts(request).await?))
    }

    async fn create_account_token(
        &self,
        request: Request<CreateAccountTokenRequest>,
    ) -> Answer<CreateAccountTokenResponse> {
        Ok(Response::new(self.create_account_token(request).await?))
    }

    async fn rotate_external_id(
        &self,
        request: Request<RotateExternalIdRequest>,
    ) -> Answer<RotateExternalIdResponse> {
        Ok(Response::new(self.rotate_external_id(request).await?))
    }

    async fn list_account_tokens(
        &self,
        request: Request<ListAccountTokensRequest>,
    ) -> Answer<ListAccountTokensResponse> {
        Ok(Response::new(self.list_account_tokens(request).await?))
    }

    async fn revoke_account_token(
        &self,
        request: Request<RevokeAccountTokenRequest>,
    ) -> Answer<RevokeAccountTokenResponse> {
        Ok(Response::new(self.revoke_account_token(request).await?))
    }

    async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Answer<ListAuditEntriesResponse> {
        Ok(Response::new(self.list_audit_entries(request).await?))
    }

    async fn add_deleted_subjects(
        &self,
        request: Request<AddDeletedSubjectsRequest>,
    ) -> Answer<AddDeletedSubjectsResponse> {
        Ok(Response::new(self.add_deleted_subjects(request).await?))
    }

    async fn remove_deleted_subjects(
        &self,
        request: Request<RemoveDeletedSubjectsRequest>,
    ) -> Answer<RemoveDeletedSubjectsResponse> {
        Ok(Response::new(self.remove_deleted_subjects(request).await?))
    }

    async fn check_deleted_subjects(
        &self,
        request: Request<CheckDeletedSubjectsRequest>,
    ) -> Answer<CheckDeletedSubjectsResponse> {
        Ok(Response::new(self.check_deleted_subjects(request).await?))
    }

    async fn list_dataset_types(
        &self,
        request: Request<ListDatasetTypesRequest>,
    ) -> Answer<ListDatasetTypesResponse> {
        Ok(Response::new(self.list_dataset_types(request).await?))
    }

    async fn get_sample_file(&self, request: Request<GetSampleFileRequest>) -> Answer<GetSampleFileResponse> {
        Ok(Response::new(self.get_sample_file(request).await?))
    }

    async fn get_setup_documents(
        &self,
        request: Request<GetSetupDocumentsRequest>,
    ) -> Answer<GetSetupDocumentsResponse> {
        Ok(Response::new(self.get_setup_documents(request).await?))
    }

    async fn create_source(&self, request: Request<CreateSourceRequest>) -> Answer<CreateSourceResponse> {
        Ok(Response::new(self.create_source(request).await?))
    }

    async fn get_source(&self, request: Request<GetSourceRequest>) -> Answer<GetSourceResponse> {
        Ok(Response::new(self.get_source(request).await?))
    }

    async fn list_sources(&self, request: Request<ListSourcesRequest>) -> Answer<ListSourcesResponse> {
        Ok(Response::new(self.list_sources(request).await?))
    }

    async fn activate_source(
        &self,
        request: Request<ActivateSourceRequest>,
    ) -> Answer<ActivateSourceResponse> {
        Ok(Response::new(self.activate_source(request).await?))
    }

    async fn pause_source(&self, request: Request<PauseSourceRequest>) -> Answer<PauseSourceResponse> {
        Ok(Response::new(self.pause_source(request).await?))
    }

    async fn delete_source(&self, request: Request<DeleteSourceRequest>) -> Answer<DeleteSourceResponse> {
        Ok(Response::new(self.delete_source(request).await?))
    }

    async fn update_source(&self, request: Request<UpdateSourceRequest>) -> Answer<UpdateSourceResponse> {
        Ok(Response::new(self.update_source(request).await?))
    }

    async fn resume_source(&self, request: Request<ResumeSourceRequest>) -> Answer<ResumeSourceResponse> {
        Ok(Response::new(self.resume_source(request).await?))
    }

    async fn undelete_source(
        &self,
        request: Request<UndeleteSourceRequest>,
    ) -> Answer<UndeleteSourceResponse> {
        Ok(Response::new(self.undelete_source(request).await?))
    }

    async fn set_source_schema(
        &self,
        request: Request<SetSourceSchemaRequest>,
    ) -> Answer<SetSourceSchemaResponse> {
        Ok(Response::new(self.set_source_schema(request).await?))
    }

    async fn list_source_schemas(
        &self,
        request: Request<ListSourceSchemasRequest>,
    ) -> Answer<ListSourceSchemasResponse> {
        Ok(Response::new(self.list_source_schemas(request).await?))
    }

    async fn propose_source_schema(
        &self,
        request: Request<ProposeSourceSchemaRequest>,
    ) -> Answer<ProposeSourceSchemaResponse> {
        Ok(Response::new(self.propose_source_schema(request).await?))
    }

    async fn list_files(&self, request: Request<ListFilesRequest>) -> Answer<ListFilesResponse> {
        Ok(Response::new(self.list_files(request).await?))
    }

    async fn reprocess_file(&self, request: Request<ReprocessFileRequest>) -> Answer<ReprocessFileResponse> {
        Ok(Response::new(self.reprocess_file(request).await?))
    }

    async fn list_samples(&self, request: Request<ListSamplesRequest>) -> Answer<ListSamplesResponse> {
        Ok(Response::new(self.list_samples(request).await?))
    }

    async fn list_file_errors(
        &self,
        request: Request<ListFileErrorsRequest>,
    ) -> Answer<ListFileErrorsResponse> {
        Ok(Response::new(self.list_file_errors(request).await?))
    }

    async fn reprocess_files(
        &self,
        request: Request<ReprocessFilesRequest>,
    ) -> Answer<ReprocessFilesResponse> {
        Ok(Response::new(self.reprocess_files(request).await?))
    }

    async fn list_days(&self, request: Request<ListDaysRequest>) -> Answer<ListDaysResponse> {
        Ok(Response::new(self.list_days(request).await?))
    }

    async fn get_backlog(&self, request: Request<GetBacklogRequest>) -> Answer<GetBacklogResponse> {
        Ok(Response::new(self.get_backlog(request).await?))
    }

    type TestSourceStream = Streamed<TestSourceResponse>;

    async fn test_source(&self, request: Request<TestSourceRequest>) -> Answer<Self::TestSourceStream> {
        Ok(Response::new(self.test_source(request).await?))
    }

    type PreviewSourceStream = Streamed<PreviewSourceResponse>;

    async fn preview_source(
        &self,
        request: Request<PreviewSourceRequest>,
    ) -> Answer<Self::PreviewSourceStream> {
        Ok(Response::new(self.preview_source(request).await?))
    }
}
