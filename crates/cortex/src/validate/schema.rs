//! The schema that the arguments name.

use anyhow::{Context, Result};
use dataset::{DatasetKind, Schema};
use serde_json::Value;

use crate::UsageError;
use crate::args::ValidateArgs;

/// The dataset's own schema, or the file's, which may leave the dataset to the flag.
pub(crate) fn read(args: &ValidateArgs) -> Result<Schema> {
    let flag = args.dataset.as_deref().map(kind).transpose()?;
    jiff::tz::TimeZone::get(&args.time_zone).map_err(|_| {
        UsageError(format!("--time-zone {:?} is no IANA zone, such as Europe/Paris", args.time_zone))
    })?;
    let Some(path) = &args.schema else {
        let kind =
            flag.ok_or_else(|| UsageError("give --dataset, or a --schema that names it".to_owned()))?;
        return Ok(Schema::default_for(kind));
    };
    let usage = |reason: String| UsageError(format!("--schema {}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| usage(error.to_string()))?;
    let text = with_dataset(text, flag);
    let schema = Schema::parse_json(&text).map_err(|error| usage(error.to_string()))?;
    match flag {
        Some(kind) if kind.name != schema.dataset().name => {
            let reason = format!("it is of {}, --dataset says {}", schema.dataset().name, kind.name);
            Err(usage(reason)).context("the dataset is not clear")
        }
        _ => Ok(schema),
    }
}

/// The schema's text, which the dataset is added to where it names none. The rest stays as it stands: what is wrong with it
/// is found where it is, as the registry finds it.
fn with_dataset(text: String, flag: Option<&DatasetKind>) -> String {
    let names_none = |json: Value| json.as_object().is_some_and(|fields| !fields.contains_key("dataset"));
    match (flag, text.trim_start().strip_prefix('{')) {
        (Some(kind), Some(rest)) if serde_json::from_str(&text).is_ok_and(names_none) => {
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            format!("{{\"dataset\":\"{}\"{comma}{rest}", kind.name)
        }
        _ => text,
    }
}

/// The dataset that a flag names.
pub(crate) fn kind(name: &str) -> Result<&'static DatasetKind, UsageError> {
    DatasetKind::by_name(name).ok_or_else(|| {
        let known: Vec<String> =
            DatasetKind::ALL.iter().map(|kind| kind.name.to_ascii_lowercase().replace('_', "-")).collect();
        UsageError(format!("there is no dataset {name:?}; there are {}", known.join(", ")))
    })
}
