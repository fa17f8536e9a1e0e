//! Who did what to the source, and when.

use api::registry::{AuditEntry, ListAuditEntriesRequest};
use axum::extract::{Query, State};
use maud::html;
use serde::Deserialize;
use serde_json::Value;

use super::{get, page};
use crate::error::PageError;
use crate::html::{Page, Row, Table, cell, empty, head, local_time, pager, row, value};
use crate::page::place::Place;
use crate::session::{App, Session};

const SHOWN: i32 = 50;

/// Which part.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    page: String,
}

/// `GET …/audit`
pub(crate) async fn list(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(wanted): Query<Wanted>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let request = ListAuditEntriesRequest {
        parent: format!("accounts/{}", place.account),
        page_size: SHOWN,
        page_token: wanted.page.clone(),
        subject: place.name(),
    };
    let answer = registry.list_audit_entries(request).await?.into_inner();
    let table = Table::new("Audit trail", [head("When"), head("What"), head("Who"), head("More")]);
    Ok(page(&session, &place, &source, "/audit", "Audit trail").body(html! {
        h2 { "Audit trail" }
        p .help { "What was done with this source, by whom and when. It cannot be changed." }
        @if answer.audit_entries.is_empty() {
            (empty(html! { p { "Nothing stands here." } }))
        } @else {
            (table.rows(answer.audit_entries.iter().map(line)))
        }
        (pager(&place.href("/audit"), &[], &wanted.page, &answer.next_page_token))
    }))
}

fn line(entry: &AuditEntry) -> Row {
    let detail = detail(&entry.detail);
    row([
        local_time(entry.time.as_ref()),
        html! { (action(&entry.action)) },
        value(&actor(&entry.actor)),
        if detail.is_empty() {
            html! {}
        } else {
            cell(&detail)
        },
    ])
}

fn action(action: &str) -> &str {
    match action {
        "source.create" => "Made as a draft",
        "source.update" => "Settings changed",
        "source.schema" => "Schema changed",
        "source.test" => "Connection tested",
        "source.activate" => "Made live",
        "source.pause" => "Paused",
        "source.resume" => "Resumed",
        "source.delete" => "Deleted",
        "source.undelete" => "Brought back",
        "source.preview" => "Files previewed",
        "source.propose" => "Schema proposed from files",
        "file.reprocess" | "files.reprocess" => "Files read again",
        "credentials.issue" => "Session for the bucket issued",
        other => other,
    }
}

fn actor(actor: &str) -> String {
    match actor.split_once(':') {
        None if actor == "admin" => "Whoever runs Cortex".to_owned(),
        None if actor == "registry" => "Cortex".to_owned(),
        Some(("token", id)) => format!("Token {id}"),
        Some(("worker", id)) => format!("Cortex ({id})"),
        _ => actor.to_owned(),
    }
}

/// `name: value, …` of a small JSON object.
fn detail(json: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return json.to_owned() };
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    fields
        .iter()
        .map(|(name, value)| format!("{}: {}", name.replace('_', " "), text(value)))
        .collect::<Vec<_>>()
        .join("; ")
}
