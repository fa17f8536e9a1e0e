//! The registry over a real socket: SQLite store, embedded queue, and the sandbox for STS and S3.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod connection;
mod control_plane;
mod fixture;
mod moto;
mod people;
mod preview;
mod progress;
mod role;
mod setup;
mod tls;
mod worker;
