//! An S3 endpoint in front of another, whose answers break by rule.

mod answer;
mod asked;
mod listing;
mod rule;
mod serve;
mod socket;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::background::Background;
use state::State;

pub use rule::{Match, Operation, S3Fault};

/// Passes requests on as they are (the `Host` header too, since the signature covers it) and answers back, except for
/// those that a rule breaks. Where the upstream cannot be reached, or breaks off, the client sees a closed connection.
///
/// Buckets are named in the path. The proxy stops when it is dropped.
#[derive(Debug)]
pub struct S3Proxy {
    endpoint: String,
    state: Arc<State>,
    _background: Background,
}

/// A request that came to a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// `/BUCKET/KEY`, percent-encoded.
    pub path: String,
    /// What follows on `?`, percent-encoded; empty where nothing does.
    pub query: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The status it was answered with; none while it waits, and where the connection was closed instead.
    pub status: Option<u16>,
}

impl S3Proxy {
    /// Starts one in front of an endpoint, `http://HOST:PORT`, which need not run yet.
    ///
    /// # Errors
    /// Where the endpoint is written otherwise.
    pub fn start(upstream_endpoint: &str) -> Result<Self> {
        let upstream = upstream_endpoint
            .strip_prefix("http://")
            .map(|host| host.trim_end_matches('/'))
            .filter(|host| host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()))
            .with_context(|| format!("{upstream_endpoint:?} is not http://HOST:PORT"))?;
        let state = Arc::new(State::default());
        let (background, address) = Background::listen("s3-proxy", {
            let (upstream, state) = (upstream.into(), Arc::clone(&state));
            move |listener| serve::serve(listener, upstream, state)
        })?;
        Ok(Self { endpoint: format!("http://{address}"), state, _background: background })
    }

    /// `http://HOST:PORT` for the client.
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Breaks the answers to the next `times` requests that fit ([`u32::MAX`]: to all of them). Of several rules that fit
    /// a request the one that was made first is taken, until it is used up. A request uses it up also where its answer
    /// then has too few bytes or objects to be broken.
    pub fn break_next(&self, matcher: impl Into<Match>, times: u32, fault: S3Fault) {
        self.state.add(matcher.into(), times, fault);
    }

    /// Forgets all rules. What was seen and counted stays.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Every request so far, in the order they came.
    pub fn requests(&self) -> Vec<Seen> {
        self.state.seen()
    }

    /// How often each fault was done to an answer, by [`S3Fault::name`].
    pub fn faults_injected(&self) -> BTreeMap<&'static str, u64> {
        self.state.all_injected()
    }

    /// Bytes of bodies sent to clients so far.
    pub fn bytes_served(&self) -> u64 {
        self.state.bytes()
    }
}
