#![doc = include_str!("../README.md")]

mod config;
mod discover;
mod events;
mod folder;
mod lease;
mod publish;
mod retry;
mod run;
mod scan;

pub use config::Config;
pub use run::run;

/// Why a scan, or the scanner, ended.
#[derive(Debug, thiserror::Error)]
pub enum ScannerError {
    /// A setting is wrong; the scanner does not start.
    #[error("scanner setting {name} {reason}")]
    Setting {
        /// Of [`Config`].
        name: &'static str,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// The registry does not let this scanner work, and will not however often it is asked.
    #[error(
        "the registry refuses this scanner ({code}: {reason}); check that it has the registry's service token and is of \
         the same version"
    )]
    Refused {
        /// The gRPC code.
        code: tonic::Code,
        /// What the registry said.
        reason: String,
    },
    /// A call under a lease failed; its source is scanned again once the lease has run out.
    #[error("{call} failed: {}", .status.message())]
    Registry {
        /// The method of the worker API.
        call: &'static str,
        /// What the registry said.
        status: Box<tonic::Status>,
    },
    /// The lease passed to another scanner, ran out, or its source was deleted.
    #[error("the lease of source {source_id} is lost")]
    LeaseLost {
        /// The source.
        source_id: String,
    },
    /// What was found could not be published; it stays in the ledger, and the next scan publishes it.
    #[error("files were recorded and not published: {0}")]
    Queue(#[from] queue::QueueError),
}
