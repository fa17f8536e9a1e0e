//! The identity of whoever runs the program, found as every AWS tool finds it.

use aws_config::BehaviorVersion;
use aws_credential_types::provider::SharedCredentialsProvider;

use crate::bucket::http_client;
use crate::{Bucket, BucketError, Location, ObjectVersion};

/// The environment's own credentials, region and endpoint: from `AWS_…` variables, the shared profile files, a web
/// identity, a container or an instance, in the SDK's order.
#[derive(Debug, Clone)]
pub struct Identity {
    credentials: Option<SharedCredentialsProvider>,
    region: Option<String>,
    endpoint_url: Option<String>,
}

impl Identity {
    /// Looks it up; credentials are asked for at the first call that needs them.
    pub async fn of_environment() -> Self {
        let config =
            aws_config::defaults(BehaviorVersion::latest()).http_client(http_client(None)).load().await;
        let of_s3 = std::env::var("AWS_ENDPOINT_URL_S3").ok().filter(|url| !url.is_empty());
        Self {
            credentials: config.credentials_provider(),
            region: config.region().map(ToString::to_string),
            endpoint_url: of_s3.or_else(|| config.endpoint_url().map(str::to_owned)),
        }
    }

    /// Opens a bucket and looks at one object of it, in the bucket's region where S3 tells that it is another.
    ///
    /// # Errors
    ///
    /// Those of S3; [`BucketError::CredentialsRefused`] where there are no credentials.
    pub async fn open(&self, bucket: &str, key: &str) -> Result<(Bucket, ObjectVersion), BucketError> {
        let here = self.bucket(bucket, key, self.region.clone())?;
        match here.version(key).await {
            Err(BucketError::WrongRegion { region: Some(region), .. }) => {
                let there = self.bucket(bucket, key, Some(region))?;
                let version = there.version(key).await?;
                Ok((there, version))
            }
            found => found.map(|version| (here, version)),
        }
    }

    fn bucket(&self, bucket: &str, key: &str, region: Option<String>) -> Result<Bucket, BucketError> {
        let credentials = self.credentials.clone().ok_or_else(|| BucketError::CredentialsRefused {
            place: crate::Place { bucket: bucket.to_owned(), key: key.to_owned() },
            reason: "the environment has none".to_owned(),
        })?;
        let location = Location {
            bucket: bucket.to_owned(),
            path: String::new(),
            region,
            endpoint_url: self.endpoint_url.clone(),
            expected_bucket_owner: None,
        };
        Ok(Bucket::open(location, credentials))
    }
}
