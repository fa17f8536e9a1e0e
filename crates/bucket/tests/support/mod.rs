//! A customer's bucket on the sandbox, a registry that issues sessions for it, and a network that breaks.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod network;
mod registry;

use std::io::{self, Read};
use std::path::PathBuf;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bucket::{Bucket, BucketError, IssuedCredentials, ListedObject, Location, ObjectReader};
use sandbox::{Config, Grant, Identity, Objects, Principal, Role, Roles, Sandbox, Sessions, Trust};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) use network::Network;
pub(crate) use registry::Registry;

pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/cortex";
pub(crate) const EXTERNAL_ID: &str = "external-id";
pub(crate) const BUCKET: &str = "customer-bucket";
pub(crate) const PATH: &str = "data/events";

pub(crate) struct World {
    pub(crate) root: TempDir,
    pub(crate) endpoint: String,
    pub(crate) sessions: Sessions,
    pub(crate) roles: Roles,
    pub(crate) objects: Objects,
    pub(crate) registry: Registry,
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

/// The role of the source, with these rights.
pub(crate) fn role(grants: Vec<Grant>) -> Role {
    Role {
        arn: ROLE.into(),
        trust: Trust { principal: Principal::Arn(platform().arn), external_id: Some(EXTERNAL_ID.into()) },
        grants,
    }
}

fn grant(bucket: &str) -> Grant {
    Grant { bucket: bucket.into(), prefix: PATH.into() }
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
        config.settle = std::time::Duration::ZERO;
        config.roles = vec![role(vec![grant(BUCKET), grant("no-such-bucket")])];
        change(&mut config);
        let sandbox = Sandbox::bind(config).await.unwrap();
        let (endpoint, sessions) = (sandbox.endpoint_url(), sandbox.sessions());
        let (roles, objects) = (sandbox.roles(), sandbox.objects());
        let shutdown = CancellationToken::new();
        tokio::spawn(sandbox.run(shutdown.clone()));
        let registry = Registry::start(&endpoint, shutdown.clone()).await;
        Self { root, endpoint, sessions, roles, objects, registry, _running: shutdown.drop_guard() }
    }

    /// Writes an object below the source's path.
    pub(crate) fn put(&self, key: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.root.path().join(BUCKET).join(PATH).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn location(&self) -> Location {
        Location {
            bucket: BUCKET.into(),
            path: PATH.into(),
            region: None,
            endpoint_url: Some(self.endpoint.clone()),
            expected_bucket_owner: None,
        }
    }

    pub(crate) fn issued(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(IssuedCredentials::new(self.registry.client(), "source", "worker"))
    }

    /// The source's bucket in a session that the registry issues.
    pub(crate) fn bucket(&self) -> Bucket {
        Bucket::open(self.location(), self.issued())
    }

    /// The same over a network that can break.
    pub(crate) fn bucket_over(&self, network: &Network) -> Bucket {
        let endpoint_url = Some(network.endpoint.clone());
        Bucket::open(Location { endpoint_url, ..self.location() }, self.issued())
    }
}

pub(crate) fn static_keys(id: &str, secret: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(id, secret, None, None, "test"))
}

/// The one object of a date's folder.
pub(crate) async fn only_object(bucket: &Bucket) -> ListedObject {
    let date = bucket.date_folders(None, None).await.unwrap().dates[0];
    let mut objects = bucket.list_folder(date).next_page().await.unwrap().unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
    objects.remove(0)
}

pub(crate) fn reader(bucket: &Bucket, object: &ListedObject) -> ObjectReader {
    bucket.reader(&object.key, &object.etag, Some(object.size), Handle::current())
}

/// Does blocking work on a thread for it.
pub(crate) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

pub(crate) async fn read_all(mut reader: ObjectReader) -> io::Result<Vec<u8>> {
    on_thread(move || {
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map(|_| content)
    })
    .await
}

pub(crate) fn code(result: io::Result<Vec<u8>>) -> &'static str {
    let err = result.map(|content| content.len()).unwrap_err();
    BucketError::of(&err).unwrap_or_else(|| panic!("no error of S3: {err:?}")).code()
}

/// Bytes that are nowhere the same.
pub(crate) fn numbered(len: usize) -> Vec<u8> {
    (0..).flat_map(u32::to_le_bytes).take(len).collect()
}
