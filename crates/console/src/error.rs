//! What can go wrong, and the page that says it in words.

use std::net::SocketAddr;

use api::client::ConnectError;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::html;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::html::{Page, bytes};

/// Why the console did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The listener.
    #[error("the console cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The identity provider's settings.
    #[error(transparent)]
    Provider(#[from] oidc::ConfigError),
    /// A provider leads back to an address that browsers know.
    #[error("setting console_url: it must be set where oidc_issuer is: the provider leads back to it")]
    NoUrl,
    /// The registry's address or certificates.
    #[error(transparent)]
    Registry(#[from] ConnectError),
    /// Its own address.
    #[error(
        "{url:?} is no address of a console; give it as https://HOST, or for browsers on this machine alone as http://localhost:PORT"
    )]
    Url {
        /// As it was given.
        url: String,
    },
    /// HTTP ended.
    #[error("the HTTP server ended: {0}")]
    Serve(std::io::Error),
}

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum PageError {
    /// There is no session; `next` is where the sign-in leads back to.
    SignIn { next: Option<String> },
    /// The session's token is not known any more.
    Ended,
    /// The form is of no session, or of another.
    Forged,
    /// Another site asks.
    CrossSite,
    /// There is no such page.
    NotFound,
    /// The form cannot be read.
    BadForm(String),
    /// The file is too large to be checked here.
    TooLarge { most: u64 },
    /// The registry says no.
    Refused(Box<Status>),
    /// Something on this side.
    Failed(String),
}

impl From<Status> for PageError {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::Unauthenticated => Self::Ended,
            Code::NotFound => Self::NotFound,
            _ => Self::Refused(Box::new(status)),
        }
    }
}

/// A refusal in words, and the fields that are objected to, each with its rule.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Refusal {
    /// Of what a form was sent for; an error where it is no fault of the form.
    pub(crate) fn of_form(status: Status) -> Result<Self, PageError> {
        match status.code() {
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::Aborted
            | Code::PermissionDenied
            | Code::ResourceExhausted => Ok(Self::from(&status)),
            _ => Err(status.into()),
        }
    }

    /// The rule that a field breaks, by its name with or without `source.`.
    pub(crate) fn rule(&self, field: &str) -> Option<&str> {
        let is_it = |name: &str| name == field || name.strip_prefix("source.") == Some(field);
        self.fields.iter().find(|(name, _)| is_it(name)).map(|(_, rule)| rule.as_str())
    }

    /// One that concerns a field.
    pub(crate) fn field(field: &str, rule: impl Into<String>) -> Self {
        Self { reason: String::new(), fields: vec![(field.to_owned(), rule.into())] }
    }
}

impl From<&Status> for Refusal {
    fn from(status: &Status) -> Self {
        let fields = status
            .get_details_bad_request()
            .into_iter()
            .flat_map(|bad| bad.field_violations)
            .map(|violation| (violation.field, violation.description))
            .collect();
        Self { reason: in_words(status), fields }
    }
}

/// What the registry said, or why it did not say anything.
pub(crate) fn in_words(status: &Status) -> String {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
            "Cortex cannot be reached at the moment. Nothing is lost; try again in a minute.".to_owned()
        }
        Code::Aborted => {
            "Someone else has changed this in the meantime. Look at it as it is now, and make your change again."
                .to_owned()
        }
        Code::Internal | Code::Unknown | Code::DataLoss => {
            "Something went wrong on our side. Try again; if it stays, tell whoever runs Cortex.".to_owned()
        }
        Code::PermissionDenied => {
            "Your token may look and change nothing. Sign in with one that may make changes.".to_owned()
        }
        _ => sentence(status.message()),
    }
}

/// Words that sentences of the registry's begin with. A name that one begins with stays as it is written.
const OPENING: [&str; 16] = [
    "a", "an", "at", "each", "enter", "every", "it", "its", "no", "nothing", "only", "set", "the", "there",
    "this", "upload",
];

/// Words of the registry's as a sentence: they begin small and end without a stop.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let first = text.split(' ').next().unwrap_or_default();
    let mut sentence = match text.chars().next() {
        None => return String::new(),
        Some(letter) if OPENING.contains(&first) => {
            letter.to_uppercase().chain(text.chars().skip(1)).collect()
        }
        Some(_) => text.to_owned(),
    };
    if !sentence.ends_with(['.', '!', '?', ':']) {
        sentence.push('.');
    }
    sentence
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, words) = match self {
            Self::SignIn { next } => {
                let target = match next {
                    Some(next) if next != "/" => {
                        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
                        format!("/sign-in?next={next}")
                    }
                    _ => "/sign-in".to_owned(),
                };
                return Redirect::to(&target).into_response();
            }
            Self::Ended => return Redirect::to("/sign-in?ended=yes").into_response(),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "This form is out of date",
                "It was made before you signed in, or in another session. Go back, load the page again, and send it once more."
                    .to_owned(),
            ),
            Self::CrossSite => (
                StatusCode::FORBIDDEN,
                "Not from another site",
                "Another site has tried to send this form. Nothing was changed.".to_owned(),
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "There is nothing here",
                "What you look for does not exist, is gone, or belongs to another account.".to_owned(),
            ),
            Self::BadForm(reason) => (
                StatusCode::BAD_REQUEST,
                "This form cannot be read",
                sentence(&format!("{reason}; go back and try again")),
            ),
            Self::TooLarge { most } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "This file is too large to be checked here",
                format!(
                    "Files up to {} are checked in the browser. For larger ones use `cortex validate FILE`, \
                     or cut the file: its first rows tell most.",
                    bytes(most)
                ),
            ),
            Self::Refused(refused) => {
                tracing::warn!(code = ?refused.code(), message = refused.message(), "the registry refused a page");
                let status = match refused.code() {
                    Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
                    Code::PermissionDenied => StatusCode::FORBIDDEN,
                    Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                    Code::Internal | Code::Unknown | Code::DataLoss => StatusCode::BAD_GATEWAY,
                    _ => StatusCode::BAD_REQUEST,
                };
                (status, "That did not work", in_words(&refused))
            }
            Self::Failed(reason) => {
                tracing::error!(reason, "a page failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "That did not work",
                    "Something went wrong on our side. Try again; if it stays, tell whoever runs Cortex.".to_owned(),
                )
            }
        };
        let page = Page::new(title).body(html! {
            p { (words) }
            p { a href="/" { "To the data sources" } }
        });
        (status, page).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registrys_words_become_sentences() {
        assert_eq!(sentence("the role is not there; make it"), "The role is not there; make it.");
        assert_eq!(sentence(" Done. "), "Done.");
        // Names are not words to be written large.
        assert_eq!(sentence("arn:aws:iam::1:role/x was assumed"), "arn:aws:iam::1:role/x was assumed.");
        assert_eq!(sentence("shop is in eu-central-1"), "shop is in eu-central-1.");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn a_rule_is_found_by_its_field() {
        let refusal = Refusal::field("source.bucket", "3 to 63");
        assert_eq!(refusal.rule("bucket"), Some("3 to 63"));
        assert_eq!(refusal.rule("path"), None);
    }
}
