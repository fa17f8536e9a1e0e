//! What every client command takes, and the commands about accounts, datasets and profiles.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// How a client command finds the registry: flags and environment, then the profile, then a `cortex dev`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Registry")]
pub(crate) struct ClientArgs {
    /// The registry's address.
    #[arg(long, env = "CORTEX_REGISTRY_URL", value_name = "URL")]
    pub registry_url: Option<String>,
    /// File that holds an account's token or the admin token.
    #[arg(long, env = "CORTEX_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The CA of the registry's certificate (PEM); those of the public web where absent.
    #[arg(long, env = "CORTEX_REGISTRY_CA_FILE", value_name = "FILE")]
    pub registry_ca_file: Option<PathBuf>,
    /// The certificate that is shown to the registry (PEM).
    #[arg(long, env = "CORTEX_REGISTRY_CLIENT_CERT_FILE", value_name = "FILE")]
    pub registry_client_cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, env = "CORTEX_REGISTRY_CLIENT_KEY_FILE", value_name = "FILE")]
    pub registry_client_key_file: Option<PathBuf>,
    /// The account, where it is not named otherwise.
    #[arg(long, env = "CORTEX_ACCOUNT", value_name = "ID")]
    pub account: Option<String>,
    /// A profile of the configuration file; else the one in use.
    #[arg(long, env = "CORTEX_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// The data folder of a `cortex dev`; .cortex where nothing else is given.
    #[arg(long, env = "CORTEX_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// `cortex account …`
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "parsed once a process")]
pub(crate) enum AccountCommand {
    /// Create an account; the registry makes its External ID.
    Create {
        /// Its id: 3 to 63 of a-z, 0-9 and '-'.
        #[arg(long, value_name = "ID", default_value = "")]
        id: String,
        /// Its name, for people.
        #[arg(long, default_value = "")]
        name: String,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Show an account and its External ID.
    Show {
        /// Account id.
        #[arg(value_name = "ACCOUNT")]
        id: Option<String>,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// List every account; with the admin token.
    List {
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Give an account a new External ID; the one before still holds for a time.
    RotateExternalId {
        /// Account id.
        #[arg(value_name = "ACCOUNT")]
        id: Option<String>,
        /// Days for which the one before still holds, up to 90.
        #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(i64).range(0..=90))]
        overlap_days: i64,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Tokens that may act for an account; with an account alone, the same as `create`.
    #[command(args_conflicts_with_subcommands = true)]
    Token {
        /// What to do.
        #[command(subcommand)]
        command: Option<TokenCommand>,
        /// The new one's account.
        #[command(flatten)]
        create: TokenCreateArgs,
    },
    /// Who did what in an account, newest first.
    Audit {
        /// Account id.
        #[arg(value_name = "ACCOUNT")]
        id: Option<String>,
        /// Entries at most.
        #[arg(long, value_name = "N", default_value_t = 50)]
        max: usize,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// The deletion list: rows of subjects on it are refused in every source of the account.
    #[command(subcommand)]
    Deletions(DeletionsCommand),
}

/// `cortex account token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; it is shown this once.
    Create(TokenCreateArgs),
    /// List an account's tokens; the tokens themselves are not kept.
    List {
        /// Account id.
        #[arg(value_name = "ACCOUNT")]
        id: Option<String>,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Revoke a token: it is refused from then on.
    Revoke {
        /// accounts/{account}/tokens/{token}, or the token's id.
        token: String,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
}

/// `cortex account token create`
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// Account id.
    #[arg(value_name = "ACCOUNT")]
    pub id: Option<String>,
    /// May look, and change nothing.
    #[arg(long)]
    pub read_only: bool,
    /// Its name, for people.
    #[arg(long, default_value = "")]
    pub name: String,
    /// When it ends, such as 2027-01-31T00:00:00Z; never where absent.
    #[arg(long, value_name = "TIME")]
    pub expires: Option<jiff::Timestamp>,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex account deletions …`
#[derive(Debug, Subcommand)]
pub(crate) enum DeletionsCommand {
    /// Put subjects on the list.
    Add(DeletionsArgs),
    /// Take subjects off the list.
    Remove(DeletionsArgs),
    /// Tell which subjects are on the list, and how many are in all; leaves with 1 where a subject is not.
    Check(DeletionsArgs),
}

/// Subjects of an account.
#[derive(Debug, Args)]
pub(crate) struct DeletionsArgs {
    /// Subjects, as they stand in user_id, original_id or mapped_id.
    #[arg(value_name = "SUBJECT")]
    pub subjects: Vec<String>,
    /// More of them, one a line; - for standard input.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// How to reach the registry.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// `cortex dataset …`
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Show the datasets and the columns that each needs.
    List {
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Save a sample file of a dataset.
    SampleFile {
        /// events, attributes, items or id-mappings.
        dataset: String,
        /// csv, tsv or json.
        #[arg(long, default_value = "csv", value_parser = ["csv", "tsv", "json"])]
        format: String,
        /// Where to; its own name where absent, - for standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How to reach the registry.
        #[command(flatten)]
        client: ClientArgs,
    },
}

/// `cortex profile …`
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles; the one in use is marked.
    List {
        /// Print JSON, one object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make a profile, or change what is given of one.
    Set(ProfileSetArgs),
    /// Use a profile from now on.
    Use {
        /// Its name.
        name: String,
    },
    /// Show a profile; a token is not shown.
    Show {
        /// Its name; the one in use where absent.
        name: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// `cortex profile set`
#[derive(Debug, Args)]
pub(crate) struct ProfileSetArgs {
    /// Its name: a-z, 0-9, '-' and '_'.
    pub name: String,
    /// The registry's address.
    #[arg(long, value_name = "URL")]
    pub registry_url: Option<String>,
    /// File that holds the token.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Read the token from standard input, and keep it in the configuration file (mode 0600).
    #[arg(long, conflicts_with = "token_file")]
    pub token_stdin: bool,
    /// The CA of the registry's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub registry_ca_file: Option<PathBuf>,
    /// The certificate that is shown to the registry (PEM).
    #[arg(long, value_name = "FILE")]
    pub registry_client_cert_file: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE")]
    pub registry_client_key_file: Option<PathBuf>,
    /// The account of commands that name none.
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
}
