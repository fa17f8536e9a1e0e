//! The client commands: the registry's gRPC API from the command line.

pub(crate) mod account;
mod connection;
mod create;
pub(crate) mod dataset;
mod days;
mod error;
mod files;
pub(crate) mod profile;
mod prompt;
mod schema;
mod session;
mod setup;
pub(crate) mod source;
mod table;
mod text;
mod update;
mod watch;
mod wizard;

pub(crate) use error::{ClientError, is_gone, is_passing, refused};
pub(crate) use files::{all_files, file_json, file_line};
pub(crate) use session::{Session, all_sources};
pub(crate) use text::state_name;
