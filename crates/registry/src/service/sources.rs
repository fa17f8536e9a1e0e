//! Sources: made, changed, made live, ended.

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

use super::{Service, page, precondition};
use crate::credentials::StaticKeys;
use crate::error::CallError;
use crate::store::{NewSource, SealedKeys, Source, SourceId, SourceSettings, SourceState, StoreError};
use crate::{convert, filter, merge, name, validate};

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
        let settings = validate::source(&self.config, &sent, request.static_keys.is_some(), true)?;
        let id = SourceId::from(Uuid::new_v4().to_string());
        let sealed_keys = request.static_keys.map(|keys| self.sealed(&id, keys)).transpose()?;
        if self.store.count_sources(&account).await? >= u64::from(self.config.max_sources) {
            return Err(CallError::Quota {
                what: "sources",
                limit: self.config.max_sources.into(),
                advice: "delete one that is not needed, or ask the operator for more (max_sources)",
            });
        }
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
        Ok(CreateSourceResponse { source: self.shown(source) })
    }

    pub(super) async fn get_source(
        &self,
        request: Request<GetSourceRequest>,
    ) -> Result<GetSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        self.auth.account_read(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        let formats = self.store.list_formats(&id).await?;
        let mut shown = self.shown(source);
        if let Some(discovery) = shown.as_mut().and_then(|source| source.discovery.as_mut()) {
            discovery.formats = formats.into_iter().map(convert::format_seen).collect();
        }
        Ok(GetSourceResponse { source: shown })
    }

    pub(super) async fn list_sources(
        &self,
        request: Request<ListSourcesRequest>,
    ) -> Result<ListSourcesResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let filter = filter::sources(&request.filter, request.show_deleted)?;
        let page = self.store.list_sources(&account, &filter, &page).await?;
        Ok(ListSourcesResponse {
            sources: page.items.into_iter().filter_map(|source| self.shown(source)).collect(),
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
            Some(region) => self.in_region(&source, region).await?,
            None => source,
        };
        let source = self.set_state(&actor, source, SourceState::Active, "source.activate").await?;
        Ok(ActivateSourceResponse { source: self.shown(source) })
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
        Ok(PauseSourceResponse { source: self.shown(source) })
    }

    pub(super) async fn delete_source(
        &self,
        request: Request<DeleteSourceRequest>,
    ) -> Result<DeleteSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        is_current(&source, &request.get_ref().etag)?;
        let source = self.set_state(&actor, source, SourceState::Deleted, "source.delete").await?;
        Ok(DeleteSourceResponse { source: self.shown(source) })
    }

    pub(super) async fn undelete_source(
        &self,
        request: Request<UndeleteSourceRequest>,
    ) -> Result<UndeleteSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_deleted_source(&account, &id).await?;
        let gone = source.deleted.and_then(|at| at.checked_add(self.config.delete_grace).ok());
        if gone.is_some_and(|gone| gone <= Timestamp::now()) {
            let reason = "its grace period is over, and its files are being removed".to_owned();
            return Err(precondition("PURGED", reason));
        }
        let source = self.set_state(&actor, source, SourceState::Paused, "source.undelete").await?;
        Ok(UndeleteSourceResponse { source: self.shown(source) })
    }

    pub(super) async fn resume_source(
        &self,
        request: Request<ResumeSourceRequest>,
    ) -> Result<ResumeSourceResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await?;
        if source.state == SourceState::Draft {
            let reason = "the source was never activated; activate it, which tests its connection".to_owned();
            return Err(precondition("NOT_ACTIVE", reason));
        }
        let source = self.set_state(&actor, source, SourceState::Active, "source.resume").await?;
        Ok(ResumeSourceResponse { source: self.shown(source) })
    }

    pub(super) async fn update_source(
        &self,
        request: Request<UpdateSourceRequest>,
    ) -> Result<UpdateSourceResponse, CallError> {
        let sent =
            request.get_ref().source.clone().ok_or_else(|| CallError::invalid("source", "must be set"))?;
        let (account, id) = name::source("source.name", &sent.name)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let paths = request.update_mask.unwrap_or_default().paths;
        let source = self.store.get_source(&account, &id).await?;
        is_current(&source, &sent.etag)?;
        let has_keys = self.store.sealed_keys(&id).await?.is_some();
        let wants_keys = paths.iter().any(|path| path == "static_keys");
        if wants_keys != request.static_keys.is_some() {
            let rule = "static_keys are sent and named in the mask together";
            return Err(CallError::invalid("update_mask", rule));
        }
        let is_draft = source.state == SourceState::Draft;
        let schema = source.settings.schema.clone();
        let merged = merge::update(self.shown(source.clone()).unwrap_or_default(), sent, &paths)?;
        let settings = validate::source(&self.config, &merged, has_keys || wants_keys, is_draft)?;
        let settings = SourceSettings { schema, ..settings };
        let sealed = request.static_keys.map(|keys| self.sealed(&id, keys)).transpose()?;
        if settings == source.settings && sealed.is_none() {
            return Ok(UpdateSourceResponse { source: self.shown(source) });
        }
        let now = Timestamp::now();
        let changed =
            self.store.update_source(&account, &id, source.revision, &settings, sealed.as_ref(), now).await?;
        let subject = name::of_source(&account, &id);
        self.audit(&actor, &account, "source.update", &subject, json!({ "fields": paths })).await?;
        Ok(UpdateSourceResponse { source: self.shown(changed) })
    }

    fn sealed(&self, id: &SourceId, keys: api::registry::StaticKeys) -> Result<SealedKeys, CallError> {
        let keys =
            StaticKeys { access_key_id: keys.access_key_id, secret_access_key: keys.secret_access_key };
        let sealed = self.issuer.seal(id, &keys);
        sealed.ok_or_else(|| CallError::invalid("static_keys", "they cannot be sealed here"))
    }
}

impl Service {
    /// The source with the region where its bucket was found.
    async fn in_region(&self, source: &Source, region: String) -> Result<Source, CallError> {
        let settings = SourceSettings { region, ..source.settings.clone() };
        let changed = self.store.update_source(
            &source.account,
            &source.id,
            source.revision,
            &settings,
            None,
            Timestamp::now(),
        );
        Ok(changed.await?)
    }

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

impl Service {
    /// Refuses to look into the bucket of a draft that does not say yet which it is, or what opens it.
    pub(super) async fn is_complete(&self, source: &Source) -> Result<(), CallError> {
        let lacks_role =
            source.settings.role_arn.is_empty() && self.store.sealed_keys(&source.id).await?.is_none();
        let lacking: Vec<&str> = [(source.settings.bucket.is_empty(), "bucket"), (lacks_role, "role_arn")]
            .into_iter()
            .filter_map(|(lacks, field)| lacks.then_some(field))
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(CallError::Precondition {
            code: "INCOMPLETE".to_owned(),
            reason: format!("the draft has no {} yet", lacking.join(" and no ")),
            advice: "say which bucket it is and what role opens it".to_owned(),
        })
    }
}

/// Refuses a change that was made on another version of the source.
pub(super) fn is_current(source: &Source, etag: &str) -> Result<(), CallError> {
    if etag.is_empty() || etag == source.revision.to_string() {
        return Ok(());
    }
    Err(StoreError::Conflict { kind: "source", id: source.id.to_string() }.into())
}
