//! A running registry with what it needs around it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::client::{Registry, Worker, connect};
use api::registry::{
    Account, ActivateSourceRequest, CreateAccountRequest, CreateAccountTokenRequest, CreateSourceRequest,
    Dataset, Source,
};
use queue::embedded::EmbeddedQueue;
use queue::{Queue, TopicSpec};
use registry::{Config, RegistryError, Secret, Server, ServerTls};
use sandbox::{Grant, Identity, Objects, Principal, Role, Roles, Sandbox, Trust};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const ADMIN: &str = "the-admin-token";
pub(crate) const WORKER: &str = "the-worker-token";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/customer";
pub(crate) const BUCKET: &str = "customer-bucket";
const PLATFORM: &str = "arn:aws:iam::999988887777:user/platform";

/// The account of the customer's role, who owns its buckets.
pub(crate) const CUSTOMER: &str = "111122223333";
pub(crate) const PLATFORM_ACCOUNT: &str = "999988887777";

/// Changes settings of the registry, given the endpoint of S3.
pub(crate) type Configure = Box<dyn FnOnce(&mut Config, &str) + Send>;

/// What a test would have otherwise.
pub(crate) struct Around {
    /// Who owns all buckets.
    pub(crate) owner: &'static str,
    /// Where all buckets are; anywhere where none is set.
    pub(crate) region: Option<&'static str>,
    /// More settings of the registry, with the endpoint of S3.
    pub(crate) configure: Configure,
}

impl Default for Around {
    fn default() -> Self {
        Self { owner: CUSTOMER, region: None, configure: Box::new(|_, _| {}) }
    }
}

pub(crate) struct Fixture {
    pub(crate) address: String,
    pub(crate) roles: Roles,
    pub(crate) objects: Objects,
    /// The folder that holds the buckets.
    pub(crate) root: PathBuf,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) s3: String,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: Option<JoinHandle<Result<(), RegistryError>>>,
    dir: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // The progress reader's thread would else be waited for by the runtime for ever.
        self.shutdown.cancel();
    }
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::start_around(Around::default()).await
    }

    /// With TLS where it is given.
    pub(crate) async fn start_with(tls: Option<ServerTls>) -> Self {
        Self::start_around(Around { configure: Box::new(|config, _| config.tls = tls), ..Around::default() })
            .await
    }

    pub(crate) async fn start_around(around: Around) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("s3").join(BUCKET).join("events/2026-11-23");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("a.csv"), "user_id,timestamp,type\n").unwrap();
        let platform = Identity {
            access_key_id: "AKIAPLATFORM".into(),
            secret_access_key: "platform-secret-never-shown".into(),
            arn: PLATFORM.into(),
            account_id: PLATFORM_ACCOUNT.into(),
        };
        let shutdown = CancellationToken::new();
        let sandbox = Sandbox::bind(sandbox::Config {
            identities: vec![platform.clone()],
            owner_keys: Some(owner(around.owner)),
            region: around.region.map(str::to_owned),
            settle: Duration::ZERO,
            ..sandbox::Config::new(dir.path().join("s3"))
        })
        .await
        .unwrap();
        let (s3, roles, objects) = (sandbox.endpoint_url(), sandbox.roles(), sandbox.objects());
        tokio::spawn(sandbox.run(shutdown.clone()));

        let path = dir.path().join("queue.db");
        let queue: Arc<dyn Queue> = tokio::task::spawn_blocking(move || {
            let queue = EmbeddedQueue::open(&path).unwrap();
            let topics = records::topic::ALL.map(|name| TopicSpec { name: name.into(), partitions: 2 });
            queue.ensure_topics(&topics).unwrap();
            Arc::new(queue)
        })
        .await
        .unwrap();
        let database = format!("sqlite://{}?mode=rwc", dir.path().join("registry.db").display());
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::new(listen, Secret::new(database), Secret::new(ADMIN), Secret::new(WORKER));
        config.platform.account_id = PLATFORM_ACCOUNT.to_owned();
        config.platform.sts_endpoint = Some(s3.clone());
        config.platform.s3_endpoint = Some(s3.clone());
        config.platform.keys = Some((platform.access_key_id, Secret::new(platform.secret_access_key)));
        (around.configure)(&mut config, &s3);
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let shown = format!("{config:?}");
        assert!(![ADMIN, WORKER, "platform-secret"].iter().any(|secret| shown.contains(secret)), "{shown}");
        let server = Server::bind(config, queue.clone()).await.unwrap();
        let address = format!("{scheme}://{}", server.local_addr());
        let running = Some(tokio::spawn(server.run(shutdown.clone())));
        let root = dir.path().join("s3");
        Self { address, roles, objects, root, queue, s3, shutdown, running, dir }
    }

    /// Whether the database's files hold this text.
    pub(crate) fn database_holds(&self, text: &str) -> bool {
        ["registry.db", "registry.db-wal"].iter().any(|file| {
            let bytes = std::fs::read(self.dir.path().join(file)).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        })
    }

    pub(crate) fn as_admin(&self) -> Registry {
        self.as_holder_of(ADMIN)
    }

    pub(crate) fn as_holder_of(&self, token: &str) -> Registry {
        Registry::new(connect(&self.address, token).unwrap())
    }

    pub(crate) fn worker(&self) -> Worker {
        Worker::new(connect(&self.address, WORKER).unwrap())
    }

    pub(crate) async fn account(&self, id: &str) -> Account {
        let request =
            CreateAccountRequest { account_id: id.into(), display_name: id.into(), ..Default::default() };
        self.as_admin().create_account(request).await.unwrap().into_inner().account.unwrap()
    }

    pub(crate) async fn token(&self, account: &Account) -> String {
        let request = CreateAccountTokenRequest { name: account.name.clone(), ..Default::default() };
        self.as_admin().create_account_token(request).await.unwrap().into_inner().token
    }

    /// Lets the platform assume the role where it gives this External ID; for the folder `events` alone.
    pub(crate) fn trust(&self, external_id: &str) {
        self.roles.put(Role {
            arn: ROLE.into(),
            trust: Trust {
                principal: Principal::Arn(PLATFORM.into()),
                external_id: Some(external_id.into()),
            },
            grants: vec![Grant { bucket: BUCKET.into(), prefix: String::new() }],
        });
    }

    /// Puts a file into the customer's bucket.
    pub(crate) fn put(&self, key: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) async fn draft(&self, account: &Account) -> Source {
        self.draft_of(account, source()).await
    }

    pub(crate) async fn draft_of(&self, account: &Account, source: Source) -> Source {
        let request =
            CreateSourceRequest { parent: account.name.clone(), source: Some(source), ..Default::default() };
        self.as_admin().create_source(request).await.unwrap().into_inner().source.unwrap()
    }

    /// A live source of a new account.
    pub(crate) async fn live(&self, account: &str) -> (Account, Source) {
        let account = self.account(account).await;
        self.trust(&account.external_id);
        let source = self.draft(&account).await;
        let request = ActivateSourceRequest { name: source.name };
        let live = self.as_admin().activate_source(request).await.unwrap().into_inner().source.unwrap();
        (account, live)
    }
}

/// Whoever owns the buckets.
pub(crate) fn owner(account: &str) -> Identity {
    Identity {
        access_key_id: "AKIAOWNER".into(),
        secret_access_key: "owner-secret-never-shown".into(),
        arn: format!("arn:aws:iam::{account}:user/owner"),
        account_id: account.into(),
    }
}

/// A source as a client sends it.
pub(crate) fn source() -> Source {
    Source {
        display_name: "Clicks".into(),
        dataset: Dataset::Events as i32,
        bucket: BUCKET.into(),
        path: "/events/".into(),
        role_arn: ROLE.into(),
        ..Default::default()
    }
}

pub(crate) fn source_id(source: &Source) -> String {
    source.name.rsplit('/').next().unwrap().to_owned()
}

pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
