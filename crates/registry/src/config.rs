//! Settings of the registry.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A value that no log, error or Debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps it.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Cortex's own identity at AWS, which assumes customers' roles.
#[derive(Debug, Clone)]
pub struct PlatformIdentity {
    /// The platform's AWS account, which customers' trust policies name; empty where not known.
    pub account_id: String,
    /// Region of STS, and of buckets that name none.
    pub region: String,
    /// Another STS than Amazon's (the sandbox).
    pub sts_endpoint: Option<String>,
    /// Another S3 than Amazon's for sources without an endpoint of their own (the sandbox).
    pub s3_endpoint: Option<String>,
    /// Access key id and secret; the AWS default chain where absent.
    pub keys: Option<(String, Secret)>,
}

/// What the registry shows, and demands, over TLS; all in PEM.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// The certificate chain, the registry's own certificate first.
    pub certificate: Vec<u8>,
    /// The key of the first one.
    pub key: Secret,
    /// CAs of the certificates that clients must then show; clients need none where absent.
    pub client_ca: Option<Vec<u8>>,
}

/// How people who are signed in at an OpenID Connect provider come to accounts.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// Whose tokens hold, and for which client.
    pub provider: oidc::Config,
    /// The claim that says what is open to them, such as `groups`.
    pub claim: String,
    /// What each of its values opens: accounts' ids, separated by spaces, each with `:read-only` where one may look only. Where
    /// it is empty the values themselves say so: `cortex:ACCOUNT`, `cortex:ACCOUNT:read-only`.
    pub accounts: BTreeMap<String, String>,
}

/// Who brings the database's tables up to this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrations {
    /// The registry itself, before it serves.
    AtStart,
    /// Someone else, before the registry starts: it refuses tables that lack something.
    ByCommand,
}

/// Settings of the registry.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where gRPC listens.
    pub grpc_listen: SocketAddr,
    /// Where set, gRPC is served over TLS alone.
    pub tls: Option<ServerTls>,
    /// Bytes of the largest request that is read.
    pub max_request_bytes: usize,
    /// `postgres://…` or `sqlite://…`
    pub database_url: Secret,
    /// Who migrates it.
    pub migrations: Migrations,
    /// May do all of `registry.v1`.
    pub admin_token: Secret,
    /// May do all of `worker.v1`.
    pub worker_token: Secret,
    /// Where set, tokens of this provider hold besides the registry's own.
    pub sign_in: Option<SignIn>,
    /// S3-compatible endpoints that sources may name.
    pub allowed_endpoints: Vec<String>,
    /// 32 bytes in base64: seals static keys. Without it sources with static keys are refused.
    pub sealing_key: Option<Secret>,
    /// Keys that sealed before, of the same form: they open, and what they sealed is sealed anew at start.
    pub sealing_keys_retired: Vec<Secret>,
    /// Limits on what a file may hold, as the parsers'.
    pub limits: format::Limits,
    /// The most bytes that a record and its key may have together, as the parsers'.
    pub most_record_bytes: usize,
    /// Cortex's own identity at AWS.
    pub platform: PlatformIdentity,
    /// Between two scans of a source.
    pub scan_interval: Duration,
    /// Between two full sweeps of a source.
    pub sweep_interval: Duration,
    /// A folder of more than a page that is scanned from behind its mark is listed in full again after so long at the latest:
    /// so long may pass until an object is found that came before the mark, or was overwritten there.
    pub relist_interval: Duration,
    /// Days before today whose folders each scan lists.
    pub look_back_days: u32,
    /// Files of one source that may be on the queue unfinished.
    pub max_unfinished_files: u32,
    /// Attempts at reading a file that may be lost in a row, by crashes or hangs, before it is set aside.
    pub most_attempts: u32,
    /// A file that is to be read and has not moved for so long counts as stuck.
    pub stuck_after: Duration,
    /// Requests a second of one account, beyond a burst of as many again; 0 for no limit.
    pub requests_per_second: u32,
    /// Sources that an account may have.
    pub max_sources: u32,
    /// A deleted source can be undeleted for so long; then it is gone.
    pub delete_grace: Duration,
    /// Days after which the ledger forgets a file, counted from its folder's date and from when it came to rest; 0 keeps all
    /// for ever. Never within the look-back window.
    pub ledger_retention_days: u32,
    /// Between two looks whether what was due of a source has come, and whether deleted sources and old files are to go.
    pub upkeep_interval: Duration,
    /// How long an assumed session lasts; AWS allows 15 minutes to 12 hours, and 1 hour where roles are chained.
    pub session_duration: Duration,
}

impl Config {
    /// The defaults, with what has none.
    pub fn new(
        grpc_listen: SocketAddr,
        database_url: Secret,
        admin_token: Secret,
        worker_token: Secret,
    ) -> Self {
        Self {
            grpc_listen,
            tls: None,
            max_request_bytes: 4 << 20,
            database_url,
            migrations: Migrations::AtStart,
            admin_token,
            worker_token,
            sign_in: None,
            allowed_endpoints: Vec::new(),
            sealing_key: None,
            sealing_keys_retired: Vec::new(),
            limits: format::Limits::default(),
            most_record_bytes: queue::MAX_MESSAGE_BYTES as usize - 1024,
            platform: PlatformIdentity {
                account_id: String::new(),
                region: "us-east-1".to_owned(),
                sts_endpoint: None,
                s3_endpoint: None,
                keys: None,
            },
            scan_interval: Duration::from_secs(60),
            sweep_interval: Duration::from_secs(6 * 3600),
            relist_interval: Duration::from_secs(900),
            look_back_days: 3,
            max_unfinished_files: 1_000,
            most_attempts: 5,
            stuck_after: Duration::from_secs(900),
            requests_per_second: 50,
            max_sources: 100,
            delete_grace: Duration::from_secs(7 * 24 * 3600),
            ledger_retention_days: 400,
            upkeep_interval: Duration::from_secs(300),
            session_duration: Duration::from_secs(3600),
        }
    }
}
