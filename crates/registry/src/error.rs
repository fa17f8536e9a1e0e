//! What can go wrong, and the one place that says it over gRPC.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::credentials::CredentialsError;
use crate::store::StoreError;

/// The domain of `ErrorInfo` details.
const DOMAIN: &str = "registry.cortex";

/// Why the registry did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener.
    #[error("the registry cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// gRPC ended.
    #[error("the gRPC server ended: {0}")]
    Serve(#[from] tonic::transport::Error),
    /// Reflection's descriptors.
    #[error("reflection cannot be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The methods that calls are counted by.
    #[error("the API's own descriptors cannot be read: {0}")]
    Descriptors(#[from] prost::DecodeError),
    /// The identity provider's settings.
    #[error(transparent)]
    SignIn(#[from] oidc::ConfigError),
    /// A setting.
    #[error("registry setting {name}: {reason}")]
    Setting {
        /// Of the configuration.
        name: &'static str,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// Why a call is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("the call carries no token, or one that is not known; send authorization: Bearer TOKEN")]
    Unauthenticated,
    #[error("the sign-in does not hold: {0}; sign in again")]
    SignIn(oidc::Refused),
    #[error("the identity provider cannot be reached for now; try again")]
    Provider,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("the request is not valid; each field that is not is named with its rule")]
    Invalid(Vec<Violation>),
    #[error("this account asks too often; ask again in {} ms", retry_after.as_millis())]
    TooMany { retry_after: Duration },
    #[error("the account has {limit} {what}, which is its limit; {advice}")]
    Quota { what: &'static str, limit: u64, advice: &'static str },
    #[error("{reason}")]
    Precondition { code: String, reason: String, advice: String },
    #[error("{reason}")]
    Busy { code: &'static str, reason: String },
    #[error("the registry failed: {0}")]
    Failed(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

/// A field and the rule that it breaks.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) field: String,
    pub(crate) rule: String,
}

impl Violation {
    pub(crate) fn new(field: &str, rule: impl Into<String>) -> Self {
        Self { field: field.to_owned(), rule: rule.into() }
    }
}

impl CallError {
    pub(crate) fn invalid(field: &str, rule: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, rule)])
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Unauthenticated => told(Code::Unauthenticated, "UNAUTHENTICATED", message),
            CallError::SignIn(_) => told(Code::Unauthenticated, "SIGN_IN_REFUSED", message),
            CallError::Provider => told(Code::Unavailable, "PROVIDER_UNAVAILABLE", message),
            CallError::Forbidden(_) => told(Code::PermissionDenied, "FORBIDDEN", message),
            CallError::TooMany { retry_after } => {
                let mut details = ErrorDetails::with_error_info("RATE_LIMITED", DOMAIN, HashMap::new());
                details.set_retry_info(Some(retry_after));
                Status::with_error_details(Code::ResourceExhausted, message, details)
            }
            CallError::Quota { what, limit, .. } => {
                let mut details = ErrorDetails::with_error_info("QUOTA", DOMAIN, HashMap::new());
                details.add_quota_failure_violation(what, format!("at most {limit}"));
                Status::with_error_details(Code::ResourceExhausted, message, details)
            }
            CallError::Invalid(violations) => {
                let fields = violations.into_iter().map(|one| FieldViolation::new(one.field, one.rule));
                let details = ErrorDetails::with_bad_request(fields.collect::<Vec<_>>());
                Status::with_error_details(Code::InvalidArgument, message, details)
            }
            CallError::Precondition { code, reason, advice } => {
                let message = if advice.is_empty() { reason } else { format!("{reason}; {advice}") };
                told(Code::FailedPrecondition, &code, message)
            }
            CallError::Busy { code, .. } => told(Code::ResourceExhausted, code, message),
            CallError::Failed(_) => {
                tracing::error!(%message, "a call failed");
                told(Code::Internal, "FAILED", message)
            }
            CallError::Store(error) => store_status(&error, message),
            CallError::Credentials(error) => {
                let code = if error.is_passing() { Code::Unavailable } else { Code::FailedPrecondition };
                let message = format!("{message}; {}", error.advice());
                told(code, error.code(), message)
            }
        }
    }
}

fn store_status(error: &StoreError, message: String) -> Status {
    match error {
        StoreError::NotFound { .. } => told(Code::NotFound, "NOT_FOUND", message),
        StoreError::AlreadyExists { .. } => told(Code::AlreadyExists, "ALREADY_EXISTS", message),
        StoreError::Conflict { .. } => told(Code::Aborted, "CONFLICT", message),
        StoreError::FenceLost { .. } => told(Code::FailedPrecondition, "FENCE_LOST", message),
        StoreError::Invalid(_) => told(Code::InvalidArgument, "INVALID", message),
        StoreError::PageToken => told(Code::InvalidArgument, "PAGE_TOKEN", message),
        StoreError::Unavailable(source) => {
            tracing::warn!(%source, "the store is unavailable");
            told(
                Code::Unavailable,
                "STORE_UNAVAILABLE",
                "the store is unavailable for now; try again".to_owned(),
            )
        }
        StoreError::Unusable(_)
        | StoreError::Schema(_)
        | StoreError::Corrupt { .. }
        | StoreError::Refused(_) => {
            // What the database said is for the operator's log; a customer could do nothing with it.
            tracing::error!(%error, "the store failed");
            told(Code::Internal, "STORE_FAILED", "the store failed; the operator's log says how".to_owned())
        }
    }
}

fn told(code: Code, reason: &str, message: String) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new()))
}
