//! A sandbox that runs, and clients of it.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::PathBuf;

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use sandbox::{Config, Grant, Identity, Objects, Principal, Role, Roles, Sandbox, Sessions, Trust};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/cortex";
pub(crate) const EXTERNAL_ID: &str = "cortex-5f2e/external:id";
pub(crate) const BUCKET: &str = "customer-bucket";

pub(crate) struct World {
    pub(crate) root: TempDir,
    pub(crate) roles: Roles,
    pub(crate) sessions: Sessions,
    pub(crate) objects: Objects,
    pub(crate) endpoint: String,
    _running: DropGuard,
}

pub(crate) fn platform() -> Identity {
    Identity {
        access_key_id: "AKIAPLATFORM".into(),
        secret_access_key: "platform-secret".into(),
        arn: "arn:aws:iam::222222222222:user/cortex".into(),
        account_id: "222222222222".into(),
    }
}

pub(crate) fn owner() -> Identity {
    Identity {
        access_key_id: "AKIAOWNER".into(),
        secret_access_key: "owner-secret".into(),
        arn: "arn:aws:iam::111111111111:user/owner".into(),
        account_id: "111111111111".into(),
    }
}

/// May read `events/` of the bucket, for the platform with the External ID.
pub(crate) fn role() -> Role {
    Role {
        arn: ROLE.into(),
        trust: Trust { principal: Principal::Arn(platform().arn), external_id: Some(EXTERNAL_ID.into()) },
        grants: vec![Grant { bucket: BUCKET.into(), prefix: "events".into() }],
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With a sandbox that `change` has set up otherwise.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(BUCKET)).unwrap();
        let mut config = Config::new(root.path());
        config.identities = vec![platform()];
        config.owner_keys = Some(owner());
        config.roles = vec![role()];
        change(&mut config);
        let sandbox = Sandbox::bind(config).await.unwrap();
        let (roles, sessions, endpoint) = (sandbox.roles(), sandbox.sessions(), sandbox.endpoint_url());
        let objects = sandbox.objects();
        let shutdown = CancellationToken::new();
        tokio::spawn(sandbox.run(shutdown.clone()));
        Self { root, roles, sessions, objects, endpoint, _running: shutdown.drop_guard() }
    }

    /// Writes a file into the bucket's folder, as a user of `cortex dev` does.
    pub(crate) fn drop_file(&self, key: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn s3(&self, credentials: Credentials) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .force_path_style(true)
            .credentials_provider(credentials);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    pub(crate) fn s3_as_owner(&self) -> aws_sdk_s3::Client {
        self.s3(keys(&owner()))
    }

    pub(crate) async fn s3_in_session(&self) -> aws_sdk_s3::Client {
        self.s3(self.session(|assume| assume).await)
    }

    pub(crate) fn sts(&self, identity: &Identity) -> aws_sdk_sts::Client {
        self.sts_with(keys(identity))
    }

    pub(crate) fn sts_with(&self, credentials: Credentials) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http_client())
            .region(Region::new("eu-central-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(credentials);
        aws_sdk_sts::Client::from_conf(config.build())
    }

    /// Assumes the role as the platform with the right External ID, but for what `change` changes.
    pub(crate) async fn assume(
        &self,
        change: impl FnOnce(AssumeRoleFluentBuilder) -> AssumeRoleFluentBuilder,
    ) -> Result<Credentials, Refused> {
        let assume = self.sts(&platform()).assume_role().role_arn(ROLE).role_session_name("test");
        let answer = change(assume.external_id(EXTERNAL_ID)).send().await;
        match answer {
            Ok(answer) => Ok(credentials(answer.credentials().unwrap())),
            Err(err) => Err(refused(err)),
        }
    }

    pub(crate) async fn session(
        &self,
        change: impl FnOnce(AssumeRoleFluentBuilder) -> AssumeRoleFluentBuilder,
    ) -> Credentials {
        self.assume(change).await.unwrap()
    }
}

/// HTTP status and code of an error answer.
pub(crate) type Refused = (u16, String);

pub(crate) fn refused<E>(
    err: aws_sdk_s3::error::SdkError<E, aws_sdk_s3::config::http::HttpResponse>,
) -> Refused
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let status = err.raw_response().unwrap_or_else(|| panic!("no answer: {err:?}")).status().as_u16();
    (status, err.code().unwrap_or_default().to_owned())
}

pub(crate) fn is(status: u16, code: &str) -> Refused {
    (status, code.to_owned())
}

pub(crate) fn keys(identity: &Identity) -> Credentials {
    Credentials::new(&identity.access_key_id, &identity.secret_access_key, None, None, "test")
}

pub(crate) fn credentials(issued: &aws_sdk_sts::types::Credentials) -> Credentials {
    Credentials::new(
        issued.access_key_id(),
        issued.secret_access_key(),
        Some(issued.session_token().to_owned()),
        std::time::SystemTime::try_from(*issued.expiration()).ok(),
        "test",
    )
}

pub(crate) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}
