//! The server: one port for S3 and STS.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, HttpResponse};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::Callers;
use crate::folder::Folder;
use crate::s3::Store;
use crate::sts::{InStsForm, Refusal, Sts, is_sts};
use crate::{Config, Objects, Roles, SandboxError, Sessions};

/// Requests in hand at shutdown have so long to end.
const DRAIN: Duration = Duration::from_secs(5);
/// Of an error in S3's form.
const LONGEST_ERROR: usize = 64 * 1024;

/// An S3 and STS endpoint over a folder.
#[derive(Debug)]
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    service: S3Service,
    callers: Callers,
    objects: Objects,
}

impl Sandbox {
    /// Makes the folder where it does not exist, and listens; requests wait until [`run`](Self::run).
    pub async fn bind(config: Config) -> Result<Self, SandboxError> {
        let root = |err: &dyn std::fmt::Display| SandboxError::Root {
            path: config.root.clone(),
            reason: err.to_string(),
        };
        std::fs::create_dir_all(&config.root).map_err(|err| root(&err))?;
        let path = config.root.canonicalize().map_err(|err| root(&err))?;
        let files = FileSystem::new(&path).map_err(|err| root(&format!("{err:?}")))?;
        let listen = |source| SandboxError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let callers = Callers::new(&config);
        let objects = Objects::default();
        let store = Store::new(Folder::new(path, config.settle), files, objects.clone());
        let mut service = S3ServiceBuilder::new(store);
        service.set_auth(callers.clone());
        service.set_access(callers.clone());
        service.set_route(Sts::new(callers.clone()));
        Ok(Self { listener, address, service: service.build(), callers, objects })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as an endpoint of S3 and STS: `http://HOST:PORT`.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The roles, to add to while it runs.
    pub fn roles(&self) -> Roles {
        self.callers.roles()
    }

    /// The sessions that STS has issued.
    pub fn sessions(&self) -> Sessions {
        self.callers.sessions()
    }

    /// The objects, to let some be unreadable.
    pub fn objects(&self) -> Objects {
        self.objects.clone()
    }

    /// Serves until `shutdown`, then ends what is in hand.
    pub async fn run(self, shutdown: CancellationToken) {
        let server = Builder::new(TokioExecutor::new());
        let open = GracefulShutdown::new();
        tracing::info!(address = %self.address, "the S3 sandbox is not for production");
        loop {
            let stream = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(err) => {
                        tracing::warn!(%err, "the S3 sandbox cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            // Small answers are not held back for more.
            let _ = stream.set_nodelay(true);
            let service = self.service.clone();
            let answers = service_fn(move |request| answer(service.clone(), request));
            let connection = server.serve_connection(TokioIo::new(stream), answers).into_owned();
            let connection = open.watch(connection);
            tokio::spawn(async move {
                if let Err(err) = connection.await {
                    tracing::debug!(%err, "a connection to the S3 sandbox broke");
                }
            });
        }
        drop(self.listener);
        if tokio::time::timeout(DRAIN, open.shutdown()).await.is_err() {
            tracing::warn!("the S3 sandbox stops with requests in hand");
        }
    }
}

async fn answer(service: S3Service, request: Request<Incoming>) -> Result<HttpResponse, HttpError> {
    let for_sts = is_sts(request.method(), request.uri(), request.headers());
    let response = service.call(request.map(Body::from)).await?;
    // What s3s itself refuses, such as a wrong signature, it refuses in S3's form, which clients of STS do not read.
    if for_sts && !response.status().is_success() && response.extensions().get::<InStsForm>().is_none() {
        return in_sts_form(response).await;
    }
    Ok(response)
}

async fn in_sts_form(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    let status = response.status();
    let mut body = response.into_body();
    let body = body.store_all_limited(LONGEST_ERROR).await.map_err(HttpError::new)?;
    let xml = String::from_utf8_lossy(&body);
    let (code, message) = (element(&xml, "Code"), element(&xml, "Message"));
    let (status, xml) = Refusal::from_s3(status, code, message).to_xml();
    let mut response = HttpResponse::new(Body::from(xml));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Ok(response)
}

/// Text of an element of the flat XML that s3s writes for errors.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let text = xml.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once('<'));
    text.map_or("", |(text, _)| text)
}
