//! The forms in which records and rejected rows may stand on their topics.

use std::borrow::Cow;

use crate::json::{JsonError, from_json};
use crate::topic::{
    CONTENT_TYPE_CONFLUENT, CONTENT_TYPE_JSON, CONTENT_TYPE_PROTOBUF, HEADER_CONTENT_TYPE, HEADER_MESSAGE,
};

/// Bytes before a message in Confluent's wire format, where the message is the first one of its schema.
pub const CONFLUENT_PREFIX_BYTES: usize = 6;

/// What stands before a message in [Confluent's wire format][format]: a zero, the schema's id, and that the message is the
/// first one of the schema (`[0]`, which is written as a single zero).
///
/// [format]: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format
pub fn confluent_prefix(schema_id: u32) -> [u8; CONFLUENT_PREFIX_BYTES] {
    let [a, b, c, d] = schema_id.to_be_bytes();
    [0, a, b, c, d, 0]
}

/// Why a value was not understood.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// A form that this version does not know.
    #[error("nothing is known of the content type {0:?}")]
    ContentType(String),
    /// The bytes are not what the content type says.
    #[error("the value does not begin as Confluent's wire format does")]
    NotConfluent,
    /// The JSON is not that of its message.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// A value from one of Cortex's topics, in whichever form, as plain protobuf; `headers` are its message's.
///
/// ```
/// use records::topic::{CONTENT_TYPE_CONFLUENT, HEADER_CONTENT_TYPE};
/// let headers = [(HEADER_CONTENT_TYPE.to_owned(), CONTENT_TYPE_CONFLUENT.as_bytes().to_vec())];
/// let value = [records::confluent_prefix(7).as_slice(), b"message"].concat();
/// assert_eq!(records::plain(&headers, &value)?.as_ref(), b"message");
/// # Ok::<(), records::ValueError>(())
/// ```
///
/// # Errors
/// Where the value is not what its headers say.
pub fn plain<'a>(headers: &[(String, Vec<u8>)], value: &'a [u8]) -> Result<Cow<'a, [u8]>, ValueError> {
    let header = |name: &str| {
        let found = headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| String::from_utf8_lossy(value)).unwrap_or_default()
    };
    match header(HEADER_CONTENT_TYPE).as_ref() {
        CONTENT_TYPE_PROTOBUF => Ok(Cow::Borrowed(value)),
        CONTENT_TYPE_CONFLUENT => unprefixed(value).map(Cow::Borrowed).ok_or(ValueError::NotConfluent),
        CONTENT_TYPE_JSON => Ok(Cow::Owned(from_json(&header(HEADER_MESSAGE), value)?)),
        other => Err(ValueError::ContentType(other.to_owned())),
    }
}

/// What stands behind magic byte, id and message indexes.
fn unprefixed(value: &[u8]) -> Option<&[u8]> {
    let [0, _, _, _, _, rest @ ..] = value else { return None };
    let mut rest = rest;
    let count = zigzag(&mut rest)?;
    for _ in 0..count {
        zigzag(&mut rest)?;
    }
    Some(rest)
}

/// Takes a zigzag varint off the front; none where it is negative or does not end.
fn zigzag(from: &mut &[u8]) -> Option<u64> {
    let read = prost::encoding::decode_varint(from).ok()?;
    (read & 1 == 0).then_some(read >> 1)
}

#[cfg(test)]
mod tests {
    use prost::{Message, Name};

    use super::*;
    use crate::json::JsonEncoder;
    use crate::v1::Item;

    fn headers(content_type: &str, message: &str) -> Vec<(String, Vec<u8>)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        vec![pair(HEADER_CONTENT_TYPE, content_type), pair(HEADER_MESSAGE, message)]
    }

    #[test]
    fn each_form_gives_the_message_that_was_put_in() {
        let item = Item { item_id: "ü\u{1}\"".into(), ..Item::default() }.encode_to_vec();
        let name = Item::full_name();
        let mut json = Vec::new();
        JsonEncoder::of(&name).unwrap().write(&item, &mut json).unwrap();
        let prefixed = [&confluent_prefix(0x0102_0304), item.as_slice()].concat();
        assert_eq!(prefixed[..6], [0, 1, 2, 3, 4, 0]);
        for (content_type, value) in
            [(CONTENT_TYPE_PROTOBUF, &item), (CONTENT_TYPE_CONFLUENT, &prefixed), (CONTENT_TYPE_JSON, &json)]
        {
            assert_eq!(plain(&headers(content_type, &name), value).unwrap().as_ref(), item, "{content_type}");
        }
    }

    #[test]
    fn message_indexes_of_others_are_passed_over_and_what_is_broken_is_told() {
        // Two indexes, 1 and 150.
        let value = [0, 0, 0, 0, 7, 4, 2, 0xac, 2, b'm'];
        let of = |value| plain(&headers(CONTENT_TYPE_CONFLUENT, ""), value).map(Cow::into_owned);
        assert_eq!(of(&value).unwrap(), b"m");
        for broken in [&value[..7], &value[..3], &[1, 0, 0, 0, 7, 0], &[0, 0, 0, 0, 7, 1], &[]] {
            assert!(matches!(of(broken), Err(ValueError::NotConfluent)), "{broken:?}");
        }
        let unknown = plain(&headers("application/avro", ""), b"").unwrap_err();
        assert!(unknown.to_string().contains("application/avro"), "{unknown}");
        let wrong = plain(&headers(CONTENT_TYPE_JSON, &Item::full_name()), b"{\"item\": 1}").unwrap_err();
        assert!(wrong.to_string().contains("cortex.records.v1.Item"), "{wrong}");
    }
}
