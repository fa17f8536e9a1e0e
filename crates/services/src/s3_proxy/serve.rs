//! A request's way to the upstream, and its answer's way back.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, RANGE, TRANSFER_ENCODING};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::answer::{Answer, Source, until_closed};
use super::asked::Asked;
use super::socket::{Link, Socket};
use super::state::State;
use super::{Operation, S3Fault, Seen, listing};

/// Takes connections to `upstream`, `HOST:PORT`.
pub(super) async fn serve(listener: TcpListener, upstream: Arc<str>, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, which may pass; without a pause this would spin.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let link = Arc::new(Link::default());
        let way = Way { upstream: Arc::clone(&upstream), state: Arc::clone(&state), link };
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let socket = TokioIo::new(Socket::new(stream, Arc::clone(&way.link)));
            let service = service_fn(move |request| way.clone().answer(request));
            // An error has closed the connection, which is all that a client is to see of it.
            let _ = hyper::server::conn::http1::Builder::new()
                .preserve_header_case(true)
                .serve_connection(socket, service)
                .await;
        });
    }
}

/// From one client's connection to the upstream.
#[derive(Clone)]
struct Way {
    upstream: Arc<str>,
    state: Arc<State>,
    link: Arc<Link>,
}

impl Way {
    /// Answers a request; an error closes the connection.
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Answer>> {
        let asked = Asked::of(request.method(), request.uri());
        let (place, fault) = self.state.ask(seen(&request), &asked);
        match fault {
            Some(S3Fault::Status { status, code }) => {
                self.state.injected("Status");
                self.state.answered(place, status);
                return self.error(request.method(), status, code);
            }
            Some(S3Fault::Delay(time)) => {
                self.state.injected("Delay");
                tokio::time::sleep(time).await;
            }
            Some(fault @ (S3Fault::ResetAfter(_) | S3Fault::ShortBody(_) | S3Fault::SilenceAfter { .. }))
                if request.method() == Method::HEAD =>
            {
                until_closed(fault, self.link, self.state).await;
                bail!("closed by a rule");
            }
            _ => {}
        }
        let path = request.uri().path().to_owned();
        let response = self.ask_upstream(request).await?;
        let status = response.status();
        let response = if asked.operation == Some(Operation::ListObjectsV2) && status == StatusCode::OK {
            let (mut head, body) = response.into_parts();
            let page = self.page(&path, &asked, fault.as_ref(), whole(body).await?);
            head.headers.remove(TRANSFER_ENCODING);
            head.headers.insert(CONTENT_LENGTH, page.len().into());
            Response::from_parts(head, self.body(Source::Whole(page), fault))
        } else {
            response.map(|body| self.body(Source::Upstream(body), fault))
        };
        self.state.answered(place, status.as_u16());
        Ok(response)
    }

    fn body(&self, source: Source, fault: Option<S3Fault>) -> Answer {
        Answer::new(source, fault, Arc::clone(&self.state), Arc::clone(&self.link))
    }

    /// An error as S3 writes it; one to a HEAD has no body.
    fn error(&self, method: &Method, status: u16, code: &str) -> Result<Response<Answer>> {
        let body = match *method {
            Method::HEAD => String::new(),
            _ => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <Error><Code>{code}</Code><Message>broken by a rule</Message></Error>"
            ),
        };
        let response = Response::builder()
            .status(StatusCode::from_u16(status)?)
            .header(CONTENT_TYPE, "application/xml")
            .header(CONTENT_LENGTH, body.len());
        Ok(response.body(self.body(Source::Whole(body.into()), None))?)
    }

    /// Sends the request on as it is, on a connection of its own: one that was kept might have been closed meanwhile, which
    /// would be a fault that no rule asked for.
    async fn ask_upstream(&self, request: Request<Incoming>) -> Result<Response<Incoming>> {
        let stream = TcpStream::connect(&*self.upstream).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .preserve_header_case(true)
            .handshake(TokioIo::new(stream))
            .await?;
        // Its error reaches the answer too.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?)
    }

    /// A listing's page as it goes out. What is no text goes out as it came.
    fn page(&self, path: &str, asked: &Asked, fault: Option<&S3Fault>, bytes: Bytes) -> Bytes {
        let Ok(page) = std::str::from_utf8(&bytes) else { return bytes };
        if let Some(next) = listing::next_token(page) {
            self.state.keep_page(path, next, listing::contents(page));
        }
        let altered = match fault {
            Some(S3Fault::RepeatPage) => {
                let before = asked.token.as_ref().and_then(|token| self.state.page_before(path, token));
                before.and_then(|before| listing::with_in_front(page, &before))
            }
            Some(S3Fault::SkipKeys(count)) => listing::without_first(page, *count),
            _ => None,
        };
        let (Some(altered), Some(fault)) = (altered, fault) else { return bytes };
        self.state.injected(fault.name());
        altered.into()
    }
}

fn seen(request: &Request<Incoming>) -> Seen {
    let range = request.headers().get(RANGE);
    Seen {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        range: range.map(|range| String::from_utf8_lossy(range.as_bytes()).into_owned()),
        status: None,
    }
}

/// The whole of a body.
async fn whole(mut body: Incoming) -> Result<Bytes> {
    let mut all = Vec::new();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Some(bytes) = frame?.data_ref() {
            all.extend_from_slice(bytes);
        }
    }
    Ok(all.into())
}
