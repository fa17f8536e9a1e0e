#![doc = include_str!("../README.md")]

mod access;
mod config;
mod error;
mod folder;
mod listing;
mod policy;
mod s3;
mod serve;
mod sts;

pub use access::{Roles, Sessions};
pub use config::{Config, Grant, Identity, Principal, Role, Trust};
pub use error::SandboxError;
pub use serve::Sandbox;
