//! A local file, as the parser would take it: before anything is uploaded to a bucket.

use api::registry::{FileState, ListSourcesRequest, Schema, Source};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::place::{AccountPlace, Place};
use super::samples::{dataset_named, dataset_slug};
use super::source::file::{row_errors, warnings};
use super::source::{get, problem, samples};
use crate::config::{CheckOptions, CheckReport};
use crate::error::{PageError, Refusal, sentence};
use crate::html::{
    Form, Page, Table, alert, brief, bytes, count, dataset_word, file_state_badge, head, refusal,
};
use crate::session::{App, Session};
use crate::upload::Uploaded;

/// Sources that can be chosen.
const SOURCES: i32 = 200;
const DATASETS: [api::registry::Dataset; 4] = [
    api::registry::Dataset::Events,
    api::registry::Dataset::Attributes,
    api::registry::Dataset::Items,
    api::registry::Dataset::IdMappings,
];

/// Against what.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    against: String,
}

/// `GET /accounts/{account}/check`
pub(crate) async fn form(
    State(app): State<App>,
    session: Session,
    account: AccountPlace,
    Query(wanted): Query<Wanted>,
) -> Result<Page, PageError> {
    body(&app, &session, &account, &wanted.against, None, html! {}).await
}

/// `POST /accounts/{account}/check`
pub(crate) async fn check(
    State(app): State<App>,
    account: AccountPlace,
    mut uploaded: Uploaded,
) -> Result<Response, PageError> {
    let session = uploaded.session.clone();
    let against = uploaded.get("against").to_owned();
    let refused = |rule: &str| Refusal { reason: sentence(rule), fields: Vec::new() };
    let Some(stored) = uploaded.take_file() else {
        let refused = refused("no file was chosen; choose one, then check it");
        let page = body(&app, &session, &account, &against, Some(&refused), html! {}).await?;
        return Ok(page.refused());
    };
    let (schema, options) = target(&app, &session, &account, &against).await?;
    let (name, size) = (stored.upload().name.to_owned(), stored.upload().size);
    let tools = app.config.tools;
    let checked = tokio::task::spawn_blocking(move || (tools.check)(&stored.upload(), &schema, &options))
        .await
        .map_err(|error| PageError::Failed(error.to_string()))?;
    match checked {
        Ok(report) => {
            let result = html! { (result(&name, size, &report)) };
            Ok(body(&app, &session, &account, &against, None, result).await?.into_response())
        }
        Err(reason) => {
            let page = body(&app, &session, &account, &against, Some(&refused(&reason)), html! {}).await?;
            Ok(page.refused())
        }
    }
}

/// The schema that is meant, and how its source takes files: a source of the account by its id, or a dataset as it is.
async fn target(
    app: &App,
    session: &Session,
    account: &AccountPlace,
    against: &str,
) -> Result<(Schema, CheckOptions), PageError> {
    if let Some(dataset) = dataset_named(against) {
        return Ok((Schema { dataset: dataset as i32, ..Schema::default() }, CheckOptions::default()));
    }
    let place = Place { account: account.account.clone(), source: against.to_owned() };
    let source = get(&mut session.registry(app)?, &place).await?;
    let options = CheckOptions {
        time_zone: source.time_zone.clone(),
        reject_file: source.invalid_rows() == api::registry::InvalidRows::RejectFile,
        max_rejected_percent: source.max_rejected_percent,
    };
    Ok((source.schema.unwrap_or_default(), options))
}

async fn body(
    app: &App,
    session: &Session,
    account: &AccountPlace,
    against: &str,
    refused: Option<&Refusal>,
    result: Markup,
) -> Result<Page, PageError> {
    let request = ListSourcesRequest { parent: account.name(), page_size: SOURCES, ..Default::default() };
    let sources = session.registry(app)?.list_sources(request).await?.into_inner().sources;
    let action = account.href("/check");
    Ok(Page::new("Check a file").of(session, &account.account).script("drop.js").body(html! {
        (result)
        (refusal(refused))
        p {
            "See what Cortex would say of a file before it is uploaded to a bucket: it is read by the very same code. The file is \
             sent to Cortex, checked, and thrown away; nothing is handed on."
        }
        (Form { session, action: &action }.with_file(html! {
            div .field {
                label for="against" { "Check it against" }
                select id="against" name="against" {
                    @if !sources.is_empty() {
                        optgroup label="A data source" { @for source in &sources { (source_option(source, against)) } }
                    }
                    optgroup label="A dataset as it is" {
                        @for dataset in DATASETS {
                            @let name = dataset_slug(dataset);
                            option value=(name) selected[name == against] { (dataset_word(dataset)) }
                        }
                    }
                }
            }
            div .field.drop data-drop {
                label for="file" { "File" }
                p .help id="file-help" {
                    "CSV, TSV or JSON, plain or compressed; at most " (bytes(app.config.max_upload_bytes)) "."
                }
                (file_input(app.config.max_upload_bytes))
            }
            button .primary type="submit" { "Check this file" }
        }))
    }))
}

/// A file to be chosen, or dropped.
pub(crate) fn file_input(most: u64) -> Markup {
    html! {
        input type="file" id="file" name="file" required data-most=(most) aria-describedby="file-help file-wrong";
        p .wrong id="file-wrong" aria-live="polite" {}
    }
}

fn source_option(source: &Source, against: &str) -> Markup {
    let id = source.name.rsplit('/').next().unwrap_or_default();
    html! { option value=(id) selected[id == against] { (source.display_name) " (" (dataset_word(source.dataset())) ")" } }
}

fn result(name: &str, size: u64, report: &CheckReport) -> Markup {
    let found = &report.found;
    let (kind, words) = match report.outcome {
        FileState::Accepted => ("good", "Every row fits. This file can be uploaded as it is."),
        FileState::AcceptedWithRejections => ("warn", "This file would be taken, but for the rows below."),
        FileState::Incomplete => ("warn", "This file can be read in part only."),
        _ => ("bad", "This file would be rejected: nothing of it would be handed on."),
    };
    html! {
        section .result aria-labelledby="result" {
            h2 id="result" { (brief(name)) " " (file_state_badge(report.outcome)) }
            (alert(kind, html! { p { strong { (words) } } @if let Some(why) = &found.problem { (problem(why)) } }))
            dl .facts {
                dt { "Rows" } dd { (count(found.rows)) ": " (count(found.accepted)) " accepted, " (count(found.rejected)) " rejected" }
                dt { "Size" } dd { (bytes(size)) }
                @if !found.format.is_empty() {
                    dt { "Format" }
                    dd { (found.format) @if !matches!(found.compression.as_str(), "" | "none") { " in " (found.compression) } }
                }
            }
            @if !found.errors.is_empty() {
                h3 { "Rejected rows" }
                (codes(found))
                (row_errors(&found.errors))
                @if found.rejected > found.errors.len() as u64 { p .help { "The first " (found.errors.len()) " are shown." } }
            }
            (warnings(&found.warnings))
            @if !found.records.is_empty() {
                h3 { "The first rows, as they were understood" }
                (records(found))
            }
        }
        h2 { "Check another" }
    }
}

fn codes(found: &api::registry::PreviewSourceResponse) -> Markup {
    let mut codes: Vec<_> = found.rejections.iter().collect();
    codes.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    html! { ul { @for (code, rows) in codes { li { (count(*rows)) " × " code { (code) } } } } }
}

fn records(found: &api::registry::PreviewSourceResponse) -> Markup {
    let records: Vec<Vec<(String, String)>> =
        found.records.iter().map(|record| samples::columns(&record.json)).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in records.iter().flatten() {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let heads = names.iter().map(|name| head(name).value());
    let lines = records.iter().map(|record| samples::values(&names, record));
    Table::new("The first rows", heads).class("records").rows(lines)
}
