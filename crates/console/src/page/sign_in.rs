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
use crate::html::{Page, alert, value};
use crate::post::{Fields, Posted};
use crate::provider::Provider;
use crate::session::{App, Session};

/// Where the sign-in leads to.
#[derive(Debug, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
    /// The session that there was holds no more.
    #[serde(default)]
    ended: String,
    /// A person has signed out, who may still be signed in at the provider.
    #[serde(default)]
    out: String,
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
    if !next.ended.is_empty() {
        let words = "Your session has ended: its token is not known any more, or has expired.";
        return page(&app, "", Some(words)).into_response();
    }
    match (session, &app.provider) {
        (Some(_), _) => Redirect::to(own_path(&next.next)).into_response(),
        (None, Some(provider)) if !next.out.is_empty() => {
            let out = alert("good", signed_out(provider).await);
            with_above(&app, &next.next, Some(out), false).into_response()
        }
        (None, _) => page(&app, &next.next, None).into_response(),
    }
}

/// What is left to do: no form could lead to the provider, which is another site, so that it is a link.
async fn signed_out(provider: &Provider) -> Markup {
    let end = provider.end_session().await;
    html! {
        p { "You are signed out here. At " (value(&provider.name)) " you may still be signed in." }
        @if let Some(end) = end {
            p { a href=(end) { "Sign out of " (value(&provider.name)) } }
        }
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
pub(crate) async fn sign_out(State(app): State<App>, jar: PrivateCookieJar, posted: Posted) -> Response {
    let to = if posted.session.person.is_some() { "/sign-in?out=yes" } else { "/sign-in" };
    (jar.remove(app.empty_cookie()), Redirect::to(to)).into_response()
}

/// A path of this console: an address that a stranger put there leads nowhere else.
pub(super) fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(['\\', '\r', '\n', '\t'])
        && !next.starts_with("/sign-in");
    if is_own { next } else { "/" }
}

/// The sign-in, below what is wrong with the token.
fn page(app: &App, next: &str, wrong: Option<&str>) -> Page {
    with_above(app, next, wrong.map(in_alert), wrong.is_some())
}

/// The same, below what went wrong at the provider.
pub(super) fn after_provider(app: &App, next: &str, words: &str) -> Page {
    with_above(app, next, Some(in_alert(words)), false)
}

fn in_alert(words: &str) -> Markup {
    alert("bad", html! { p { (words) } })
}

fn with_above(app: &App, next: &str, above: Option<Markup>, is_token_wrong: bool) -> Page {
    let hint: Option<Markup> = app.config.sign_in_hint.as_ref().map(|hint| html! { p .help { (hint) } });
    Page::new("Sign in").body(html! {
        div .narrow {
            @if let Some(above) = above { (above) }
            @if let Some(provider) = &app.provider {
                // A link: a form that leads to another site is held back by the page's own policy.
                p { a .button.primary href=(provider.begin_path(own_path(next))) { "Sign in with " (value(&provider.name)) } }
                h2 { "Or by a token" }
            }
            form method="post" action="/sign-in" {
                input type="hidden" name="next" value=(own_path(next));
                div .field {
                    label for="token" { "Access token" }
                    p .help id="token-help" {
                        "The token of your account. Whoever runs Cortex gives it to you."
                    }
                    input type="password" id="token" name="token" required autocomplete="current-password"
                        aria-describedby="token-help" aria-invalid=[is_token_wrong.then_some("true")];
                }
                button .primary[app.provider.is_none()] type="submit" {
                    @if app.provider.is_some() { "Sign in by token" } @else { "Sign in" }
                }
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
