//! What a customer pastes into AWS.

use api::registry::{GetSetupDocumentsRequest, GetSetupDocumentsResponse};
use tonic::Request;

use super::Service;
use crate::error::CallError;
use crate::name;
use crate::setup::Setup;

impl Service {
    pub(super) async fn get_setup_documents(
        &self,
        request: Request<GetSetupDocumentsRequest>,
    ) -> Result<GetSetupDocumentsResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let setup = Setup::from_request(request.into_inner())?;
        let platform = &self.config.platform.account_id;
        if platform.is_empty() {
            return Err(CallError::Precondition {
                code: "NO_PLATFORM_ACCOUNT".to_owned(),
                reason: "the setting aws_account_id is empty, so no trust policy can name the platform"
                    .to_owned(),
                advice: "have the operator set it to the AWS account that the registry runs as".to_owned(),
            });
        }
        let external_id = self.store.get_account(&account).await?.external_id;
        Ok(setup.documents(platform, &external_id))
    }
}
