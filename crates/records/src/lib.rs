//! Protobuf messages that consumers and pure crates need
