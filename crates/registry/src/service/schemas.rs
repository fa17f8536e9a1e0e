//! A source's schema and its versions.

use api::registry::{
    ListSourceSchemasRequest, ListSourceSchemasResponse, SetSourceSchemaRequest, SetSourceSchemaResponse,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::Request;

use super::Service;
use super::sources::is_current;
use crate::error::CallError;
use crate::schema::schema_from_api;
use crate::store::{SchemaVersion, Source};
use crate::{convert, name};

impl Service {
    pub(super) async fn set_source_schema(
        &self,
        request: Request<SetSourceSchemaRequest>,
    ) -> Result<SetSourceSchemaResponse, CallError> {
        let (account, id) = name::source("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &account).await?;
        let request = request.into_inner();
        let sent = request.schema.ok_or_else(|| CallError::invalid("schema", "must be set"))?;
        let schema = schema_from_api(&sent).map_err(|rule| CallError::invalid("schema", rule))?;
        let source = self.store.get_source(&account, &id).await?;
        is_current(&source, &request.etag)?;
        refuse_breaking(&source, &schema, request.allow_breaking)?;
        let version = source.settings.schema.version + 1;
        let json = serde_json::to_string(&schema)
            .map_err(|error| CallError::invalid("schema", error.to_string()))?;
        let stored = SchemaVersion { version, json };
        let now = Timestamp::now();
        let source = self.store.set_source_schema(&account, &id, source.revision, &stored, now).await;
        let source = source?;
        let detail = json!({ "version": version, "allow_breaking": request.allow_breaking });
        self.audit(&actor, &account, "source.schema", &request.name, detail).await?;
        Ok(SetSourceSchemaResponse { source: self.shown(source) })
    }

    pub(super) async fn list_source_schemas(
        &self,
        request: Request<ListSourceSchemasRequest>,
    ) -> Result<ListSourceSchemasResponse, CallError> {
        let (account, id) = name::source("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        self.store.get_source(&account, &id).await?;
        let versions = self.store.list_source_schemas(&account, &id).await?;
        let shown = |(schema, created): (SchemaVersion, Timestamp)| api::registry::SchemaVersion {
            schema: convert::schema(&id, &schema),
            create_time: Some(convert::timestamp(created)),
        };
        Ok(ListSourceSchemasResponse { schema_versions: versions.into_iter().rev().map(shown).collect() })
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
