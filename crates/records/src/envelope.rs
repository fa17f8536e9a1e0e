//! The envelope of any record, without the rest of it.

use prost::Message;

use crate::v1::Envelope;

/// What every message of `records.v1` begins with.
#[derive(Clone, PartialEq, Message)]
struct Enveloped {
    #[prost(message, optional, tag = "1")]
    envelope: Option<Envelope>,
}

/// The envelope of an encoded record or rejected row, whichever of them it is.
///
/// ```
/// use prost::Message;
/// use records::v1::{Envelope, Item};
/// let envelope = Envelope { source_id: "s".into(), ..Default::default() };
/// let item = Item { envelope: Some(envelope.clone()), item_id: "i".into(), ..Default::default() };
/// assert_eq!(records::envelope(&item.encode_to_vec()).unwrap(), Some(envelope));
/// ```
///
/// # Errors
/// Where the bytes are no protobuf message.
pub fn envelope(record: &[u8]) -> Result<Option<Envelope>, prost::DecodeError> {
    Ok(Enveloped::decode(record)?.envelope)
}
