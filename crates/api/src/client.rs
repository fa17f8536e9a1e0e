//! Connections to the registry that carry a bearer token.

use std::fmt;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
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
    #[error("{address:?} is no address of a registry: {source}; give it as http://HOST:PORT")]
    Address {
        /// As it was given.
        address: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// The token cannot stand in a header.
    #[error("the token holds characters that a header cannot carry; give it as it was issued")]
    Token,
}

/// Adds `authorization: Bearer …` to each call. Its Debug output does not hold the token.
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
        Ok(request)
    }
}

/// A connection to the registry at `address` (`http://HOST:PORT`), made at the first call and again whenever it is
/// lost.
pub fn connect(address: &str, token: &str) -> Result<Channel, ConnectError> {
    let endpoint = Endpoint::from_shared(address.to_owned())
        .map_err(|source| ConnectError::Address { address: address.to_owned(), source })?
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_while_idle(true);
    Ok(InterceptedService::new(endpoint.connect_lazy(), Bearer::new(token)?))
}
