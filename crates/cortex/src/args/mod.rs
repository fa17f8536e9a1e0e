//! The command line: roles, client commands and their flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use ledger::tolerance::Tolerance;

mod client;
mod kafka;
mod source;

pub(crate) use client::{
    AccountCommand, ClientArgs, DatasetCommand, DeletionsArgs, DeletionsCommand, ProfileCommand,
    ProfileSetArgs, TokenCommand, TokenCreateArgs,
};
pub(crate) use kafka::{AclRole, AclsArgs, ApplyArgs, KafkaArgs, PlanArgs, TopicsCommand};
pub(crate) use source::{
    CustomerDocument, PreviewArgs, ReprocessArgs, SchemaArgs, SetupArgs, SourceArgs, SourceCommand,
    SourceCreateArgs, SourceFields, SourceUpdateArgs,
};

/// What each status of the process says.
const EXIT_STATUS: &str = "\
Exit status:
  0   done
  1   the answer is no (a test that failed, a preview with rejections, counts that differ), or another failure
  3   what was named is not there
  4   not authenticated, or not permitted
  5   refused: an argument that breaks a rule, or a state in which it cannot be done
  6   the registry, its database or Kafka cannot be reached, or does not answer in time
  7   the database's tables are not such that this version can work on them: they lack migrations, or it is too old
  64  wrong usage or settings
`cortex validate --help` and `cortex topics plan --help` tell their own.";

/// Amazon S3 buckets as typed records on Kafka.
#[derive(Debug, Parser)]
#[command(name = "cortex", version, about, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole system in one process, on embedded parts; for development, not for production.
    Dev(DevArgs),
    /// Run the registry: accounts, sources, credentials and the ledger.
    Registry(RoleArgs),
    /// Run a scanner: discovers new objects and publishes their keys.
    Scanner(RoleArgs),
    /// Run a parser: reads files into typed records.
    Parser(RoleArgs),
    /// Run the web console: a client of the registry's, in a browser.
    Console(RoleArgs),
    /// Bring the registry's database up to this version, and tell what was applied; waits for a database that is not up yet.
    Migrate(MigrateArgs),
    /// Ask the role on this machine, by its http_listen, whether it can work; leaves with 1 where it cannot.
    Health(HealthArgs),
    /// Print the effective settings, secrets masked.
    Config(RoleArgs),
    /// Print the records of a topic as JSON lines.
    Tail(TailArgs),
    /// Compare what the ledger counts of a source's files with what its topics hold; leaves with 1 where they differ.
    Audit(AuditArgs),
    /// Check files before they are uploaded, by the very code that reads them then.
    Validate(ValidateArgs),
    /// Kafka's topics as they are to be, and who may do what to them.
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Schemas: proposed from files, compared with each other.
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Accounts, their tokens, their deletion lists, and what was done in them.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Sources, their files and samples.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Datasets, and their sample files.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Registries that client commands know by name.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Print the completions of a shell.
    Completions {
        /// For which.
        shell: Shell,
    },
    /// Print the manual page of a command, or write all pages into a folder.
    Man {
        /// The command, such as `source create`; cortex itself where none.
        command: Vec<String>,
        /// Write the pages of every command here.
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        out: Option<PathBuf>,
    },
}

/// Settings of a role; each may also stand in the file or, as CORTEX_<NAME>, in the environment.
#[derive(Debug, Args, Default)]
pub(crate) struct RoleArgs {
    /// Settings file (TOML).
    #[arg(long, env = "CORTEX_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Any setting: NAME=VALUE; may be given several times. `cortex config` prints all.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Kafka's bootstrap servers.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// The registry's database: postgres://… or sqlite://…
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The registry's address, for scanners and parsers.
    #[arg(long, value_name = "URL")]
    pub registry_url: Option<String>,
    /// Where the registry listens.
    #[arg(long, value_name = "ADDR")]
    pub grpc_listen: Option<String>,
    /// Where health and metrics are served.
    #[arg(long, value_name = "ADDR")]
    pub http_listen: Option<String>,
    /// Where the console listens.
    #[arg(long, value_name = "ADDR")]
    pub console_listen: Option<String>,
    /// File that holds the admin token.
    #[arg(long, value_name = "FILE")]
    pub admin_token_file: Option<String>,
    /// File that holds the token of scanners and parsers.
    #[arg(long, value_name = "FILE")]
    pub worker_token_file: Option<String>,
    /// This worker's name; the same over a restart.
    #[arg(long, value_name = "NAME")]
    pub worker_id: Option<String>,
    /// Tracing filter, such as info,scanner=debug.
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
}

impl RoleArgs {
    /// The flags that were given, by setting. An error names a `--set` without `=`.
    pub(crate) fn flags(&self) -> Result<BTreeMap<String, String>, String> {
        let named = [
            ("kafka", &self.kafka),
            ("database_url", &self.database_url),
            ("registry_url", &self.registry_url),
            ("grpc_listen", &self.grpc_listen),
            ("http_listen", &self.http_listen),
            ("console_listen", &self.console_listen),
            ("admin_token_file", &self.admin_token_file),
            ("worker_token_file", &self.worker_token_file),
            ("worker_id", &self.worker_id),
            ("log", &self.log),
        ];
        let mut flags: BTreeMap<String, String> =
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect();
        for pair in &self.set {
            let (name, value) = pair.split_once('=').ok_or("--set takes NAME=VALUE")?;
            flags.insert(name.trim().to_owned(), value.to_owned());
        }
        Ok(flags)
    }
}

/// `cortex migrate`
#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Apply nothing: tell what is pending, and leave with 7 where something is.
    #[arg(long)]
    pub check: bool,
    /// The registry's settings, of which the database's address and the log are used.
    #[command(flatten)]
    pub role: RoleArgs,
}

/// `cortex health`
#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Ask whether it lives (/healthz), rather than whether it can work (/readyz).
    #[arg(long)]
    pub live: bool,
    /// The role's settings, of which http_listen is used.
    #[command(flatten)]
    pub role: RoleArgs,
}

/// `cortex dev`
#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Where everything is kept; made if absent.
    #[arg(long, value_name = "DIR", default_value = ".cortex")]
    pub data_dir: PathBuf,
    /// Leave the sample files out.
    #[arg(long)]
    pub no_samples: bool,
    /// Leave with 0 when all files that were found are at rest.
    #[arg(long)]
    pub exit_when_idle: bool,
    /// At exit print one JSON object with every file's outcome and every topic's count.
    #[arg(long)]
    pub json: bool,
    /// Where the registry listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub grpc_listen: SocketAddr,
    /// Where health and metrics are served.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub http_listen: SocketAddr,
    /// Where the console listens.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub console_listen: SocketAddr,
    /// Where the sandbox's S3 and STS listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub s3_listen: SocketAddr,
    /// Use this Kafka rather than the embedded queue.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Use this PostgreSQL rather than SQLite.
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// Tracing filter.
    #[arg(long, value_name = "FILTER", default_value = "warn,s3s=off")]
    pub log: String,
}

/// `cortex tail`
#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// The topic, such as cortex.events.v1.
    pub topic: String,
    /// Stop after so many records.
    #[arg(long, value_name = "N")]
    pub max: Option<u64>,
    /// Begin at the oldest record, and stop at the newest, rather than wait for new ones.
    #[arg(long)]
    pub from_beginning: bool,
    /// With topic, partition, offset, key and message name around each record.
    #[arg(long)]
    pub json: bool,
    /// With --from-beginning: go on waiting for new records.
    #[arg(long)]
    pub follow: bool,
    /// The cluster.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// The data folder of `cortex dev`.
    #[arg(long, env = "CORTEX_DATA_DIR", value_name = "DIR", default_value = ".cortex")]
    pub data_dir: PathBuf,
}

/// `cortex audit`
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The source: its resource name, its id, or its display name.
    pub source: String,
    /// The cluster.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex validate`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 all rows valid, 1 some rejected, 2 a file refused or unreadable, 64 wrong usage,
74 an output cannot be written before all files were read.

Objects are read with the environment's AWS credentials, region and endpoint.
A date in a file's path (…/2026-11-23/…) counts as its folder's.")]
pub(crate) struct ValidateArgs {
    /// events, attributes, items or id-mappings; may be left out where the schema names it.
    #[arg(long)]
    pub dataset: Option<String>,
    /// Schema file (JSON), where it differs from the dataset's own.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Print one JSON object per file instead of the summary.
    #[arg(long)]
    pub json: bool,
    /// Write the typed records as protobuf JSON, one a line; - for standard output.
    #[arg(long, value_name = "OUT.jsonl")]
    pub records: Option<PathBuf>,
    /// Write the rejected rows as protobuf JSON, one a line; - for standard output.
    #[arg(long, value_name = "OUT.jsonl")]
    pub rejects: Option<PathBuf>,
    /// IANA zone of timestamps without an offset.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub time_zone: String,
    /// As for a source that rejects a file whole where one of its rows is invalid.
    #[arg(long)]
    pub reject_file: bool,
    /// As for a source that rejects a file whole where more than so many percent of its rows are invalid: 0.01 to 100.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub max_rejected_percent: Option<u32>,
    /// Files, folders (with all that is below them), s3://BUCKET/KEY, or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl ValidateArgs {
    /// What a source of these settings bears of invalid rows.
    pub(crate) fn tolerance(&self) -> Tolerance {
        Tolerance::new(self.reject_file, self.max_rejected_percent.unwrap_or_default())
    }
}

/// A percentage of at most two decimals as hundredths of it, from 1 to 10,000.
fn percent(text: &str) -> Result<u32, String> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = !whole.is_empty() && decimals.len() <= 2 && digits(whole) && digits(decimals);
    let points = format!("{whole}{decimals:0<2}").parse().ok();
    points.filter(|points| is_decimal && (1..=10_000).contains(points)).ok_or_else(|| {
        "give a percentage from 0.01 to 100 with at most two decimals, or --reject-file".to_owned()
    })
}

/// `cortex schema …`
#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Propose a schema from sample files: the schema on standard output, what was seen on standard error.
    Propose {
        /// events, attributes, items or id-mappings.
        #[arg(long)]
        dataset: String,
        /// Print one JSON object with the schema and what was seen of each column.
        #[arg(long)]
        json: bool,
        /// Rows that are looked at in each file.
        #[arg(long, value_name = "N", default_value_t = 100_000)]
        rows: u64,
        /// Files, folders, s3://BUCKET/KEY, or - for standard input.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Tell what a new version of a schema would refuse that the one before accepts; leaves with 1 where there is
    /// something.
    Check {
        /// The schema in force (JSON).
        before: PathBuf,
        /// The new one.
        after: PathBuf,
    },
}
