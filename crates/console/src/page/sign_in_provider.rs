//! Sign-in at an OpenID Connect provider: the way there, and the way back.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::PrivateCookieJar;
use http::{StatusCode, header};
use oidc::Callback;
use serde::Deserialize;
use tonic::Code;

use super::sign_in::{after_provider, own_path};
use crate::error::{PageError, in_words};
use crate::provider::{begun_cookie, provider};
use crate::session::{App, Session};

/// Bytes of a cookie's name and value that every browser keeps (RFC 6265, section 6.1).
const MAX_COOKIE: usize = 4_096;

/// Where the sign-in leads to.
#[derive(Debug, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

/// `GET /sign-in/provider`: nothing is changed but this browser's own cookie.
pub(crate) async fn begin(
    State(app): State<App>,
    jar: PrivateCookieJar,
    Query(next): Query<Next>,
) -> Result<Response, PageError> {
    let provider = provider(&app)?;
    match provider.begin(&app, own_path(&next.next)).await {
        Ok((address, cookie)) => Ok((jar.add(cookie), Redirect::to(&address)).into_response()),
        Err(error) => {
            tracing::warn!(%error, "a sign-in could not begin");
            let (status, words) = provider.told(&error);
            Ok((status, after_provider(&app, &next.next, &words)).into_response())
        }
    }
}

/// `GET /sign-in/callback`: whatever comes of it, the sign-in that had begun is over.
pub(crate) async fn finish(
    State(app): State<App>,
    jar: PrivateCookieJar,
    Query(callback): Query<Callback>,
) -> Result<Response, PageError> {
    let provider = provider(&app)?;
    let finished = provider.finish(&app, &jar, &callback).await;
    let jar = jar.remove(begun_cookie(&app));
    let refused = |jar: PrivateCookieJar, status: StatusCode, words: &str| {
        (status, jar, after_provider(&app, "", words)).into_response()
    };
    let (token, claims, next) = match finished {
        Ok(finished) => finished,
        Err(error) => {
            tracing::warn!(%error, "a sign-in was refused");
            let (status, words) = provider.told(&error);
            return Ok(refused(jar, status, &words));
        }
    };
    match Session::open_person(&app, &token, &claims).await {
        Ok(session) => {
            let kept = jar.clone().add(app.cookie(&session)?);
            let response = (kept, Redirect::to(own_path(&next))).into_response();
            if fits(&response) {
                return Ok(response);
            }
            tracing::warn!(token_bytes = token.len(), "a provider's token is too long for a cookie");
            Ok(refused(jar, StatusCode::INSUFFICIENT_STORAGE, &too_long(&provider.name, token.len())))
        }
        Err(status) => {
            tracing::warn!(code = ?status.code(), message = status.message(), "the registry refused a sign-in");
            let (code, words) = match status.code() {
                Code::PermissionDenied => (StatusCode::FORBIDDEN, no_account(&provider.name)),
                Code::Unauthenticated => (StatusCode::FORBIDDEN, not_taken(&provider.name)),
                _ => (StatusCode::SERVICE_UNAVAILABLE, in_words(&status)),
            };
            Ok(refused(jar, code, &words))
        }
    }
}

/// Whether a browser keeps every cookie of the answer.
fn fits(response: &Response) -> bool {
    let pair = |value: &http::HeaderValue| value.as_bytes().iter().take_while(|byte| **byte != b';').count();
    response.headers().get_all(header::SET_COOKIE).iter().all(|value| pair(value) <= MAX_COOKIE)
}

fn too_long(name: &str, bytes: usize) -> String {
    format!(
        "{name} tells so much of you ({bytes} bytes) that a browser does not keep it. Ask whoever runs {name} to put fewer groups \
         into the token for Cortex; until then sign in by a token."
    )
}

fn no_account(name: &str) -> String {
    format!(
        "You are signed in at {name}, but no account of Cortex is open to you. Ask whoever runs Cortex for one."
    )
}

fn not_taken(name: &str) -> String {
    format!(
        "Cortex does not take what {name} says of you. Sign in again; if it stays, tell whoever runs Cortex."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_browsers_drop_is_told_beforehand() {
        let answer = |bytes: usize| {
            let cookie = format!("a={}; HttpOnly; Path=/", "x".repeat(bytes));
            ([(header::SET_COOKIE, cookie)], "").into_response()
        };
        assert!(fits(&answer(MAX_COOKIE - 2)));
        assert!(!fits(&answer(MAX_COOKIE - 1)));
    }
}
