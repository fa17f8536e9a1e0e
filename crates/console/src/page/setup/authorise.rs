//! Step 3: the role that lets Cortex read the bucket, in the notations that people use.

use api::registry::{GetSetupDocumentsRequest, GetSetupDocumentsResponse, Source, UpdateSourceRequest};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header;
use maud::{Markup, html};
use prost_types::FieldMask;
use serde::Deserialize;

use super::connect::{BUCKET, PATH};
use super::{Step, page};
use crate::error::{PageError, Refusal};
use crate::html::{Form, Page, field, refusal};
use crate::page::place::{Place, encoded};
use crate::page::source::get;
use crate::post::Posted;
use crate::session::{App, Session};

/// What the documents need besides, and the source does not hold.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct Key {
    #[serde(default)]
    kms_key_arn: String,
}

/// Takes one document out of all.
type Document = fn(GetSetupDocumentsResponse) -> String;

/// Files that can be downloaded: their names, and what they hold.
const FILES: [(&str, Document); 5] = [
    ("cortex-role.yaml", |documents| documents.cloudformation),
    ("cortex-role.tf", |documents| documents.terraform),
    ("cortex-role.sh", |documents| documents.aws_cli),
    ("cortex-permissions.json", |documents| documents.iam_policy),
    ("cortex-trust.json", |documents| documents.trust_policy),
];

/// `GET …/setup/authorise`
pub(crate) async fn form(
    State(app): State<App>,
    session: Session,
    place: Place,
    Query(key): Query<Key>,
) -> Result<Page, PageError> {
    let source = get(&mut session.registry(&app)?, &place).await?;
    let documents = match source.bucket.as_str() {
        "" => None,
        _ => Some(documents(&app, &session, &place, &source, &key).await?),
    };
    Ok(match documents {
        Some(Err(refused)) => body(&session, &place, &source, &key, None, Some(&refused)),
        Some(Ok(documents)) => body(&session, &place, &source, &key, Some(&documents), None),
        None => body(&session, &place, &source, &key, None, None),
    })
}

/// The documents, or what is wrong with what they are made for.
async fn documents(
    app: &App,
    session: &Session,
    place: &Place,
    source: &Source,
    key: &Key,
) -> Result<Result<GetSetupDocumentsResponse, Refusal>, PageError> {
    let request = GetSetupDocumentsRequest {
        parent: format!("accounts/{}", place.account),
        bucket: source.bucket.clone(),
        path: source.path.clone(),
        kms_key_arn: key.kms_key_arn.clone(),
        ..Default::default()
    };
    match session.registry(app)?.get_setup_documents(request).await {
        Ok(documents) => Ok(Ok(documents.into_inner())),
        Err(status) => Refusal::of_form(status).map(Err),
    }
}

/// `POST …/setup/authorise`: keeps the bucket, and shows the documents for it.
pub(crate) async fn save(
    State(app): State<App>,
    place: Place,
    posted: Posted,
) -> Result<Response, PageError> {
    let Posted { session, fields } = posted;
    let mut registry = session.registry(&app)?;
    let key = Key { kms_key_arn: fields.get("kms_key_arn").to_owned() };
    let wanted = Source {
        name: place.name(),
        bucket: fields.get("bucket").to_owned(),
        path: fields.get("path").to_owned(),
        ..Source::default()
    };
    let saved = if wanted.bucket.is_empty() {
        Err(Refusal::field("bucket", "enter the name of your bucket"))
    } else {
        let request = UpdateSourceRequest {
            source: Some(wanted.clone()),
            update_mask: Some(FieldMask { paths: vec!["bucket".to_owned(), "path".to_owned()] }),
            static_keys: None,
        };
        match registry.update_source(request).await {
            Ok(_) => Ok(()),
            Err(status) => Err(Refusal::of_form(status)?),
        }
    };
    match saved {
        Ok(()) => {
            let query = if key.kms_key_arn.is_empty() {
                String::new()
            } else {
                format!("?kms_key_arn={}", encoded(&key.kms_key_arn))
            };
            Ok(Redirect::to(&format!("{}{query}#documents", place.href("/setup/authorise"))).into_response())
        }
        Err(refused) => {
            let stored = get(&mut registry, &place).await?;
            let source = Source { bucket: wanted.bucket, path: wanted.path, ..stored };
            let page = body(&session, &place, &source, &key, None, Some(&refused));
            Ok(page.refused())
        }
    }
}

/// `GET …/setup/documents/{file}`
pub(crate) async fn download(
    State(app): State<App>,
    session: Session,
    place: Place,
    Path(Named { file }): Path<Named>,
    Query(key): Query<Key>,
) -> Result<Response, PageError> {
    let (name, of) = FILES.iter().find(|(name, _)| *name == file).ok_or(PageError::NotFound)?;
    let source = get(&mut session.registry(&app)?, &place).await?;
    let documents = documents(&app, &session, &place, &source, &key)
        .await?
        .map_err(|refused| PageError::BadForm(refused.reason))?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, of(documents)).into_response())
}

/// The rest of the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    file: String,
}

fn body(
    session: &Session,
    place: &Place,
    source: &Source,
    key: &Key,
    documents: Option<&GetSetupDocumentsResponse>,
    refused: Option<&Refusal>,
) -> Page {
    let action = place.href("/setup/authorise");
    page(session, place, source, Step::Authorise, "Authorise").script("fields.js").body(html! {
        h2 { "Let Cortex read your bucket" }
        p {
            "You make a role in your AWS account that may read this one folder, and that only Cortex can use, for this account \
             alone. Cortex never sees a key of yours. Say which folder it is, and the documents below are made for it."
        }
        (refusal(refused))
        (Form { session, action: &action }.with(html! {
            (field("bucket", "Bucket", &source.bucket).required().pattern(BUCKET.0, BUCKET.1).wrong(refused)
                .placeholder("my-bucket").show())
            (field("path", "Folder path", &source.path).pattern(PATH.0, PATH.1).wrong(refused).placeholder("exports/clicks")
                .help(html! { "The folder above those that are named by dates; empty for the whole bucket." }).show())
            (field("kms_key_arn", "KMS key", &key.kms_key_arn).wrong(refused).placeholder("arn:aws:kms:…")
                .help(html! { "Its ARN, only where the files are encrypted with a key of your own (SSE-KMS)." }).show())
            button type="submit" class=[documents.is_none().then_some("primary")] {
                @if documents.is_some() { "Make them anew" } @else { "Show me the documents" }
            }
        }))
        @if let Some(documents) = documents { (ready(place, key, documents)) }
    })
}

fn ready(place: &Place, key: &Key, documents: &GetSetupDocumentsResponse) -> Markup {
    html! {
        section id="documents" aria-labelledby="make" {
            h2 id="make" { "Make the role" }
            p { "Choose one way. Each makes the same role; at its end you have the role's ARN, which the next step asks for." }
            details open name="way" {
                summary { "By hand, in the AWS console" }
                (by_hand(documents))
            }
            details name="way" {
                summary { "With CloudFormation" }
                ol {
                    li { a .button href=(file(place, key, "cortex-role.yaml")) download { "Download cortex-role.yaml" } }
                    li { "In the AWS console open CloudFormation, choose “Create stack”, upload the file, and confirm that it makes a role." }
                    li { "When the stack is complete, its outputs show the role's ARN." }
                }
                (document("CloudFormation template", "cloudformation", &documents.cloudformation))
            }
            details name="way" {
                summary { "With Terraform" }
                ol {
                    li { a .button href=(file(place, key, "cortex-role.tf")) download { "Download cortex-role.tf" } }
                    li { "Put it beside your other files, then run " code { "terraform apply" } "." }
                    li { "The output shows the role's ARN." }
                }
                (document("Terraform", "terraform", &documents.terraform))
            }
            details name="way" {
                summary { "With the AWS command line" }
                ol {
                    li { a .button href=(file(place, key, "cortex-role.sh")) download { "Download cortex-role.sh" } }
                    li { "Look it over and run it with an identity that may make roles. It prints the role's ARN." }
                }
                (document("Shell script", "aws-cli", &documents.aws_cli))
            }
            p .actions { a .button.primary href=(place.href("/setup/connect")) { "I have the role's ARN: go on" } }
            p .help { "Someone else makes the role? Leave this page; the draft is kept, and the list of data sources leads back here." }
        }
    }
}

fn by_hand(documents: &GetSetupDocumentsResponse) -> Markup {
    html! {
        h3 { "The policy" }
        ol {
            li { "Sign in to the AWS console and open " strong { "IAM" } ", then " strong { "Policies" } "." }
            li { "Choose " strong { "Create policy" } ", then the " strong { "JSON" } " tab, and replace what stands there by this:"
                (document("Permissions policy", "iam-policy", &documents.iam_policy)) }
            li { "Choose " strong { "Next" } ", give it a name such as " code { "cortex-read-source" } ", and create it." }
        }
        h3 { "The role" }
        ol {
            li { "Still in IAM open " strong { "Roles" } " and choose " strong { "Create role" } ", then " strong { "Custom trust policy" } ", and replace what stands there by this:"
                (document("Trust policy", "trust-policy", &documents.trust_policy)) }
            li { "Choose " strong { "Next" } ", tick the policy that you have just made, and go on." }
            li { "Name the role, such as " code { "cortex-s3-source" } ", and create it." }
            li { "Open the role and copy its " strong { "ARN" } ": the next step asks for it." }
        }
        p { "Where the console asks for them instead of a document:" }
        dl .facts {
            dt { "Account ID" } dd { (copyable("platform-account", &documents.platform_account_id)) }
            dt { "External ID" } dd { (copyable("external-id", &documents.external_id)) }
        }
        p .help {
            "The External ID is yours alone. A role that does not demand it could be used by others, so that the test refuses it."
        }
    }
}

fn file(place: &Place, key: &Key, name: &str) -> String {
    let query = if key.kms_key_arn.is_empty() {
        String::new()
    } else {
        format!("?kms_key_arn={}", encoded(&key.kms_key_arn))
    };
    format!("{}{query}", place.href(&format!("/setup/documents/{name}")))
}

/// A document to paste.
pub(crate) fn document(label: &str, id: &str, text: &str) -> Markup {
    html! {
        div .document {
            div .document-bar {
                span { (label) }
                button .copy type="button" data-copy=(id) hidden { "Copy" span .unseen { " the " (label) } }
            }
            pre id=(id) tabindex="0" role="region" aria-label=(label) { (text) }
        }
    }
}

fn copyable(id: &str, text: &str) -> Markup {
    html! {
        code id=(id) { (text) } " "
        button .copy type="button" data-copy=(id) hidden { "Copy" span .unseen { " " (id.replace('-', " ")) } }
    }
}
