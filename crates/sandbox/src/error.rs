//! Why a sandbox does not start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address for the sandbox")]
    Listen {
        /// As it was given.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The folder of the buckets cannot be used.
    #[error("the folder {path:?} cannot hold the sandbox's buckets: {reason}")]
    Root {
        /// As it was given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
