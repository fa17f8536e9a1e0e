//! Sign-in by a token of the registry's, and sign-out.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::PrivateCookieJar;
use bytes::Bytes;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use tonic::Code;

use crate::error::{PageError, in_words};
use crate::html::{Page, alert};
use crate::post::{Fields, Posted};
use crate::session::{App, Session};

/// Where the sign-in leads to.
#[derive(Debug, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
    /// The session that there was holds no more.
    #[serde(default)]
    ended: String,
}

/// `GET /`: where a session begins.
pub(crate) async fn home(session: Session) -> Redirect {
    match &session.account {
        Some(account) => Redirect::to(&format!("/accounts/{account}/sources")),
        None => Redirect::to("/accounts"),
    }
}

/// `GET /sign-in`
pub(crate) async fn form(
    State(app): State<App>,
    session: Option<Session>,
    Query(next): Query<Next>,
) -> Response {
    match (session, next.ended.as_str()) {
        (Some(_), "") => Redirect::to(own_path(&next.next)).into_response(),
        (_, "") => page(&app, &next.next, None).into_response(),
        _ => page(&app, "", Some("Your session has ended: its token is not known any more.")).into_response(),
    }
}

/// `POST /sign-in`. That no other site sends it is seen to before.
pub(crate) async fn sign_in(
    State(app): State<App>,
    jar: PrivateCookieJar,
    body: Bytes,
) -> Result<Response, PageError> {
    let fields = Fields::parse(&body);
    let (token, next) = (fields.get("token"), fields.get("next"));
    let refused = |status, words: &str| (status, page(&app, next, Some(words))).into_response();
    if token.is_empty() {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, "Enter your access token."));
    }
    match Session::open(&app, token).await {
        Ok(session) => {
            let jar = jar.add(app.cookie(&session)?);
            Ok((jar, Redirect::to(own_path(next))).into_response())
        }
        Err(status) => match status.code() {
            Code::Unauthenticated | Code::InvalidArgument | Code::PermissionDenied => {
                let words = "This token is not known, or has expired. Copy it whole, or ask for a new one.";
                Ok(refused(StatusCode::FORBIDDEN, words))
            }
            _ => Ok(refused(StatusCode::SERVICE_UNAVAILABLE, &in_words(&status))),
        },
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(app): State<App>, jar: PrivateCookieJar, _posted: Posted) -> Response {
    (jar.remove(app.empty_cookie()), Redirect::to("/sign-in")).into_response()
}

/// A path of this console: an address that a stranger put there leads nowhere else.
fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.starts_with("/sign-in");
    if is_own { next } else { "/" }
}

fn page(app: &App, next: &str, wrong: Option<&str>) -> Page {
    let hint: Option<Markup> = app.config.sign_in_hint.as_ref().map(|hint| html! { p .help { (hint) } });
    Page::new("Sign in").body(html! {
        div .narrow {
            @if let Some(words) = wrong { (alert("bad", html! { p { (words) } })) }
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(own_path(next));
                div .field {
                    label for="token" { "Access token" }
                    p .help id="token-help" {
                        "The token of your account. Whoever runs Cortex gives it to you."
                    }
                    input type="password" id="token" name="token" required autocomplete="current-password"
                        aria-describedby="token-help" aria-invalid=[wrong.map(|_| "true")];
                }
                button .primary type="submit" { "Sign in" }
            }
            @if let Some(hint) = hint { (hint) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn a_sign_in_leads_nowhere_but_here() {
        assert_eq!(own_path("/accounts/shop/sources?state=live"), "/accounts/shop/sources?state=live");
        for elsewhere in
            ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil", "", "/sign-in"]
        {
            assert_eq!(own_path(elsewhere), "/", "{elsewhere}");
        }
    }
}
