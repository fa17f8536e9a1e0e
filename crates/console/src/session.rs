//! A session is its cookie: sealed by the console's key, it holds the token that the registry is asked with. The console
//! itself remembers nothing.

use std::sync::Arc;

use api::client::{Registry, with_token};
use api::registry::TokenScope;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tonic::transport::Channel;

use crate::config::{Config, SessionKey};
use crate::error::PageError;
use crate::provider::Provider;

/// A session ends so long after the sign-in.
const LASTS: jiff::SignedDuration = jiff::SignedDuration::from_hours(12);
/// Bytes of the largest answer that is read: a page of a thousand files, each with its warnings.
const MAX_ANSWER: usize = 64 << 20;
/// Characters of a person's name that are kept.
const MAX_NAME: usize = 60;
/// Bytes of a form's secret.
const SECRET: usize = 16;

/// What every request needs.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    pub(crate) channel: Channel,
    /// Where people may sign in besides.
    pub(crate) provider: Option<Arc<Provider>>,
    /// Cookies go over TLS alone.
    pub(crate) is_secure: bool,
    /// Cancelled when the console ends: whatever streams ends too.
    pub(crate) stopping: tokio_util::sync::CancellationToken,
}

impl FromRef<App> for axum_extra::extract::cookie::Key {
    fn from_ref(app: &App) -> Self {
        let SessionKey(key) = &app.config.session_key;
        key.clone()
    }
}

impl App {
    fn cookie_name(&self) -> &'static str {
        // A name that browsers take over TLS alone, from this very host.
        if self.is_secure { "__Host-cortex" } else { "cortex" }
    }

    /// The cookie that holds a session; the browser forgets it when it ends, and the session says until when it holds.
    pub(crate) fn cookie(&self, session: &Session) -> Result<Cookie<'static>, PageError> {
        let text = serde_json::to_string(session).map_err(|error| PageError::Failed(error.to_string()))?;
        let mut cookie = self.empty_cookie();
        cookie.set_value(text);
        Ok(cookie)
    }

    /// The same without one, by which it is taken away.
    pub(crate) fn empty_cookie(&self) -> Cookie<'static> {
        self.cookie_named(self.cookie_name())
    }

    /// A cookie that scripts do not see and other sites' forms do not send. It must be sealed.
    pub(crate) fn cookie_named(&self, name: &'static str) -> Cookie<'static> {
        Cookie::build((name, ""))
            .path("/")
            .http_only(true)
            .secure(self.is_secure)
            .same_site(SameSite::Lax)
            .build()
    }
}

/// Who looks, and by what token. Its Debug output does not hold it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    token: String,
    /// The account's id; none for the operator, who chooses one, and for a person to whom several are open.
    pub(crate) account: Option<String>,
    /// It may look only, in the account that the page is of.
    pub(crate) is_read_only: bool,
    /// Those that are open to a person, where they are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<OpenAccount>,
    /// A person's name, as the provider has it; none where a token of the registry's signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<String>,
    /// Bound into every form, in base64.
    secret: String,
    /// Unix seconds.
    until: i64,
}

/// An account that is open to a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OpenAccount {
    pub(crate) id: String,
    is_read_only: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("account", &self.account).finish_non_exhaustive()
    }
}

impl Session {
    /// Asks the registry whose token it is.
    pub(crate) async fn open(app: &App, token: &str) -> Result<Self, tonic::Status> {
        let mut registry = registry(app, token).map_err(tonic::Status::invalid_argument)?;
        let caller = registry.get_caller(api::registry::GetCallerRequest {}).await?.into_inner();
        let id = |name: &str| name.strip_prefix("accounts/").map(str::to_owned);
        let account = id(&caller.account);
        let open = |one: &api::registry::CallerAccount| {
            let is_read_only = one.scope() == TokenScope::ReadOnly;
            Some(OpenAccount { id: id(&one.account)?, is_read_only })
        };
        let several = if account.is_none() { caller.accounts.as_slice() } else { &[] };
        Ok(Self {
            token: token.to_owned(),
            is_read_only: caller.scope() == TokenScope::ReadOnly,
            accounts: several.iter().filter_map(open).collect(),
            account,
            person: None,
            secret: URL_SAFE_NO_PAD.encode(random()),
            until: Self::ends(Timestamp::now()),
        })
    }

    /// When one ends that begins now, in Unix seconds.
    fn ends(now: Timestamp) -> i64 {
        now.as_second().saturating_add(LASTS.as_secs())
    }

    /// The same by a provider's token: it ends with the token, if not before.
    pub(crate) async fn open_person(
        app: &App,
        token: &str,
        claims: &oidc::Claims,
    ) -> Result<Self, tonic::Status> {
        let session = Self::open(app, token).await?;
        let name = claims.shown_name().chars().take(MAX_NAME).collect();
        Ok(Self { person: Some(name), until: session.until.min(claims.expires()), ..session })
    }

    /// The registry, asked as this session's token may ask.
    pub(crate) fn registry(&self, app: &App) -> Result<Registry, PageError> {
        registry(app, &self.token).map_err(PageError::Failed)
    }

    /// Seconds until it ends.
    pub(crate) fn seconds_left(&self) -> u64 {
        u64::try_from(self.until.saturating_sub(Timestamp::now().as_second())).unwrap_or_default()
    }

    /// What a form of this session carries: its secret under a mask of its own, so that the length of a compressed page
    /// tells nothing of it.
    pub(crate) fn form_token(&self) -> String {
        let mask = random();
        let secret = self.secret_bytes();
        let masked = secret.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
        URL_SAFE_NO_PAD.encode(mask.into_iter().chain(masked).collect::<Vec<u8>>())
    }

    /// True where a form was made for this session.
    pub(crate) fn made_form(&self, token: &str) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((mask, masked)) = bytes.split_at_checked(SECRET) else { return false };
        let secret: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        masked.len() == SECRET && bool::from(secret.ct_eq(&self.secret_bytes()))
    }

    fn secret_bytes(&self) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(&self.secret).unwrap_or_default()
    }

    fn read(app: &App, jar: &PrivateCookieJar) -> Option<Self> {
        let cookie = jar.get(app.cookie_name())?;
        let session: Self = serde_json::from_str(cookie.value()).ok()?;
        (session.seconds_left() > 0 && session.secret_bytes().len() == SECRET).then_some(session)
    }

    /// As it is for a page of this path: what may be done differs by account.
    fn at(mut self, path: &str) -> Self {
        let account = path.strip_prefix("/accounts/").and_then(|rest| rest.split('/').next());
        if let Some(open) = self.accounts.iter().find(|open| Some(open.id.as_str()) == account) {
            self.is_read_only = open.is_read_only;
        }
        self
    }
}

fn registry(app: &App, token: &str) -> Result<Registry, String> {
    let channel = with_token(app.channel.clone(), token).map_err(|error| error.to_string())?;
    Ok(Registry::new(channel).max_decoding_message_size(MAX_ANSWER))
}

fn random() -> [u8; SECRET] {
    *uuid::Uuid::new_v4().as_bytes()
}

impl FromRequestParts<App> for Session {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let Ok(jar) =
            PrivateCookieJar::<axum_extra::extract::cookie::Key>::from_request_parts(parts, app).await;
        let session = Self::read(app, &jar).map(|session| session.at(parts.uri.path()));
        session.ok_or_else(|| {
            let here = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            PageError::SignIn { next: (parts.method == http::Method::GET).then(|| here.to_owned()) }
        })
    }
}

impl OptionalFromRequestParts<App> for Session {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Self::Rejection> {
        Ok(<Self as FromRequestParts<App>>::from_request_parts(parts, app).await.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::app;

    fn session() -> Session {
        Session {
            token: "hush".into(),
            account: None,
            is_read_only: false,
            accounts: Vec::new(),
            person: None,
            secret: URL_SAFE_NO_PAD.encode(random()),
            until: i64::MAX,
        }
    }

    #[tokio::test]
    async fn over_tls_the_cookie_is_of_this_host_alone_and_never_in_the_clear() {
        let cookie = app(true).cookie(&session()).unwrap().to_string();
        let (name, attributes) = cookie.split_once('=').unwrap();
        assert_eq!(name, "__Host-cortex");
        for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(attributes.split("; ").any(|one| one == attribute), "{attribute}");
        }
        // Browsers take the name with neither.
        assert!(!attributes.contains("Domain") && !attributes.contains("Max-Age"), "{name}");
    }

    #[tokio::test]
    async fn a_session_is_over_after_twelve_hours_whatever_the_browser_keeps() {
        let app = app(false);
        let read = |until: i64| {
            let kept = app.cookie(&Session { until, ..session() }).unwrap();
            let jar = PrivateCookieJar::new(axum_extra::extract::cookie::Key::from_ref(&app)).add(kept);
            Session::read(&app, &jar)
        };
        let now = Timestamp::now().as_second();
        assert!(read(now + 60).is_some());
        assert!(read(now).is_none() && read(now - 1).is_none());
        assert_eq!(Session::ends(Timestamp::UNIX_EPOCH), 12 * 3600);
    }

    #[test]
    fn a_form_is_taken_from_its_own_session_alone() {
        let (own, other) = (session(), session());
        let (one, two) = (own.form_token(), own.form_token());
        assert_ne!(one, two, "masked anew each time");
        assert!(own.made_form(&one) && own.made_form(&two));
        assert!(!other.made_form(&one));
        for wrong in ["", "AAAA", "not base64!", &own.secret.clone(), &one[1..]] {
            assert!(!own.made_form(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_person_may_look_in_one_account_and_change_things_in_another() {
        let open = |id: &str, is_read_only| OpenAccount { id: id.to_owned(), is_read_only };
        let session = Session { accounts: vec![open("own", false), open("seen", true)], ..session() };
        assert!(!session.clone().at("/accounts/own/sources").is_read_only);
        assert!(session.clone().at("/accounts/seen").is_read_only);
        assert!(!session.at("/accounts/seen-too/sources").is_read_only);
    }

    #[test]
    fn the_token_is_not_in_debug_output() {
        assert!(!format!("{:?}", session()).contains("hush"));
    }
}
