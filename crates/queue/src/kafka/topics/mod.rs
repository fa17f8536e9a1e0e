//! Topics as they are to be: made where they are missing, and compared with what the cluster has.

mod cluster;
mod plan;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::config::{KafkaConfig, largest_batch};
use super::connection::Connection;
use super::error::{failed, judged};
use super::token::{TokenError, hand_over};
use super::{CALL, KafkaQueue};
use crate::{QueueError, Result, TopicSpec};
pub use plan::{Change, Effect, TopicPlan, What};

/// The topic's setting.
pub(super) const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

/// What a look at the cluster gave.
#[derive(Debug)]
pub struct Survey {
    /// Brokers that are up.
    pub brokers: usize,
    /// Topics of the plan that are there.
    pub present: Vec<String>,
    /// What differs from the plan, topic by topic; nothing where all is as planned.
    pub changes: Vec<Change>,
}

impl KafkaQueue {
    /// Compares the planned topics with the cluster's.
    ///
    /// # Errors
    /// [`QueueError::Denied`] where the cluster does not let this principal look; it takes Describe and DescribeConfigs.
    pub fn survey_topics(&self) -> Result<Survey> {
        let consumer = self.reached()?;
        let admin = Admin::new(&self.config)?;
        let brokers = brokers(&consumer)?;
        let states = cluster::read(&admin, &consumer, &self.config.topics)?;
        let mut changes = Vec::new();
        for topic in &self.config.topics {
            changes.extend(plan::changes(topic, brokers, states.get(&topic.name)));
        }
        Ok(Survey { brokers, present: states.into_keys().collect(), changes })
    }

    /// Carries out changes, in their order: those that lose nothing, and those that may lose messages where `allow_loss`. What
    /// must be done by hand is left alone. Gives those that were made.
    ///
    /// # Errors
    /// Of the first change that fails; those before it are made, and a survey shows what is left.
    pub fn apply_topics(&self, changes: &[Change], allow_loss: bool) -> Result<Vec<Change>> {
        let admin = Admin::new(&self.config)?;
        let made = changes.iter().filter(|change| match change.effect {
            Effect::Safe => true,
            Effect::MayLose => allow_loss,
            Effect::ByHand => false,
        });
        cluster::apply(&admin, &made.cloned().collect::<Vec<_>>())
    }
}

/// A client for one operation on topics.
pub(super) struct Admin {
    client: AdminClient<Connection>,
    options: AdminOptions,
}

impl Admin {
    fn new(config: &KafkaConfig) -> Result<Self> {
        let client = config.client().create_with_context(config.connection()).map_err(failed)?;
        if let Some(tokens) = config.security.tokens() {
            let handed = tokens.get().and_then(|token| hand_over(&client, token));
            handed.map_err(|error| match error {
                TokenError::Unavailable(_) => QueueError::Unavailable(error.to_string()),
                TokenError::Denied(_) => QueueError::Denied(error.to_string()),
            })?;
        }
        let options = AdminOptions::new().operation_timeout(Some(CALL)).request_timeout(Some(CALL));
        Ok(Self { client, options })
    }
}

/// Makes the topics that do not exist, and holds the others to what they must be for the queue's promises.
///
/// Nothing is asked of the cluster but a look where all of them are there: a role may then run without the right to make topics.
/// Where one is missing, all others of the plan are made along, as far as that is allowed.
pub(super) fn ensure(
    config: &KafkaConfig,
    consumer: &BaseConsumer<Connection>,
    topics: &[TopicSpec],
) -> Result<()> {
    let mut missing = Vec::new();
    for topic in topics {
        if !is_present(consumer, &topic.name)? {
            missing.push(planned(config, topic));
        }
    }
    let admin = Admin::new(config)?;
    if !missing.is_empty() {
        let brokers = brokers(consumer)?;
        cluster::create(&admin, &missing, brokers)?;
        let is_named = |plan: &TopicPlan| topics.iter().any(|topic| topic.name == plan.name);
        for other in config.topics.iter().filter(|plan| !is_named(plan)) {
            match cluster::create(&admin, std::slice::from_ref(other), brokers) {
                Ok(()) | Err(QueueError::Denied(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    check_sizes(config, &admin, &names)
}

fn planned(config: &KafkaConfig, topic: &TopicSpec) -> TopicPlan {
    let plan = config.topics.iter().find(|plan| plan.name == topic.name);
    plan.cloned().unwrap_or_else(|| {
        let largest = largest_batch(config.max_message_bytes).to_string();
        TopicPlan {
            name: topic.name.clone(),
            partitions: topic.partitions,
            replication: config.replication,
            settings: BTreeMap::from([(MAX_MESSAGE_BYTES.to_owned(), largest)]),
            on_growth: None,
        }
    })
}

/// Whether the topic exists.
///
/// # Errors
/// [`QueueError::Denied`] where the cluster does not tell this principal.
fn is_present(consumer: &BaseConsumer<Connection>, topic: &str) -> Result<bool> {
    let metadata = consumer.fetch_metadata(Some(topic), CALL).map_err(failed)?;
    let found = metadata.topics().iter().find(|one| one.name() == topic);
    match found.map(|one| one.error().map(Code::from)) {
        Some(None) => Ok(true),
        None | Some(Some(Code::UnknownTopicOrPartition | Code::UnknownTopic)) => Ok(false),
        Some(Some(code)) => Err(refused(topic, code)),
    }
}

/// What a code means that the cluster answered about a topic.
fn refused(topic: &str, code: Code) -> QueueError {
    judged(code, format!("topic {topic}: {code}"))
}

fn brokers(consumer: &BaseConsumer<Connection>) -> Result<usize> {
    Ok(consumer.fetch_metadata(None, CALL).map_err(failed)?.brokers().len())
}

/// A topic that takes smaller messages than are sent would abort transactions for ever; it is found out at once.
fn check_sizes(config: &KafkaConfig, admin: &Admin, names: &[&str]) -> Result<()> {
    let wanted = u64::from(largest_batch(config.max_message_bytes));
    for (topic, described) in names.iter().zip(cluster::described(admin, names)?) {
        // A cluster that does not show its settings is taken at its word.
        let Ok(described) = described else { continue };
        let found = described.get(MAX_MESSAGE_BYTES).and_then(|entry| entry.value.as_deref());
        let Some(found) = found.and_then(|text| text.parse::<u64>().ok()) else { continue };
        if found < wanted {
            return Err(QueueError::Permanent(format!(
                "topic {topic} takes messages of at most {found} bytes: set its {MAX_MESSAGE_BYTES} to {wanted}, or the \
                 setting max_message_bytes to {}",
                found.saturating_sub(largest_batch(0).into())
            )));
        }
    }
    Ok(())
}

/// How long new settings or partitions may take to be seen.
pub(super) const SEEN: Duration = Duration::from_secs(10);
