//! One typed configuration: defaults, then a TOML file, then `CORTEX_*` environment, then flags; checked at start.
//!
//! A key has the same name everywhere: `database_url` in the file, `CORTEX_DATABASE_URL` in the environment,
//! `--database-url` as a flag.

mod defaults;
mod secret;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use defaults::*;
pub(crate) use secret::{Secret, SecretMap, secret};

/// A wrong setting, with its name and the reason; the process ends with status 64.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("settings file {path}: {source}")]
    File {
        /// As given.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("settings file {path}: {source}")]
    Toml {
        /// As given.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// An environment variable that names no setting.
    #[error("{0} names no setting; `cortex config` prints all of them")]
    UnknownVariable(String),
    /// A value of the wrong kind.
    #[error("setting {name}: {reason}")]
    Value {
        /// The key.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A setting with no default was not given.
    #[error(
        "setting {name} is missing: {purpose}; give --{flag}, {variable} or `{name}` in the settings file"
    )]
    Missing {
        /// The key.
        name: &'static str,
        /// What it is for.
        purpose: &'static str,
        /// The key as a flag.
        flag: String,
        /// The key as a variable.
        variable: String,
    },
    /// The settings as a whole do not fit their types.
    #[error("settings: {0}")]
    Shape(Box<toml::de::Error>),
}

/// How a setting is written outside TOML.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Switch,
    List,
    Map,
}

/// Every setting: its key and its kind.
const KEYS: &[(&str, Kind)] = &[
    ("kafka", Kind::Text),
    ("kafka_properties", Kind::Map),
    ("kafka_security_protocol", Kind::Text),
    ("kafka_ca_file", Kind::Text),
    ("kafka_client_cert_file", Kind::Text),
    ("kafka_client_key_file", Kind::Text),
    ("kafka_sasl_mechanism", Kind::Text),
    ("kafka_sasl_username", Kind::Text),
    ("kafka_sasl_password", Kind::Text),
    ("kafka_sasl_password_file", Kind::Text),
    ("kafka_oauth_token_url", Kind::Text),
    ("kafka_oauth_client_id", Kind::Text),
    ("kafka_oauth_client_secret", Kind::Text),
    ("kafka_oauth_client_secret_file", Kind::Text),
    ("kafka_oauth_scope", Kind::Text),
    ("kafka_oauth_ca_file", Kind::Text),
    ("kafka_msk_region", Kind::Text),
    ("topic_partitions", Kind::Number),
    ("topic_replication", Kind::Number),
    ("topic_min_insync_replicas", Kind::Number),
    ("topic_retention_hours", Kind::Number),
    ("topic_internal_retention_hours", Kind::Number),
    ("topic_overrides", Kind::Map),
    ("max_message_bytes", Kind::Number),
    ("value_format", Kind::Text),
    ("schema_registry_url", Kind::Text),
    ("schema_registry_user", Kind::Text),
    ("schema_registry_password", Kind::Text),
    ("schema_registry_password_file", Kind::Text),
    ("schema_registry_ca_file", Kind::Text),
    ("schema_registry_auto_register", Kind::Switch),
    ("database_url", Kind::Text),
    ("database_migrations", Kind::Text),
    ("grpc_listen", Kind::Text),
    ("grpc_tls_cert_file", Kind::Text),
    ("grpc_tls_key_file", Kind::Text),
    ("grpc_client_ca_file", Kind::Text),
    ("max_request_bytes", Kind::Number),
    ("http_listen", Kind::Text),
    ("registry_url", Kind::Text),
    ("registry_ca_file", Kind::Text),
    ("registry_client_cert_file", Kind::Text),
    ("registry_client_key_file", Kind::Text),
    ("console_listen", Kind::Text),
    ("console_url", Kind::Text),
    ("console_key", Kind::Text),
    ("console_key_file", Kind::Text),
    ("console_max_upload_bytes", Kind::Number),
    ("oidc_issuer", Kind::Text),
    ("oidc_client_id", Kind::Text),
    ("oidc_client_secret", Kind::Text),
    ("oidc_client_secret_file", Kind::Text),
    ("oidc_ca_file", Kind::Text),
    ("oidc_claim", Kind::Text),
    ("oidc_accounts", Kind::Map),
    ("oidc_name", Kind::Text),
    ("oidc_scopes", Kind::List),
    ("admin_token", Kind::Text),
    ("admin_token_file", Kind::Text),
    ("worker_token", Kind::Text),
    ("worker_token_file", Kind::Text),
    ("allowed_endpoints", Kind::List),
    ("sealing_key", Kind::Text),
    ("sealing_key_file", Kind::Text),
    ("sealing_keys_retired", Kind::List),
    ("sealing_keys_retired_file", Kind::Text),
    ("aws_region", Kind::Text),
    ("aws_account_id", Kind::Text),
    ("sts_endpoint", Kind::Text),
    ("worker_id", Kind::Text),
    ("scan_interval_ms", Kind::Number),
    ("sweep_interval_ms", Kind::Number),
    ("relist_interval_ms", Kind::Number),
    ("look_back_days", Kind::Number),
    ("max_unfinished_files", Kind::Number),
    ("most_attempts", Kind::Number),
    ("stuck_after_ms", Kind::Number),
    ("requests_per_second", Kind::Number),
    ("max_sources", Kind::Number),
    ("delete_grace_hours", Kind::Number),
    ("ledger_retention_days", Kind::Number),
    ("upkeep_interval_ms", Kind::Number),
    ("stall_limit_ms", Kind::Number),
    ("lease_seconds", Kind::Number),
    ("event_queues", Kind::Number),
    ("chunk_rows", Kind::Number),
    ("chunk_bytes", Kind::Number),
    ("chunk_ms", Kind::Number),
    ("split_over_bytes", Kind::Number),
    ("range_bytes", Kind::Number),
    ("max_row_bytes", Kind::Number),
    ("max_columns", Kind::Number),
    ("max_list_parts", Kind::Number),
    ("max_nesting", Kind::Number),
    ("max_entries", Kind::Number),
    ("max_expansion_ratio", Kind::Number),
    ("expansion_floor_bytes", Kind::Number),
    ("log", Kind::Text),
    ("log_format", Kind::Text),
    ("otlp_endpoint", Kind::Text),
];

/// Variables that begin alike and are not settings: those of client commands, the tests and the build.
const NOT_SETTINGS: &[&str] = &[
    "CORTEX_TEST_",
    "CORTEX_CACHE",
    "CORTEX_CONFIG",
    "CORTEX_DATA_DIR",
    "CORTEX_TOKEN_FILE",
    "CORTEX_PROFILE",
    "CORTEX_ACCOUNT",
];

/// Who brings the database's tables up to this version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Migrations {
    /// The registry.
    #[default]
    AtStart,
    /// `cortex migrate`.
    ByCommand,
}

/// The effective settings.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Kafka's bootstrap servers.
    pub kafka: Option<String>,
    /// Any librdkafka setting besides.
    #[serde(default)]
    pub kafka_properties: SecretMap,
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    #[serde(default = "default_security_protocol")]
    pub kafka_security_protocol: String,
    /// CAs (PEM) of the brokers' certificates; the system's if absent.
    pub kafka_ca_file: Option<PathBuf>,
    /// The certificate chain (PEM) that is shown to brokers.
    pub kafka_client_cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub kafka_client_key_file: Option<PathBuf>,
    /// `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER` or `AWS_MSK_IAM`.
    pub kafka_sasl_mechanism: Option<String>,
    /// For PLAIN and SCRAM.
    pub kafka_sasl_username: Option<String>,
    /// The password, or a file that holds it.
    pub kafka_sasl_password: Option<Secret>,
    /// See `kafka_sasl_password`.
    pub kafka_sasl_password_file: Option<PathBuf>,
    /// For OAUTHBEARER: the OAuth server's token endpoint.
    pub kafka_oauth_token_url: Option<String>,
    /// The client at it.
    pub kafka_oauth_client_id: Option<String>,
    /// The client's secret, or a file that holds it.
    pub kafka_oauth_client_secret: Option<Secret>,
    /// See `kafka_oauth_client_secret`.
    pub kafka_oauth_client_secret_file: Option<PathBuf>,
    /// What is asked for; nothing if absent.
    #[serde(default)]
    pub kafka_oauth_scope: String,
    /// CAs (PEM) of the endpoint's certificate; those of the public web if absent.
    pub kafka_oauth_ca_file: Option<PathBuf>,
    /// For AWS_MSK_IAM: the cluster's region.
    pub kafka_msk_region: Option<String>,
    /// Partitions of each topic.
    #[serde(default = "default_partitions")]
    pub topic_partitions: i32,
    /// Copies of each topic; 0 for three, or as many as there are brokers where those are fewer; -1 for the broker's default.
    #[serde(default)]
    pub topic_replication: i32,
    /// Copies that must have a message before it is acknowledged; 0 for two of three copies, and else one.
    #[serde(default)]
    pub topic_min_insync_replicas: i32,
    /// How long records and rejected rows are kept; 0 for ever.
    #[serde(default = "default_topic_retention")]
    pub topic_retention_hours: u32,
    /// How long what is between the roles is kept: longer than any of them may stand still; 0 for ever.
    #[serde(default = "default_topic_internal_retention")]
    pub topic_internal_retention_hours: u32,
    /// Other values for single topics: `events.partitions=48`, `items.replication=2`, `attributes.cleanup.policy=compact`, with any
    /// setting of Kafka's topics.
    #[serde(default)]
    pub topic_overrides: BTreeMap<String, String>,
    /// The largest message, in bytes; topics are made to take it.
    #[serde(default = "default_max_message_bytes")]
    pub max_message_bytes: u32,
    /// The form of records and rejected rows on their topics: `protobuf`, `confluent` (protobuf in Confluent's wire format, its
    /// schemas in a schema registry) or `json`.
    #[serde(default = "default_value_format")]
    pub value_format: String,
    /// For `confluent`: the schema registry, `https://HOST[:PORT][/PATH]`.
    pub schema_registry_url: Option<String>,
    /// Its user, for basic authentication; none if absent.
    pub schema_registry_user: Option<String>,
    /// The user's password, or a file that holds it.
    pub schema_registry_password: Option<Secret>,
    /// See `schema_registry_password`.
    pub schema_registry_password_file: Option<PathBuf>,
    /// CAs (PEM) of its certificate; those of the public web if absent.
    pub schema_registry_ca_file: Option<PathBuf>,
    /// Whether parsers register their schemas; else they only look them up.
    #[serde(default = "default_auto_register")]
    pub schema_registry_auto_register: bool,
    /// The registry's database.
    pub database_url: Option<Secret>,
    /// Who brings its tables up to this version: `at_start` the registry, or `by_command` `cortex migrate`, without which the
    /// registry refuses tables that lack something.
    #[serde(default)]
    pub database_migrations: Migrations,
    /// Where the registry listens.
    #[serde(default = "default_grpc_listen")]
    pub grpc_listen: SocketAddr,
    /// The registry's certificate chain (PEM); with its key gRPC is served over TLS alone.
    pub grpc_tls_cert_file: Option<PathBuf>,
    /// The chain's private key (PEM).
    pub grpc_tls_key_file: Option<PathBuf>,
    /// CAs (PEM) of the certificates that clients must show; they need none if absent.
    pub grpc_client_ca_file: Option<PathBuf>,
    /// Bytes of the largest request that the registry reads.
    #[serde(default = "default_max_request_bytes")]
    pub max_request_bytes: usize,
    /// Where health and metrics are served; nowhere if absent.
    pub http_listen: Option<SocketAddr>,
    /// The registry's address, for every other role and for clients.
    pub registry_url: Option<String>,
    /// The CA (PEM) of the registry's certificate; those of the public web if absent.
    pub registry_ca_file: Option<PathBuf>,
    /// The certificate chain (PEM) that is shown to the registry.
    pub registry_client_cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub registry_client_key_file: Option<PathBuf>,
    /// Where the console listens.
    #[serde(default = "default_console_listen")]
    pub console_listen: SocketAddr,
    /// The console's address for browsers, https://HOST; if absent it is for those on this machine, without TLS.
    pub console_url: Option<String>,
    /// 32 bytes in base64: seals the console's sessions. Drawn at random if absent: a restart signs everyone out.
    pub console_key: Option<Secret>,
    /// See `console_key`.
    pub console_key_file: Option<PathBuf>,
    /// Bytes of the largest file that the console checks.
    #[serde(default = "default_max_upload")]
    pub console_max_upload_bytes: u64,
    /// An OpenID Connect provider whose people may sign in: its issuer, `https://…`, exactly as it names itself. None if absent.
    pub oidc_issuer: Option<String>,
    /// The client's id at the provider: what tokens must be made out to (`aud`).
    pub oidc_client_id: Option<String>,
    /// The console's secret at the provider, or a file that holds it; none for a public client.
    pub oidc_client_secret: Option<Secret>,
    /// See `oidc_client_secret`.
    pub oidc_client_secret_file: Option<PathBuf>,
    /// The CA (PEM) of the provider's certificate; those of the public web if absent.
    pub oidc_ca_file: Option<PathBuf>,
    /// The claim whose values open accounts.
    #[serde(default = "default_oidc_claim")]
    pub oidc_claim: String,
    /// What each value opens: accounts separated by spaces, with `:read-only` behind those where one may look only. If empty the
    /// values themselves say so: `cortex:ACCOUNT`, `cortex:ACCOUNT:read-only`.
    #[serde(default)]
    pub oidc_accounts: BTreeMap<String, String>,
    /// What the console calls the provider.
    #[serde(default = "default_oidc_name")]
    pub oidc_name: String,
    /// What the console asks the provider for.
    #[serde(default = "default_oidc_scopes")]
    pub oidc_scopes: Vec<String>,
    /// The admin token, or a file that holds it.
    pub admin_token: Option<Secret>,
    /// See `admin_token`.
    pub admin_token_file: Option<PathBuf>,
    /// The token of scanners and parsers, or a file that holds it.
    pub worker_token: Option<Secret>,
    /// See `worker_token`.
    pub worker_token_file: Option<PathBuf>,
    /// S3-compatible endpoints that sources may name.
    #[serde(default)]
    pub allowed_endpoints: Vec<String>,
    /// 32 bytes in base64: seals static keys at rest.
    pub sealing_key: Option<Secret>,
    /// See `sealing_key`.
    pub sealing_key_file: Option<PathBuf>,
    /// Keys that sealed before: what they sealed is opened, and sealed anew under `sealing_key` at start.
    #[serde(default)]
    pub sealing_keys_retired: Vec<Secret>,
    /// A file with one such key a line.
    pub sealing_keys_retired_file: Option<PathBuf>,
    /// Where the platform's own identity lives.
    #[serde(default = "default_region")]
    pub aws_region: String,
    /// The platform's account, which customers' trust policies name.
    #[serde(default)]
    pub aws_account_id: String,
    /// Another STS than Amazon's.
    pub sts_endpoint: Option<String>,
    /// This worker's name; the host's name if absent.
    pub worker_id: Option<String>,
    /// Between two scans of a source.
    #[serde(default = "default_scan_interval")]
    pub scan_interval_ms: u64,
    /// Between two full sweeps of a source.
    #[serde(default = "default_sweep_interval")]
    pub sweep_interval_ms: u64,
    /// Between two full listings of a large folder, which scans otherwise list from where it was last seen to end; 0 lists it
    /// in full at every scan.
    #[serde(default = "default_relist_interval")]
    pub relist_interval_ms: u64,
    /// Days before today whose folders each scan lists.
    #[serde(default = "default_look_back")]
    pub look_back_days: u32,
    /// Files of one source that may be on the queue unfinished.
    #[serde(default = "default_max_unfinished")]
    pub max_unfinished_files: u32,
    /// How long a source stays with a scanner that is not heard of.
    #[serde(default = "default_lease")]
    pub lease_seconds: u32,
    /// Event queues that one scanner reads at once, at most 1,000; none where 0.
    #[serde(default = "default_event_queues")]
    pub event_queues: usize,
    /// Attempts at reading a file that may be lost in a row, by crashes or hangs, before it is set aside.
    #[serde(default = "default_most_attempts")]
    pub most_attempts: u32,
    /// A file that is to be read and has not moved for so long is shown as stuck.
    #[serde(default = "default_stuck_after")]
    pub stuck_after_ms: u64,
    /// Requests a second of one account; 0 for no limit.
    #[serde(default = "default_requests_per_second")]
    pub requests_per_second: u32,
    /// Sources that an account may have.
    #[serde(default = "default_max_sources")]
    pub max_sources: u32,
    /// How long a deleted source can be undeleted.
    #[serde(default = "default_delete_grace")]
    pub delete_grace_hours: u32,
    /// Days after which the ledger forgets a file, counted from its folder's date and from when it came to rest; 0 keeps all
    /// for ever.
    #[serde(default = "default_ledger_retention")]
    pub ledger_retention_days: u32,
    /// Between two looks whether what was due of a source has come, and whether deleted sources and old files are to go.
    #[serde(default = "default_upkeep_interval")]
    pub upkeep_interval_ms: u64,
    /// A parser whose file has not moved for so long takes itself for hung, and ends.
    #[serde(default = "default_stall_limit")]
    pub stall_limit_ms: u64,
    /// Rows a transaction.
    #[serde(default = "default_chunk_rows")]
    pub chunk_rows: u64,
    /// Bytes a transaction.
    #[serde(default = "default_chunk_bytes")]
    pub chunk_bytes: u64,
    /// Time a transaction may stay open.
    #[serde(default = "default_chunk_ms")]
    pub chunk_ms: u64,
    /// Larger uncompressed CSV, TSV and JSON-lines objects are read in ranges, by as many workers as there are; none where 0.
    #[serde(default = "default_split_over")]
    pub split_over_bytes: u64,
    /// The most bytes of a range; 8 MiB and four times the longest row at least.
    #[serde(default = "default_range_bytes")]
    pub range_bytes: u64,
    /// Bytes of one row, as it stands in the file.
    #[serde(default = "default_row_bytes")]
    pub max_row_bytes: usize,
    /// Columns of a header, values of a JSON row.
    #[serde(default = "default_columns")]
    pub max_columns: usize,
    /// Parts of the lists of a JSON row together.
    #[serde(default = "default_list_parts")]
    pub max_list_parts: usize,
    /// Levels of JSON.
    #[serde(default = "default_nesting")]
    pub max_nesting: usize,
    /// Entries of a zip.
    #[serde(default = "default_entries")]
    pub max_entries: usize,
    /// How far content may expand, beyond the floor.
    #[serde(default = "default_expansion_ratio")]
    pub max_expansion_ratio: u64,
    /// Bytes after decompression up to which any expansion is taken.
    #[serde(default = "default_expansion_floor")]
    pub expansion_floor_bytes: u64,
    /// A tracing filter, such as `info,scanner=debug`.
    #[serde(default = "default_log")]
    pub log: String,
    /// `text` or `json`.
    #[serde(default = "default_log_format")]
    pub log_format: String,
    /// An OpenTelemetry collector (gRPC).
    pub otlp_endpoint: Option<String>,
}

impl Settings {
    /// From a file (if any), the environment and flags, the later over the earlier.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: &BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let mut table = match file {
            Some(path) => read_file(path)?,
            None => Table::new(),
        };
        for (variable, text) in environment {
            let Some(key) = variable.strip_prefix("CORTEX_") else { continue };
            if NOT_SETTINGS.iter().any(|prefix| variable.starts_with(prefix)) {
                continue;
            }
            let key = key.to_ascii_lowercase();
            let value = parse(&key, &text).ok_or(SettingsError::UnknownVariable(variable))??;
            table.insert(key, value);
        }
        for (key, text) in flags {
            let unknown =
                || SettingsError::Value { name: key.clone(), reason: "there is no such setting".into() };
            table.insert(key.clone(), parse(key, text).ok_or_else(unknown)??);
        }
        Settings::deserialize(Value::Table(table)).map_err(|error| SettingsError::Shape(Box::new(error)))
    }

    /// As TOML, secrets masked.
    pub(crate) fn shown(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// The admin token.
    pub(crate) fn admin_token(&self) -> Result<Secret, SettingsError> {
        secret("admin_token", "the registry's admin token", &self.admin_token, &self.admin_token_file)
    }

    /// The token of workers.
    pub(crate) fn worker_token(&self) -> Result<Secret, SettingsError> {
        secret(
            "worker_token",
            "the token of scanners and parsers",
            &self.worker_token,
            &self.worker_token_file,
        )
    }

    /// The key that seals static keys, if one is set.
    pub(crate) fn sealing_key(&self) -> Result<Option<Secret>, SettingsError> {
        if self.sealing_key.is_none() && self.sealing_key_file.is_none() {
            return Ok(None);
        }
        secret("sealing_key", "32 bytes in base64", &self.sealing_key, &self.sealing_key_file).map(Some)
    }

    /// The key that seals the console's sessions, if one is set.
    pub(crate) fn console_key(&self) -> Result<Option<Secret>, SettingsError> {
        if self.console_key.is_none() && self.console_key_file.is_none() {
            return Ok(None);
        }
        secret("console_key", "32 bytes in base64", &self.console_key, &self.console_key_file).map(Some)
    }

    /// The client's id at the identity provider.
    pub(crate) fn oidc_client_id(&self) -> Result<&str, SettingsError> {
        let id = self.oidc_client_id.as_deref();
        id.ok_or_else(|| missing("oidc_client_id", "the client's id at the identity provider"))
    }

    /// The client's secret there, if one is set.
    pub(crate) fn oidc_client_secret(&self) -> Result<Option<Secret>, SettingsError> {
        if self.oidc_client_secret.is_none() && self.oidc_client_secret_file.is_none() {
            return Ok(None);
        }
        let purpose = "the client's secret at the identity provider";
        let (value, file) = (&self.oidc_client_secret, &self.oidc_client_secret_file);
        secret("oidc_client_secret", purpose, value, file).map(Some)
    }

    /// The keys that sealed before, those of the setting and of the file.
    pub(crate) fn sealing_keys_retired(&self) -> Result<Vec<Secret>, SettingsError> {
        let mut keys = self.sealing_keys_retired.clone();
        if let Some(path) = &self.sealing_keys_retired_file {
            let text = std::fs::read_to_string(path)
                .map_err(|source| SettingsError::File { path: path.clone(), source })?;
            keys.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Secret::new));
        }
        Ok(keys)
    }

    /// The registry's address.
    pub(crate) fn registry_url(&self) -> Result<&str, SettingsError> {
        self.registry_url.as_deref().ok_or_else(|| missing("registry_url", "the registry's address"))
    }

    /// Kafka's bootstrap servers.
    pub(crate) fn kafka(&self) -> Result<&str, SettingsError> {
        self.kafka.as_deref().ok_or_else(|| missing("kafka", "Kafka's bootstrap servers, HOST:PORT"))
    }

    /// The registry's database.
    pub(crate) fn database_url(&self) -> Result<&Secret, SettingsError> {
        self.database_url
            .as_ref()
            .ok_or_else(|| missing("database_url", "the registry's database, postgres://…"))
    }

    /// Where this machine reaches the role's health and metrics.
    pub(crate) fn http_address(&self) -> Result<SocketAddr, SettingsError> {
        let purpose = "where the role serves its health";
        let mut address = self.http_listen.ok_or_else(|| missing("http_listen", purpose))?;
        if address.ip().is_unspecified() {
            address.set_ip(match address.ip() {
                IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(address)
    }

    /// This worker's name: as set, or the host's.
    pub(crate) fn worker_id(&self, role: &str) -> String {
        self.worker_id.clone().unwrap_or_else(|| {
            let host = std::env::var("HOSTNAME")
                .ok()
                .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .unwrap_or_else(|| "localhost".to_owned());
            format!("{role}-{host}")
        })
    }
}

/// This process's variables, as far as they are text.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn read_file(path: &Path) -> Result<Table, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
    text.parse().map_err(|error| SettingsError::Toml { path: path.to_owned(), source: Box::new(error) })
}

/// The value of a setting from its text; none where there is no such setting.
fn parse(key: &str, text: &str) -> Option<Result<Value, SettingsError>> {
    let (_, kind) = KEYS.iter().find(|(name, _)| *name == key)?;
    Some(match kind {
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Number => text.trim().parse().map(Value::Integer).map_err(|_| SettingsError::Value {
            name: key.to_owned(),
            reason: format!("{text:?} is no whole number"),
        }),
        Kind::Switch => text.trim().parse().map(Value::Boolean).map_err(|_| SettingsError::Value {
            name: key.to_owned(),
            reason: format!("{text:?} is neither true nor false"),
        }),
        Kind::List => Ok(Value::Array(
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(Value::from).collect(),
        )),
        Kind::Map => parse_map(key, text),
    })
}

/// `name=value,name=value`
fn parse_map(key: &str, text: &str) -> Result<Value, SettingsError> {
    let mut table = Table::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        // The pair itself is not shown: its value may be a secret.
        let Some((name, value)) = pair.split_once('=') else {
            let reason = "each part must be NAME=VALUE, parts separated by commas".to_owned();
            return Err(SettingsError::Value { name: key.to_owned(), reason });
        };
        table.insert(name.trim().to_owned(), Value::String(value.trim().to_owned()));
    }
    Ok(Value::Table(table))
}

pub(crate) fn missing(name: &'static str, purpose: &'static str) -> SettingsError {
    SettingsError::Missing {
        name,
        purpose,
        flag: name.replace('_', "-"),
        variable: format!("CORTEX_{}", name.to_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn the_environment_outdoes_the_file_and_flags_outdo_both() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cortex.toml");
        std::fs::write(&path, "chunk_rows = 1\nchunk_ms = 1\nlook_back_days = 1\n").unwrap();
        let flags = BTreeMap::from([("look_back_days".to_owned(), "3".to_owned())]);
        let environment = env(&[("CORTEX_CHUNK_MS", "2"), ("CORTEX_LOOK_BACK_DAYS", "2"), ("HOME", "/")]);
        let settings = Settings::load(Some(&path), environment, &flags).unwrap();
        assert_eq!((settings.chunk_rows, settings.chunk_ms, settings.look_back_days), (1, 2, 3));
    }

    #[test]
    fn retired_sealing_keys_come_from_the_setting_and_the_file_and_are_masked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("retired");
        std::fs::write(&path, "three\n\n four \n").unwrap();
        let environment = env(&[
            ("CORTEX_SEALING_KEYS_RETIRED", "one, two"),
            ("CORTEX_SEALING_KEYS_RETIRED_FILE", path.to_str().unwrap()),
        ]);
        let settings = Settings::load(None, environment, &BTreeMap::new()).unwrap();
        let keys = settings.sealing_keys_retired().unwrap();
        let keys: Vec<&str> = keys.iter().map(Secret::reveal).collect();
        assert_eq!(keys, ["one", "two", "three", "four"]);
        let shown = format!("{}{settings:?}", settings.shown().unwrap());
        assert!(shown.contains("sealing_keys_retired") && !shown.contains("two"), "{shown}");
    }

    #[test]
    fn an_unknown_setting_is_named() {
        let none = BTreeMap::new();
        let error = Settings::load(None, env(&[("CORTEX_KAFFKA", "x")]), &none).unwrap_err();
        assert!(error.to_string().contains("CORTEX_KAFFKA"), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cortex.toml");
        std::fs::write(&path, "chunk_rowz = 1").unwrap();
        let error = Settings::load(Some(&path), env(&[]), &none).unwrap_err();
        assert!(error.to_string().contains("chunk_rowz"), "{error}");
    }

    #[test]
    fn secrets_are_masked_and_missing_settings_say_how_to_give_them() {
        let environment = env(&[
            ("CORTEX_ADMIN_TOKEN", "hush"),
            ("CORTEX_DATABASE_URL", "postgres://u:hush@h/d"),
            ("CORTEX_KAFKA_PROPERTIES", "ssl.key.password=hush"),
            ("CORTEX_KAFKA_SASL_PASSWORD", "hush"),
            ("CORTEX_KAFKA_OAUTH_CLIENT_SECRET", "hush"),
            ("CORTEX_OIDC_CLIENT_SECRET", "hush"),
            ("CORTEX_SCHEMA_REGISTRY_PASSWORD", "hush"),
        ]);
        let settings = Settings::load(None, environment, &BTreeMap::new()).unwrap();
        let shown = settings.shown().unwrap();
        assert!(shown.contains("admin_token") && shown.contains("ssl.key.password"), "{shown}");
        assert!(!format!("{shown}{settings:?}").contains("hush"), "{shown}");
        let settings = Settings::load(None, env(&[]), &BTreeMap::new()).unwrap();
        let error = settings.kafka().unwrap_err().to_string();
        assert!(error.contains("--kafka") && error.contains("CORTEX_KAFKA"), "{error}");
    }
}
