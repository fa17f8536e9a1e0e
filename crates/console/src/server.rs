//! HTTP: every address, and what holds around it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

use crate::config::Config;
use crate::error::{ConsoleError, PageError};
use crate::page::{accounts, check, samples, setup, sign_in, sign_in_provider, source, sources};
use crate::provider::Provider;
use crate::session::App;
use crate::{assets, guard};

/// Bytes of a form without a file: own columns of a wide table.
const MAX_FORM: usize = 2 << 20;
/// Bytes of a form beside its file.
const AROUND_FILE: usize = 1 << 20;

/// A console that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: App,
}

impl Server {
    /// Checks the settings and takes the address. The registry need not be there yet.
    pub async fn bind(config: Config) -> Result<Self, ConsoleError> {
        let is_secure = goes_over_tls(config.url.as_deref())?;
        let channel = api::client::transport(&config.registry_url, &config.registry_tls)?;
        let provider = Provider::new(&config)?.map(Arc::new);
        let listen = |source| ConsoleError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let stopping = CancellationToken::new();
        let app = App { config: Arc::new(config), channel, provider, is_secure, stopping };
        Ok(Self { listener, address, app })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then lets requests in hand end.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ConsoleError> {
        let app = App { stopping: shutdown.clone(), ..self.app };
        axum::serve(self.listener, router(app))
            .with_graceful_shutdown(async move { shutdown.cancelled().await })
            .await
            .map_err(ConsoleError::Serve)
    }
}

/// Whether cookies are for TLS alone: not so on a loopback address without it, and nowhere else.
fn goes_over_tls(url: Option<&str>) -> Result<bool, ConsoleError> {
    let Some(url) = url else { return Ok(false) };
    let wrong = || ConsoleError::Url { url: url.to_owned() };
    let parsed: http::Uri = url.parse().map_err(|_| wrong())?;
    let host = parsed.host().ok_or_else(wrong)?;
    let is_loopback = host == "localhost"
        || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match parsed.scheme_str() {
        Some("https") => Ok(true),
        Some("http") if is_loopback => Ok(false),
        _ => Err(wrong()),
    }
}

fn router(app: App) -> Router {
    let most = usize::try_from(app.config.max_upload_bytes).unwrap_or(usize::MAX).saturating_add(AROUND_FILE);
    let files = Router::new()
        .route("/accounts/{account}/check", get(check::form).post(check::check))
        .route("/accounts/{account}/sources/{source}/setup/propose", post(setup::columns::propose_from_file))
        .layer(DefaultBodyLimit::max(most));
    let pages = Router::new()
        .route("/", get(sign_in::home))
        .route("/sign-in", get(sign_in::form).post(sign_in::sign_in))
        .route("/sign-in/provider", get(sign_in_provider::begin))
        .route(crate::provider::CALLBACK, get(sign_in_provider::finish))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/accounts", get(accounts::list))
        .route("/samples/{file}", get(samples::download))
        .route("/samples/{file}/view", get(samples::view))
        .route("/accounts/{account}/sources", get(sources::list))
        .merge(one_source())
        .merge(steps())
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .merge(files)
        .layer(CompressionLayer::new());
    // What comes piece by piece is not held back to be compressed.
    let streams = Router::new()
        .route("/accounts/{account}/sources/{source}/live", get(source::live::events))
        .route("/accounts/{account}/sources/{source}/setup/test", post(setup::test::run));
    Router::new()
        .merge(pages)
        .merge(streams)
        .route("/static/{file}", get(assets::serve).layer(CompressionLayer::new()))
        .fallback(|| async { PageError::NotFound })
        .layer(middleware::from_fn(guard::same_site))
        .layer(middleware::from_fn_with_state(app.clone(), guard::read_on))
        .layer(middleware::from_fn(guard::headers))
        .with_state(app)
}

fn one_source() -> Router<App> {
    let at = |rest: &str| format!("/accounts/{{account}}/sources/{{source}}{rest}");
    Router::new()
        .route(&at(""), get(source::overview::show))
        .route(&at("/files"), get(source::files::list))
        .route(&at("/file"), get(source::file::show).post(source::file::reprocess))
        .route(&at("/days/{date}"), get(source::day::show).post(source::day::reprocess))
        .route(&at("/samples"), get(source::samples::list))
        .route(&at("/schema"), get(source::schema::show))
        .route(&at("/audit"), get(source::audit::list))
        .route(&at("/settings"), get(source::settings::form).post(source::settings::save))
        .route(&at("/pause"), post(source::state::pause))
        .route(&at("/resume"), post(source::state::resume))
        .route(&at("/delete"), get(source::state::confirm).post(source::state::delete))
        .route(&at("/undelete"), post(source::state::undelete))
}

fn steps() -> Router<App> {
    let at = |rest: &str| format!("/accounts/{{account}}/sources/{{source}}/setup{rest}");
    Router::new()
        .route("/accounts/{account}/new", get(setup::platform::form))
        .route("/accounts/{account}/new/s3", get(setup::define::form).post(setup::define::create))
        .route(&at(""), get(setup::resume))
        .route(&at("/define"), get(setup::define::edit).post(setup::define::save))
        .route(&at("/columns"), get(setup::columns::form).post(setup::columns::save))
        .route(&at("/propose-from-bucket"), post(setup::columns::propose_from_bucket))
        .route(&at("/authorise"), get(setup::authorise::form).post(setup::authorise::save))
        .route(&at("/documents/{file}"), get(setup::authorise::download))
        .route(&at("/connect"), get(setup::connect::form).post(setup::connect::save))
        .route(&at("/test"), get(setup::test::form))
        .route(&at("/activate"), post(setup::test::activate))
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::body::{Body, to_bytes};
    use axum::response::Response;
    use http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;
    use crate::config::{FileTools, MAX_UPLOAD_BYTES, SessionKey};

    /// A console whose registry is not there.
    fn alone() -> Router {
        router(app(false))
    }

    /// What its requests need.
    pub(crate) fn app(is_secure: bool) -> App {
        let config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            url: None,
            registry_url: "http://127.0.0.1:1".into(),
            registry_tls: Default::default(),
            session_key: SessionKey::random(),
            max_upload_bytes: MAX_UPLOAD_BYTES,
            tools: FileTools { check: |_, _, _| Err("no".into()), propose: |_, _| Err("no".into()) },
            sign_in_hint: None,
            provider: None,
        };
        let channel = api::client::transport(&config.registry_url, &config.registry_tls).unwrap();
        let stopping = CancellationToken::new();
        App { config: Arc::new(config), channel, provider: None, is_secure, stopping }
    }

    async fn ask(method: &str, path: &str, body: &'static str) -> (Response, String) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let mut response = alone().oneshot(request).await.unwrap();
        let body = std::mem::take(response.body_mut());
        let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
        (response, text)
    }

    #[tokio::test]
    async fn every_answer_is_confined_and_no_page_is_for_strangers() {
        for (method, path, status) in [
            ("GET", "/", StatusCode::SEE_OTHER),
            ("GET", "/accounts", StatusCode::SEE_OTHER),
            ("GET", "/accounts/shop/sources", StatusCode::SEE_OTHER),
            ("GET", "/accounts/shop/sources/1/setup/documents/cortex-role.tf", StatusCode::SEE_OTHER),
            ("GET", "/accounts/shop/sources/1/live", StatusCode::UNAUTHORIZED),
            ("POST", "/accounts/shop/sources/1/delete", StatusCode::SEE_OTHER),
            ("POST", "/accounts/shop/check", StatusCode::SEE_OTHER),
            ("GET", "/samples/events.csv", StatusCode::SEE_OTHER),
            ("GET", "/sign-in", StatusCode::OK),
            ("GET", "/sign-in/provider", StatusCode::NOT_FOUND),
            ("GET", "/sign-in/callback?code=1&state=1", StatusCode::NOT_FOUND),
            ("GET", "/nothing", StatusCode::NOT_FOUND),
            ("GET", "/static/console.css", StatusCode::NOT_FOUND),
            ("GET", assets::url("console.css"), StatusCode::OK),
        ] {
            let (response, _) = ask(method, path, "").await;
            assert_eq!(response.status(), status, "{method} {path}");
            let policy = response.headers()["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
            let kept = response.headers()["cache-control"].to_str().unwrap();
            assert_eq!(
                kept == "no-store",
                !(path.starts_with("/static") && status == StatusCode::OK),
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn a_registry_that_is_not_there_is_told_in_words() {
        let (response, text) = ask("POST", "/sign-in", "token=cortex_1").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("Cortex cannot be reached at the moment"), "{text}");
        assert!(!response.headers().contains_key("set-cookie"));
    }

    #[test]
    fn cookies_go_in_the_clear_on_this_machine_alone() {
        assert!(goes_over_tls(Some("https://console.example")).unwrap());
        for own in [None, Some("http://localhost:7490"), Some("http://127.0.0.1:1"), Some("http://[::1]:1")] {
            assert!(!goes_over_tls(own).unwrap(), "{own:?}");
        }
        for wrong in ["http://console.example", "console.example", "ftp://localhost", "http://10.0.0.1"] {
            assert!(goes_over_tls(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
