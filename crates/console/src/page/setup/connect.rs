//! Step 4: the bucket, the folder and the role.

use api::registry::{Source, UpdateSourceRequest};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use prost_types::FieldMask;

use super::{Step, page};
use crate::error::{PageError, Refusal};
use crate::html::{Form, Page, field, refusal};
use crate::page::place::Place;
use crate::page::source::{get, settings::reading_fields};
use crate::post::Posted;
use crate::session::{App, Session};

/// Amazon's rules, as browsers check them while one types; the registry checks again.
pub(crate) const BUCKET: (&str, &str) = (
    r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]",
    "A bucket's name has 3 to 63 of a-z, 0-9, - and ., and begins and ends with a letter or digit.",
);
pub(crate) const PATH: (&str, &str) = (
    r"\/?([^*?$\/]+(\/[^*?$\/]+)*)?\/?",
    "A folder path such as exports/clicks, without *, ? and $, and without empty parts.",
);
const ROLE: (&str, &str) = (
    r"arn:aws(-[a-z\-]+)?:iam::[0-9]{12}:role\/[A-Za-z0-9+=,.@_\/\-]{1,512}",
    "A role's ARN looks like arn:aws:iam::123456789012:role/cortex-s3-source.",
);
const OWNER: (&str, &str) = ("[0-9]{12}", "An AWS account has 12 digits.");

const PATHS: [&str; 8] = [
    "bucket",
    "path",
    "role_arn",
    "region",
    "expected_bucket_owner",
    "time_zone",
    "invalid_rows",
    "max_rejected_percent",
];

/// Where the files are and what opens them.
pub(crate) fn access_fields(source: &Source, refused: Option<&Refusal>) -> Markup {
    let has_keys = source.role_arn.is_empty() && !source.endpoint_url.is_empty();
    html! {
        (field("bucket", "Bucket", &source.bucket).required().pattern(BUCKET.0, BUCKET.1).wrong(refused).placeholder("my-bucket").show())
        (field("path", "Folder path", &source.path).pattern(PATH.0, PATH.1).wrong(refused).placeholder("exports/clicks")
            .help(html! { "The folder above those that are named by dates; empty for the whole bucket." }).show())
        @if has_keys {
            p { "It is read with static keys at " (source.endpoint_url) "; these are changed on the command line." }
        } @else {
            (field("role_arn", "Role ARN", &source.role_arn).required().pattern(ROLE.0, ROLE.1).wrong(refused)
                .placeholder("arn:aws:iam::123456789012:role/cortex-s3-source").show())
        }
        (field("region", "Region of the bucket", &source.region).wrong(refused).placeholder("eu-central-1")
            .help(html! { "Empty: it is found." }).show())
        (field("expected_bucket_owner", "AWS account that owns the bucket", &source.expected_bucket_owner)
            .pattern(OWNER.0, OWNER.1).wrong(refused)
            .help(html! { "Only where it is another than the role's." }).show())
    }
}

/// `GET …/setup/connect`
pub(crate) async fn form(State(app): State<App>, session: Session, place: Place) -> Result<Page, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    Ok(body(&session, &place, &source, None))
}

/// `POST …/setup/connect`
pub(crate) async fn save(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let mut registry = session.registry(&app)?;
    let stored = get(&mut registry, &place).await?;
    let wanted = crate::page::source::settings::read(&fields, &stored);
    let mut refused = None;
    if wanted.bucket.is_empty() {
        refused = Some(Refusal::field("bucket", "enter the name of your bucket"));
    } else if wanted.role_arn.is_empty() && wanted.endpoint_url.is_empty() {
        refused = Some(Refusal::field("role_arn", "enter the ARN of the role"));
    } else {
        let request = UpdateSourceRequest {
            source: Some(Source { etag: String::new(), ..wanted.clone() }),
            update_mask: Some(FieldMask { paths: PATHS.map(str::to_owned).to_vec() }),
            static_keys: None,
        };
        if let Err(status) = registry.update_source(request).await {
            refused = Some(Refusal::of_form(status)?);
        }
    }
    match refused {
        None => Ok(Redirect::to(&place.href("/setup/test")).into_response()),
        Some(refused) => {
            let page = body(&session, &place, &wanted, Some(&refused));
            Ok(page.refused())
        }
    }
}

fn body(session: &Session, place: &Place, source: &Source, refused: Option<&Refusal>) -> Page {
    let action = place.href("/setup/connect");
    page(session, place, source, Step::Connect, "Connect").script("fields.js").body(html! {
        h2 { "Connect your bucket" }
        (refusal(refused))
        (Form { session, action: &action }.with(html! {
            (access_fields(source, refused))
            details .more-settings open[refused.is_some()] {
                summary { "How files are read" }
                (reading_fields(source, refused))
            }
            button .primary type="submit" { "Save and go on to the test" }
        }))
        p .help { "No role yet? " a href=(place.href("/setup/authorise")) { "Back to the documents that make it." } }
    })
}
