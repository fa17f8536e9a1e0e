//! Tokens for Amazon MSK: a presigned request of the platform's own AWS identity, as AWS's `aws-msk-iam-sasl-signer` libraries
//! make it.

use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Builder as HttpClient;
use aws_smithy_http_client::tls::Provider as TlsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_types::region::Region;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;

use super::{Token, TokenError, TokenSource};

/// The service whose name the request is signed with.
const SERVICE: &str = "kafka-cluster";
/// What the request asks for, as it stands in a URL.
const ACTION: &str = "Action=kafka-cluster%3AConnect";
/// As long as AWS takes it.
const LIFE: Duration = Duration::from_secs(900);
/// Who asks; not signed.
const USER_AGENT: &str = "&User-Agent=cortex";

/// Signs for a cluster of this region, with the identity that every AWS tool finds: `AWS_…` variables, profile files, a web
/// identity (IRSA), a container or an instance.
#[derive(Debug)]
pub struct MskIam {
    region: String,
}

impl MskIam {
    /// For clusters of this region, such as `eu-central-1`.
    pub fn new(region: impl Into<String>) -> Self {
        Self { region: region.into() }
    }

    async fn credentials(&self) -> Result<Credentials, TokenError> {
        let https = HttpClient::new().tls_provider(TlsProvider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https)
            .region(Region::new(self.region.clone()))
            .load()
            .await;
        let provider = config
            .credentials_provider()
            .ok_or_else(|| TokenError::Denied("there is no AWS identity to sign with".to_owned()))?;
        provider.provide_credentials().await.map_err(|error| {
            // The chain of causes is left out: it may quote what a metadata service answered.
            TokenError::Unavailable(format!("no AWS credentials to sign for MSK with: {error}"))
        })
    }
}

impl TokenSource for MskIam {
    fn fetch(&self) -> BoxFuture<'_, Result<Token, TokenError>> {
        Box::pin(async move {
            let credentials = self.credentials().await?;
            let now = SystemTime::now();
            let value = signed(&self.region, credentials, now).map_err(|error| {
                TokenError::Denied(format!("the token for MSK cannot be signed: {error}"))
            })?;
            Ok(Token { value, principal: "msk-iam".to_owned(), expires: now + LIFE })
        })
    }
}

/// The token: a presigned URL in base64. AWS lets it be used for [`LIFE`] from `now` on.
fn signed(
    region: &str,
    credentials: Credentials,
    now: SystemTime,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut url = format!("https://kafka.{region}.amazonaws.com/?{ACTION}");
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(LIFE);
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(now)
        .settings(settings)
        .build()?
        .into();
    let request = SignableRequest::new("GET", url.clone(), std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &parameters)?.into_parts();
    for (name, value) in instructions.params() {
        let mut pair = form_urlencoded::Serializer::new(String::new());
        pair.append_pair(name, value);
        url.push('&');
        url.push_str(&pair.finish());
    }
    url.push_str(USER_AGENT);
    Ok(URL_SAFE_NO_PAD.encode(url))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::time::UNIX_EPOCH;

    use super::*;

    /// 2026-11-23T12:00:00Z
    const NOW: u64 = 1_795_435_200;

    /// A token's query, without who asks.
    fn query(token: &str) -> (String, BTreeMap<String, String>) {
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        let (path, query) = url.split_once('?').unwrap();
        let mut query: BTreeMap<String, String> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert!(query.remove("User-Agent").is_some());
        (path.to_owned(), query)
    }

    #[test]
    fn tokens_are_those_of_awss_own_signer() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/msk_token.py");
        let packages = ["aws-msk-iam-sasl-signer-python==1.0.2", "boto3==1.44.8"];
        let mut signer = services::Python::with("msk", &packages, &script).unwrap();
        for (region, session) in
            [("eu-central-1", ""), ("us-east-1", "a session/with+signs=="), ("cn-north-1", "s")]
        {
            let token = (!session.is_empty()).then(|| session.to_owned());
            let keys = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfi", token, None, "test");
            let ours = signed(region, keys, UNIX_EPOCH + Duration::from_secs(NOW)).unwrap();
            let theirs = signer.ask(&format!("{NOW}\t{region}\t{session}")).unwrap();
            assert_eq!(query(&ours), query(&theirs), "{region}");
        }
    }
}
