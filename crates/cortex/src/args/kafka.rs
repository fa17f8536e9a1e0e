//! Flags of the commands that go to Kafka by themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::settings::{Settings, SettingsError, environment};

/// The cluster; TLS and SASL by the same settings as those of the roles.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct KafkaArgs {
    /// Kafka's bootstrap servers.
    #[arg(long, env = "CORTEX_KAFKA", value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// Settings file (TOML), for Kafka's settings.
    #[arg(long, env = "CORTEX_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Any setting: NAME=VALUE; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

impl KafkaArgs {
    /// The effective settings.
    pub(crate) fn settings(&self) -> Result<Settings, SettingsError> {
        let mut flags = BTreeMap::new();
        for pair in &self.set {
            let (name, value) = pair.split_once('=').ok_or_else(|| SettingsError::Value {
                name: "--set".to_owned(),
                reason: "--set takes NAME=VALUE".to_owned(),
            })?;
            flags.insert(name.trim().to_owned(), value.to_owned());
        }
        flags.extend(self.kafka.clone().map(|kafka| ("kafka".to_owned(), kafka)));
        Settings::load(self.config.as_deref(), environment(), &flags)
    }
}

/// What the commands on topics say by their status.
const EXIT_STATUS: &str = "\
Exit status:
  0   the cluster is as planned
  1   a failure
  2   it is not: something is to be changed, or to be done by hand
  4   the cluster does not accept who this is, or does not let it look or change
  6   Kafka cannot be reached
  64  wrong usage or settings";

/// `cortex topics …`
#[derive(Debug, Subcommand)]
pub(crate) enum TopicsCommand {
    /// Print how the cluster's topics differ from the settings (topic_…); changes nothing.
    #[command(after_help = EXIT_STATUS)]
    Plan(PlanArgs),
    /// Make the topics that are missing, and alter what can be altered without loss.
    #[command(after_help = EXIT_STATUS)]
    Apply(ApplyArgs),
    /// Print the ACLs that each role needs, as lines for Kafka's kafka-acls.sh.
    Acls(AclsArgs),
    /// Print the protobuf schema of a topic's values, as it stands in a schema registry.
    Schema {
        /// A topic that consumers read, such as cortex.events.v1.
        topic: String,
    },
}

/// `cortex topics plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// The cluster.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// `cortex topics apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Make also what may drop messages: a shorter retention, another cleanup policy.
    #[arg(long)]
    pub allow_loss: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// The cluster.
    #[command(flatten)]
    pub kafka: KafkaArgs,
}

/// `cortex topics acls`
#[derive(Debug, Args)]
pub(crate) struct AclsArgs {
    /// For this one alone.
    #[arg(long)]
    pub role: Option<AclRole>,
    /// The principal, such as User:CN=cortex-parser,O=Shop; User:cortex-ROLE if absent.
    #[arg(long, requires = "role", value_name = "PRINCIPAL")]
    pub principal: Option<String>,
    /// The consumer group of a consumer.
    #[arg(long, default_value = "my-consumers", value_name = "GROUP")]
    pub group: String,
    /// Kafka's bootstrap servers, as they stand in the lines.
    #[arg(long, env = "CORTEX_KAFKA", default_value = "localhost:9092", value_name = "HOST:PORT")]
    pub kafka: String,
    /// The settings file of Kafka's own tools, as it stands in the lines.
    #[arg(long, default_value = "admin.properties", value_name = "FILE")]
    pub command_config: String,
}

/// Who needs ACLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AclRole {
    /// `cortex registry`
    Registry,
    /// `cortex scanner`
    Scanner,
    /// `cortex parser`
    Parser,
    /// Whoever runs `cortex topics plan` and `apply`.
    Admin,
    /// Whoever reads records.
    Consumer,
}
