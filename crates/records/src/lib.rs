//! The protobuf messages on Cortex's topics: what consumers read (`records.v1`) and what stands on internal topics
//! and in offset metadata (`queue.v1`). Generated from `proto/`; no gRPC here, so a consumer needs nothing else.

/// Typed records and rejected rows.
pub mod v1 {
    #![allow(missing_docs, clippy::all, unreachable_pub, rustdoc::all)]
    include!(concat!(env!("OUT_DIR"), "/cortex.records.v1.rs"));
}

/// Messages of the internal topics, and the checkpoint in offset metadata.
pub mod queue {
    #![allow(missing_docs, clippy::all, unreachable_pub, rustdoc::all)]
    include!(concat!(env!("OUT_DIR"), "/cortex.queue.v1.rs"));
}

mod envelope;
mod json;
mod schema;
pub mod topic;
mod value;

pub use envelope::envelope;
pub use json::{Descriptors, JsonEncoder, JsonError, to_json};
pub use schema::schema;
pub use value::{CONFLUENT_PREFIX_BYTES, ValueError, confluent_prefix, plain};
