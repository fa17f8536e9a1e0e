#![doc = include_str!("../README.md")]

mod axe;
mod background;
mod cache;
mod certificates;
mod go;
mod identity_provider;
mod kafka;
mod listing;
mod maven;
mod moto;
mod oauth;
mod postgres;
mod python;
mod s3;
mod s3_proxy;
mod schema_registry;
mod server;
pub mod shared;
mod tcp_proxy;
pub mod token_issuer;

pub use axe::axe_core;
pub use go::go_program;
pub use identity_provider::IdentityProvider;
pub use kafka::{Kafka, KafkaCluster, SecureKafka, kafka_tool};
pub use listing::GeneratedS3;
pub use maven::java;
pub use moto::{Moto, MotoUser};
pub use oauth::OauthServer;
pub use postgres::Postgres;
pub use python::{Python, python};
pub use s3::ForeignS3;
pub use s3_proxy::{Match, Operation, S3Fault, S3Proxy, Seen};
pub use schema_registry::SchemaRegistry;
pub use tcp_proxy::TcpProxy;
pub use token_issuer::{TokenIssuer, TokenKey};
