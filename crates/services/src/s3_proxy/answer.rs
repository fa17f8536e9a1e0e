//! The body of an answer, which may break off or be altered.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anyhow::{Error, anyhow};
use hyper::body::{Body, Bytes, Frame, Incoming};

use super::S3Fault;
use super::socket::Link;
use super::state::State;

/// Between the last bytes and a reset, which would overtake what the other side's kernel has not taken yet.
const BEFORE_A_RESET: Duration = Duration::from_millis(30);

/// Where the bytes come from.
pub(super) enum Source {
    /// From here.
    Whole(Bytes),
    /// From the upstream.
    Upstream(Incoming),
}

pub(super) struct Answer {
    source: Source,
    fault: Option<S3Fault>,
    sent: u64,
    state: Arc<State>,
    link: Arc<Link>,
    /// What is waited for before the connection closes.
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Answer {
    pub(super) fn new(source: Source, fault: Option<S3Fault>, state: Arc<State>, link: Arc<Link>) -> Self {
        Self { source, fault, sent: 0, state, link, closing: None }
    }

    /// After how many bytes the body breaks off.
    fn end(&self) -> Option<u64> {
        match self.fault {
            Some(S3Fault::ResetAfter(bytes) | S3Fault::ShortBody(bytes)) => Some(bytes),
            Some(S3Fault::SilenceAfter { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Upstream(body) => Pin::new(body).poll_frame(cx).map_err(Error::from),
        }
    }

    /// The bytes as they go out.
    fn alter(&mut self, mut bytes: Bytes) -> Bytes {
        if let Some(end) = self.end() {
            bytes.truncate(usize::try_from(end - self.sent).unwrap_or(usize::MAX));
        }
        if let Some(S3Fault::AlterByte(at)) = self.fault
            && let Some(place) = at.checked_sub(self.sent).and_then(|place| usize::try_from(place).ok())
            && place < bytes.len()
        {
            let mut altered = bytes.to_vec();
            if let Some(byte) = altered.get_mut(place) {
                *byte ^= 1;
            }
            bytes = altered.into();
            self.state.injected("AlterByte");
        }
        self.sent += bytes.len() as u64;
        self.state.served(bytes.len() as u64);
        bytes
    }
}

/// Waits until the connection is to be closed, by a fault that closes it.
pub(super) async fn until_closed(fault: S3Fault, link: Arc<Link>, state: Arc<State>) {
    state.injected(fault.name());
    match fault {
        S3Fault::ResetAfter(_) => {
            link.reset_at_close();
            tokio::time::sleep(BEFORE_A_RESET).await;
        }
        S3Fault::SilenceAfter { lasting, .. } => tokio::time::sleep(lasting).await,
        _ => {}
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Some(fault) = this.fault.clone()
            && this.end() == Some(this.sent)
        {
            let (link, state) = (Arc::clone(&this.link), Arc::clone(&this.state));
            let closing = this.closing.get_or_insert_with(|| {
                Box::pin(async move {
                    link.flushed().await;
                    until_closed(fault, link, state).await;
                })
            });
            ready!(closing.as_mut().poll(cx));
            return Poll::Ready(Some(Err(anyhow!("broken off by a rule"))));
        }
        Poll::Ready(match ready!(this.poll_source(cx)) {
            Some(Ok(frame)) => Some(Ok(match frame.into_data() {
                Ok(bytes) => Frame::data(this.alter(bytes)),
                Err(trailers) => trailers,
            })),
            other => other,
        })
    }
}
