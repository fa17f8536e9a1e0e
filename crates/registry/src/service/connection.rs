//! Can the source be read as it is set up?

use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, Location};

use api::registry::{TestSourceRequest, TestSourceResponse};
use tonic::Request;

use super::{Service, Streamed};
use crate::convert;
use crate::error::CallError;
use crate::store::Source;

impl Service {
    pub(super) async fn test_source(
        &self,
        _request: Request<TestSourceRequest>,
    ) -> Result<Streamed<TestSourceResponse>, CallError> {
        Err(CallError::Unimplemented)
    }

    /// Assumes the role (or opens the static keys) and lists the path; refuses with the cause and the repair.
    pub(super) async fn test_connection(&self, source: &Source) -> Result<(), CallError> {
        let session = self.issuer.issue(source, "").await?;
        let work = convert::source_work(source.clone(), &self.config.platform);
        let bucket = Bucket::open(Location::from(&work), SharedCredentialsProvider::new(session));
        bucket.probe().await.map_err(|error| CallError::Precondition {
            code: error.code().to_owned(),
            reason: error.to_string(),
            advice: error.advice(),
        })
    }
}
