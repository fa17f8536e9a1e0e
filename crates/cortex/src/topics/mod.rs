//! `cortex topics`: the topics that Cortex uses, as the settings have them, against those of the cluster.

mod acls;

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;
use queue::kafka::{Change, Effect, KafkaQueue, Survey, What};
use records::topic::VALUES;
use serde_json::{Value, json};

use crate::args::{ApplyArgs, KafkaArgs, PlanArgs, TopicsCommand};
use crate::{UsageError, kafka, print};

/// The cluster is not as planned.
const DIFFERS: u8 = 2;

/// Runs the command.
pub(crate) fn run(command: &TopicsCommand) -> Result<ExitCode> {
    match command {
        TopicsCommand::Plan(args) => plan(args),
        TopicsCommand::Apply(args) => apply(args),
        TopicsCommand::Acls(args) => {
            acls::lines(args).iter().for_each(|line| print(line));
            Ok(ExitCode::SUCCESS)
        }
        TopicsCommand::Schema { topic } => schema(topic),
    }
}

fn schema(topic: &str) -> Result<ExitCode> {
    let known = VALUES.iter().find(|(name, _)| *name == topic);
    let text = known.and_then(|(_, message)| records::schema(message));
    let Some(text) = text else {
        let topics = VALUES.map(|(name, _)| name).join(", ");
        return Err(UsageError(format!("{topic:?} is no topic that consumers read: {topics}")).into());
    };
    print(text);
    Ok(ExitCode::SUCCESS)
}

fn plan(args: &PlanArgs) -> Result<ExitCode> {
    let survey = queue(&args.kafka)?.survey_topics()?;
    match args.json {
        true => print(&json_of(&survey, &[]).to_string()),
        false => {
            survey.changes.iter().for_each(|change| print(&Line(change, "").to_string()));
            print(&summary(&survey, "to change"));
        }
    }
    Ok(status(&survey))
}

/// The cluster is looked at before and after: what is reported left is what is really left.
fn apply(args: &ApplyArgs) -> Result<ExitCode> {
    let queue = queue(&args.kafka)?;
    let before = queue.survey_topics()?;
    let made = queue.apply_topics(&before.changes, args.allow_loss)?;
    let is_left = |change: &&Change| !made.contains(change);
    let left: Vec<Change> = before.changes.iter().filter(is_left).cloned().collect();
    let after = Survey { brokers: before.brokers, present: before.present, changes: left };
    match args.json {
        true => print(&json_of(&after, &made).to_string()),
        false => {
            made.iter().for_each(|change| print(&Line(change, "done: ").to_string()));
            after.changes.iter().for_each(|change| print(&Line(change, "left: ").to_string()));
            print(&summary(&after, "left as they are"));
        }
    }
    Ok(status(&after))
}

fn queue(args: &KafkaArgs) -> Result<KafkaQueue> {
    Ok(KafkaQueue::new(kafka::config(&args.settings()?)?)?)
}

fn status(survey: &Survey) -> ExitCode {
    if survey.changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) }
}

fn summary(survey: &Survey, differences: &str) -> String {
    match survey.changes.len() {
        0 => format!("{} brokers: all topics are as planned", survey.brokers),
        n => format!("{} brokers: {n} {differences}", survey.brokers),
    }
}

/// A change, for people.
struct Line<'a>(&'a Change, &'static str);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Change { topic, what, effect, note }, prefix) = self;
        write!(f, "{prefix}{topic}: ")?;
        match what {
            What::Missing { partitions, copies, settings } => {
                let copies = match copies {
                    -1 => "copies by the cluster's default".to_owned(),
                    copies => format!("copies {copies}"),
                };
                write!(f, "make it: partitions {partitions}, {copies}")?;
                settings.iter().try_for_each(|(name, value)| write!(f, ", {name}={value}"))?;
            }
            What::Partitions { from, to } => write!(f, "partitions {from} -> {to}")?,
            What::Copies { from, to } => write!(f, "copies {from} -> {to}")?,
            What::Setting { name, from, to } => write!(f, "{name} {from} -> {to}")?,
        }
        match effect {
            Effect::Safe => {}
            Effect::MayLose => write!(f, " [may lose messages: --allow-loss]")?,
            Effect::ByHand => write!(f, " [by hand]")?,
        }
        if note.is_empty() { Ok(()) } else { write!(f, ": {note}") }
    }
}

fn json_of(survey: &Survey, made: &[Change]) -> Value {
    json!({
        "brokers": survey.brokers,
        "as_planned": survey.changes.is_empty(),
        "made": made.iter().map(json_change).collect::<Vec<_>>(),
        "changes": survey.changes.iter().map(json_change).collect::<Vec<_>>(),
    })
}

fn json_change(change: &Change) -> Value {
    let (kind, name, from, to) = match &change.what {
        What::Missing { partitions, copies, settings } => {
            let to = json!({"partitions": partitions, "copies": copies, "settings": settings});
            ("missing", "", Value::Null, to)
        }
        What::Partitions { from, to } => ("partitions", "", json!(from), json!(to)),
        What::Copies { from, to } => ("copies", "", json!(from), json!(to)),
        What::Setting { name, from, to } => ("setting", name.as_str(), json!(from), json!(to)),
    };
    let effect = match change.effect {
        Effect::Safe => "safe",
        Effect::MayLose => "may_lose",
        Effect::ByHand => "by_hand",
    };
    json!({
        "topic": change.topic,
        "what": kind,
        "setting": name,
        "from": from,
        "to": to,
        "effect": effect,
        "note": change.note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_tells_people_what_it_does() {
        let change = Change {
            topic: "cortex.events.v1".to_owned(),
            what: What::Setting { name: "retention.ms".into(), from: "2".into(), to: "1".into() },
            effect: Effect::MayLose,
            note: "older ones go".to_owned(),
        };
        assert_eq!(
            Line(&change, "left: ").to_string(),
            "left: cortex.events.v1: retention.ms 2 -> 1 [may lose messages: --allow-loss]: older ones go"
        );
        let survey = Survey { brokers: 3, present: Vec::new(), changes: vec![change] };
        let shown = json_of(&survey, &[]);
        assert_eq!(
            (&shown["as_planned"], &shown["changes"][0]["effect"]),
            (&json!(false), &json!("may_lose"))
        );
        assert_eq!(summary(&survey, "to change"), "3 brokers: 1 to change");
    }
}
