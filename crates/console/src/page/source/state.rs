//! Pause, resume, delete, and bring back.

use api::registry::{DeleteSourceRequest, PauseSourceRequest, ResumeSourceRequest, UndeleteSourceRequest};
use axum::extract::State;
use axum::response::Redirect;
use maud::html;

use super::{get, page};
use crate::error::PageError;
use crate::html::{Form, Notice, Page, value};
use crate::page::place::Place;
use crate::post::Posted;
use crate::session::{App, Session};

fn back(place: &Place, notice: Notice) -> Redirect {
    notice.shown_at(&place.href(""))
}

/// `POST …/pause`
pub(crate) async fn pause(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let request = PauseSourceRequest { name: place.name() };
    posted.session.registry(&app)?.pause_source(request).await?;
    Ok(back(&place, Notice::Paused))
}

/// `POST …/resume`
pub(crate) async fn resume(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let request = ResumeSourceRequest { name: place.name() };
    posted.session.registry(&app)?.resume_source(request).await?;
    Ok(back(&place, Notice::Resumed))
}

/// `GET …/delete`: asks first.
pub(crate) async fn confirm(
    State(app): State<App>,
    session: Session,
    place: Place,
) -> Result<Page, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    let (action, keep) = (place.href("/delete"), place.href(""));
    Ok(page(&session, &place, &source, "", "Delete").body(html! {
        h2 { "Delete " (value(&source.display_name)) "?" }
        p { "No more files of it are read. What was handed on stays where it is, and nothing in your bucket is touched." }
        p { "For some days it can be brought back; then its files, samples and counts are gone for good." }
        div .actions {
            (Form { session: &session, action: &action }.with(html! {
                input type="hidden" name="etag" value=(source.etag);
                button .danger type="submit" { "Delete this source" }
            }))
            a .button href=(keep) { "Keep it" }
        }
    }))
}

/// `POST …/delete`
pub(crate) async fn delete(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let request = DeleteSourceRequest { name: place.name(), etag: posted.fields.get("etag").to_owned() };
    posted.session.registry(&app)?.delete_source(request).await?;
    Ok(Notice::Deleted.shown_at(&place.account_href("/sources")))
}

/// `POST …/undelete`
pub(crate) async fn undelete(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Redirect, PageError> {
    let request = UndeleteSourceRequest { name: place.name() };
    posted.session.registry(&app)?.undelete_source(request).await?;
    Ok(back(&place, Notice::Undeleted))
}
