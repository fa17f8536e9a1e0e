//! In which form records and rejected rows stand on their topics.

use std::collections::BTreeMap;

use dataset::DatasetKind;
use prost::Name;
use queue::QueueError;
use records::topic::{CONTENT_TYPE_CONFLUENT, CONTENT_TYPE_JSON, CONTENT_TYPE_PROTOBUF, REJECTED_ROWS};
use records::v1::RejectedRow;
use records::{CONFLUENT_PREFIX_BYTES, JsonEncoder, confluent_prefix};

/// The form of what consumers read. Messages between the roles are plain protobuf always.
#[derive(Debug, Clone, Default)]
pub enum Values {
    /// Plain protobuf.
    #[default]
    Protobuf,
    /// Protobuf in Confluent's wire format: the id, in a schema registry, of the schema of each topic of
    /// [`records::topic::VALUES`], of which the topic's message must be the first.
    Confluent(BTreeMap<String, u32>),
    /// Protobuf's JSON form.
    Json,
}

impl Values {
    /// The forms of a dataset's records and of rejected rows.
    pub(crate) fn of(&self, kind: &DatasetKind) -> queue::Result<Forms> {
        Ok(Forms {
            record: self.form(kind.topic, kind.message)?,
            rejected: self.form(REJECTED_ROWS, &RejectedRow::full_name())?,
        })
    }

    fn form(&self, topic: &str, message: &str) -> queue::Result<Form> {
        match self {
            Self::Protobuf => Ok(Form::Protobuf),
            Self::Confluent(ids) => match ids.get(topic) {
                Some(id) => Ok(Form::Confluent(confluent_prefix(*id))),
                None => Err(QueueError::Permanent(format!("the schema of {topic} has no id"))),
            },
            Self::Json => {
                let encoder = JsonEncoder::of(message);
                encoder.map(Form::Json).map_err(|error| QueueError::Permanent(error.to_string()))
            }
        }
    }
}

/// See [`Values::of`].
#[derive(Debug, Clone)]
pub(crate) struct Forms {
    pub(crate) record: Form,
    pub(crate) rejected: Form,
}

/// The form of one topic's values.
#[derive(Debug, Clone)]
pub(crate) enum Form {
    Protobuf,
    /// With what stands before each message.
    Confluent([u8; CONFLUENT_PREFIX_BYTES]),
    Json(JsonEncoder),
}

impl Form {
    pub(crate) fn content_type(&self) -> &'static str {
        match self {
            Self::Protobuf => CONTENT_TYPE_PROTOBUF,
            Self::Confluent(_) => CONTENT_TYPE_CONFLUENT,
            Self::Json(_) => CONTENT_TYPE_JSON,
        }
    }

    /// What stands before each message; the same number of bytes for every topic.
    pub(crate) fn prefix(&self) -> &[u8] {
        match self {
            Self::Confluent(prefix) => prefix,
            Self::Protobuf | Self::Json(_) => &[],
        }
    }

    pub(crate) fn json(&self) -> Option<&JsonEncoder> {
        match self {
            Self::Json(encoder) => Some(encoder),
            Self::Protobuf | Self::Confluent(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dataset_has_a_form_for_its_records_and_its_rejected_rows() {
        let ids: BTreeMap<String, u32> =
            (1..).zip(records::topic::VALUES).map(|(id, (topic, _))| (topic.to_owned(), id)).collect();
        for kind in DatasetKind::ALL {
            for (values, content_type) in [
                (Values::Protobuf, "application/x-protobuf"),
                (Values::Confluent(ids.clone()), "application/x-confluent-protobuf"),
                (Values::Json, "application/json"),
            ] {
                let forms = values.of(kind).unwrap();
                assert_eq!(forms.record.content_type(), content_type, "{}", kind.name);
                assert_eq!(forms.rejected.prefix().len(), forms.record.prefix().len());
            }
        }
        assert!(Values::Confluent(BTreeMap::new()).of(DatasetKind::EVENTS).is_err());
    }
}
