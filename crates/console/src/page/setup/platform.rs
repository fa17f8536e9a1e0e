//! Step 1: where the files are.

use maud::html;

use super::{Step, steps};
use crate::html::{Crumb, Page, alert};
use crate::page::place::AccountPlace;
use crate::session::Session;

/// `GET /accounts/{account}/new`
pub(crate) async fn form(session: Session, account: AccountPlace) -> Page {
    Page::new("Add a data source")
        .of(&session, &account.account)
        .crumbs([Crumb::new("Data sources", account.href("/sources"))])
        .tabs(steps(Step::Platform, None))
        .body(html! {
            @if session.is_read_only {
                (alert("warn", html! { p { "Your token may look only. Sign in with one that may make changes to add a source." } }))
            }
            h2 { "Where are your files?" }
            p { a .card href=(account.href("/new/s3")) {
                strong { "Amazon S3" }
                span { "A folder of a bucket of yours. Cortex reads it by a role that you make, and holds no keys." }
            } }
            h2 { "What it takes" }
            ul {
                li { "CSV, TSV or JSON files, plain or compressed (gzip, zip, zstd, bzip2)." }
                li { "Folders named by the date of upload, such as " code { "exports/clicks/2026-11-23/" } "." }
                li { "One data source for each kind of data: if a bucket holds several, add a source for each." }
                li { "Someone who may make a role in your AWS account. It can be another person, and later: what you have filled in is kept." }
            }
        })
}
