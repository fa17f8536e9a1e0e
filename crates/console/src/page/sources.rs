//! The data sources of an account.

use api::client::Registry;
use api::registry::{Day, File, ListDaysRequest, ListFilesRequest, ListSourcesRequest, Source, SourceState};
use axum::extract::{Query, State};
use futures::future::join_all;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::place::{AccountPlace, Place};
use crate::error::PageError;
use crate::html::{
    Form, Notice, Page, Row, Table, cell, count, dataset_word, date_of, empty, file_state_badge, head,
    local_time, pager, row, source_state_badge, sparkline, value,
};
use crate::session::{App, Session};

/// Sources of a page: each costs the registry two small calls.
const SHOWN: i32 = 20;
/// Days of the small charts.
const DAYS: i64 = 14;

/// Which part of the list.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    done: String,
}

/// The states that the list can be narrowed to: in addresses, in words, in the API.
const STATES: [(&str, &str, &str); 6] = [
    ("", "All", ""),
    ("live", "Live", "state = ACTIVE"),
    ("attention", "Needs attention", "state = NEEDS_ATTENTION"),
    ("draft", "Drafts", "state = DRAFT"),
    ("paused", "Paused", "state = PAUSED"),
    ("deleted", "Deleted", "state = DELETED"),
];

/// A source, and what is shown beside it.
struct Line {
    place: Place,
    source: Source,
    /// Newest first; none where they could not be had.
    days: Option<Vec<Day>>,
    last_file: Option<File>,
}

/// `GET /accounts/{account}/sources`
pub(crate) async fn list(
    State(app): State<App>,
    session: Session,
    account: AccountPlace,
    Query(wanted): Query<Wanted>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(&app)?;
    let (state, _, filter) = STATES.iter().find(|(name, ..)| *name == wanted.state).unwrap_or(&STATES[0]);
    let request = ListSourcesRequest {
        parent: account.name(),
        page_size: SHOWN,
        page_token: wanted.page.clone(),
        filter: (*filter).to_owned(),
        show_deleted: *state == "deleted",
    };
    let answer = registry.list_sources(request).await?.into_inner();
    let lines = join_all(answer.sources.into_iter().filter_map(|source| {
        let place = Place::of(&source.name)?;
        Some(line(registry.clone(), place, source))
    }))
    .await;
    let path = account.href("/sources");
    Ok(Page::new("Data sources").of(&session, &account.account).notice(Notice::named(&wanted.done)).body(
        html! {
            div .bar {
                nav .filters aria-label="Show" {
                    @for (name, words, _) in STATES {
                        a href=(if name.is_empty() { path.clone() } else { format!("{path}?state={name}") })
                            aria-current=[(name == *state).then_some("page")] { (words) }
                    }
                }
                @if !session.is_read_only {
                    a .button.primary href=(account.href("/new")) { "Add a data source" }
                }
            }
            @if lines.is_empty() { (nothing(&account, &session, state)) }
            @else if *state == "deleted" { (deleted(&session, &lines)) }
            @else { (table(&lines)) }
            (pager(&path, &[("state", state)], &wanted.page, &answer.next_page_token))
        },
    ))
}

async fn line(mut registry: Registry, place: Place, source: Source) -> Line {
    if matches!(source.state(), SourceState::Deleted | SourceState::Draft) {
        return Line { place, source, days: None, last_file: None };
    }
    let today = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let request = ListDaysRequest {
        parent: source.name.clone(),
        start_date: today.saturating_sub(jiff::Span::new().days(DAYS - 1)).to_string(),
        end_date: today.to_string(),
    };
    let mut files = registry.clone();
    let newest = ListFilesRequest { parent: source.name.clone(), page_size: 1, ..Default::default() };
    // The list stands without them where one cannot be had.
    let (days, file) = futures::join!(registry.list_days(request), files.list_files(newest));
    let days = days.map(|answer| filled(answer.into_inner().days, today)).ok();
    let last_file = file.ok().and_then(|answer| answer.into_inner().files.into_iter().next());
    Line { place, source, days, last_file }
}

/// All days of the chart, newest first: a source's own life may be shorter.
fn filled(found: Vec<Day>, today: jiff::civil::Date) -> Vec<Day> {
    (0..DAYS)
        .map(|back| {
            let date = today.saturating_sub(jiff::Span::new().days(back)).to_string();
            let known = found.iter().find(|day| day.date == date).cloned();
            known.unwrap_or(Day { date, ..Day::default() })
        })
        .collect()
}

fn nothing(account: &AccountPlace, session: &Session, state: &str) -> Markup {
    if !state.is_empty() {
        return empty(html! {
            p { "No source is in this state." }
            p { a href=(account.href("/sources")) { "Show all" } }
        });
    }
    empty(html! {
        h2 { "Connect your first bucket" }
        p {
            "A data source is a folder of an Amazon S3 bucket. Once it is connected, every file that lands in it is read \
             within minutes, and its rows are checked and handed on."
        }
        @if session.is_read_only {
            p { "Your token may look only. Sign in with one that may make changes to add a source." }
        } @else {
            p { a .button.primary href=(account.href("/new")) { "Add a data source" } }
        }
        p { "Or " a href=(account.href("/check")) { "check a file" } " first, to see whether it fits. Nothing is uploaded to a bucket." }
    })
}

fn table(lines: &[Line]) -> Markup {
    let days = format!("Rows a day, {DAYS} days");
    let heads = [
        head("Source"),
        head("State"),
        head("Dataset"),
        head("Last file"),
        head("Rows today").number(),
        head(&days),
    ];
    Table::new("Data sources", heads).class("sources").titled().rows(lines.iter().map(row_of))
}

fn row_of(line: &Line) -> Row {
    let source = &line.source;
    let is_draft = source.state() == SourceState::Draft;
    let href = if is_draft { line.place.href("/setup") } else { line.place.href("") };
    let today = date_of(Timestamp::now());
    let rows =
        line.days.as_ref().map(|days| days.iter().find(|day| day.date == today).map_or(0, |day| day.rows));
    row([
        html! {
            a href=(href) { (value(&source.display_name)) }
            @if !source.bucket.is_empty() { p .sub { (bucket_path(source)) } }
        },
        html! {
            (source_state_badge(source.state()))
            @if let Some(problem) = source.attention.as_ref().and_then(|attention| attention.problem.as_ref()) {
                div .sub { (cell(&problem.reason)) }
            }
        },
        html! { (dataset_word(source.dataset())) },
        html! {
            @match &line.last_file {
                Some(file) => {
                    (file_state_badge(file.state())) " "
                    (local_time(file.finish_time.as_ref().or(file.discover_time.as_ref())))
                    div .sub { (cell(file.object_key.rsplit('/').next().unwrap_or_default())) }
                }
                None if is_draft => a href=(href) { "Go on setting it up" },
                None => span .muted { "No file yet" },
            }
        },
        html! { @if let Some(rows) = rows { (count(rows)) } @else { span .muted { "–" } } },
        html! { @if let Some(days) = &line.days { (sparkline(days)) } },
    ])
}

/// `s3://bucket/path`
pub(crate) fn bucket_path(source: &Source) -> Markup {
    let slash = if source.path.is_empty() { "" } else { "/" };
    value(&format!("s3://{}{slash}{}", source.bucket, source.path))
}

fn deleted(session: &Session, lines: &[Line]) -> Markup {
    let heads =
        [head("Source"), head("Dataset"), head("Deleted"), head("Gone for good"), head("Action").unseen()];
    let rows = lines.iter().map(|Line { place, source, .. }| {
        row([
            html! { (value(&source.display_name)) p .sub { (bucket_path(source)) } },
            html! { (dataset_word(source.dataset())) },
            local_time(source.delete_time.as_ref()),
            local_time(source.purge_time.as_ref()),
            html! {
                @if !session.is_read_only {
                    (Form { session, action: &place.href("/undelete") }.button("", "Bring it back"))
                }
            },
        ])
    });
    Table::new("Deleted data sources", heads).titled().rows(rows)
}
