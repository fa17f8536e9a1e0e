#![doc = include_str!("../README.md")]

mod auth;
mod calls;
mod config;
mod connection;
mod convert;
mod credentials;
mod error;
mod filter;
mod merge;
mod name;
mod people;
mod policy;
mod progress;
mod reading;
mod rhythm;
mod schema;
mod server;
mod service;
mod setup;
pub mod store;
mod upkeep;
mod validate;

pub use config::{Config, Migrations, PlatformIdentity, Secret, ServerTls, SignIn};
pub use error::RegistryError;
pub use schema::{schema_from_api, schema_to_api};
pub use server::{Probe, Server};
