//! `registry.v1`: accounts, sources, files and samples.

use api::registry::registry_service_server::RegistryService;
use api::registry::{
    ActivateSourceRequest, ActivateSourceResponse, CreateAccountRequest, CreateAccountResponse,
    CreateAccountTokenRequest, CreateAccountTokenResponse, CreateSourceRequest, CreateSourceResponse,
    DeleteSourceRequest, DeleteSourceResponse, GetAccountRequest, GetAccountResponse, GetSourceRequest,
    GetSourceResponse, ListAccountsRequest, ListAccountsResponse, ListFilesRequest, ListFilesResponse,
    ListSamplesRequest, ListSamplesResponse, ListSourcesRequest, ListSourcesResponse, PauseSourceRequest,
    PauseSourceResponse, ReprocessFileRequest, ReprocessFileResponse, SetSourceSchemaRequest,
    SetSourceSchemaResponse,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::Service;
use crate::credentials::StaticKeys;
use crate::error::CallError;
use crate::schema::schema_from_api;
use crate::store::{
    Account, AccountId, NewSource, PageRequest, Principal, SchemaVersion, Source, SourceId, SourceState,
    StoreError, TokenHash,
};
use crate::{convert, name, validate};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RegistryService for Service {
    async fn create_account(&self, request: Request<CreateAccountRequest>) -> Answer<CreateAccountResponse> {
        self.auth.admin(&request).await?;
        let request = request.into_inner();
        let id = match request.account_id.as_str() {
            "" => format!("a-{}", Uuid::new_v4().simple()),
            id if name::is_account_id(id) => id.to_owned(),
            _ => {
                let rule = "3 to 63 of a-z, 0-9 and '-', beginning with a letter, not ending with '-'";
                return Err(CallError::invalid("account_id", rule).into());
            }
        };
        let account = Account {
            id: AccountId::from(id),
            display_name: request.display_name,
            external_id: external_id(),
            created: Timestamp::now(),
        };
        self.store.create_account(&account).await.map_err(CallError::from)?;
        let account_name = format!("accounts/{}", account.id);
        self.audit("admin", &account.id, "account.create", &account_name, json!({})).await?;
        Ok(Response::new(CreateAccountResponse { account: Some(convert::account(account)) }))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Answer<GetAccountResponse> {
        let id = name::account("name", &request.get_ref().name)?;
        self.auth.account(&request, &id).await?;
        let account = self.store.get_account(&id).await.map_err(CallError::from)?;
        Ok(Response::new(GetAccountResponse { account: Some(convert::account(account)) }))
    }

    async fn list_accounts(&self, request: Request<ListAccountsRequest>) -> Answer<ListAccountsResponse> {
        self.auth.admin(&request).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let page = self.store.list_accounts(&page).await.map_err(CallError::from)?;
        Ok(Response::new(ListAccountsResponse {
            accounts: page.items.into_iter().map(convert::account).collect(),
            next_page_token: page.next_token,
        }))
    }

    async fn create_account_token(
        &self,
        request: Request<CreateAccountTokenRequest>,
    ) -> Answer<CreateAccountTokenResponse> {
        self.auth.admin(&request).await?;
        let id = name::account("name", &request.get_ref().name)?;
        let token = format!("cortex_{}", external_id());
        let principal = Principal::Account(id.clone());
        self.store
            .add_token(&TokenHash::of(&token), &principal, Timestamp::now())
            .await
            .map_err(CallError::from)?;
        self.audit("admin", &id, "token.create", &request.get_ref().name, json!({})).await?;
        Ok(Response::new(CreateAccountTokenResponse { token }))
    }

    async fn create_source(&self, request: Request<CreateSourceRequest>) -> Answer<CreateSourceResponse> {
        let account = name::account("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let Some(sent) = request.source else {
            return Err(CallError::invalid("source", "must be set").into());
        };
        let settings = validate::source(&self.config, &sent, request.static_keys.is_some())?;
        let sealed_keys = match request.static_keys {
            Some(keys) => {
                let keys = StaticKeys {
                    access_key_id: keys.access_key_id,
                    secret_access_key: keys.secret_access_key,
                };
                let sealed = self.issuer.seal(&keys);
                Some(sealed.ok_or_else(|| CallError::invalid("static_keys", "they cannot be sealed here"))?)
            }
            None => None,
        };
        let new = NewSource {
            id: SourceId::from(Uuid::new_v4().to_string()),
            account: account.clone(),
            settings,
            sealed_keys,
            request_id: (!request.request_id.is_empty()).then_some(request.request_id),
        };
        let source = self.store.create_source(&new, Timestamp::now()).await.map_err(CallError::from)?;
        // A repeated create gives the first one's source, and changes nothing.
        if source.id == new.id {
            let subject = name::of_source(&account, &source.id);
            self.audit(&actor, &account, "source.create", &subject, json!({})).await?;
        }
        Ok(Response::new(CreateSourceResponse { source: Some(convert::source(source)) }))
    }

    async fn get_source(&self, request: Request<GetSourceRequest>) -> Answer<GetSourceResponse> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await.map_err(CallError::from)?;
        Ok(Response::new(GetSourceResponse { source: Some(convert::source(source)) }))
    }

    async fn list_sources(&self, request: Request<ListSourcesRequest>) -> Answer<ListSourcesResponse> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let page = self.store.list_sources(&account, &page).await.map_err(CallError::from)?;
        Ok(Response::new(ListSourcesResponse {
            sources: page.items.into_iter().map(convert::source).collect(),
            next_page_token: page.next_token,
        }))
    }

    async fn activate_source(
        &self,
        request: Request<ActivateSourceRequest>,
    ) -> Answer<ActivateSourceResponse> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await.map_err(CallError::from)?;
        if let Err(error) = self.test_connection(&source).await {
            let detail = json!({ "refused": error.to_string() });
            self.audit(&actor, &account, "source.activate", &request.get_ref().name, detail).await?;
            return Err(error.into());
        }
        let source = self.set_state(&actor, source, SourceState::Active, "source.activate").await?;
        Ok(Response::new(ActivateSourceResponse { source: Some(convert::source(source)) }))
    }

    async fn pause_source(&self, request: Request<PauseSourceRequest>) -> Answer<PauseSourceResponse> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await.map_err(CallError::from)?;
        if source.state == SourceState::Draft {
            let reason = "the source was never activated; there is nothing to pause".to_owned();
            return Err(precondition("NOT_ACTIVE", reason).into());
        }
        let source = self.set_state(&actor, source, SourceState::Paused, "source.pause").await?;
        Ok(Response::new(PauseSourceResponse { source: Some(convert::source(source)) }))
    }

    async fn delete_source(&self, request: Request<DeleteSourceRequest>) -> Answer<DeleteSourceResponse> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let source = self.store.get_source(&account, &id).await.map_err(CallError::from)?;
        self.set_state(&actor, source, SourceState::Deleted, "source.delete").await?;
        Ok(Response::new(DeleteSourceResponse {}))
    }

    async fn set_source_schema(
        &self,
        request: Request<SetSourceSchemaRequest>,
    ) -> Answer<SetSourceSchemaResponse> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let sent = request.schema.ok_or_else(|| CallError::invalid("schema", "must be set"))?;
        let schema = schema_from_api(&sent).map_err(|rule| CallError::invalid("schema", rule))?;
        let source = self.store.get_source(&account, &id).await.map_err(CallError::from)?;
        if !request.etag.is_empty() && request.etag != source.revision.to_string() {
            let conflict = StoreError::Conflict { kind: "source", id: id.to_string() };
            return Err(CallError::from(conflict).into());
        }
        refuse_breaking(&source, &schema, request.allow_breaking)?;
        let version = source.settings.schema.version + 1;
        let json = serde_json::to_string(&schema)
            .map_err(|error| CallError::invalid("schema", error.to_string()))?;
        let stored = SchemaVersion { version, json };
        let now = Timestamp::now();
        let source = self.store.set_source_schema(&account, &id, source.revision, &stored, now).await;
        let source = source.map_err(CallError::from)?;
        let detail = json!({ "version": version, "allow_breaking": request.allow_breaking });
        self.audit(&actor, &account, "source.schema", &request.name, detail).await?;
        Ok(Response::new(SetSourceSchemaResponse { source: Some(convert::source(source)) }))
    }

    async fn list_files(&self, request: Request<ListFilesRequest>) -> Answer<ListFilesResponse> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let page = self.store.list_files(&account, &id, &page).await.map_err(CallError::from)?;
        Ok(Response::new(ListFilesResponse {
            files: page.items.into_iter().map(|file| convert::file(file, self.stuck_since())).collect(),
            next_page_token: page.next_token,
        }))
    }

    async fn reprocess_file(&self, request: Request<ReprocessFileRequest>) -> Answer<ReprocessFileResponse> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        let actor = self.auth.account(&request, &account).await?;
        let key = request.into_inner().object_key;
        let now = Timestamp::now();
        let opened = self.store.reprocess(&account, &id, &key, self.config.stuck_after, now).await;
        let opened = opened.map_err(|error| match error {
            StoreError::Conflict { .. } => precondition(
                "NOT_AT_REST",
                format!("{key:?} is still to be read; it can be reprocessed once it is at rest or stuck"),
            ),
            other => CallError::from(other),
        })?;
        let detail = json!({ "object_key": key, "generation": opened.generation });
        self.audit(&actor, &account, "file.reprocess", &name::of_source(&account, &id), detail).await?;
        Ok(Response::new(ReprocessFileResponse { file: Some(convert::file(opened, self.stuck_since())) }))
    }

    async fn list_samples(&self, request: Request<ListSamplesRequest>) -> Answer<ListSamplesResponse> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account(&request, &account).await?;
        let limit = size(request.get_ref().page_size, 20, 100)?;
        let samples = self.store.list_samples(&account, &id, limit).await.map_err(CallError::from)?;
        Ok(Response::new(ListSamplesResponse { samples: samples.into_iter().map(convert::sample).collect() }))
    }
}

impl Service {
    /// What has not moved since then counts as stuck.
    fn stuck_since(&self) -> Timestamp {
        super::stuck_since(self.config.stuck_after)
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

/// 64 hexadecimal digits from the system's random numbers: never chosen by a client, and not to be guessed.
fn external_id() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

fn page(size_sent: i32, token: String) -> Result<PageRequest, CallError> {
    Ok(PageRequest { size: size(size_sent, 50, 1_000)?, token })
}

/// As AIP-158: the default where zero, the limit where above it.
fn size(sent: i32, default: u32, limit: u32) -> Result<u32, CallError> {
    match u32::try_from(sent) {
        Ok(0) => Ok(default),
        Ok(size) => Ok(size.min(limit)),
        Err(_) => Err(CallError::invalid("page_size", "must not be negative")),
    }
}

/// Refuses a schema that would refuse what the one in force accepts, unless that is wanted.
fn refuse_breaking(source: &Source, schema: &dataset::Schema, allowed: bool) -> Result<(), CallError> {
    // A stored schema that no longer holds accepts nothing, so that nothing can break.
    let Ok(before) = dataset::Schema::parse_json(&source.settings.schema.json) else { return Ok(()) };
    if schema.dataset().name != before.dataset().name {
        let rule = format!("a source keeps its dataset, which is {}", before.dataset().name);
        return Err(CallError::invalid("schema.dataset", rule));
    }
    let changes = schema.breaking_changes_since(&before);
    if allowed || changes.is_empty() {
        return Ok(());
    }
    let changes: Vec<String> =
        changes.iter().map(|change| format!("{}: {}", change.column, change.reason)).collect();
    Err(CallError::Precondition {
        code: "BREAKING_SCHEMA".to_owned(),
        reason: format!("it would refuse what is accepted now: {}", changes.join("; ")),
        advice: "set allow_breaking where that is wanted".to_owned(),
    })
}

fn precondition(code: &str, reason: String) -> CallError {
    CallError::Precondition { code: code.to_owned(), reason, advice: String::new() }
}
