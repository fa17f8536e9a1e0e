#![doc = include_str!("../README.md")]

mod assets;
mod config;
mod error;
mod guard;
mod html;
mod page;
mod post;
mod provider;
mod server;
mod session;
mod upload;

pub use config::{
    CheckOptions, CheckReport, Config, FileTools, MAX_UPLOAD_BYTES, ProviderSignIn, SessionKey, Upload,
};
pub use error::ConsoleError;
pub use server::Server;
