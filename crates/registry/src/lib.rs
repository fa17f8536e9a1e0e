//! Accounts, sources, credentials and the ledger of files, as a gRPC service

pub mod store;
