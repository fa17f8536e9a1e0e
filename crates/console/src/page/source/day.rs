//! One day of a source: what came in its folder, and reading it again.

use api::registry::{DayStatus, ListDaysRequest, ListFilesRequest, ReprocessFilesRequest};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use maud::html;
use serde::Deserialize;

use super::files::quoted;
use super::live::table;
use super::{get, page};
use crate::error::{PageError, Refusal};
use crate::html::{
    Crumb, Form, Notice, Page, alert, bytes, count, day_status, empty, local_time, pager, refusal,
};
use crate::page::place::Place;
use crate::post::Posted;
use crate::session::{App, Session};

const SHOWN: i32 = 50;

/// The rest of the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Of {
    date: String,
}

/// Which part of the files.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    page: String,
    #[serde(default)]
    done: String,
}

/// `GET …/days/{date}`
pub(crate) async fn show(
    State(app): State<App>,
    session: Session,
    place: Place,
    Path(of): Path<Of>,
    Query(wanted): Query<Wanted>,
) -> Result<Page, PageError> {
    body(&app, &session, &place, &of.date, &wanted, None).await
}

/// `POST …/days/{date}`: reads every file of the day again.
pub(crate) async fn reprocess(
    State(app): State<App>,
    place: Place,
    Path(of): Path<Of>,
    posted: Posted,
) -> Result<Response, PageError> {
    let date = of.date;
    let request = ReprocessFilesRequest {
        parent: place.name(),
        start_date: date.clone(),
        end_date: date.clone(),
        states: Vec::new(),
    };
    let refused = match posted.session.registry(&app)?.reprocess_files(request).await {
        Ok(answer) if answer.get_ref().opened == 0 => {
            let reason =
                "There was no file to read again: each is still to be read, or none has come.".to_owned();
            Refusal { reason, fields: Vec::new() }
        }
        Ok(_) => {
            return Ok(Notice::Reprocessed.shown_at(&place.href(&format!("/days/{date}"))).into_response());
        }
        Err(status) => Refusal::of_form(status)?,
    };
    Ok(body(&app, &posted.session, &place, &date, &Wanted::default(), Some(refused)).await?.into_response())
}

async fn body(
    app: &App,
    session: &Session,
    place: &Place,
    date: &str,
    wanted: &Wanted,
    refused: Option<Refusal>,
) -> Result<Page, PageError> {
    let parsed: jiff::civil::Date = date.parse().map_err(|_| PageError::NotFound)?;
    let mut registry = session.registry(app)?;
    let source = get(&mut registry, place).await?;
    let days = ListDaysRequest {
        parent: place.name(),
        start_date: parsed.to_string(),
        end_date: parsed.to_string(),
    };
    let day = registry.list_days(days).await?.into_inner().days.into_iter().next().unwrap_or_default();
    let files = ListFilesRequest {
        parent: place.name(),
        page_size: SHOWN,
        page_token: wanted.page.clone(),
        filter: format!("date = {}", quoted(&parsed.to_string())),
    };
    let files = registry.list_files(files).await?.into_inner();
    let path = place.href(&format!("/days/{parsed}"));
    Ok(page(session, place, &source, "", "Day")
        .crumbs([Crumb::new("Overview", place.href(""))])
        .notice(Notice::named(&wanted.done))
        .body(html! {
            h2 { (parsed.strftime("%A, %-d %B %Y")) }
            (refusal(refused.as_ref()))
            @if day.status() == DayStatus::Missing {
                (alert("bad", html! { p {
                    "Nothing has come for this day, and by this source's habit something was due"
                    @if day.due_time.is_some() { " by " (local_time(day.due_time.as_ref())) } "."
                } }))
            }
            dl .facts {
                dt { "Against its habit" } dd { (day_status(day.status())) }
                @if day.first_arrival_time.is_some() {
                    dt { "First file written" } dd { (local_time(day.first_arrival_time.as_ref())) }
                    dt { "Last file written" } dd { (local_time(day.last_arrival_time.as_ref())) }
                }
                dt { "Arrived" } dd { (count(day.objects)) @if day.objects == 1 { " file, " } @else { " files, " } (bytes(day.bytes)) }
                dt { "Read" } dd {
                    (count(day.rows)) " rows: " (count(day.accepted)) " accepted, " (count(day.rejected)) " rejected"
                }
            }
            @if files.files.is_empty() {
                (empty(html! { p { "No file lies in the folder " code { (parsed) "/" } " of this source." } }))
            } @else {
                (table(place, &files.files, "Files of the day"))
                (pager(&path, &[], &wanted.page, &files.next_page_token))
                @if !session.is_read_only {
                    (Form { session, action: &path }.with(html! {
                        button type="submit" { "Read this day again" }
                        p .help {
                            "Every file of the folder is read from its start as its next version, such as after a change of the \
                             schema. What was handed on before stays."
                        }
                    }))
                }
            }
        }))
}
