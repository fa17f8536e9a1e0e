//! The schema in force, and those before it.

use api::registry::{AdditionalColumns, Column, ListSourceSchemasRequest, Schema};
use axum::extract::{Query, State};
use maud::{Markup, html};

use super::overview::Done;
use super::{get, page};
use crate::error::PageError;
use crate::html::{Notice, Page, Row, Table, constant, head, local_time, row, value};
use crate::page::place::Place;
use crate::session::{App, Session};

/// `GET …/schema`
pub(crate) async fn show(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(done): Query<Done>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let request = ListSourceSchemasRequest { parent: place.name() };
    let versions = registry.list_source_schemas(request).await?.into_inner().schema_versions;
    let current = source.schema.clone().unwrap_or_default();
    Ok(page(&session, &place, &source, "/schema", "Schema").notice(Notice::named(&done.done)).body(html! {
        h2 { "Schema, version " (current.version) }
        (columns("Columns in force", &current.columns))
        p { (additional(&current)) }
        @if !session.is_read_only {
            p { a .button href=(place.href("/setup/columns")) { "Change the columns" } }
        }
        @if versions.len() > 1 {
            h3 { "Versions before" }
            @for version in versions.iter().filter(|one| one.schema.as_ref().is_some_and(|schema| schema.version != current.version)) {
                @if let Some(schema) = &version.schema {
                    details .version {
                        summary { "Version " (schema.version) ", of " (local_time(version.create_time.as_ref())) }
                        (columns(&format!("Columns of version {}", schema.version), &schema.columns))
                        p { (additional(schema)) }
                    }
                }
            }
        }
    }))
}

/// What happens with columns that the schema does not name.
fn additional(schema: &Schema) -> &'static str {
    match schema.additional_columns() {
        AdditionalColumns::Ignore => "Columns that are not named here are left out.",
        AdditionalColumns::Reject => "Rows with columns that are not named here are rejected.",
        AdditionalColumns::Keep | AdditionalColumns::Unspecified => {
            "Columns that are not named here are kept as they are."
        }
    }
}

/// Columns as people read them.
pub(crate) fn columns(label: &str, columns: &[Column]) -> Markup {
    let heads = [head("Column"), head("Type"), head("Required"), head("In the file"), head("What it is")];
    Table::new(label, heads).class("columns").titled().rows(columns.iter().map(column))
}

fn column(column: &Column) -> Row {
    row([
        html! { (value(&column.name)) @if column.sensitive { " " span .badge.quiet { "Sensitive" } } },
        html! {
            (constant(column.r#type().as_str_name(), "COLUMN_TYPE_"))
            @if !column.format.is_empty() { p .sub { "as " (value(&column.format)) } }
            @if !column.time_zone.is_empty() { p .sub { "in " (value(&column.time_zone)) } }
        },
        html! { @if column.required { "Yes" } @else { "No" } },
        value(if column.from.is_empty() { &column.name } else { &column.from }),
        html! { (column.description) },
    ])
}
