//! Settings that are not shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use super::{SettingsError, missing};

/// What stands for a secret where settings are shown.
const MASK: &str = "(masked)";

/// A value that no log, error or Debug output shows.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    /// Wraps it.
    pub(crate) fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that uses it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

/// Settings of librdkafka; not shown, since some are secrets.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct SecretMap(pub BTreeMap<String, String>);

impl Serialize for SecretMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.keys().map(|key| (key, MASK)))
    }
}

impl fmt::Debug for SecretMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Given itself, or by a file that holds it.
pub(crate) fn secret(
    name: &'static str,
    purpose: &'static str,
    value: &Option<Secret>,
    file: &Option<PathBuf>,
) -> Result<Secret, SettingsError> {
    match (value, file) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Ok(Secret::new(text.trim())),
            Err(source) => Err(SettingsError::File { path: path.clone(), source }),
        },
        (None, None) => Err(missing(name, purpose)),
    }
}
