//! Short questions over HTTPS, for what Cortex asks beside S3 and Kafka: identity providers, token endpoints, schema registries.
//!
//! **Invariants.** Certificates are always checked. An answer is bounded in bytes and time. A redirect is an answer like any
//! other, and not followed. An error says nothing of what was sent.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A question and its answer take no longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// CAs that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CaError(String);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The certificate is of no CA that is trusted here, or of another host.
    #[error("its certificate is not of a CA that is trusted here, or of another host: {0}")]
    Untrusted(String),
    /// Worth another try.
    #[error("{0}")]
    Unreachable(String),
}

/// A client.
#[derive(Debug, Clone)]
pub struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Https {
    /// Trusts these CAs (PEM), or those of the public web. Addresses without TLS are asked too: it is the caller's to refuse
    /// them.
    ///
    /// # Errors
    /// Where the PEM holds no certificate, or a broken one.
    pub fn new(ca: Option<&[u8]>) -> Result<Self, CaError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| CaError(error.to_string()))?
            .with_root_certificates(roots(ca)?)
            .with_no_client_auth();
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// What is answered: 10 seconds and 1 MiB at most.
    ///
    /// # Errors
    /// Where nothing whole is answered; whatever its status, an answer is none.
    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), AskError> {
        let answered = async {
            let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| failed(error.as_ref()))?;
            Ok((status, body.to_bytes()))
        };
        let in_time = tokio::time::timeout(PATIENCE, answered).await;
        in_time.unwrap_or_else(|_| Err(AskError::Unreachable(format!("no answer within {PATIENCE:?}"))))
    }
}

fn roots(ca: Option<&[u8]>) -> Result<RootCertStore, CaError> {
    let Some(pem) = ca else {
        return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| CaError(error.to_string()))?;
        roots.add(certificate).map_err(|error| CaError(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(CaError("no certificate is in it".to_owned()));
    }
    Ok(roots)
}

/// What lies at the bottom of an error: hyper's own words are "client error (Connect)".
fn failed(error: &(dyn Error + 'static)) -> AskError {
    let mut error = error;
    // An error of `std::io` does not give what it wraps as its source, and it may wrap another of `std::io`.
    while let Some(deeper) = wrapped(error).or_else(|| error.source()) {
        error = deeper;
    }
    match error.downcast_ref() {
        Some(rustls::Error::InvalidCertificate(fault)) => AskError::Untrusted(fault.to_string()),
        _ => AskError::Unreachable(error.to_string()),
    }
}

fn wrapped<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let inner = error.downcast_ref::<std::io::Error>()?.get_ref()?;
    Some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ca_is_refused() {
        for pem in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Https::new(Some(pem.as_bytes())).is_err(), "{pem}");
        }
        assert!(Https::new(None).is_ok());
    }
}
