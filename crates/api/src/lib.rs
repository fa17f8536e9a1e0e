//! The gRPC APIs: `registry.v1` is the control plane that customers' tools use, `worker.v1` is for scanners and parsers
//! alone. Generated from `proto/`.

use std::fmt;

pub mod client;

// The modules mirror the protobuf packages, since generated code names its neighbours by that path.
mod cortex {
    #![allow(missing_docs, clippy::all, unreachable_pub, rustdoc::all)]
    pub mod registry {
        pub mod v1 {
            tonic::include_proto!("cortex.registry.v1");
        }
    }
    pub mod worker {
        pub mod v1 {
            tonic::include_proto!("cortex.worker.v1");
        }
    }
}

/// The control plane.
pub use cortex::registry::v1 as registry;
/// Leases, ledger and credentials for workers.
pub use cortex::worker::v1 as worker;

/// The file descriptor set of both APIs, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// A message of these APIs as protobuf JSON.
pub fn to_json<M: prost::Message + prost::Name>(
    message: &M,
) -> Result<serde_json::Value, records::JsonError> {
    records::Descriptors::load(DESCRIPTORS)?.to_json(&M::full_name(), &message.encode_to_vec())
}

impl fmt::Debug for worker::IssueCredentialsResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssueCredentialsResponse")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for registry::StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for registry::CreateAccountTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateAccountTokenResponse").finish_non_exhaustive()
    }
}

// An External ID is shown to its customer and needed by no one else.
impl fmt::Debug for registry::Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn secrets_are_not_in_debug_output() {
        let keys =
            crate::registry::StaticKeys { access_key_id: "AKIA".into(), secret_access_key: "hush".into() };
        let session = crate::worker::IssueCredentialsResponse {
            secret_access_key: "hush".into(),
            session_token: "hush".into(),
            ..Default::default()
        };
        let create = crate::registry::CreateSourceRequest { static_keys: Some(keys), ..Default::default() };
        let token =
            crate::registry::CreateAccountTokenResponse { token: "hush".into(), ..Default::default() };
        assert!(!format!("{create:?}{session:?}{token:?}").contains("hush"));
    }
}
