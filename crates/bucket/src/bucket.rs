//! A source's place in S3, opened: the client, its session, and the one way that calls go.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, IdentityCache, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::Provider as Tls;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use jiff::Timestamp;

use crate::credentials::Session;
use crate::{BucketError, Location, ObjectReader, ParallelReader, Place};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the first byte of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const ATTEMPTS: u32 = 4;

/// A folder of a bucket, opened. Cheap to clone; clones share connections and session.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub(crate) client: aws_sdk_s3::Client,
    /// Tries each call once. An override at the call would do, but the SDK then puts its settings together anew for it,
    /// which is much of what a small object costs.
    pub(crate) once: aws_sdk_s3::Client,
    pub(crate) location: Arc<Location>,
    session: Session,
}

impl Bucket {
    /// Makes the client; nothing is sent before the first call.
    pub fn open(location: Location, credentials: SharedCredentialsProvider) -> Self {
        let session = Session::new(credentials);
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let region = location.region.clone().unwrap_or_else(|| "us-east-1".to_owned());
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client(location.endpoint_url.as_deref()))
            .region(Region::new(region))
            .credentials_provider(session.clone())
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            // A reader that waits for its consumer is no stalled stream; `fetch` has its own limit for silence.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            // Stores other than Amazon's often lack the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if let Some(url) = &location.endpoint_url {
            config = config.endpoint_url(url).force_path_style(true);
        }
        let client = aws_sdk_s3::Client::from_conf(config.clone().build());
        let once = aws_sdk_s3::Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
        Self { client, once, location: Arc::new(location), session }
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Checks that the path can be listed, by listing at most one key of it.
    pub async fn probe(&self) -> Result<(), BucketError> {
        self.list(&self.location.prefix(), None, None, None, 1).await.map(drop)
    }

    /// A reader of one object, as it was when it had this ETag (without quotes).
    ///
    /// It blocks, so it is for a thread that is not one of the runtime's workers; the network part runs on `runtime`.
    /// The size, where it is known from listing, saves a request when the reader seeks from the end.
    pub fn reader(
        &self,
        key: &str,
        etag: &str,
        size: Option<u64>,
        runtime: tokio::runtime::Handle,
    ) -> ObjectReader {
        ObjectReader::new(self.clone(), key, etag, size, runtime)
    }

    /// A reader of an object of this size, like [`Bucket::reader`], that has `connections` requests under way at once.
    pub fn parallel_reader(
        &self,
        key: &str,
        etag: &str,
        size: u64,
        connections: usize,
        runtime: tokio::runtime::Handle,
    ) -> ParallelReader {
        ParallelReader::new(self.clone(), key, etag, size, connections, runtime)
    }

    pub(crate) fn place(&self, key: &str) -> Place {
        Place { bucket: self.location.bucket.clone(), key: key.to_owned() }
    }

    pub(crate) fn owner(&self) -> Option<String> {
        self.location.expected_bucket_owner.clone()
    }

    /// Makes a call; where S3 refuses the session, once more with a new one. `action` is the permission it needs.
    pub(crate) async fn call<T, E, F>(
        &self,
        key: &str,
        action: &'static str,
        send: impl Fn() -> F,
    ) -> Result<T, BucketError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.session
            .call(
                |err| BucketError::from_credentials(err, self.place(key)),
                |err| matches!(err, BucketError::CredentialsRefused { .. }),
                |reason| BucketError::Unavailable { place: self.place(key), reason },
                || {
                    // The SDK's futures are of many kilobytes, and each that holds one is moved with it: a pointer is not.
                    let sent = Box::pin(send());
                    async move { sent.await.map_err(|err| BucketError::from_sdk(err, self.place(key), action)) }
                },
            )
            .await
    }

    /// The object as it is now, for one that was not listed.
    pub async fn version(&self, key: &str) -> Result<ObjectVersion, BucketError> {
        self.head(key, None).await
    }

    /// Size of the object as it was when it had this ETag.
    pub(crate) async fn size(&self, key: &str, etag: &str) -> Result<u64, BucketError> {
        Ok(self.head(key, Some(quoted(etag))).await?.size)
    }

    async fn head(&self, key: &str, if_match: Option<String>) -> Result<ObjectVersion, BucketError> {
        let head = self
            .call(key, "s3:GetObject", || {
                self.client
                    .head_object()
                    .bucket(&self.location.bucket)
                    .key(key)
                    .set_if_match(if_match.clone())
                    .set_expected_bucket_owner(self.owner())
                    .send()
            })
            .await;
        let head = match head {
            Err(err) => return Err(self.denied_or_gone(key, err).await),
            Ok(head) => head,
        };
        let lacks = |what: &str| BucketError::Other {
            place: self.place(key),
            reason: format!("the answer to HEAD has no {what}"),
        };
        let size = head.content_length().and_then(|size| u64::try_from(size).ok());
        Ok(ObjectVersion {
            etag: head.e_tag().ok_or_else(|| lacks("ETag"))?.trim_matches('"').to_owned(),
            size: size.ok_or_else(|| lacks("length"))?,
            last_modified: head.last_modified().and_then(timestamp).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }

    /// S3 denies access to an object that is gone, too, where the session may list a path only; and its answer to HEAD
    /// has no room for saying that it does not know the keys. Listing tells.
    pub(crate) async fn denied_or_gone(&self, key: &str, err: BucketError) -> BucketError {
        if !matches!(err, BucketError::AccessDenied { .. }) {
            return err;
        }
        match self.list(key, None, None, None, 1).await {
            Ok(page) if page.objects.first().is_none_or(|object| object.key != key) => {
                BucketError::NotFound { place: self.place(key) }
            }
            Err(
                refused @ (BucketError::CredentialsRefused { .. }
                | BucketError::RoleNotAssumable { .. }
                | BucketError::KeysNotOpened { .. }),
            ) => refused,
            _ => err,
        }
    }
}

/// What tells one content of a key from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Without quotes.
    pub etag: String,
    /// In bytes.
    pub size: u64,
    /// When it was uploaded.
    pub last_modified: Timestamp,
}

/// A time as the SDK has it.
pub(crate) fn timestamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// An ETag as it stands in a header.
pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

pub(crate) fn http_client(endpoint_url: Option<&str>) -> SharedHttpClient {
    match endpoint_url {
        // Needs no certificates, so it works where there are none.
        Some(url) if url.starts_with("http://") => HttpClient::new().build_http(),
        _ => HttpClient::new().tls_provider(Tls::Rustls(CryptoMode::Ring)).build_https(),
    }
}
