//! Uploads to an S3 server, as a customer does.

use std::sync::Arc;

use anyhow::Result;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_http_client::tls;
use tokio::runtime::Runtime;

/// A bucket of a customer.
#[derive(Clone)]
pub struct Store {
    runtime: Arc<Runtime>,
    client: Client,
    bucket: String,
}

impl Store {
    /// Makes the bucket.
    pub fn new(endpoint: &str, access_key: &str, secret_key: &str, bucket: &str) -> Result<Self> {
        let runtime = Arc::new(Runtime::new()?);
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(endpoint)
            .force_path_style(true)
            .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
            .http_client(http)
            .build();
        let store = Self { runtime, client: Client::from_conf(config), bucket: bucket.to_owned() };
        store.runtime.block_on(store.client.create_bucket().bucket(bucket).send())?;
        Ok(store)
    }

    /// Its name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Uploads an object; gives its ETag, without quotes.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<String> {
        let put = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.to_vec().into());
        let put = self.runtime.block_on(put.send())?;
        Ok(put.e_tag().unwrap_or_default().trim_matches('"').to_owned())
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.runtime.block_on(self.client.delete_object().bucket(&self.bucket).key(key).send())?;
        Ok(())
    }
}
