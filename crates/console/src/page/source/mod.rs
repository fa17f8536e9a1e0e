//! One source: a page for each thing that is to know about it.

pub(crate) mod audit;
pub(crate) mod day;
pub(crate) mod file;
pub(crate) mod files;
pub(crate) mod live;
pub(crate) mod overview;
pub(crate) mod samples;
pub(crate) mod schema;
pub(crate) mod settings;
pub(crate) mod state;

use api::client::Registry;
use api::registry::{FileProblem, GetSourceRequest, Source};
use maud::{Markup, html};

use super::place::Place;
use crate::error::{PageError, sentence};
use crate::html::{Crumb, Page, source_state_badge, value};
use crate::session::Session;

/// The pages of a source: behind its address, and in words.
const TABS: [(&str, &str); 6] = [
    ("", "Overview"),
    ("/files", "Files"),
    ("/samples", "Sample data"),
    ("/schema", "Schema"),
    ("/settings", "Settings"),
    ("/audit", "Audit trail"),
];

/// The source that an address names.
pub(crate) async fn get(registry: &mut Registry, place: &Place) -> Result<Source, PageError> {
    let request = GetSourceRequest { name: place.name() };
    registry.get_source(request).await?.into_inner().source.ok_or(PageError::NotFound)
}

/// A page of the source, with the tab of this address marked.
pub(crate) fn page(session: &Session, place: &Place, source: &Source, tab: &str, title: &str) -> Page {
    let heading = html! {
        h1 { (value(&source.display_name)) " " (source_state_badge(source.state())) }
    };
    let tabs = html! {
        nav .tabs aria-label="This source" {
            @for (rest, words) in TABS {
                a href=(place.href(rest)) aria-current=[(rest == tab).then_some("page")] { (words) }
            }
        }
    };
    Page::new(format!("{title} · {}", source.display_name))
        .of(session, &place.account)
        .crumbs([Crumb::new("Data sources", place.account_href("/sources"))])
        .heading(heading)
        .tabs(tabs)
}

/// What is wrong, and what to do about it.
pub(crate) fn problem(problem: &FileProblem) -> Markup {
    html! {
        p { (value(&sentence(&problem.reason))) " " code .code { (problem.code) } }
        @if !problem.advice.is_empty() { p { strong { "What to do: " } (value(&sentence(&problem.advice))) } }
    }
}
