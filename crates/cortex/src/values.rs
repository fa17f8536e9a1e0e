//! The form of records and rejected rows, by the settings: for Confluent's wire format the ids of their schemas are had from
//! a schema registry before the first file is claimed, so that no file is held up by it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use parser::Values;
use records::topic::VALUES;
use schema_registry::{Config, SchemaRegistry, SchemaRegistryError};
use telemetry::Health;
use tokio_util::sync::CancellationToken;

use crate::settings::{Settings, SettingsError, missing, secret};
use crate::tls;

/// The role that publishes values.
const ROLE: &str = "parser";
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a parser publishes. Waits for a schema registry that does not answer, and says so in the parser's readiness.
///
/// # Errors
/// Wrong settings; a registry that refuses; a shutdown before it answered.
pub(crate) async fn ready(
    settings: &Settings,
    health: &Health,
    shutdown: &CancellationToken,
) -> Result<Values> {
    match settings.value_format.as_str() {
        "protobuf" => Ok(Values::Protobuf),
        "json" => Ok(Values::Json),
        "confluent" => {
            let registry = SchemaRegistry::new(config(settings)?)?;
            let mut ids = BTreeMap::new();
            for (topic, message) in VALUES {
                let schema = records::schema(message).context(message)?;
                let id = answered(&registry, topic, schema, health, shutdown).await?;
                tracing::info!(topic, id, "the schema is known");
                ids.insert(topic.to_owned(), id);
            }
            Ok(Values::Confluent(ids))
        }
        other => {
            let reason = format!("{other:?} is none of protobuf, confluent, json");
            Err(SettingsError::Value { name: "value_format".to_owned(), reason }.into())
        }
    }
}

/// The schema's id; asks until there is an answer.
async fn answered(
    registry: &SchemaRegistry,
    topic: &str,
    schema: &str,
    health: &Health,
    shutdown: &CancellationToken,
) -> Result<u32> {
    let mut pause = Duration::from_millis(250);
    loop {
        let asked = async {
            match registry.id(topic, schema).await {
                Err(error @ SchemaRegistryError::Unavailable { .. }) => {
                    tracing::warn!(%error, "waiting for the schema registry");
                    health.set_not_ready(ROLE, "the schema registry does not answer");
                    tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                    Ok(None)
                }
                answer => answer.map(Some),
            }
        };
        let answer = tokio::select! {
            answer = asked => answer?,
            () = shutdown.cancelled() => anyhow::bail!("stopped before the schema registry answered"),
        };
        if let Some(id) = answer {
            health.set_not_ready(ROLE, "starting");
            return Ok(id);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn config(settings: &Settings) -> Result<Config, SettingsError> {
    let url = settings.schema_registry_url.clone();
    let password = || {
        let (value, file) = (&settings.schema_registry_password, &settings.schema_registry_password_file);
        secret("schema_registry_password", "the password of schema_registry_user", value, file)
    };
    let login = match &settings.schema_registry_user {
        Some(user) => Some((user.clone(), password()?.reveal().to_owned())),
        None => None,
    };
    let ca = settings.schema_registry_ca_file.as_deref();
    Ok(Config {
        url: url
            .ok_or_else(|| missing("schema_registry_url", "the schema registry of value_format confluent"))?,
        login,
        ca: ca.map(|path| tls::certificates("schema_registry_ca_file", path)).transpose()?,
        auto_register: settings.schema_registry_auto_register,
    })
}
