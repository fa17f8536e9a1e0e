use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::answer;
use super::contents::Contents;
use super::query::Query;

/// What a server has, shared with who changes it.
#[derive(Debug)]
pub(super) struct State {
    bucket: String,
    contents: Mutex<Contents>,
    lists: Mutex<BTreeMap<String, u64>>,
    pause_micros: AtomicU64,
    most_keys: AtomicUsize,
}

impl State {
    pub(super) fn new(
        bucket: &str,
        path: &str,
        folders: impl IntoIterator<Item = String>,
        objects: u64,
    ) -> Self {
        Self {
            bucket: bucket.to_owned(),
            contents: Mutex::new(Contents::new(path, folders, objects)),
            lists: Mutex::default(),
            pause_micros: AtomicU64::new(0),
            most_keys: AtomicUsize::new(usize::MAX),
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Contents)) {
        change(&mut locked(&self.contents));
    }

    pub(super) fn slow(&self, pause: Duration) {
        self.pause_micros.store(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn short_pages(&self, keys: usize) {
        self.most_keys.store(keys.max(1), Ordering::Relaxed);
    }

    pub(super) fn lists(&self) -> BTreeMap<String, u64> {
        locked(&self.lists).clone()
    }

    fn answer(&self, query: Query) -> Response<Whole> {
        match query {
            Query::List { bucket, prefix, by_folder, after, limit } if bucket == self.bucket => {
                let limit = limit.min(self.most_keys.load(Ordering::Relaxed));
                *locked(&self.lists).entry(prefix.clone()).or_default() += 1;
                let page = locked(&self.contents).page(&prefix, by_folder, &after, limit);
                xml(StatusCode::OK, answer::list(&bucket, &prefix, limit, &page))
            }
            Query::Location => xml(StatusCode::OK, answer::location()),
            Query::List { .. } => xml(StatusCode::NOT_FOUND, answer::error("NoSuchBucket")),
            Query::Other => xml(StatusCode::NOT_IMPLEMENTED, answer::error("NotImplemented")),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn xml(status: StatusCode, body: String) -> Response<Whole> {
    let mut response = Response::new(Whole(Some(body.into())));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A body in one piece.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

pub(super) async fn serve(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, which may pass; without a pause this would spin.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(move |request: Request<Incoming>| {
                let state = Arc::clone(&state);
                async move {
                    let pause = state.pause_micros.load(Ordering::Relaxed);
                    if pause > 0 {
                        tokio::time::sleep(Duration::from_micros(pause)).await;
                    }
                    Ok::<_, Infallible>(state.answer(Query::of(request.method(), request.uri())))
                }
            });
            // An error has closed the connection, which is all that a client is to see of it.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
