//! The ledger's database and the processes on it: outages, upgrades and restores, on real Kafka, PostgreSQL and S3.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod backup;
mod outage;
mod upgrade;
