//! Connections to the registry that carry a bearer token, and the trace that a call belongs to.

use std::fmt;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::registry::registry_service_client::RegistryServiceClient;
use crate::worker::worker_service_client::WorkerServiceClient;

/// A connection that adds the token to every call.
pub type Channel = InterceptedService<tonic::transport::Channel, Bearer>;
/// The control plane over such a connection.
pub type Registry = RegistryServiceClient<Channel>;
/// The worker API over such a connection.
pub type Worker = WorkerServiceClient<Channel>;

/// Why no connection could be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error(
        "{address:?} is no address of a registry: {source}; give it as http://HOST:PORT or https://HOST:PORT"
    )]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// A CA or a client certificate, and an address without TLS.
    #[error(
        "a CA or a client certificate is given, and {address:?} has no TLS; give the address as https://HOST:PORT"
    )]
    WithoutTls {
        /// As it was given.
        address: String,
    },
    /// The CA, the client certificate or its key is not one.
    #[error(
        "the registry's CA or the client certificate cannot be used: {0}; each is a PEM file, and the key is the certificate's"
    )]
    Tls(String),
    /// The token cannot stand in a header.
    #[error("the token holds characters that a header cannot carry; give it as it was issued")]
    Token,
}

/// Adds `authorization: Bearer …` to each call, and W3C's `traceparent` where it is traced. Its Debug output does not hold the token.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Bearer {
    /// From a token as it was issued.
    pub fn new(token: &str) -> Result<Self, ConnectError> {
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {}", token.trim()).parse().map_err(|_| ConnectError::Token)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        if let Some(origin) = trace::Origin::current()
            && let Ok(header) = origin.to_traceparent().parse()
        {
            request.metadata_mut().insert(trace::TRACEPARENT, header);
        }
        Ok(request)
    }
}

/// How a client knows the registry, and shows itself, over `https://`. Its Debug output does not hold the key.
#[derive(Clone, Default)]
pub struct ClientTls {
    /// The CA that the registry's certificate is of, in PEM; those of the public web where absent.
    pub ca: Option<Vec<u8>>,
    /// The client's own certificate chain, and its key.
    pub identity: Option<ClientIdentity>,
}

/// A certificate chain and its private key, both in PEM.
#[derive(Clone)]
pub struct ClientIdentity {
    /// The chain, the client's own certificate first.
    pub certificate: Vec<u8>,
    /// The key of the first one.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientIdentity(..)")
    }
}

impl ClientTls {
    fn is_default(&self) -> bool {
        self.ca.is_none() && self.identity.is_none()
    }

    fn config(&self) -> ClientTlsConfig {
        let config = match &self.ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
            None => ClientTlsConfig::new().with_enabled_roots(),
        };
        match &self.identity {
            Some(ClientIdentity { certificate, key }) => {
                config.identity(Identity::from_pem(certificate, key))
            }
            None => config,
        }
    }
}

/// A connection to the registry at `address` (`http://HOST:PORT`, or `https://HOST:PORT` with a certificate that the
/// public web's CAs vouch for), made at the first call and again whenever it is lost.
pub fn connect(address: &str, token: &str) -> Result<Channel, ConnectError> {
    connect_with(address, token, &ClientTls::default())
}

/// The same with a CA or a client certificate of one's own.
pub fn connect_with(address: &str, token: &str, tls: &ClientTls) -> Result<Channel, ConnectError> {
    with_token(transport(address, tls)?, token)
}

/// The same connection with a token; clones of one transport share it, each with a token of its own.
pub fn with_token(transport: tonic::transport::Channel, token: &str) -> Result<Channel, ConnectError> {
    Ok(InterceptedService::new(transport, Bearer::new(token)?))
}

/// A connection without a token, made at the first call and again whenever it is lost.
pub fn transport(address: &str, tls: &ClientTls) -> Result<tonic::transport::Channel, ConnectError> {
    let mut endpoint = Endpoint::from_shared(address.to_owned())
        .map_err(|source| ConnectError::Address { address: address.to_owned(), source })?
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_while_idle(true);
    if endpoint.uri().scheme_str() == Some("https") {
        endpoint = endpoint.tls_config(tls.config()).map_err(|error| ConnectError::Tls(innermost(&error)))?;
    } else if !tls.is_default() {
        return Err(ConnectError::WithoutTls { address: address.to_owned() });
    }
    Ok(endpoint.connect_lazy())
}

/// What lies at the bottom of an error: tonic's own words are "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
