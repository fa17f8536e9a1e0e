//! What a topic is to be against what it is: facts in, changes out.

use std::collections::BTreeMap;

/// Copies of a topic whose plan leaves them open, where there are brokers enough.
const COPIES: i32 = 3;
/// The setting that says how many copies must have a message before it is acknowledged.
const MIN_ISR: &str = "min.insync.replicas";

/// What a topic is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPlan {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: i32,
    /// Copies; 0 for three, or as many as there are brokers where those are fewer; -1 for what the cluster gives by default.
    pub replication: i32,
    /// The topic's settings by Kafka's names. Those that are not named stay as they are. `min.insync.replicas` need not be named:
    /// it follows from the copies, two of three and else one.
    pub settings: BTreeMap<String, String>,
    /// What to know, or to do, where the topic gets more partitions.
    pub on_growth: Option<String>,
}

/// A topic as the cluster has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TopicState {
    pub partitions: i32,
    /// Of the partition that has fewest.
    pub copies: i32,
    pub settings: BTreeMap<String, String>,
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Topic.
    pub topic: String,
    /// What of it.
    pub what: What,
    /// What making it as planned does to messages.
    pub effect: Effect,
    /// What to know, or to do by hand; empty where there is nothing.
    pub note: String,
}

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The topic is missing.
    Missing {
        /// Partitions to make.
        partitions: i32,
        /// Copies; -1 for the cluster's default.
        copies: i32,
        /// Settings to make it with.
        settings: BTreeMap<String, String>,
    },
    /// The number of partitions.
    Partitions {
        /// Now.
        from: i32,
        /// Planned.
        to: i32,
    },
    /// The number of copies.
    Copies {
        /// Now.
        from: i32,
        /// Planned.
        to: i32,
    },
    /// A setting.
    Setting {
        /// Kafka's name of it.
        name: String,
        /// Now; empty where the cluster does not tell.
        from: String,
        /// Planned.
        to: String,
    },
}

/// What a change does to messages that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// None is lost.
    Safe,
    /// Older ones may be dropped.
    MayLose,
    /// Cortex does not make it.
    ByHand,
}

impl TopicPlan {
    /// Copies on so many brokers; -1 for the cluster's default.
    pub(super) fn copies(&self, brokers: usize) -> i32 {
        match self.replication {
            0 => COPIES.min(i32::try_from(brokers).unwrap_or(i32::MAX)).max(1),
            copies => copies,
        }
    }

    /// The settings, with what follows from the copies.
    pub(super) fn all_settings(&self, brokers: usize) -> BTreeMap<String, String> {
        let mut settings = self.settings.clone();
        let copies = self.copies(brokers);
        if copies > 0 {
            let needed = if copies >= COPIES { 2 } else { 1 };
            settings.entry(MIN_ISR.to_owned()).or_insert_with(|| needed.to_string());
        }
        settings
    }
}

/// What differs from the plan, in the order in which it is to be changed.
pub(super) fn changes(plan: &TopicPlan, brokers: usize, state: Option<&TopicState>) -> Vec<Change> {
    let (copies, settings) = (plan.copies(brokers), plan.all_settings(brokers));
    let change = |what, effect, note: String| Change { topic: plan.name.clone(), what, effect, note };
    let Some(state) = state else {
        let what = What::Missing { partitions: plan.partitions, copies, settings };
        return vec![change(what, Effect::Safe, String::new())];
    };
    let mut changes = Vec::new();
    if copies > 0 && state.copies != copies {
        let note = "kafka-reassign-partitions.sh changes the copies of a topic".to_owned();
        changes.push(change(What::Copies { from: state.copies, to: copies }, Effect::ByHand, note));
    }
    let what = What::Partitions { from: state.partitions, to: plan.partitions };
    if state.partitions > plan.partitions {
        let note = "Kafka never takes partitions away: plan as many as there are".to_owned();
        changes.push(change(what, Effect::ByHand, note));
    } else if state.partitions < plan.partitions {
        changes.push(change(what, Effect::Safe, plan.on_growth.clone().unwrap_or_default()));
    }
    for (name, to) in settings {
        let from = state.settings.get(&name).cloned().unwrap_or_default();
        if !is_same(&from, &to) {
            let (effect, note) = effect_of(&name, &from, &to, state.copies);
            changes.push(change(What::Setting { name, from, to }, effect, note));
        }
    }
    changes
}

/// Lists are compared without regard to order or blanks.
fn is_same(one: &str, other: &str) -> bool {
    let parts = |text: &str| {
        let mut parts: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        parts.sort();
        parts
    };
    parts(one) == parts(other)
}

/// What a setting's change does, and what to know of it.
fn effect_of(name: &str, from: &str, to: &str, copies: i32) -> (Effect, String) {
    let loses = |note: &str| (Effect::MayLose, note.to_owned());
    match name {
        "cleanup.policy" => loses("what the new policy does not keep is dropped"),
        "retention.ms" | "retention.bytes" | "delete.retention.ms" | "max.compaction.lag.ms"
            if limit(to) < limit(from) =>
        {
            loses("what lies beyond the new limit is dropped")
        }
        MIN_ISR if to.parse::<i32>().is_ok_and(|needed| needed > copies) => {
            (Effect::ByHand, format!("no write would be taken: the topic has {copies} copies"))
        }
        _ => (Effect::Safe, String::new()),
    }
}

/// A limit in milliseconds or bytes; -1 is none.
fn limit(text: &str) -> i64 {
    match text.parse() {
        Ok(-1) | Err(_) => i64::MAX,
        Ok(limit) => limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> TopicPlan {
        TopicPlan {
            name: "t".to_owned(),
            partitions: 12,
            replication: 0,
            settings: BTreeMap::from([
                ("cleanup.policy".to_owned(), "delete".to_owned()),
                ("retention.ms".to_owned(), "1000".to_owned()),
            ]),
            on_growth: Some("keys move".to_owned()),
        }
    }

    /// The topic as planned, on three brokers, with changes.
    fn found(change: impl Fn(&mut TopicState)) -> Vec<(What, Effect)> {
        let settings = [("cleanup.policy", "delete"), ("retention.ms", "1000"), (MIN_ISR, "2"), ("x", "y")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut state = TopicState { partitions: 12, copies: 3, settings };
        change(&mut state);
        changes(&plan(), 3, Some(&state)).into_iter().map(|change| (change.what, change.effect)).collect()
    }

    fn setting(name: &str, from: &str, to: &str) -> What {
        What::Setting { name: name.to_owned(), from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn a_topic_as_planned_needs_nothing() {
        assert_eq!(found(|_| {}), []);
    }

    #[test]
    fn a_missing_topic_is_made_with_what_follows_from_the_brokers() {
        let made = |brokers| match changes(&plan(), brokers, None).pop().map(|change| change.what) {
            Some(What::Missing { copies, settings, .. }) => (copies, settings[MIN_ISR].clone()),
            other => panic!("{other:?}"),
        };
        assert_eq!(made(1), (1, "1".to_owned()));
        assert_eq!(made(2), (2, "1".to_owned()));
        assert_eq!(made(5), (3, "2".to_owned()));
    }

    #[test]
    fn partitions_are_added_and_never_taken_away() {
        let fewer = found(|state| state.partitions = 6);
        assert_eq!(fewer, [(What::Partitions { from: 6, to: 12 }, Effect::Safe)]);
        let more = found(|state| state.partitions = 24);
        assert_eq!(more, [(What::Partitions { from: 24, to: 12 }, Effect::ByHand)]);
    }

    #[test]
    fn what_may_drop_messages_is_told_from_what_does_not() {
        let change = |name: &'static str, value: &'static str| {
            found(|state| drop(state.settings.insert(name.to_owned(), value.to_owned())))
        };
        let shorter = change("retention.ms", "5000");
        assert_eq!(shorter, [(setting("retention.ms", "5000", "1000"), Effect::MayLose)]);
        let from_unlimited = change("retention.ms", "-1");
        assert_eq!(from_unlimited, [(setting("retention.ms", "-1", "1000"), Effect::MayLose)]);
        let longer = change("retention.ms", "500");
        assert_eq!(longer, [(setting("retention.ms", "500", "1000"), Effect::Safe)]);
        let policy = change("cleanup.policy", "compact");
        assert_eq!(policy, [(setting("cleanup.policy", "compact", "delete"), Effect::MayLose)]);
        assert!(is_same("compact, delete", "delete,compact"));
    }

    #[test]
    fn copies_and_what_would_stop_all_writes_are_left_to_an_operator() {
        let thin = found(|state| {
            state.copies = 1;
            state.settings.insert(MIN_ISR.to_owned(), "1".to_owned());
        });
        let copies = What::Copies { from: 1, to: 3 };
        assert_eq!(thin, [(copies, Effect::ByHand), (setting(MIN_ISR, "1", "2"), Effect::ByHand)]);
    }
}
