//! The provider that people may sign in at, and the cookie that binds a sign-in to the browser that began it.

use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::Cookie;
use jiff::{SignedDuration, Timestamp};
use oidc::{Callback, Claims, FlowError, Pending, RelyingParty};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{ConsoleError, PageError};
use crate::session::App;

/// The path that the provider leads back to: what is registered there is the console's address with it.
pub(crate) const CALLBACK: &str = "/sign-in/callback";
/// A sign-in ends by then.
const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Bytes of the longest path that a sign-in leads back to; from a longer one it leads to the first page.
const MAX_NEXT: usize = 1_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    party: RelyingParty,
    /// The console's own address, without a slash at its end.
    url: String,
}

/// What the cookie holds, sealed as a session is.
#[derive(Serialize, Deserialize)]
struct Begun {
    pending: Pending,
    next: String,
    /// Unix seconds.
    until: i64,
}

impl Provider {
    /// None where none is set.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, ConsoleError> {
        let Some(settings) = &config.provider else { return Ok(None) };
        let url = config.url.as_deref().ok_or(ConsoleError::NoUrl)?.trim_end_matches('/').to_owned();
        let provider = oidc::Provider::new(settings.provider.clone())?;
        let callback = format!("{url}{CALLBACK}");
        let party = RelyingParty::new(provider, settings.secret.clone(), callback, settings.scopes.clone());
        Ok(Some(Self { name: settings.name.clone(), party, url }))
    }

    /// The path that begins a sign-in, and leads back to this one.
    pub(crate) fn begin_path(&self, next: &str) -> String {
        if next == "/" {
            return "/sign-in/provider".to_owned();
        }
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        format!("/sign-in/provider?next={next}")
    }

    /// The provider's address, and the cookie by which the browser will be known when it comes back.
    pub(crate) async fn begin(&self, app: &App, next: &str) -> Result<(String, Cookie<'static>), FlowError> {
        let (address, pending) = self.party.begin().await?;
        let next = if next.len() > MAX_NEXT { "/" } else { next }.to_owned();
        let until = Timestamp::now().as_second().saturating_add(LASTS.as_secs());
        let mut cookie = begun_cookie(app);
        let text = serde_json::to_string(&Begun { pending, next, until });
        cookie.set_value(text.map_err(|_| FlowError::Forged)?);
        Ok((address, cookie))
    }

    /// Who has come back, the token, and the path that they wanted to. The sign-in must be of this browser, and of late.
    pub(crate) async fn finish(
        &self,
        app: &App,
        jar: &PrivateCookieJar,
        callback: &Callback,
    ) -> Result<(String, Claims, String), FlowError> {
        let cookie = jar.get(begun_cookie(app).name()).ok_or(FlowError::Forged)?;
        let begun: Begun = serde_json::from_str(cookie.value()).map_err(|_| FlowError::Forged)?;
        if begun.until < Timestamp::now().as_second() {
            return Err(FlowError::Forged);
        }
        let (token, claims) = self.party.finish(&begun.pending, callback).await?;
        Ok((token, claims, begun.next))
    }

    /// The address that ends the session at the provider too; none where there is none.
    pub(crate) async fn end_session(&self) -> Option<String> {
        self.party.end_session(&format!("{}/sign-in", self.url)).await
    }

    /// The sign-in page's status and words, where no one was signed in.
    pub(crate) fn told(&self, error: &FlowError) -> (http::StatusCode, String) {
        use http::StatusCode;
        use oidc::TokenError;

        let name = &self.name;
        match error {
            FlowError::Forged => (
                StatusCode::FORBIDDEN,
                "This sign-in was not begun in this browser, was used already, or took too long. Sign in again."
                    .to_owned(),
            ),
            FlowError::Denied(code) => (StatusCode::FORBIDDEN, format!("{name} did not sign you in ({code}).")),
            FlowError::NoToken(code) => (
                StatusCode::BAD_GATEWAY,
                format!("{name} did not complete the sign-in ({code}). Sign in again; if it stays, tell whoever runs Cortex."),
            ),
            FlowError::Token(TokenError::Unavailable(_)) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{name} cannot be reached at the moment. Try again in a minute."),
            ),
            FlowError::Token(TokenError::Refused(why)) => (
                StatusCode::FORBIDDEN,
                format!("What {name} sent does not hold: {why}. Sign in again; if it stays, tell whoever runs Cortex."),
            ),
            FlowError::Random => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on our side. Try again; if it stays, tell whoever runs Cortex.".to_owned(),
            ),
        }
    }
}

/// The cookie of a sign-in that has begun, without one.
pub(crate) fn begun_cookie(app: &App) -> Cookie<'static> {
    let name = if app.is_secure { "__Host-cortex-sign-in" } else { "cortex-sign-in" };
    app.cookie_named(name)
}

/// Whoever signs in where no provider is set.
pub(crate) fn provider(app: &App) -> Result<&Provider, PageError> {
    app.provider.as_deref().ok_or(PageError::NotFound)
}
