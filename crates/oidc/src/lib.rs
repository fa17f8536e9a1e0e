#![doc = include_str!("../README.md")]

mod claims;
mod config;
mod crypto;
mod discovery;
mod error;
mod fetch;
mod flow;
mod keys;
mod provider;

pub use claims::Claims;
pub use config::{ClientSecret, Config};
pub use discovery::Metadata;
pub use error::{ConfigError, Refused, TokenError};
pub use flow::{Callback, FlowError, Pending, RelyingParty};
pub use provider::Provider;

/// True where a bearer token has the form of a JWT: three parts between dots, the first of which is JSON in base64.
#[must_use]
pub fn looks_like_jwt(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}
