//! One server of each kind a process, started at its first use.

use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use crate::{ForeignS3, Kafka, Moto, Postgres, SchemaRegistry};

/// Started once, whoever asks; a failed start is reported to everyone. Statics are not dropped: the servers end with the
/// process, by their watchdog.
fn once<T>(cell: &'static OnceLock<Result<T, String>>, start: fn() -> Result<T>) -> Result<&'static T> {
    let started = cell.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|error| anyhow!("{error}"))
}

/// The process's broker.
pub fn kafka() -> Result<&'static Kafka> {
    static KAFKA: OnceLock<Result<Kafka, String>> = OnceLock::new();
    once(&KAFKA, Kafka::start)
}

/// The process's PostgreSQL.
pub fn postgres() -> Result<&'static Postgres> {
    static POSTGRES: OnceLock<Result<Postgres, String>> = OnceLock::new();
    once(&POSTGRES, Postgres::start)
}

/// The process's S3 server.
pub fn s3() -> Result<&'static ForeignS3> {
    static S3: OnceLock<Result<ForeignS3, String>> = OnceLock::new();
    once(&S3, ForeignS3::start)
}

/// The process's AWS.
pub fn moto() -> Result<&'static Moto> {
    static MOTO: OnceLock<Result<Moto, String>> = OnceLock::new();
    once(&MOTO, Moto::start)
}

/// The process's schema registry.
pub fn schema_registry() -> Result<&'static SchemaRegistry> {
    static REGISTRY: OnceLock<Result<SchemaRegistry, String>> = OnceLock::new();
    once(&REGISTRY, SchemaRegistry::start)
}
