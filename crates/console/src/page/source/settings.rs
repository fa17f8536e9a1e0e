//! A source's settings, changed.

use api::registry::{InvalidRows, OverwritePolicy, Source, UpdateSourceRequest};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use prost_types::FieldMask;

use super::overview::Done;
use super::{get, page};
use crate::error::{PageError, Refusal};
use crate::html::{Choice, Form, Notice, Page, choice, field, refusal};
use crate::page::place::Place;
use crate::page::setup::connect::access_fields;
use crate::post::{Fields, Posted};
use crate::session::{App, Session};

/// What the form changes.
const PATHS: [&str; 10] = [
    "display_name",
    "bucket",
    "path",
    "role_arn",
    "region",
    "expected_bucket_owner",
    "time_zone",
    "invalid_rows",
    "max_rejected_percent",
    "overwrite_policy",
];

/// `GET …/settings`
pub(crate) async fn form(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(done): Query<Done>,
) -> Result<Page, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    Ok(body(&session, &place, &source, None).notice(Notice::named(&done.done)))
}

/// `POST …/settings`
pub(crate) async fn save(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let mut registry = session.registry(&app)?;
    let stored = get(&mut registry, &place).await?;
    let wanted = read(&fields, &stored);
    let request = UpdateSourceRequest {
        source: Some(Source { etag: fields.get("etag").to_owned(), ..wanted.clone() }),
        update_mask: Some(FieldMask { paths: PATHS.map(str::to_owned).to_vec() }),
        static_keys: None,
    };
    match registry.update_source(request).await {
        Ok(_) => Ok(Notice::Saved.shown_at(&place.href("/settings")).into_response()),
        Err(status) => {
            let refused = Refusal::of_form(status)?;
            Ok(body(&session, &place, &wanted, Some(&refused)).refused())
        }
    }
}

pub(crate) fn read(fields: &Fields, stored: &Source) -> Source {
    let text = |name: &str| fields.get(name).to_owned();
    Source {
        display_name: text("display_name"),
        bucket: text("bucket"),
        path: text("path"),
        role_arn: text("role_arn"),
        region: text("region"),
        expected_bucket_owner: text("expected_bucket_owner"),
        time_zone: text("time_zone"),
        invalid_rows: match fields.get("invalid_rows") {
            "file" => InvalidRows::RejectFile,
            _ => InvalidRows::RejectRow,
        } as i32,
        // What is no number is out of every range, and refused with the rule.
        max_rejected_percent: match fields.get("max_rejected_percent") {
            "" => 0.0,
            text => text.parse().unwrap_or(-1.0),
        },
        overwrite_policy: match fields.get("overwrite_policy") {
            "again" => OverwritePolicy::IngestAgain,
            "ignore" => OverwritePolicy::Ignore,
            _ => OverwritePolicy::Replace,
        } as i32,
        ..stored.clone()
    }
}

fn body(session: &Session, place: &Place, source: &Source, refused: Option<&Refusal>) -> Page {
    let action = place.href("/settings");
    page(session, place, source, "/settings", "Settings").script("fields.js").body(html! {
        h2 { "Settings" }
        (refusal(refused))
        @if session.is_read_only {
            p .muted { "Your token may look only; a change would be refused." }
        }
        (Form { session, action: &action }.with(html! {
            input type="hidden" name="etag" value=(source.etag);
            (field("display_name", "Name", &source.display_name).required().longest(200).wrong(refused).show())
            fieldset {
                legend { "Where the files are" }
                (access_fields(source, refused))
                p .help { "Another bucket or role takes effect at once. Test the connection after a change." }
            }
            (reading_fields(source, refused))
            button .primary type="submit" { "Save" }
        }))
    })
}

/// How files are read.
pub(crate) fn reading_fields(source: &Source, refused: Option<&Refusal>) -> Markup {
    let percent = if source.max_rejected_percent > 0.0 {
        source.max_rejected_percent.to_string()
    } else {
        String::new()
    };
    let invalid = if source.invalid_rows() == InvalidRows::RejectFile { "file" } else { "row" };
    let overwrite = match source.overwrite_policy() {
        OverwritePolicy::IngestAgain => "again",
        OverwritePolicy::Ignore => "ignore",
        OverwritePolicy::Replace | OverwritePolicy::Unspecified => "replace",
    };
    html! {
        (field("time_zone", "Time zone of times without an offset", &source.time_zone).wrong(refused)
            .help(html! { "Such as " code { "Europe/Paris" } "; UTC where empty." }).show())
        (choice("invalid_rows", "A row that does not fit", invalid, None, &[
            Choice { value: "row", label: "is rejected", more: html! { ": the rest of its file is taken." } },
            Choice { value: "file", label: "rejects its file", more: html! { ": nothing of the file is handed on." } },
        ]))
        (field("max_rejected_percent", "Reject a file where more than so many percent of its rows do not fit", &percent)
            .wrong(refused).help(html! { "Such as " code { "5" } "; no limit where empty." }).show())
        (choice("overwrite_policy", "A file that is uploaded again under the same name", overwrite, None, &[
            Choice { value: "replace", label: "replaces", more: html! { ": its records say which they take the place of." } },
            Choice { value: "again", label: "is read beside", more: html! { ": the records of both stand." } },
            Choice { value: "ignore", label: "is left alone", more: html! { ": the first one counts." } },
        ]))
    }
}
