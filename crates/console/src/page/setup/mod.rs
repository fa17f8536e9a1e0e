//! The five steps in which a source is set up. What was given is kept in the registry, as a draft, from the second on: who
//! leaves comes back to where they were.

pub(crate) mod authorise;
pub(crate) mod columns;
pub(crate) mod connect;
pub(crate) mod define;
pub(crate) mod platform;
pub(crate) mod test;

use api::registry::{Source, SourceState};
use axum::extract::State;
use axum::response::Redirect;
use maud::{Markup, html};

use super::place::Place;
use crate::error::PageError;
use crate::html::{Crumb, Page};
use crate::page::source::{self, get};
use crate::session::{App, Session};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Platform,
    Data,
    Authorise,
    Connect,
    Activate,
}

const STEPS: [(Step, &str, &str); 5] = [
    (Step::Platform, "Platform", ""),
    (Step::Data, "Data", "/setup/define"),
    (Step::Authorise, "Authorise", "/setup/authorise"),
    (Step::Connect, "Connect", "/setup/connect"),
    (Step::Activate, "Activate", "/setup/test"),
];

/// The steps, with the one at hand marked; of a draft those that can be gone back to are links.
pub(crate) fn steps(at: Step, draft: Option<(&Place, &Source)>) -> Markup {
    html! {
        nav .steps aria-label="Steps" {
            ol {
                @for (step, words, rest) in STEPS {
                    li aria-current=[(step == at).then_some("step")] {
                        @match draft {
                            Some((place, source)) if step != Step::Platform && is_open(step, source) => {
                                a href=(place.href(rest)) { (words) }
                            }
                            _ => span { (words) },
                        }
                    }
                }
            }
        }
    }
}

/// Whether enough is known for the step.
fn is_open(step: Step, source: &Source) -> bool {
    match step {
        Step::Platform | Step::Data | Step::Authorise | Step::Connect => true,
        Step::Activate => is_complete(source),
    }
}

/// Whether the draft says all that a test takes.
fn is_complete(source: &Source) -> bool {
    !source.bucket.is_empty() && (!source.role_arn.is_empty() || !source.endpoint_url.is_empty())
}

/// A page of a step; of a source that is past the steps, one of its own pages.
fn page(session: &Session, place: &Place, source: &Source, step: Step, title: &str) -> Page {
    if source.state() != SourceState::Draft {
        let tab = if step == Step::Data { "/schema" } else { "" };
        return source::page(session, place, source, tab, title);
    }
    Page::new(format!("{title} · {}", source.display_name))
        .of(session, &place.account)
        .crumbs([Crumb::new("Data sources", place.account_href("/sources"))])
        .heading(html! { h1 { "Set up " (crate::html::value(&source.display_name)) } })
        .tabs(steps(step, Some((place, source))))
}

/// `GET …/setup`: the step that a draft is at.
pub(crate) async fn resume(
    State(app): State<App>,
    session: Session,
    place: Place,
) -> Result<Redirect, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    let rest = if source.state() != SourceState::Draft {
        ""
    } else if source.bucket.is_empty() {
        "/setup/columns"
    } else if !is_complete(&source) {
        "/setup/authorise"
    } else {
        "/setup/test"
    };
    Ok(Redirect::to(&place.href(rest)))
}
