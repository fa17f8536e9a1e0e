#![doc = include_str!("../README.md")]

mod access;
mod config;
mod error;
mod folder;
mod listing;
mod objects;
mod policy;
mod s3;
mod serve;
mod sts;

pub use access::{Roles, Sessions};
pub use config::{Config, Grant, Identity, Principal, Role, Trust};
pub use error::SandboxError;
pub use objects::Objects;
pub use serve::Sandbox;
