//! Step 5: the connection test, whose steps appear as they end, and the way to live.

use api::registry::{
    ActivateSourceRequest, Source, SourceState, TestResult, TestSourceRequest, TestStep, TestStepKind,
    TestStepStatus, test_source_response::Event,
};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;
use maud::{Markup, html};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::authorise::document;
use super::{Step, is_complete, page};
use crate::error::{PageError, Refusal, in_words, sentence};
use crate::html::{Form, Notice, Page, alert, refusal, value};
use crate::page::place::Place;
use crate::page::source::get;
use crate::page::sources::bucket_path;
use crate::post::Posted;
use crate::session::{App, Session};

/// `GET …/setup/test`
pub(crate) async fn form(State(app): State<App>, session: Session, place: Place) -> Result<Page, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    Ok(body(&session, &place, &source, None))
}

fn body(session: &Session, place: &Place, source: &Source, refused: Option<&Refusal>) -> Page {
    let action = place.href("/setup/test");
    page(session, place, source, Step::Activate, "Test the connection").body(html! {
        h2 { "Test the connection" }
        (refusal(refused))
        @if is_complete(source) {
            p {
                "Cortex takes on " (value(&source.role_arn)) " and looks into " (bucket_path(source))
                ", as it will later. It reads a few rows and hands nothing on. It takes a minute at most."
            }
            (Form { session, action: &action }.button("primary", "Test the connection"))
        } @else {
            (alert("warn", html! {
                p { "The bucket and the role are not known yet." }
                p { a href=(place.href("/setup/connect")) { "Enter them first" } }
            }))
        }
    })
}

/// `POST …/setup/test`: the page, its end sent as the test goes.
pub(crate) async fn run(State(app): State<App>, place: Place, posted: Posted) -> Result<Response, PageError> {
    let session = posted.session;
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let mut answers = match registry.test_source(TestSourceRequest { name: place.name() }).await {
        Ok(answers) => answers.into_inner(),
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            let page = body(&session, &place, &source, Some(&refused));
            return Ok(page.refused());
        }
    };
    let (start, end) = page(&session, &place, &source, Step::Activate, "Test the connection")
        .body(html! {
            h2 { "Test the connection" }
            p .help { "Each step shows as it ends." }
        })
        .halves();
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::convert::Infallible>>(16);
    tokio::spawn(async move {
        let send = async |text: String| sender.send(Ok(Bytes::from(text))).await.is_ok();
        let telling = async {
            // The list stands open while its steps come.
            if !send(format!("{start}<ol class=\"test\">")).await {
                return;
            }
            let ended = loop {
                match answers.message().await {
                    Ok(Some(answer)) => match answer.event {
                        Some(Event::Step(step)) => {
                            let is_read = send(shown(&step).into_string()).await;
                            if !is_read {
                                return;
                            }
                        }
                        Some(Event::Result(result)) => break Ok(result),
                        None => {}
                    },
                    Ok(None) => break Err("The test was broken off. Try again.".to_owned()),
                    Err(status) => break Err(in_words(&status)),
                }
            };
            let result = match ended {
                Ok(result) => outcome(&session, &place, &source, &result),
                Err(words) => html! { (alert("bad", html! { p { (words) } })) (again(&session, &place)) },
            };
            send(format!("</ol>{}{end}", result.into_string())).await;
        };
        tokio::select! {
            () = telling => {}
            () = app.stopping.cancelled() => {}
        }
    });
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

fn shown(step: &TestStep) -> Markup {
    let (kind, word) = match step.status() {
        TestStepStatus::Passed => ("good", "Passed"),
        TestStepStatus::Warning => ("warn", "To know"),
        TestStepStatus::Failed => ("bad", "Failed"),
        TestStepStatus::Skipped | TestStepStatus::Unspecified => ("quiet", "Not made"),
    };
    let id = format!("document-{}", step.kind);
    html! {
        li class=(kind) {
            p {
                span class={ "badge " (kind) } { (word) } " "
                strong { (step_words(step.kind())) }
            }
            @if !step.summary.is_empty() {
                p { (value(&sentence(&step.summary))) @if !step.code.is_empty() { " " code .code { (step.code) } } }
            }
            @if !step.advice.is_empty() && step.status() != TestStepStatus::Passed {
                p { strong { "What to do: " } (value(&sentence(&step.advice))) }
            }
            @if !step.document.is_empty() { (document("Document to paste", &id, &step.document)) }
        }
    }
}

fn step_words(kind: TestStepKind) -> &'static str {
    match kind {
        TestStepKind::Credentials => "Cortex can take on the role",
        TestStepKind::NoExternalId => "No one can without an External ID",
        TestStepKind::WrongExternalId => "Nor with a wrong one",
        TestStepKind::Bucket => "The bucket is there",
        TestStepKind::List => "Its folder can be listed",
        TestStepKind::DatedFolders => "It has folders named by dates",
        TestStepKind::Read => "A file can be read",
        TestStepKind::Rows => "Its first rows fit the schema",
        TestStepKind::Events => "The queue of events can be read",
        TestStepKind::Unspecified => "Another step",
    }
}

fn outcome(session: &Session, place: &Place, source: &Source, result: &TestResult) -> Markup {
    let activate = place.href("/setup/activate");
    let is_draft = source.state() == SourceState::Draft;
    html! {
        @if !result.region.is_empty() { p { "The bucket is in " (value(&result.region)) "; that is taken over." } }
        @if !result.passed {
            (alert("bad", html! { p { strong { "Not connected yet." } " Mend what failed above, then test again." } }))
            (again(session, place))
        } @else if is_draft {
            (alert("good", html! { p { strong { "All is well." } " Make the source live, and files are picked up from then on." } }))
            @if session.is_read_only {
                p .muted { "Your token may look only. Someone with one that may make changes can make it live." }
            } @else {
                (Form { session, action: &activate }.button("primary", "Activate"))
            }
            (again(session, place))
        } @else {
            (alert("good", html! { p { strong { "All is well." } } }))
            p { a href=(place.href("")) { "Back to the source" } }
        }
    }
}

fn again(session: &Session, place: &Place) -> Markup {
    html! {
        div .actions {
            (Form { session, action: &place.href("/setup/test") }.button("", "Test again"))
            a .button href=(place.href("/setup/connect")) { "Change bucket or role" }
            a .button href=(place.href("/setup/authorise")) { "See the documents" }
        }
    }
}

/// `POST …/setup/activate`
pub(crate) async fn activate(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let session = posted.session;
    let mut registry = session.registry(&app)?;
    match registry.activate_source(ActivateSourceRequest { name: place.name() }).await {
        Ok(_) => Ok(Notice::Activated.shown_at(&place.href("")).into_response()),
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            let source = get(&mut registry, &place).await?;
            let page = body(&session, &place, &source, Some(&refused));
            Ok(page.refused())
        }
    }
}
