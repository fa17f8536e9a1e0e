//! Topics as the cluster has them, and changes to them.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rdkafka::admin::{
    AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::plan::{Change, TopicPlan, TopicState, What};
use super::{Admin, SEEN, refused};
use crate::kafka::CALL;
use crate::kafka::connection::Connection;
use crate::kafka::error::{code_of, failed, judged};
use crate::{QueueError, Result};

/// How often a change is asked for.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);

/// Settings of topics, in the order of the names; a code for each that is not shown.
pub(super) fn described(
    admin: &Admin,
    names: &[&str],
) -> Result<Vec<std::result::Result<ConfigResource, Code>>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let asked: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    block_on(admin.client.describe_configs(&asked, &admin.options)).map_err(failed)
}

/// Those of the planned topics that are there.
pub(super) fn read(
    admin: &Admin,
    consumer: &BaseConsumer<Connection>,
    plans: &[TopicPlan],
) -> Result<BTreeMap<String, TopicState>> {
    let mut states = BTreeMap::new();
    for plan in plans {
        if super::is_present(consumer, &plan.name)? {
            let metadata = consumer.fetch_metadata(Some(&plan.name), CALL).map_err(failed)?;
            let topic = metadata.topics().iter().find(|topic| topic.name() == plan.name);
            let partitions = topic.map(|topic| topic.partitions()).unwrap_or_default();
            let copies = partitions.iter().map(|partition| partition.replicas().len()).min();
            let state = TopicState {
                partitions: i32::try_from(partitions.len()).unwrap_or(i32::MAX),
                copies: i32::try_from(copies.unwrap_or_default()).unwrap_or(i32::MAX),
                settings: BTreeMap::new(),
            };
            states.insert(plan.name.clone(), state);
        }
    }
    let names: Vec<String> = states.keys().cloned().collect();
    let asked: Vec<&str> = names.iter().map(String::as_str).collect();
    for (name, shown) in names.iter().zip(described(admin, &asked)?) {
        let shown = shown.map_err(|code| refused(name, code))?;
        let settings = shown.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        if let Some(state) = states.get_mut(name) {
            state.settings = settings.collect();
        }
    }
    Ok(states)
}

/// Makes topics; one that is there by now is left as it is.
pub(super) fn create(admin: &Admin, plans: &[TopicPlan], brokers: usize) -> Result<()> {
    plans.iter().try_for_each(|plan| {
        let settings = plan.all_settings(brokers);
        match create_one(admin, &plan.name, plan.partitions, plan.copies(brokers), &settings) {
            Ok(()) | Err(Code::TopicAlreadyExists) => Ok(()),
            Err(code) => Err(cannot_be_made(&plan.name, code)),
        }
    })
}

fn cannot_be_made(topic: &str, code: Code) -> QueueError {
    let advice = match code {
        Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            " is missing, and this principal may not make it: have an administrator run `cortex topics apply`"
        }
        Code::InvalidReplicationFactor => {
            " cannot be made: there are fewer brokers than topic_replication asks for"
        }
        _ => " cannot be made",
    };
    match refused(topic, code) {
        QueueError::Denied(_) => QueueError::Denied(format!("topic {topic}{advice} ({code})")),
        QueueError::Unavailable(_) => QueueError::Unavailable(format!("topic {topic}{advice} ({code})")),
        _ => QueueError::Permanent(format!("topic {topic}{advice} ({code})")),
    }
}

fn create_one(
    admin: &Admin,
    name: &str,
    partitions: i32,
    copies: i32,
    settings: &BTreeMap<String, String>,
) -> std::result::Result<(), Code> {
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(copies));
    for (setting, value) in settings {
        topic = topic.set(setting, value);
    }
    carried_out(|| {
        let made = block_on(admin.client.create_topics([&topic], &admin.options))?;
        Ok(made.into_iter().map(|one| one.map(drop).map_err(|(_, code)| code)).collect())
    })
}

/// Carries out what may be asked for twice, again where a connection broke or the controller moved meanwhile. Gives the code of
/// the first that failed.
fn carried_out(
    ask: impl Fn() -> rdkafka::error::KafkaResult<Vec<std::result::Result<(), Code>>>,
) -> std::result::Result<(), Code> {
    let mut tries = 1;
    loop {
        let done = match ask() {
            Ok(each) => each.into_iter().find(std::result::Result::is_err).unwrap_or(Ok(())),
            Err(error) => Err(code_of(&error).unwrap_or(Code::Fail)),
        };
        match done {
            Err(code) if tries < TRIES && may_pass(code) => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

fn may_pass(code: Code) -> bool {
    code != Code::TopicAlreadyExists && matches!(judged(code, String::new()), QueueError::Unavailable(_))
}

/// Makes changes one after another; gives those that were made.
pub(super) fn apply(admin: &Admin, changes: &[Change]) -> Result<Vec<Change>> {
    let mut settings: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for change in changes {
        let topic = change.topic.as_str();
        match &change.what {
            What::Missing { partitions, copies, settings } => {
                match create_one(admin, topic, *partitions, *copies, settings) {
                    Ok(()) | Err(Code::TopicAlreadyExists) => {}
                    Err(code) => return Err(cannot_be_made(topic, code)),
                }
            }
            What::Partitions { to, .. } => {
                let wanted = NewPartitions::new(topic, usize::try_from(*to).unwrap_or_default());
                let added = carried_out(|| {
                    let made = block_on(admin.client.create_partitions([&wanted], &admin.options))?;
                    Ok(made.into_iter().map(|one| one.map(drop).map_err(|(_, code)| code)).collect())
                });
                added.map_err(|code| refused(topic, code))?;
            }
            What::Setting { name, to, .. } => settings.entry(topic).or_default().push((name, to)),
            What::Copies { .. } => {}
        }
    }
    for (topic, wanted) in settings {
        alter(admin, topic, &wanted)?;
    }
    Ok(changes.to_vec())
}

/// Sets settings of a topic, and waits until they are seen. The call replaces all of a topic's own settings, so those that it has
/// are given along; one that someone else sets in the same instant is lost.
fn alter(admin: &Admin, topic: &str, wanted: &[(&str, &str)]) -> Result<()> {
    let shown = described(admin, &[topic])?.pop().unwrap_or(Err(Code::UnknownTopic));
    let shown = shown.map_err(|code| refused(topic, code))?;
    let own = shown.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
    let own = own.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?)));
    let entries: HashMap<&str, &str> = own.chain(wanted.iter().copied()).collect();
    let change = AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries };
    let made = carried_out(|| {
        let made = block_on(admin.client.alter_configs([&change], &admin.options))?;
        Ok(made.into_iter().map(|one| one.map(drop).map_err(|(_, code)| code)).collect())
    });
    made.map_err(|code| refused(topic, code))?;
    let begun = Instant::now();
    while begun.elapsed() < SEEN {
        let seen = described(admin, &[topic])?.pop().and_then(std::result::Result::ok);
        let holds = |(name, value): &(&str, &str)| {
            let entry = seen.as_ref().and_then(|seen| seen.get(name));
            entry.is_some_and(|entry| entry.value.as_deref() == Some(value))
        };
        if wanted.iter().all(holds) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
