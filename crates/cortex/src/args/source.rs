//! `cortex source …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ClientArgs;

/// `cortex source …`
#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Create a source as a draft; on a terminal, with nothing given, asks step by step and makes it live.
    Create(Box<SourceCreateArgs>),
    /// List an account's sources.
    List {
        /// Account id.
        #[arg(value_name = "ACCOUNT")]
        id: Option<String>,
        /// Such as: state = NEEDS_ATTENTION AND dataset = EVENTS
        #[arg(long, default_value = "")]
        filter: String,
        /// Also those that are deleted and can be undeleted.
        #[arg(long)]
        deleted: bool,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show a source.
    Show(SourceArgs),
    /// Change a source.
    Update(Box<SourceUpdateArgs>),
    /// Test the connection step by step; leaves with 1 where a step fails.
    Test(SourceArgs),
    /// Read files of the bucket as a live source would, and publish nothing; leaves with 1 where a row is rejected.
    Preview(PreviewArgs),
    /// Test the connection and make the source live.
    Activate(SourceArgs),
    /// Stop scanning a source.
    Pause(SourceArgs),
    /// Make a paused source live again.
    Resume(SourceArgs),
    /// Delete a source; it can be undeleted for a time.
    Delete(SourceArgs),
    /// Bring a deleted source back, paused.
    Undelete(SourceArgs),
    /// Print the policies and templates that let Cortex read the bucket.
    Setup(SetupArgs),
    /// List a source's files with their outcomes.
    Files {
        /// The source: its resource name, its id, or its display name.
        source: String,
        /// Such as: date >= "2026-11-01" AND state = REJECTED
        #[arg(long, default_value = "")]
        filter: String,
        /// Files at most; all where absent.
        #[arg(long, value_name = "N")]
        max: Option<usize>,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show the first rows of a file that were refused: row, column and reason.
    Errors {
        /// The source: its resource name, its id, or its display name.
        source: String,
        /// The object's key in the bucket.
        key: String,
        /// Which generation; the newest where absent.
        #[arg(long, value_name = "N", default_value_t = 0)]
        generation: u32,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show records recently received.
    Sample {
        /// The source: its resource name, its id, or its display name.
        source: String,
        /// Records at most, up to 100.
        #[arg(long, value_name = "N", default_value_t = 20)]
        max: i32,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show a source's schema, or propose one from files of the bucket.
    Schema(SchemaArgs),
    /// Put a new version of a source's schema in force.
    SetSchema {
        /// The source: its resource name, its id, or its display name.
        source: String,
        /// The schema (JSON).
        #[arg(value_name = "FILE")]
        schema: PathBuf,
        /// Also where it refuses what is accepted now.
        #[arg(long)]
        allow_breaking: bool,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Read files again from their start, as their next generation: one by its key, or those of a range of dates.
    Reprocess(ReprocessArgs),
    /// Count files, rows and rejections by day, and tell what is late or missing.
    Days {
        /// The source: its resource name, its id, or its display name.
        source: String,
        /// First day, YYYY-MM-DD; 30 days ago where absent.
        #[arg(long, value_name = "DATE", requires = "to")]
        from: Option<jiff::civil::Date>,
        /// Last day.
        #[arg(long, value_name = "DATE", requires = "from")]
        to: Option<jiff::civil::Date>,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Tell how much is still to be read, how fast it goes, and how long that will take.
    Backlog(SourceArgs),
    /// Watch a source until Ctrl-C: its state, its backlog and its newest files.
    Watch {
        /// The source: its resource name, its id, or its display name.
        source: String,
        /// Seconds between two looks.
        #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
        every: u64,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
}

/// One source.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The source: its resource name, its id, or its display name.
    pub source: String,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// What create and update both take.
#[derive(Debug, Args)]
pub(crate) struct SourceFields {
    /// The source's name, for people.
    #[arg(long)]
    pub name: Option<String>,
    /// Bucket.
    #[arg(long)]
    pub bucket: Option<String>,
    /// Folder path in the bucket.
    #[arg(long)]
    pub path: Option<String>,
    /// The role that Cortex assumes.
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<String>,
    /// The bucket's region.
    #[arg(long)]
    pub region: Option<String>,
    /// The AWS account that owns the bucket, 12 digits.
    #[arg(long, value_name = "ID")]
    pub bucket_owner: Option<String>,
    /// An S3-compatible endpoint that the operator allows.
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// Access key id for such an endpoint.
    #[arg(long, requires = "secret_key_file", value_name = "ID")]
    pub access_key_id: Option<String>,
    /// File that holds its secret access key.
    #[arg(long, requires = "access_key_id", value_name = "FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// IANA zone of timestamps without an offset.
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// What an object that changes does: replace, ingest-again or ignore.
    #[arg(long, value_parser = ["replace", "ingest-again", "ignore"])]
    pub overwrite_policy: Option<String>,
    /// Reject a file whole where more than so many percent of its rows are invalid; 0 for no limit.
    #[arg(long, value_name = "PERCENT")]
    pub max_rejected_percent: Option<f64>,
    /// An SQS queue of the bucket's event notifications.
    #[arg(long, value_name = "URL")]
    pub event_queue_url: Option<String>,
}

/// `cortex source create`
#[derive(Debug, Args)]
pub(crate) struct SourceCreateArgs {
    /// events, attributes, items or id-mappings.
    #[arg(long)]
    pub dataset: Option<String>,
    /// The source's own.
    #[command(flatten)]
    pub fields: SourceFields,
    /// Schema file (JSON), where it differs from the dataset's own.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Reject a file whole where one of its rows is invalid, rather than those rows alone.
    #[arg(long)]
    pub reject_file: bool,
    /// Makes a repeated create harmless.
    #[arg(long, value_name = "ID", default_value = "")]
    pub request_id: String,
    /// Ask step by step, though standard input is no terminal.
    #[arg(long, conflicts_with_all = ["dataset", "name", "bucket", "schema", "request_id"])]
    pub interactive: bool,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex source update`
#[derive(Debug, Args)]
pub(crate) struct SourceUpdateArgs {
    /// The source: its resource name, its id, or its display name.
    pub source: String,
    /// What is new.
    #[command(flatten)]
    pub fields: SourceFields,
    /// What an invalid row rejects: row (itself) or file (all of its file).
    #[arg(long, value_parser = ["row", "file"])]
    pub reject: Option<String>,
    /// The etag as it was read: refused where the source has changed since.
    #[arg(long, default_value = "")]
    pub etag: String,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex source preview`
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// The source: its resource name, its id, or its display name.
    pub source: String,
    /// Keys in the bucket; the newest files of the dated folders where none.
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// Files that are read where no keys are given, up to 20.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub max_files: i32,
    /// Rows that are read of each, up to 100,000.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub max_rows: i32,
    /// Records that are shown of each, up to 100.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub max_records: i32,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex source reprocess`
#[derive(Debug, Args)]
pub(crate) struct ReprocessArgs {
    /// The source: its resource name, its id, or its display name.
    pub source: String,
    /// The object's key in the bucket.
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    pub key: Option<String>,
    /// First date of a range, YYYY-MM-DD.
    #[arg(long, value_name = "DATE", requires = "to")]
    pub from: Option<jiff::civil::Date>,
    /// Its last date.
    #[arg(long, value_name = "DATE", requires = "from")]
    pub to: Option<jiff::civil::Date>,
    /// Of a range: only files in this state, such as rejected; may be given several times.
    #[arg(long, requires = "from")]
    pub state: Vec<String>,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex source schema`
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The source: its resource name, its id, or its display name.
    pub source: String,
    /// Print the schema as a file that `set-schema` takes.
    #[arg(long, conflicts_with = "json")]
    pub file: bool,
    /// Every version, newest first.
    #[arg(long, conflicts_with_all = ["propose", "file"])]
    pub versions: bool,
    /// Propose a schema from files of the bucket.
    #[arg(long)]
    pub propose: bool,
    /// With --propose: a key in the bucket, up to 10; the newest files where none.
    #[arg(long, requires = "propose")]
    pub key: Vec<String>,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// One of the documents that a customer pastes into AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CustomerDocument {
    /// What Cortex may do (JSON).
    IamPolicy,
    /// Who may assume the role (JSON).
    TrustPolicy,
    /// Both (YAML).
    Cloudformation,
    /// Both (HCL).
    Terraform,
    /// Both, by the AWS command line (shell).
    AwsCli,
}

/// `cortex source setup`
#[derive(Debug, Args)]
pub(crate) struct SetupArgs {
    /// A source whose bucket, path and queue are taken.
    #[arg(required_unless_present = "bucket")]
    pub source: Option<String>,
    /// Bucket.
    #[arg(long, conflicts_with = "source")]
    pub bucket: Option<String>,
    /// Folder path in the bucket.
    #[arg(long, default_value = "", conflicts_with = "source")]
    pub path: String,
    /// The key that the objects are encrypted with (SSE-KMS).
    #[arg(long, value_name = "ARN", default_value = "")]
    pub kms_key_arn: String,
    /// Name of the role; cortex-s3-source where absent.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub role_name: String,
    /// The queue of the bucket's event notifications.
    #[arg(long, value_name = "ARN", default_value = "")]
    pub event_queue_arn: String,
    /// aws, aws-cn or aws-us-gov.
    #[arg(long, default_value = "aws")]
    pub partition: String,
    /// Print this document alone.
    #[arg(long, value_name = "WHICH", conflicts_with_all = ["out", "json"])]
    pub document: Option<CustomerDocument>,
    /// Save every document into this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}
