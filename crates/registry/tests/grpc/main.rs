//! The registry over a real socket: SQLite store, embedded queue, and the sandbox for STS and S3.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod control_plane;
mod fixture;
mod progress;
mod role;
mod tls;
mod worker;
