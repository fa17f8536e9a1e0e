use jiff::{Timestamp, civil::Date};
use ledger::FileId;
use serde::de::DeserializeOwned;
use sqlx::{Row as _, any::AnyRow};

use super::{Result, StoreError};

/// A row's columns by name, as the types of the store. What does not fit is [`StoreError::Corrupt`].
pub(super) struct Columns<'r>(pub(super) &'r AnyRow);

impl Columns<'_> {
    pub(super) fn text(&self, name: &str) -> Result<String> {
        Ok(self.0.try_get(name)?)
    }

    pub(super) fn text_or_none(&self, name: &str) -> Result<Option<String>> {
        Ok(self.0.try_get(name)?)
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        Ok(self.0.try_get(name)?)
    }

    pub(super) fn bytes_or_none(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.try_get(name)?)
    }

    pub(super) fn int(&self, name: &str) -> Result<i64> {
        Ok(self.0.try_get(name)?)
    }

    pub(super) fn int_or_none(&self, name: &str) -> Result<Option<i64>> {
        Ok(self.0.try_get(name)?)
    }

    pub(super) fn count(&self, name: &str) -> Result<u64> {
        let value = self.int(name)?;
        u64::try_from(value).map_err(|_| StoreError::corrupt(format!("{name} is {value}, a count was due")))
    }

    pub(super) fn small(&self, name: &str) -> Result<u32> {
        let value = self.int(name)?;
        u32::try_from(value).map_err(|_| StoreError::corrupt(format!("{name} is {value}, out of range")))
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp> {
        timestamp(name, self.int(name)?)
    }

    pub(super) fn time_or_none(&self, name: &str) -> Result<Option<Timestamp>> {
        self.int_or_none(name)?.map(|value| timestamp(name, value)).transpose()
    }

    pub(super) fn date(&self, name: &str) -> Result<Date> {
        date(name, &self.text(name)?)
    }

    pub(super) fn date_or_none(&self, name: &str) -> Result<Option<Date>> {
        self.text_or_none(name)?.map(|text| date(name, &text)).transpose()
    }

    pub(super) fn file_id(&self, name: &str) -> Result<FileId> {
        FileId::try_from(self.bytes(name)?.as_slice())
            .map_err(|error| StoreError::corrupt(format!("{name}: {error}")))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        parse(name, &self.text(name)?)
    }

    pub(super) fn json_or_none<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.text_or_none(name)?.map(|text| parse(name, &text)).transpose()
    }
}

fn date(name: &str, text: &str) -> Result<Date> {
    text.parse().map_err(|_| StoreError::corrupt(format!("{name} is {text:?}, a date was due")))
}

fn timestamp(name: &str, microsecond: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microsecond)
        .map_err(|_| StoreError::corrupt(format!("{name} is {microsecond}, a time was due")))
}

fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::corrupt(format!("{name}: {error}")))
}

/// A value as JSON text for a column or a batch.
pub(super) fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Invalid(format!("a value is not JSON: {error}")))
}
