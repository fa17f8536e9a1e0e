//! A source's schema: shown, proposed, set.

use std::path::Path;

use anyhow::{Context, Result};
use api::registry::{
    ListSourceSchemasRequest, ProposeSourceSchemaRequest, ProposeSourceSchemaResponse, Schema,
    SetSourceSchemaRequest,
};

use super::error::refused;
use super::session::Session;
use super::table::{Column, Table};
use super::text::{count, time};
use super::{dataset, source};
use crate::args::SchemaArgs;
use crate::print;

/// A schema file.
pub(crate) fn read(path: &Path) -> Result<Schema> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let schema = ::dataset::Schema::parse_json(&text).with_context(|| path.display().to_string())?;
    Ok(registry::schema_to_api(&schema))
}

/// `cortex source set-schema`
pub(crate) async fn set(given: &str, path: &Path, allow_breaking: bool, mut session: Session) -> Result<()> {
    let schema = Some(read(path)?);
    let name = session.source(given).await?;
    let request = SetSourceSchemaRequest { name, schema, etag: String::new(), allow_breaking };
    let updated = session.registry.set_source_schema(request).await.map_err(refused)?.into_inner();
    source::show(&session, updated.source)
}

/// `cortex source schema`
pub(crate) async fn show(args: SchemaArgs) -> Result<()> {
    let mut session = Session::open(&args.client)?;
    let name = session.source(&args.source).await?;
    if args.versions {
        return versions(session, name).await;
    }
    if args.propose {
        let request = ProposeSourceSchemaRequest { name, object_keys: args.key };
        let answer = session.registry.propose_source_schema(request).await.map_err(refused)?.into_inner();
        return proposal(&session, args.file, &answer);
    }
    let schema = source::get(&mut session, &name).await?.schema;
    let schema = schema.context("the registry gave no schema")?;
    if session.json {
        print(&api::to_json(&schema)?.to_string());
        return Ok(());
    }
    if args.file {
        return print_file(&schema);
    }
    print(&format!("version {}, additional columns: {}\n", schema.version, additional(&schema)));
    dataset::columns(&schema.columns).print("");
    Ok(())
}

async fn versions(mut session: Session, parent: String) -> Result<()> {
    let request = ListSourceSchemasRequest { parent };
    let answer = session.registry.list_source_schemas(request).await.map_err(refused)?.into_inner();
    for version in answer.schema_versions {
        if session.json {
            print(&api::to_json(&version)?.to_string());
            continue;
        }
        let schema = version.schema.unwrap_or_default();
        let made = time(version.create_time.as_ref());
        print(&format!("version {} of {made}, additional columns: {}", schema.version, additional(&schema)));
        dataset::columns(&schema.columns).print("");
        print("");
    }
    Ok(())
}

fn proposal(session: &Session, as_file: bool, answer: &ProposeSourceSchemaResponse) -> Result<()> {
    if session.json {
        print(&api::to_json(answer)?.to_string());
        return Ok(());
    }
    let schema = answer.schema.clone().unwrap_or_default();
    if as_file {
        return print_file(&schema);
    }
    print(&format!("from {}\n", answer.object_keys.join(", ")));
    dataset::columns(&schema.columns).print("");
    print("");
    let mut table = Table::new(&[
        Column::Text("SEEN"),
        Column::Number("ROWS"),
        Column::Number("EMPTY"),
        Column::Text("TO KNOW"),
    ]);
    for seen in &answer.columns {
        table.row([seen.name.clone(), count(seen.rows), count(seen.empty), seen.note.clone()]);
    }
    table.print("");
    Ok(())
}

/// As `set-schema` takes it.
fn print_file(schema: &Schema) -> Result<()> {
    let schema = registry::schema_from_api(schema).map_err(anyhow::Error::msg)?;
    print(&serde_json::to_string_pretty(&schema)?);
    Ok(())
}

fn additional(schema: &Schema) -> String {
    schema.additional_columns().as_str_name().trim_start_matches("ADDITIONAL_COLUMNS_").to_ascii_lowercase()
}
