//! Kafka by the settings: how the cluster is reached, and what its topics are to be.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};
use queue::kafka::{
    ClientCredentials, KafkaConfig, MskIam, OAuthSettings, Sasl, Security, Tls, Tokens, TopicPlan,
    largest_batch,
};
use records::topic::{ALL, FILE_PROGRESS, OBJECTS};

use crate::settings::{Settings, SettingsError, missing, secret};

/// A topic's settings that are no settings of Kafka's.
const PARTITIONS: &str = "partitions";
const REPLICATION: &str = "replication";

/// What every client of the cluster is set to.
pub(crate) fn config(settings: &Settings) -> Result<KafkaConfig> {
    Ok(KafkaConfig {
        bootstrap: settings.kafka()?.to_owned(),
        security: security(settings)?,
        properties: settings.kafka_properties.0.clone(),
        topics: topics(settings)?,
        replication: settings.topic_replication,
        max_message_bytes: settings.max_message_bytes,
    })
}

fn wrong(name: &str, reason: impl fmt::Display) -> SettingsError {
    SettingsError::Value { name: name.to_owned(), reason: reason.to_string() }
}

fn security(settings: &Settings) -> Result<Security> {
    let protocol = settings.kafka_security_protocol.to_ascii_lowercase();
    let (with_tls, with_sasl) = match protocol.as_str() {
        "plaintext" => (false, false),
        "ssl" => (true, false),
        "sasl_plaintext" => (false, true),
        "sasl_ssl" => (true, true),
        other => {
            let reason = format!("{other:?} is none of plaintext, ssl, sasl_plaintext, sasl_ssl");
            return Err(wrong("kafka_security_protocol", reason).into());
        }
    };
    let unused = |name: &str, is_set: bool, protocols: &str| match is_set {
        true => {
            Err(wrong(name, format!("it is set, and kafka_security_protocol is {protocol}, not {protocols}")))
        }
        false => Ok(()),
    };
    if !with_tls {
        unused("kafka_ca_file", settings.kafka_ca_file.is_some(), "ssl or sasl_ssl")?;
        unused("kafka_client_cert_file", settings.kafka_client_cert_file.is_some(), "ssl or sasl_ssl")?;
    }
    if !with_sasl {
        unused(
            "kafka_sasl_mechanism",
            settings.kafka_sasl_mechanism.is_some(),
            "sasl_plaintext or sasl_ssl",
        )?;
    }
    Ok(Security {
        tls: with_tls.then(|| tls(settings)).transpose()?,
        sasl: with_sasl.then(|| sasl(settings)).transpose()?,
    })
}

fn tls(settings: &Settings) -> Result<Tls, SettingsError> {
    let client = match (&settings.kafka_client_cert_file, &settings.kafka_client_key_file) {
        (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
        (None, None) => None,
        (Some(_), None) => return Err(missing("kafka_client_key_file", "the key of kafka_client_cert_file")),
        (None, Some(_)) => {
            return Err(missing("kafka_client_cert_file", "the certificate of kafka_client_key_file"));
        }
    };
    let files = [&settings.kafka_ca_file, &settings.kafka_client_cert_file, &settings.kafka_client_key_file];
    for path in files.into_iter().flatten() {
        std::fs::metadata(path).map_err(|source| SettingsError::File { path: path.clone(), source })?;
    }
    Ok(Tls { ca_file: settings.kafka_ca_file.clone(), client })
}

fn sasl(settings: &Settings) -> Result<Sasl> {
    let mechanism = settings
        .kafka_sasl_mechanism
        .as_deref()
        .ok_or_else(|| missing("kafka_sasl_mechanism", "how Cortex proves to brokers who it is"))?;
    let login = || -> Result<(String, String), SettingsError> {
        let username = settings.kafka_sasl_username.clone();
        let username = username.ok_or_else(|| missing("kafka_sasl_username", "the name for SASL"))?;
        let password = secret(
            "kafka_sasl_password",
            "the password for SASL",
            &settings.kafka_sasl_password,
            &settings.kafka_sasl_password_file,
        )?;
        Ok((username, password.reveal().to_owned()))
    };
    Ok(match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => {
            let (username, password) = login()?;
            Sasl::Plain { username, password }
        }
        name @ ("SCRAM-SHA-256" | "SCRAM-SHA-512") => {
            let (username, password) = login()?;
            Sasl::Scram { sha512: name == "SCRAM-SHA-512", username, password }
        }
        "OAUTHBEARER" => Sasl::Bearer(Arc::new(Tokens::new(oauth(settings)?))),
        "AWS_MSK_IAM" => {
            let region = settings.kafka_msk_region.clone();
            let region =
                region.ok_or_else(|| missing("kafka_msk_region", "the region of the MSK cluster"))?;
            Sasl::Bearer(Arc::new(Tokens::new(MskIam::new(region))))
        }
        other => {
            let known = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM";
            return Err(wrong("kafka_sasl_mechanism", format!("{other:?} is none of {known}")).into());
        }
    })
}

fn oauth(settings: &Settings) -> Result<ClientCredentials> {
    let given = |name, purpose, value: &Option<String>| value.clone().ok_or_else(|| missing(name, purpose));
    let client_secret = secret(
        "kafka_oauth_client_secret",
        "the secret of the client at the OAuth server",
        &settings.kafka_oauth_client_secret,
        &settings.kafka_oauth_client_secret_file,
    )?;
    ClientCredentials::new(OAuthSettings {
        token_url: given(
            "kafka_oauth_token_url",
            "the OAuth server's token endpoint",
            &settings.kafka_oauth_token_url,
        )?,
        client_id: given(
            "kafka_oauth_client_id",
            "the client at the OAuth server",
            &settings.kafka_oauth_client_id,
        )?,
        client_secret: client_secret.reveal().to_owned(),
        scope: settings.kafka_oauth_scope.clone(),
        ca_file: settings.kafka_oauth_ca_file.clone(),
    })
    .context("the settings kafka_oauth_…")
}

/// What each topic is to be.
pub(crate) fn topics(settings: &Settings) -> Result<Vec<TopicPlan>, SettingsError> {
    if settings.topic_replication < -1 {
        return Err(wrong("topic_replication", "it is at least 1, or 0, or -1"));
    }
    let mut topics: Vec<TopicPlan> = ALL.iter().map(|name| topic(settings, name)).collect();
    for (key, value) in &settings.topic_overrides {
        let named = key.split_once('.').filter(|(_, setting)| !setting.is_empty());
        let plan =
            named.and_then(|(short, _)| topics.iter_mut().find(|plan| short_name(&plan.name) == short));
        let (Some((_, setting)), Some(plan)) = (named, plan) else {
            let shorts = ALL.map(short_name).join(", ");
            let reason =
                format!("{key:?} does not begin with a topic and a dot, such as events.partitions: {shorts}");
            return Err(wrong("topic_overrides", reason));
        };
        let number =
            || value.trim().parse().map_err(|_| wrong("topic_overrides", format!("{key} is no number")));
        match setting {
            PARTITIONS => plan.partitions = number()?,
            REPLICATION => plan.replication = number()?,
            _ => drop(plan.settings.insert(setting.to_owned(), value.clone())),
        }
    }
    topics.iter().try_for_each(check)?;
    Ok(topics)
}

/// `events` of `cortex.events.v1`.
pub(crate) fn short_name(topic: &str) -> &str {
    topic.trim_start_matches("cortex.").trim_end_matches(".v1")
}

fn check(plan: &TopicPlan) -> Result<(), SettingsError> {
    if plan.partitions < 1 {
        return Err(wrong("topic_partitions", format!("{} is to have {}", plan.name, plan.partitions)));
    }
    let needed = plan.settings.get("min.insync.replicas").and_then(|text| text.parse::<i32>().ok());
    if needed.is_some_and(|needed| plan.replication > 0 && needed > plan.replication) {
        let reason = format!("{} is to have {} copies: no write would be taken", plan.name, plan.replication);
        return Err(wrong("topic_min_insync_replicas", reason));
    }
    Ok(())
}

fn topic(settings: &Settings, name: &str) -> TopicPlan {
    let is_internal = name == OBJECTS || name == FILE_PROGRESS;
    let hours = match is_internal {
        true => settings.topic_internal_retention_hours,
        false => settings.topic_retention_hours,
    };
    let retention = match hours {
        0 => -1,
        hours => i64::from(hours) * 3_600_000,
    };
    let largest = largest_batch(settings.max_message_bytes);
    let mut values = BTreeMap::from([
        ("cleanup.policy".to_owned(), "delete".to_owned()),
        ("retention.ms".to_owned(), retention.to_string()),
        ("max.message.bytes".to_owned(), largest.to_string()),
        // A copy that lacks messages must not lead: what is acknowledged stays.
        ("unclean.leader.election.enable".to_owned(), "false".to_owned()),
    ]);
    if settings.topic_min_insync_replicas > 0 {
        values.insert("min.insync.replicas".to_owned(), settings.topic_min_insync_replicas.to_string());
    }
    let on_growth = match name {
        OBJECTS => None,
        FILE_PROGRESS => {
            Some("restart the registry then: it reads the partitions that there were at its start")
        }
        _ => {
            Some("keys move to other partitions: the order of a key's records does not hold over the change")
        }
    };
    TopicPlan {
        name: name.to_owned(),
        partitions: settings.topic_partitions,
        replication: settings.topic_replication,
        settings: values,
        on_growth: on_growth.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let environment = pairs.iter().map(|(name, value)| (format!("CORTEX_{name}"), (*value).to_owned()));
        Settings::load(None, environment, &BTreeMap::new()).unwrap()
    }

    fn plan(pairs: &[(&str, &str)], name: &str) -> Result<TopicPlan, String> {
        let topics = topics(&settings(pairs)).map_err(|error| error.to_string())?;
        Ok(topics.into_iter().find(|plan| plan.name == name).unwrap())
    }

    #[test]
    fn topics_are_planned_by_the_settings_and_single_ones_otherwise() {
        let overrides = ("TOPIC_OVERRIDES", "events.partitions=48,events.retention.ms=5,items.replication=2");
        let events = plan(&[overrides], "cortex.events.v1").unwrap();
        assert_eq!((events.partitions, events.settings["retention.ms"].as_str()), (48, "5"));
        let items = plan(&[overrides], "cortex.items.v1").unwrap();
        assert_eq!((items.partitions, items.replication), (12, 2));
        assert_eq!(items.settings["retention.ms"], "604800000");
        let objects = plan(&[("TOPIC_INTERNAL_RETENTION_HOURS", "0")], OBJECTS).unwrap();
        assert_eq!(objects.settings["retention.ms"], "-1");
    }

    #[test]
    fn an_override_of_no_topic_and_settings_that_stop_all_writes_are_refused() {
        let refused = |pairs: &[(&str, &str)]| plan(pairs, OBJECTS).unwrap_err();
        assert!(refused(&[("TOPIC_OVERRIDES", "event.partitions=4")]).contains("event.partitions"));
        assert!(refused(&[("TOPIC_OVERRIDES", "events.partitions=x")]).contains("events.partitions"));
        assert!(refused(&[("TOPIC_PARTITIONS", "0")]).contains("topic_partitions"));
        let stopped = refused(&[("TOPIC_REPLICATION", "2"), ("TOPIC_MIN_INSYNC_REPLICAS", "3")]);
        assert!(stopped.contains("topic_min_insync_replicas"), "{stopped}");
    }

    #[test]
    fn security_names_what_is_missing_or_goes_unused() {
        let refused = |pairs: &[(&str, &str)]| security(&settings(pairs)).unwrap_err().to_string();
        let protocol = ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl");
        assert!(refused(&[("KAFKA_SECURITY_PROTOCOL", "tls")]).contains("sasl_ssl"));
        assert!(refused(&[protocol]).contains("kafka_sasl_mechanism"));
        let scram = ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
        assert!(refused(&[protocol, scram]).contains("kafka_sasl_username"));
        assert!(refused(&[scram]).contains("kafka_security_protocol is plaintext"));
        assert!(refused(&[("KAFKA_CA_FILE", "/ca.pem")]).contains("kafka_security_protocol is plaintext"));
        assert!(refused(&[protocol, scram, ("KAFKA_CA_FILE", "/no/ca.pem")]).contains("/no/ca.pem"));
        assert!(refused(&[protocol, ("KAFKA_SASL_MECHANISM", "AWS_MSK_IAM")]).contains("kafka_msk_region"));
        assert!(refused(&[protocol, ("KAFKA_SASL_MECHANISM", "GSSAPI")]).contains("SCRAM-SHA-256"));
        let login = [("KAFKA_SASL_USERNAME", "cortex"), ("KAFKA_SASL_PASSWORD", "hush")];
        let made = security(&settings(&[protocol, scram, login[0], login[1]])).unwrap();
        assert!(!format!("{made:?}").contains("hush"));
    }
}
