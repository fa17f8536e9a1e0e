//! What holds for every answer and every request: headers that confine the page, no change from another site, and no answer
//! that is lost behind an upload.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::sync::oneshot;

use crate::error::PageError;
use crate::session::App;

/// Scripts, styles and pictures are the console's own files; nothing is inline, nothing frames it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// For so long the rest of a form is read that was answered before its end.
const READ_ON: Duration = Duration::from_secs(600);

/// Puts the headers on each answer. Pages hold an account's data, so that nothing keeps them unless it says otherwise.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Refuses what would change something where the browser says that another site asks for it.
pub(crate) async fn same_site(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_safe || is_own(request.headers()) {
        return next.run(request).await;
    }
    PageError::CrossSite.into_response()
}

/// Reads what is sent to its end, whatever the answer is. A browser shows no answer before it has sent all of a form, and a
/// connection that is closed over unread bytes is reset (RFC 9112, 9.6): the page that says what is wrong with an upload would
/// never be seen. What is read on is thrown away as it comes.
pub(crate) async fn read_on(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (back, rest) = oneshot::channel();
    let lent = Lent { body: Some(body.into_data_stream()), back: Some(back) };
    let response = next.run(Request::from_parts(parts, Body::from_stream(lent))).await;
    let to_its_end = async {
        let Ok(mut rest) = rest.await else { return };
        while let Some(Ok(_)) = rest.next().await {}
    };
    tokio::select! {
        () = to_its_end => {}
        () = tokio::time::sleep(READ_ON) => {}
        () = app.stopping.cancelled() => {}
    }
    response
}

/// A body that comes back once its reader lets go of it.
struct Lent {
    body: Option<BodyDataStream>,
    back: Option<oneshot::Sender<BodyDataStream>>,
}

impl Stream for Lent {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| body.poll_next_unpin(context))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // No one waits for it any more where the browser has gone.
            let _ = back.send(body);
        }
    }
}

/// By `Sec-Fetch-Site`, else by `Origin` against `Host`. A browser sends one of them with each POST; without either no
/// browser asks, and no cookie of one is abused.
fn is_own(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_site_is_told_by_what_browsers_send() {
        let own = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_own(&headers)
        };
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("origin", "https://console.example"), ("host", "console.example")]));
        assert!(own(&[]));
        assert!(!own(&[("sec-fetch-site", "same-site")]));
        assert!(!own(&[("sec-fetch-site", "cross-site"), ("origin", "https://a"), ("host", "a")]));
        assert!(!own(&[("origin", "https://evil.example"), ("host", "console.example")]));
        assert!(!own(&[("origin", "null"), ("host", "console.example")]));
    }
}
