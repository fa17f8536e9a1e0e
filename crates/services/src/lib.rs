#![doc = include_str!("../README.md")]

mod cache;
mod go;
mod kafka;
mod postgres;
mod python;
mod s3;
mod server;
pub mod shared;

pub use kafka::Kafka;
pub use postgres::Postgres;
pub use python::Python;
pub use s3::ForeignS3;
