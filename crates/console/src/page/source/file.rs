//! One file: its outcome, and the rows that were refused down to column, reason and raw text.

use api::registry::{
    File, FileWarning, ListFileErrorsRequest, ListFilesRequest, ReprocessFileRequest, RowError,
};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::files::quoted;
use super::live::{is_at_rest, table};
use super::{get, page, problem};
use crate::error::{PageError, Refusal, sentence};
use crate::html::{
    Cell, Crumb, Form, Notice, Page, Row, Table, alert, bytes, cell, count, file_state_badge, head,
    local_time, refusal, share, value,
};
use crate::page::place::{Place, encoded};
use crate::post::Posted;
use crate::session::{App, Session};

/// Generations that are shown.
const GENERATIONS: i32 = 20;

/// Which file.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    key: String,
    #[serde(default)]
    generation: u32,
    #[serde(default)]
    done: String,
}

/// `GET …/file?key=…&generation=…`
pub(crate) async fn show(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(wanted): Query<Wanted>,
) -> Result<Page, PageError> {
    body(&app, &session, &place, &wanted, None).await
}

/// `POST …/file`: reads it again.
pub(crate) async fn reprocess(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let key = fields.get("key").to_owned();
    let request = ReprocessFileRequest { parent: place.name(), object_key: key.clone() };
    match session.registry(&app)?.reprocess_file(request).await {
        Ok(answer) => {
            let generation = answer.into_inner().file.map_or(0, |file| file.generation);
            let (path, key, done) = (place.href("/file"), encoded(&key), Notice::Reprocessed.name());
            Ok(Redirect::to(&format!("{path}?key={key}&generation={generation}&done={done}")).into_response())
        }
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            let wanted = Wanted { key, generation: 0, done: String::new() };
            Ok(body(&app, &session, &place, &wanted, Some(refused)).await?.into_response())
        }
    }
}

async fn body(
    app: &App,
    session: &Session,
    place: &Place,
    wanted: &Wanted,
    refused: Option<Refusal>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(app)?;
    let source = get(&mut registry, place).await?;
    let request = ListFileErrorsRequest {
        parent: place.name(),
        object_key: wanted.key.clone(),
        generation: wanted.generation,
    };
    let answer = registry.list_file_errors(request).await?.into_inner();
    let file = answer.file.ok_or(PageError::NotFound)?;
    let others = ListFilesRequest {
        parent: place.name(),
        page_size: GENERATIONS,
        filter: format!("object_key = {}", quoted(&wanted.key)),
        ..Default::default()
    };
    let mut others = registry.list_files(others).await?.into_inner().files;
    others.retain(|other| other.generation != file.generation);
    Ok(page(session, place, &source, "/files", "File")
        .crumbs([Crumb::new("Files", place.href("/files"))])
        .notice(Notice::named(&wanted.done))
        .body(html! {
            h2 .key { (value(&file.object_key)) }
            (refusal(refused.as_ref()))
            (facts(&file))
            @if let Some(why) = &file.stuck { (alert("bad", html! { p { strong { "This file is stuck." } } (problem(why)) })) }
            @if let Some(why) = &file.error { (alert("bad", problem(why))) }
            @if !session.is_read_only && is_at_rest(&file) && others.iter().all(|other| other.generation < file.generation) {
                (Form { session, action: &place.href("/file") }.with(html! {
                    input type="hidden" name="key" value=(file.object_key);
                    button type="submit" { "Read it again" }
                    p .help { "It is read from its start as the next version; what was handed on before stays." }
                }))
            }
            (rejections(&file, &answer.errors))
            (warnings(&file.warning_examples))
            @if !others.is_empty() {
                h3 { "Other versions of this file" }
                (table(place, &others, "Other versions"))
            }
        }))
}

fn facts(file: &File) -> Markup {
    html! {
        dl .facts {
            dt { "Outcome" } dd { (file_state_badge(file.state())) }
            dt { "Rows" }
            dd {
                (count(file.rows)) ": " (count(file.accepted)) " accepted, " (count(file.rejected)) " rejected"
                @if file.rejected > 0 { " (" (share(file.rejected, file.rows)) ")" }
            }
            dt { "Folder" } dd { (file.date) }
            dt { "Size" } dd { (bytes(file.size)) }
            @if !file.format.is_empty() {
                dt { "Format" }
                dd { (file.format) @if !matches!(file.compression.as_str(), "" | "none") { " in " (file.compression) } }
            }
            dt { "Version" }
            dd {
                (file.generation)
                @if file.replaces_generation > 0 { ", in place of version " (file.replaces_generation) }
            }
            dt { "Found" } dd { (local_time(file.discover_time.as_ref())) }
            @if file.finish_time.is_some() { dt { "Read" } dd { (local_time(file.finish_time.as_ref())) } }
            @if file.attempts > 1 { dt { "Attempts" } dd { (file.attempts) } }
        }
    }
}

fn rejections(file: &File, errors: &[RowError]) -> Markup {
    if file.rejected == 0 && errors.is_empty() {
        return html! {};
    }
    let mut codes: Vec<_> = file.rejections.iter().collect();
    codes.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
    html! {
        h3 { "Rejected rows" }
        @if !codes.is_empty() {
            ul { @for (code, rows) in codes { li { (count(*rows)) " × " code { (code) } } } }
        }
        (row_errors(errors))
        @if file.rejected > errors.len() as u64 {
            p .help {
                "The first " (errors.len()) " are shown; all of them are on the topic " code { "cortex.rejected-rows.v1" } "."
            }
        }
    }
}

/// Refused rows, a line each.
pub(crate) fn row_errors(errors: &[RowError]) -> Markup {
    let heads =
        [head("Row").number(), head("Column"), head("What is wrong"), head("As it stands in the file")];
    Table::new("Rejected rows", heads).class("errors").rows(errors.iter().map(row_error))
}

fn row_error(error: &RowError) -> Row {
    vec![
        Cell::from(html! {
            @match error.row_number {
                Some(row) => (count(row)),
                None => { "byte " (count(error.position)) }
            }
        }),
        Cell::from(html! {
            @if error.column.is_empty() { span .muted { "whole row" } } @else { (cell(&error.column)) }
        }),
        Cell::from(html! {
            (cell(&sentence(&error.reason))) " " code .code { (error.code) }
            @if !error.advice.is_empty() { div .sub { (cell(&sentence(&error.advice))) } }
        }),
        Cell::from(html! {
            @if error.raw.is_empty() { span .muted { "not kept" } } @else { (cell(error.raw.trim_end())) }
        })
        .class("raw"),
    ]
}

/// What is odd and rejects nothing.
pub(crate) fn warnings(warnings: &[FileWarning]) -> Markup {
    if warnings.is_empty() {
        return html! {};
    }
    html! {
        h3 { "Worth a look" }
        ul {
            @for warning in warnings {
                li {
                    @if !warning.column.is_empty() { "Column " (value(&warning.column)) ": " }
                    @if warning.row_number > 0 { "row " (count(warning.row_number)) ": " }
                    (cell(&sentence(&warning.reason))) " " (cell(&sentence(&warning.advice))) " " code .code { (warning.code) }
                }
            }
        }
    }
}
