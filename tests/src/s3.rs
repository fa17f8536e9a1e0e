//! Uploads to an S3 server, as a customer does.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
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

    /// Uploads an object in parts, one after another, until there is none left; what it is of is never all in memory.
    pub fn put_parts(&self, key: &str, mut next: impl FnMut() -> Result<Option<Vec<u8>>>) -> Result<()> {
        let upload = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let upload = upload.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let upload = self.runtime.block_on(upload.send())?;
        let id = upload.upload_id().context("an upload's id")?;
        let mut parts = Vec::new();
        while let Some(part) = next()? {
            let number = i32::try_from(parts.len() + 1)?;
            let put = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(id);
            let put = self.runtime.block_on(put.part_number(number).body(part.into()).send())?;
            let part = CompletedPart::builder().part_number(number).set_e_tag(put.e_tag().map(str::to_owned));
            let part = part.set_checksum_crc32(put.checksum_crc32().map(str::to_owned));
            parts.push(part.build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(id);
        self.runtime.block_on(complete.multipart_upload(parts).send())?;
        Ok(())
    }

    /// Deletes an object.
    pub fn delete(&self, key: &str) -> Result<()> {
        self.runtime.block_on(self.client.delete_object().bucket(&self.bucket).key(key).send())?;
        Ok(())
    }
}
