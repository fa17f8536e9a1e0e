//! AssumeRole with the account's External ID and a session policy.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;

use super::{CredentialsError, session_policy};
use crate::config::Config;
use crate::store::Source;

/// Cortex's own identity at STS.
#[derive(Debug)]
pub(crate) struct Sts {
    client: Client,
    session: Duration,
}

impl Sts {
    pub(crate) async fn new(config: &Config) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(20))
            .build();
        let platform = &config.platform;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts)
            .region(Region::new(platform.region.clone()));
        if let Some((id, secret)) = &platform.keys {
            let keys = Credentials::new(id, secret.reveal(), None, None, "cortex-platform");
            loader = loader.credentials_provider(SharedCredentialsProvider::new(keys));
        }
        let mut sts = aws_sdk_sts::config::Builder::from(&loader.load().await);
        if let Some(endpoint) = &platform.sts_endpoint {
            sts = sts.endpoint_url(endpoint);
        }
        Self { client: Client::from_conf(sts.build()), session: config.session_duration }
    }

    /// A session at the source's role, narrowed to its bucket and path.
    pub(crate) async fn assume(
        &self,
        source: &Source,
        external_id: &str,
    ) -> Result<Credentials, CredentialsError> {
        let settings = &source.settings;
        let partition = settings.role_arn.split(':').nth(1).unwrap_or("aws");
        let policy = session_policy::document(partition, &settings.bucket, &settings.path);
        let seconds = i32::try_from(self.session.as_secs()).unwrap_or(3600);
        let response = self
            .client
            .assume_role()
            .role_arn(&settings.role_arn)
            .role_session_name(format!("cortex-{}", source.id))
            .external_id(external_id)
            .policy(policy.to_string())
            .duration_seconds(seconds)
            .send()
            .await
            .map_err(|error| refused(&settings.role_arn, &error))?;
        let Some(session) = response.credentials else {
            return Err(CredentialsError::Unavailable("STS gave no credentials".to_owned()));
        };
        let expires = u64::try_from(session.expiration.secs()).unwrap_or(0);
        Ok(Credentials::new(
            session.access_key_id,
            session.secret_access_key,
            Some(session.session_token),
            Some(UNIX_EPOCH + Duration::from_secs(expires)),
            "cortex-sts",
        ))
    }
}

/// What STS answered: the customer's to mend, or passing.
fn refused<E: ProvideErrorMetadata, R>(role_arn: &str, error: &SdkError<E, R>) -> CredentialsError {
    match error.as_service_error() {
        Some(service)
            if !matches!(service.code(), Some("Throttling" | "InternalFailure" | "ServiceUnavailable")) =>
        {
            let code = service.code().unwrap_or("refused");
            let message = service.message().unwrap_or_default();
            CredentialsError::AssumeRole {
                role_arn: role_arn.to_owned(),
                reason: format!("{code}: {message}"),
            }
        }
        Some(service) => CredentialsError::Unavailable(service.code().unwrap_or_default().to_owned()),
        None => CredentialsError::Unavailable(error.to_string()),
    }
}
