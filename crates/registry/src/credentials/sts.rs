//! AssumeRole, with or without an External ID, and always with a session policy.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;

use super::CredentialsError;
use crate::config::Config;
use crate::policy::Node;

/// As short as AWS allows.
const SHORTEST: Duration = Duration::from_secs(900);

/// Cortex's own identity at STS.
#[derive(Debug)]
pub(crate) struct Sts {
    client: Client,
    session: Duration,
}

/// Who would be assumed, and how.
pub(crate) struct Ask<'a> {
    pub(crate) role_arn: &'a str,
    /// For the customer's CloudTrail.
    pub(crate) session_name: String,
    pub(crate) external_id: Option<&'a str>,
    pub(crate) policy: Node,
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

    /// A session at the role.
    pub(crate) async fn assume(&self, ask: &Ask<'_>) -> Result<Credentials, CredentialsError> {
        self.assume_for(ask, self.session).await
    }

    /// Whether the role can be assumed so.
    pub(crate) async fn is_assumable(&self, ask: &Ask<'_>) -> Result<bool, CredentialsError> {
        match self.assume_for(ask, SHORTEST).await {
            Ok(_) => Ok(true),
            Err(CredentialsError::AssumeRole { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn assume_for(&self, ask: &Ask<'_>, lasting: Duration) -> Result<Credentials, CredentialsError> {
        let seconds = i32::try_from(lasting.as_secs()).unwrap_or(3600);
        let response = self
            .client
            .assume_role()
            .role_arn(ask.role_arn)
            .role_session_name(&ask.session_name)
            .set_external_id(ask.external_id.map(str::to_owned))
            .policy(ask.policy.to_compact_json())
            .duration_seconds(seconds)
            .send()
            .await
            .map_err(|error| refused(ask.role_arn, &error))?;
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

/// What STS answered: the customer's to mend, the operator's, or passing.
fn refused<E: ProvideErrorMetadata>(role_arn: &str, error: &SdkError<E, HttpResponse>) -> CredentialsError {
    let Some(service) = error.as_service_error() else {
        return CredentialsError::Unavailable(error.to_string());
    };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    // STS names the code in its answer; one that does not is told by its status.
    let code = service.code().unwrap_or(match status {
        403 => "AccessDenied",
        500.. => "ServiceUnavailable",
        _ => "refused",
    });
    let reason = format!("{code}: {}", service.message().unwrap_or_default());
    let role_arn = role_arn.to_owned();
    match code {
        "AccessDenied" | "AccessDeniedException" => CredentialsError::AssumeRole { role_arn, reason },
        "Throttling"
        | "ThrottlingException"
        | "InternalFailure"
        | "InternalError"
        | "ServiceUnavailable"
        | "RequestLimitExceeded" => CredentialsError::Unavailable(code.to_owned()),
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken" => CredentialsError::Platform(reason),
        _ => CredentialsError::Sts { role_arn, reason },
    }
}
