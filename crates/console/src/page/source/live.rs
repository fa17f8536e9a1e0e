//! The newest files and how far those in hand are; sent anew as it changes (server-sent events).

use std::convert::Infallible;
use std::time::Duration;

use api::client::Registry;
use api::registry::{File, FileState, GetBacklogRequest, GetBacklogResponse, ListFilesRequest};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use http::StatusCode;
use maud::{Markup, html};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::PageError;
use crate::html::{
    Cell, Row, Table, brief, bytes, cell, count, empty, file_state_badge, head, is_running, local_time,
};
use crate::page::place::{Place, encoded};
use crate::session::{App, Session};

/// Files that are shown of those in hand, and of the newest.
const SHOWN: i32 = 10;
/// Between two looks while something is in hand, and while nothing is.
const BUSY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3);
/// After a look that failed.
const FAILED: Duration = Duration::from_secs(5);
/// A stream ends after this long, and the browser opens the next: a session that has ended is noticed.
const LONGEST: Duration = Duration::from_secs(900);

/// What one look found.
#[derive(Debug, PartialEq)]
pub(crate) struct Look {
    backlog: GetBacklogResponse,
    running: Vec<File>,
    newest: Vec<File>,
}

impl Look {
    /// Asks the registry.
    pub(crate) async fn at(registry: &mut Registry, place: &Place) -> Result<Self, tonic::Status> {
        let files = |filter: &str| ListFilesRequest {
            parent: place.name(),
            page_size: SHOWN,
            filter: filter.to_owned(),
            ..Default::default()
        };
        let backlog = registry.get_backlog(GetBacklogRequest { name: place.name() }).await?.into_inner();
        let newest = registry.list_files(files("")).await?.into_inner().files;
        let running = if backlog.files == 0 {
            Vec::new()
        } else {
            registry.list_files(files("state = CLAIMED")).await?.into_inner().files
        };
        Ok(Self { backlog, running, newest })
    }

    fn is_busy(&self) -> bool {
        self.backlog.files > 0
    }
}

/// `GET …/live`
pub(crate) async fn events(State(app): State<App>, session: Option<Session>, place: Place) -> Response {
    // A page to sign in at is of no use here.
    let Some(session) = session else { return StatusCode::UNAUTHORIZED.into_response() };
    match stream(app, &session, place) {
        Ok(stream) => Sse::new(stream).keep_alive(KeepAlive::default()).into_response(),
        Err(error) => error.into_response(),
    }
}

fn stream(
    app: App,
    session: &Session,
    place: Place,
) -> Result<impl Stream<Item = Result<Event, Infallible>> + use<>, PageError> {
    let mut registry = session.registry(&app)?;
    let longest = LONGEST.min(Duration::from_secs(session.seconds_left()));
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let watching = async {
            let mut last = None;
            loop {
                let pause = match Look::at(&mut registry, &place).await {
                    Ok(look) => {
                        let pause = if look.is_busy() { BUSY } else { IDLE };
                        if last.as_ref() != Some(&look) {
                            let text = fragment(&place, &look).into_string();
                            if sender.send(Ok(Event::default().event("files").data(text))).await.is_err() {
                                return;
                            }
                            last = Some(look);
                        }
                        pause
                    }
                    Err(status)
                        if matches!(status.code(), tonic::Code::NotFound | tonic::Code::Unauthenticated) =>
                    {
                        return;
                    }
                    Err(_) => FAILED,
                };
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = watching => {}
            () = sender.closed() => {}
            () = app.stopping.cancelled() => {}
            () = tokio::time::sleep(longest) => {}
        }
    });
    Ok(ReceiverStream::new(receiver))
}

/// What stands on the page, and replaces it.
pub(crate) fn fragment(place: &Place, look: &Look) -> Markup {
    let Look { backlog, running, newest } = look;
    html! {
        p .summary role="status" { (summary(backlog)) }
        @if !running.is_empty() {
            ul .running {
                @for file in running { li { (progress(place, file)) } }
            }
        }
        @if newest.is_empty() {
            (empty(html! {
                p { "No file has been found yet." }
                p {
                    "Upload one into a folder named by today's date, such as " code { "2026-11-23/" }
                    "; it shows here within minutes. "
                    a href=(place.account_href("/check")) { "Check it first" } " if you like."
                }
            }))
        } @else {
            (table(place, newest, "Newest files"))
            p { a href=(place.href("/files")) { "All files" } }
        }
    }
}

fn summary(backlog: &GetBacklogResponse) -> String {
    if backlog.files == 0 {
        return "Every file that was found has been read.".to_owned();
    }
    let files = if backlog.files == 1 {
        "1 file is".to_owned()
    } else {
        format!("{} files are", count(backlog.files))
    };
    let left = backlog.time_left.as_ref().map_or_else(String::new, |left| match left.seconds {
        ..60 => ", under a minute left".to_owned(),
        seconds @ 60..5_400 => format!(", about {} minutes left", seconds / 60),
        seconds => format!(", about {} hours left", seconds / 3_600),
    });
    format!("{files} still to be read ({}{left}).", bytes(backlog.bytes))
}

/// How far a file is: by bytes where it is plain; else how many rows it has given so far.
fn progress(place: &Place, file: &File) -> Markup {
    let is_plain = matches!(file.compression.as_str(), "" | "none");
    let known = (is_plain && file.size > 0 && file.position > 0).then(|| file.position.min(file.size));
    let label = format!("Reading {}", file.object_key);
    html! {
        a href=(file_href(place, file)) { (brief(&file.object_key)) }
        progress aria-label=(label) max=[known.map(|_| file.size)] value=[known] {}
        span .figures {
            @if let Some(position) = known { (position.saturating_mul(100) / file.size.max(1)) " %, " }
            (count(file.rows)) " rows"
            @if file.rejected > 0 { ", " (count(file.rejected)) " rejected" }
            @if file.attempts > 1 { ", attempt " (file.attempts) }
        }
        @if let Some(stuck) = &file.stuck { (super::problem(stuck)) }
    }
}

/// The page of a file.
pub(crate) fn file_href(place: &Place, file: &File) -> String {
    format!("{}?key={}&generation={}", place.href("/file"), encoded(&file.object_key), file.generation)
}

/// Files, a line each.
pub(crate) fn table(place: &Place, files: &[File], label: &str) -> Markup {
    let heads = [
        head("File"),
        head("Outcome"),
        head("Folder"),
        head("Rows").number(),
        head("Rejected").number(),
        head("Size").number(),
        head("Read"),
    ];
    Table::new(label, heads).class("files").titled().rows(files.iter().map(|file| line(place, file)))
}

fn line(place: &Place, file: &File) -> Row {
    let is_running = is_running(file.state());
    vec![
        Cell::from(html! {
            a href=(file_href(place, file)) { (name(file)) }
            @if file.generation > 1 { p .sub { "version " (file.generation) } }
        }),
        Cell::from(html! {
            (file_state_badge(file.state()))
            @if let Some(error) = file.stuck.as_ref().or(file.error.as_ref()) { div .sub { (cell(&error.reason)) } }
        }),
        Cell::from(html! { (file.date) }).class("nowrap"),
        Cell::from(html! { @if !is_running || file.rows > 0 { (count(file.rows)) } }),
        Cell::from(html! {
            @if file.rejected > 0 { strong { (count(file.rejected)) } } @else if file.rows > 0 { "0" }
        }),
        Cell::from(html! { (bytes(file.size)) }).class("nowrap"),
        Cell::from(html! {
            @if is_running { span .muted { "not yet" } } @else { (local_time(file.finish_time.as_ref())) }
        }),
    ]
}

/// The key behind its dated folder.
fn name(file: &File) -> Markup {
    let folder = format!("{}/", file.date);
    let name = file.object_key.split_once(folder.as_str()).map_or(file.object_key.as_str(), |(_, name)| name);
    brief(name)
}

/// True where a file can be read again.
pub(crate) fn is_at_rest(file: &File) -> bool {
    !is_running(FileState::try_from(file.state).unwrap_or_default()) || file.stuck.is_some()
}
