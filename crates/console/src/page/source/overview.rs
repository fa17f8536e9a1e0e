//! How a source is doing.

use api::registry::{Day, Discovery, ListDaysRequest, Source, SourceState};
use axum::extract::{Query, State};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::live::{self, Look};
use super::{get, page, problem};
use crate::error::PageError;
use crate::html::{
    Bar, Form, Notice, Page, alert, at, calendar, count, daily, dataset_word, local_time, share, value,
};
use crate::page::place::Place;
use crate::page::sources::bucket_path;
use crate::session::{App, Session};

/// Days of the charts and the calendar.
const DAYS: i64 = 35;

/// What was done before.
#[derive(Debug, Deserialize)]
pub(crate) struct Done {
    #[serde(default)]
    pub(crate) done: String,
}

/// `GET …/{source}`
pub(crate) async fn show(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(done): Query<Done>,
) -> Result<Page, PageError> {
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let today = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let request = ListDaysRequest {
        parent: place.name(),
        start_date: today.saturating_sub(jiff::Span::new().days(DAYS - 1)).to_string(),
        end_date: today.to_string(),
    };
    let mut for_live = registry.clone();
    let (days, look) = futures::join!(registry.list_days(request), Look::at(&mut for_live, &place));
    let (days, look) = (days?.into_inner().days, look?);
    Ok(page(&session, &place, &source, "", "Overview")
        .notice(Notice::named(&done.done))
        .script("live.js")
        .body(html! {
            (standing(&place, &source))
            @if !session.is_read_only { (actions(&session, &place, &source)) }
            section aria-labelledby="now" {
                h2 id="now" { "Files now" }
                div #live data-live=(place.href("/live")) { (live::fragment(&place, &look)) }
            }
            (hints(&source))
            (history(&place, &days))
            (facts(&source))
        }))
}

/// What keeps it from taking files, and what to do.
fn standing(place: &Place, source: &Source) -> Markup {
    let attention = source.attention.as_ref();
    html! {
        @if source.state() == SourceState::Draft {
            (alert("warn", html! {
                p { "This source is a draft: no file is read yet." }
                p { a href=(place.href("/setup")) { "Go on setting it up" } }
            }))
        }
        @if source.state() == SourceState::Paused {
            (alert("warn", html! { p { "This source is paused: no new files are looked for." } }))
        }
        @if let Some(attention) = attention {
            (alert("bad", html! {
                p { strong { (attention_words(&attention.kind)) } @if attention.since.is_some() { " Since " (local_time(attention.since.as_ref())) "." } }
                @if let Some(why) = &attention.problem { (problem(why)) }
                p {
                    "It is tried again by itself"
                    @if attention.next_retry_time.is_some() { ", next at " (local_time(attention.next_retry_time.as_ref())) }
                    ". " a href=(place.href("/setup/test")) { "Test the connection" } " to see what is wrong step by step."
                }
            }))
        }
        @if let (None, Some(error)) = (attention, source.discovery.as_ref().and_then(|found| found.error.as_ref())) {
            (alert("warn", html! { p { strong { "The last look into the bucket failed." } } (problem(error)) }))
        }
    }
}

fn attention_words(kind: &str) -> &'static str {
    match kind {
        "access" => "Cortex cannot read the bucket any more.",
        "events" => "Cortex cannot read the queue of the bucket's events.",
        "data" => "Files that were due have not come.",
        _ => "This source needs attention.",
    }
}

fn actions(session: &Session, place: &Place, source: &Source) -> Markup {
    let form = |rest: &str| place.href(rest);
    html! {
        div .actions {
            @match source.state() {
                SourceState::Active | SourceState::NeedsAttention => {
                    (Form { session, action: &form("/pause") }.button("", "Pause"))
                }
                SourceState::Paused => { (Form { session, action: &form("/resume") }.button("primary", "Resume")) }
                _ => {}
            }
            a .button href=(place.href("/setup/test")) { "Test the connection" }
            a .button href=(place.href("/delete")) { "Delete…" }
        }
    }
}

fn hints(source: &Source) -> Markup {
    let Some(found) = source.discovery.as_ref().filter(|found| found.outside > 0) else { return html! {} };
    html! {
        section aria-labelledby="outside" {
            h2 id="outside" { "Not in a dated folder" }
            (alert("warn", html! {
                p {
                    (count(found.outside)) @if found.outside == 1 { " object or folder lies" } @else { " objects or folders lie" }
                    " outside a folder named by a date, and " @if found.outside == 1 { "is" } @else { "are" }
                    " left alone. Files belong into folders such as " (dated_folder(source)) "."
                }
                @if !found.outside_examples.is_empty() {
                    p { "Such as:" }
                    ul { @for example in &found.outside_examples { li { (value(example)) } } }
                }
            }))
        }
    }
}

/// Where files of today belong.
fn dated_folder(source: &Source) -> Markup {
    let today = Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    html! { (bucket_path(source)) code { "/" (today) "/" } }
}

fn history(place: &Place, days: &[Day]) -> Markup {
    let (rows, rejected) =
        days.iter().fold((0_u64, 0_u64), |(rows, rejected), day| (rows + day.rows, rejected + day.rejected));
    html! {
        section aria-labelledby="days" {
            h2 id="days" { "The last five weeks" }
            @if days.iter().all(|day| day.objects == 0) {
                p .muted { "No file has come yet. What comes is counted here, by the date of its folder." }
            } @else {
                p {
                    (count(rows)) " rows, of which " (count(rejected)) " were rejected"
                    @if rejected > 0 { " (" (share(rejected, rows)) ")" } "."
                }
                div .charts {
                    (daily("Rows a day", days, Bar::rows))
                    (daily("Rejected rows a day", days, Bar::rejected))
                }
                p .legend aria-hidden="true" { span .key.accepted {} "accepted" span .key.rejected {} "rejected" }
            }
            h3 { "Calendar" }
            p .help {
                "By the date of the folder. A day is late or missing against this source's own habit, which takes a week or \
                 more to show."
            }
            (calendar(days, &place.href("/days/")))
        }
    }
}

fn facts(source: &Source) -> Markup {
    let found = source.discovery.clone().unwrap_or_default();
    html! {
        section aria-labelledby="facts" {
            h2 id="facts" { "About this source" }
            dl .facts {
                dt { "Dataset" } dd { (dataset_word(source.dataset())) }
                dt { "Folder" } dd { (bucket_path(source)) }
                dt { "Role" } dd { @if source.role_arn.is_empty() { "static keys" } @else { (value(&source.role_arn)) } }
                @if !source.region.is_empty() { dt { "Region" } dd { (source.region) } }
                dt { "Time zone of the files" } dd { (if source.time_zone.is_empty() { "UTC" } else { &source.time_zone }) }
                dt { "Made" } dd { (local_time(source.create_time.as_ref())) }
                dt { "Last look into the bucket" } dd { (or_never(found.last_scan_time.as_ref())) }
                dt { "Next look" } dd { (or_never(found.next_scan_time.as_ref())) }
                dt { "Found then" } dd { (found_words(&found)) }
                @if !found.formats.is_empty() {
                    dt { "Files so far" }
                    dd { ul .plain { @for seen in &found.formats {
                        li {
                            (count(seen.files)) " " (seen.format)
                            @if !matches!(seen.compression.as_str(), "" | "none") { " in " (seen.compression) }
                        }
                    } } }
                }
            }
        }
    }
}

fn or_never(time: Option<&prost_types::Timestamp>) -> Markup {
    if at(time).is_some() {
        local_time(time)
    } else {
        html! { "not yet" }
    }
}

fn found_words(found: &Discovery) -> String {
    let plural = |number: u64, one: &str, more: &str| {
        format!("{} {}", count(number), if number == 1 { one } else { more })
    };
    format!(
        "{}, {}",
        plural(found.folders, "dated folder", "dated folders"),
        plural(found.objects, "object", "objects")
    )
}
