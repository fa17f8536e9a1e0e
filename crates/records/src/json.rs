//! Any message of these contracts as protobuf JSON, by its full name.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

static DESCRIPTORS: LazyLock<Result<Descriptors, String>> = LazyLock::new(|| {
    Descriptors::load(include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin")))
        .map_err(|error| error.to_string())
});

/// Why a message could not be shown as JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The header names a message that these contracts do not have.
    #[error("no message is named {0:?} in cortex.records.v1 or cortex.queue.v1")]
    UnknownMessage(String),
    /// The bytes are not that message.
    #[error("the value is not a {message}: {source}")]
    Decode {
        /// Full message name.
        message: String,
        /// What the decoder said.
        source: prost::DecodeError,
    },
    /// The JSON is not that of the message.
    #[error("the value is not the JSON of a {message}: {source}")]
    Parse {
        /// Full message name.
        message: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A value that JSON cannot hold.
    #[error("the value cannot be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    /// The descriptors that were compiled in do not load.
    #[error("the compiled descriptors do not load: {0}")]
    Descriptors(String),
}

/// The messages of a set of contracts, by their full names.
#[derive(Debug, Clone)]
pub struct Descriptors(DescriptorPool);

impl Descriptors {
    /// From an encoded `FileDescriptorSet`.
    pub fn load(set: &[u8]) -> Result<Self, JsonError> {
        DescriptorPool::decode(set).map(Self).map_err(|error| JsonError::Descriptors(error.to_string()))
    }

    /// Decodes `value` as the message called `message` and gives its protobuf JSON, with the field names as in the
    /// `.proto` files.
    pub fn to_json(&self, message: &str, value: &[u8]) -> Result<serde_json::Value, JsonError> {
        let dynamic = decode(&self.message(message)?, value)?;
        Ok(dynamic.serialize_with_options(serde_json::value::Serializer, &options())?)
    }

    fn message(&self, name: &str) -> Result<MessageDescriptor, JsonError> {
        self.0.get_message_by_name(name).ok_or_else(|| JsonError::UnknownMessage(name.to_owned()))
    }
}

fn decode(message: &MessageDescriptor, value: &[u8]) -> Result<DynamicMessage, JsonError> {
    DynamicMessage::decode(message.clone(), value)
        .map_err(|source| JsonError::Decode { message: message.full_name().to_owned(), source })
}

fn options() -> SerializeOptions {
    SerializeOptions::new().use_proto_field_name(true)
}

fn descriptors() -> Result<&'static Descriptors, JsonError> {
    DESCRIPTORS.as_ref().map_err(|error| JsonError::Descriptors(error.clone()))
}

/// Writes encoded messages of one kind as protobuf JSON, with the field names as in the `.proto` files.
#[derive(Debug, Clone)]
pub struct JsonEncoder(MessageDescriptor);

impl JsonEncoder {
    /// For the message called `message` (full protobuf name).
    ///
    /// # Errors
    /// Where there is no such message.
    pub fn of(message: &str) -> Result<Self, JsonError> {
        descriptors()?.message(message).map(Self)
    }

    /// Appends the JSON of an encoded message.
    ///
    /// # Errors
    /// Where `value` is not that message, or JSON cannot hold it.
    pub fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), JsonError> {
        let mut serializer = serde_json::Serializer::new(out);
        Ok(decode(&self.0, value)?.serialize_with_options(&mut serializer, &options())?)
    }
}

/// The encoded message called `message` that this protobuf JSON says.
pub(crate) fn from_json(message: &str, text: &[u8]) -> Result<Vec<u8>, JsonError> {
    let failed = |source| JsonError::Parse { message: message.to_owned(), source };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let dynamic =
        DynamicMessage::deserialize(descriptors()?.message(message)?, &mut deserializer).map_err(failed)?;
    deserializer.end().map_err(failed)?;
    Ok(dynamic.encode_to_vec())
}

/// A message on one of Cortex's topics as protobuf JSON: `value` decoded as the message called `message` (full protobuf
/// name, as in the `cortex-message` header).
///
/// ```
/// use prost::{Message, Name};
/// let item = records::v1::Item { item_id: "i-1".into(), ..Default::default() };
/// let json = records::to_json(&records::v1::Item::full_name(), &item.encode_to_vec())?;
/// assert_eq!(json["item_id"], "i-1");
/// # Ok::<(), records::JsonError>(())
/// ```
pub fn to_json(message: &str, value: &[u8]) -> Result<serde_json::Value, JsonError> {
    descriptors()?.to_json(message, value)
}
