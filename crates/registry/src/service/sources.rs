//! Sources: made, changed, made live, ended.

use super::{Service, page, precondition};
use crate::credentials::StaticKeys;
use crate::error::CallError;
use crate::store::{NewSource, Source, SourceId, SourceState};
use crate::{convert, name, validate};
use api::registry::{
    ActivateSourceRequest, ActivateSourceResponse, CreateSourceRequest, CreateSourceResponse,
    DeleteSourceRequest, DeleteSourceResponse, GetSourceRequest, GetSourceResponse, ListSourcesRequest,
    ListSourcesResponse, PauseSourceRequest, PauseSourceResponse, ResumeSourceRequest, ResumeSourceResponse,
    UndeleteSourceRequest, UndeleteSourceResponse, UpdateSourceRequest, UpdateSourceResponse,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::Request;
use uuid::Uuid;

impl Service {
    pub(super) async fn create_source(
        &self,
        request: Request<CreateSourceRequest>,
    ) -> Result<CreateSourceResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let Some(sent) = request.source else {
            return Err(CallError::invalid("source", "must be set"));
        };
        let settings = validate::source(&self.config, &sent, request.static_keys.is_some())?;
        let id = SourceId::from(Uuid::new_v4().to_string());
        let sealed_keys = match request.static_keys {
            Some(keys) => {
                let keys = StaticKeys {
                    access_key_id: keys.access_key_id,
                    secret_access_key: keys.secret_access_key,
                };
                let sealed = self.issuer.seal(&id, &keys);
                Some(sealed.ok_or_else(|| CallError::invalid("static_keys", "they cannot be sealed here"))?)
            }
            None => None,
        };
        let new = NewSource {
            id,
            account: account.clone(),
            settings,
            sealed_keys,
            request_id: (!request.request_id.is_empty()).then_some(request.request_id),
        };
        let source = self.store.create_source(&new, Timestamp::now()).await?;
        // A repeated create gives the first one's source, and changes nothing.
        if source.id == new.id {
            let subject = name::of_source(&account, &source.id);
            self.audit(&actor, &account, "source.create", &subject, json!({})).await?;
        }
        Ok(CreateSourceResponse { source: Some(convert::source(source)) })
    }

    pub(super) async fn get_source(
        &self,
        request: Request<GetSourceRequest>,
    ) -> Result<GetSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        Ok(GetSourceResponse { source: Some(convert::source(source)) })
    }

    pub(super) async fn list_sources(
        &self,
        request: Request<ListSourcesRequest>,
    ) -> Result<ListSourcesResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let page = self.store.list_sources(&account, &page).await?;
        Ok(ListSourcesResponse {
            sources: page.items.into_iter().map(convert::source).collect(),
            next_page_token: page.next_token,
        })
    }

    pub(super) async fn activate_source(
        &self,
        request: Request<ActivateSourceRequest>,
    ) -> Result<ActivateSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        let tested = match self.test_connection(&source).await {
            Ok(tested) => tested,
            Err(error) => {
                let detail = json!({ "refused": error.to_string() });
                self.audit(&actor, &account, "source.activate", &request.get_ref().name, detail).await?;
                return Err(error);
            }
        };
        let source = match tested.region {
            Some(region) => self.store.set_source_region(&source, &region, Timestamp::now()).await?,
            None => source,
        };
        let source = self.set_state(&actor, source, SourceState::Active, "source.activate").await?;
        Ok(ActivateSourceResponse { source: Some(convert::source(source)) })
    }

    pub(super) async fn pause_source(
        &self,
        request: Request<PauseSourceRequest>,
    ) -> Result<PauseSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        if source.state == SourceState::Draft {
            let reason = "the source was never activated; there is nothing to pause".to_owned();
            return Err(precondition("NOT_ACTIVE", reason));
        }
        let source = self.set_state(&actor, source, SourceState::Paused, "source.pause").await?;
        Ok(PauseSourceResponse { source: Some(convert::source(source)) })
    }

    pub(super) async fn delete_source(
        &self,
        request: Request<DeleteSourceRequest>,
    ) -> Result<DeleteSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        self.set_state(&actor, source, SourceState::Deleted, "source.delete").await?;
        Ok(DeleteSourceResponse { source: None })
    }

    pub(super) async fn update_source(
        &self,
        _request: Request<UpdateSourceRequest>,
    ) -> Result<UpdateSourceResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn resume_source(
        &self,
        _request: Request<ResumeSourceRequest>,
    ) -> Result<ResumeSourceResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn undelete_source(
        &self,
        _request: Request<UndeleteSourceRequest>,
    ) -> Result<UndeleteSourceResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}

impl Service {
    async fn set_state(
        &self,
        actor: &str,
        source: Source,
        state: SourceState,
        action: &str,
    ) -> Result<Source, CallError> {
        if source.state == state {
            return Ok(source);
        }
        let changed = self
            .store
            .set_source_state(&source.account, &source.id, source.revision, state, Timestamp::now())
            .await?;
        let subject = name::of_source(&source.account, &source.id);
        self.audit(actor, &source.account, action, &subject, json!({})).await?;
        Ok(changed)
    }
}
