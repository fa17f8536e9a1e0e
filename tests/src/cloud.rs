//! A customer's buckets and role, and the platform's identity: the sandbox's S3 and STS, on a thread of this process.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use sandbox::{Config, Grant, Identity, Objects, Principal, Role, Roles, Sandbox, Sessions, Trust};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::files::Upload;
use crate::system::System;

/// The customer's role.
pub const ROLE: &str = "arn:aws:iam::111122223333:role/cortex";
const CUSTOMER: &str = "111122223333";
const PLATFORM: &str = "arn:aws:iam::999988887777:user/platform";
/// The platform's key, which no one but the registry and STS is to see.
pub const PLATFORM_KEY: (&str, &str) = ("AKIAPLATFORM", "platform-secret-that-no-one-prints");

/// See the module.
pub struct Cloud {
    endpoint: String,
    bucket: String,
    roles: Roles,
    sessions: Sessions,
    objects: Objects,
    dir: TempDir,
    shutdown: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Cloud {
    /// Starts it with one bucket.
    pub fn start(bucket: &str) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir_all(dir.path().join(bucket))?;
        let platform = Identity {
            access_key_id: PLATFORM_KEY.0.to_owned(),
            secret_access_key: PLATFORM_KEY.1.to_owned(),
            arn: PLATFORM.to_owned(),
            account_id: "999988887777".to_owned(),
        };
        let owner = Identity {
            access_key_id: "AKIACUSTOMER".to_owned(),
            secret_access_key: "customer-secret".to_owned(),
            arn: format!("arn:aws:iam::{CUSTOMER}:user/owner"),
            account_id: CUSTOMER.to_owned(),
        };
        let config = Config {
            identities: vec![platform],
            owner_keys: Some(owner),
            settle: Duration::ZERO,
            ..Config::new(dir.path())
        };
        let shutdown = CancellationToken::new();
        let (send, receive) = std::sync::mpsc::channel();
        let stop = shutdown.clone();
        let thread = std::thread::spawn(move || serve(config, &send, stop));
        let (endpoint, roles, sessions, objects) = receive.recv().context("the sandbox did not start")??;
        let bucket = bucket.to_owned();
        Ok(Self { endpoint, bucket, roles, sessions, objects, dir, shutdown, thread: Some(thread) })
    }

    /// `http://HOST:PORT` of S3 and STS.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Gives processes that are started from now on the platform's identity, and tells them where STS is.
    pub fn give_identity(&self, system: &mut System) {
        system.set("CORTEX_STS_ENDPOINT", &self.endpoint);
        system.set("AWS_ACCESS_KEY_ID", PLATFORM_KEY.0);
        system.set("AWS_SECRET_ACCESS_KEY", PLATFORM_KEY.1);
        system.set("AWS_EC2_METADATA_DISABLED", "true");
    }

    /// Lets the platform assume the role where it gives this External ID, and read all of the bucket.
    pub fn trust(&self, external_id: &str) {
        self.roles.put(Role {
            arn: ROLE.to_owned(),
            trust: Trust {
                principal: Principal::Arn(PLATFORM.to_owned()),
                external_id: Some(external_id.to_owned()),
            },
            grants: vec![Grant { bucket: self.bucket.clone(), prefix: String::new() }],
        });
    }

    /// Removes the role, and ends the sessions that it has.
    pub fn revoke(&self) {
        self.roles.remove(ROLE);
        self.sessions.expire_all();
    }

    /// What stands between a reader and single objects.
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Uploads a file; gives its key.
    pub fn put(&self, folder: &str, upload: &Upload) -> Result<String> {
        let key = format!("{folder}/{}", upload.key);
        let path = self.dir.path().join(&self.bucket).join(&key);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(path, &upload.bytes)?;
        Ok(key)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

type Started = Result<(String, Roles, Sessions, Objects)>;

fn serve(config: Config, started: &std::sync::mpsc::Sender<Started>, stop: CancellationToken) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return drop(started.send(Err(error.into()))),
    };
    runtime.block_on(async {
        let sandbox = match Sandbox::bind(config).await {
            Ok(sandbox) => sandbox,
            Err(error) => return drop(started.send(Err(anyhow!(error)))),
        };
        let parts = (sandbox.endpoint_url(), sandbox.roles(), sandbox.sessions(), sandbox.objects());
        let _ = started.send(Ok(parts));
        let _ = sandbox.run(stop).await;
    });
}
