//! An entry of a record's properties: a map field, of which protobuf makes messages of key and value.

use crate::timestamp::Instant;
use crate::value::Typed;
use crate::wire::{self, varint_len};

/// The field of the properties in every record.
pub(crate) const PROPERTIES: u32 = 15;
const ENTRY: u8 = (PROPERTIES << 3 | 2) as u8;
/// The value's field in an entry.
const VALUE: u8 = 2 << 3 | 2;
// The kinds of a `cortex.records.v1.Value`.
const STRING: u8 = 1 << 3 | 2;
const INTEGER: u8 = 2 << 3;
const NUMBER: u8 = 3 << 3 | 1;
const BOOLEAN: u8 = 4 << 3;
const TIMESTAMP: u32 = 5;
const STRING_LIST: u8 = 6 << 3 | 2;
const JSON: u8 = 7 << 3 | 2;
/// Names of up to some 25 bytes have a head.
const HEAD: usize = 32;
/// Lengths below it are one byte.
const ONE_BYTE: usize = 0x80;

/// A property's name, encoded once a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PropertyName {
    /// The key field of the entry.
    key: Vec<u8>,
    /// What stands before the value's length, but for the entry's own length, which is the second byte: copied whole, as a
    /// copy of fixed length is two instructions, and cut behind `head_len`. None for a long name.
    head: Option<[u8; HEAD]>,
    head_len: usize,
}

impl PropertyName {
    pub(crate) fn new(name: &str) -> Self {
        let mut key = Vec::new();
        wire::bytes(1, name.as_bytes(), &mut key);
        let head_len = key.len() + 3;
        let head = (head_len <= HEAD).then(|| {
            let mut head = [0; HEAD];
            head[0] = ENTRY;
            head[2..head_len - 1].copy_from_slice(&key);
            head[head_len - 1] = VALUE;
            head
        });
        Self { key, head, head_len }
    }

    /// Appends the entry of a value of any type; of a list by way of `scratch`, since its length stands before it.
    pub(crate) fn write(&self, typed: &Typed<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
        match typed {
            Typed::String(text) => self.string(text, out),
            Typed::Integer(value) => self.integer(*value, out),
            Typed::Number(value) => self.number(*value, out),
            Typed::Boolean(value) => self.boolean(*value, out),
            Typed::Timestamp(at, _) => self.timestamp(*at, out),
            Typed::StringList(parts) => {
                scratch.clear();
                for part in parts.iter() {
                    wire::bytes(1, part.as_bytes(), scratch);
                }
                self.bytes(STRING_LIST, scratch, out);
            }
            Typed::Json(text) => self.bytes(JSON, text.as_bytes(), out),
        }
    }

    #[inline]
    pub(crate) fn string(&self, text: &str, out: &mut Vec<u8>) {
        self.bytes(STRING, text.as_bytes(), out);
    }

    /// A kind of value that has a length of its own.
    #[inline]
    fn bytes(&self, tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
        let len = bytes.len();
        self.begin(1 + varint_len(len) + len, out);
        if len < ONE_BYTE {
            out.extend_from_slice(&[tag, len as u8]);
        } else {
            out.push(tag);
            wire::varint(len as u64, out);
        }
        out.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn integer(&self, value: i64, out: &mut Vec<u8>) {
        let value = wire::zigzag(value);
        self.begin(1 + varint_len(value as usize), out);
        out.push(INTEGER);
        wire::varint(value, out);
    }

    #[inline]
    pub(crate) fn number(&self, value: f64, out: &mut Vec<u8>) {
        self.begin(9, out);
        out.push(NUMBER);
        out.extend_from_slice(&value.to_le_bytes());
    }

    #[inline]
    pub(crate) fn boolean(&self, value: bool, out: &mut Vec<u8>) {
        self.begin(2, out);
        out.extend_from_slice(&[BOOLEAN, u8::from(value)]);
    }

    #[inline]
    pub(crate) fn timestamp(&self, at: Instant, out: &mut Vec<u8>) {
        self.begin(2 + wire::timestamp_len(at), out);
        wire::timestamp(TIMESTAMP, at, out);
    }

    /// All of the entry up to the value's content, of so many bytes.
    #[inline]
    fn begin(&self, value_len: usize, out: &mut Vec<u8>) {
        // Tag and length of the value are two bytes, or this way is not taken.
        let entry_len = self.key.len() + 2 + value_len;
        match &self.head {
            Some(head) if entry_len < ONE_BYTE => {
                let begin = out.len();
                out.extend_from_slice(head);
                if let Some(length) = out.get_mut(begin + 1) {
                    *length = entry_len as u8;
                }
                out.truncate(begin + self.head_len);
                out.push(value_len as u8);
            }
            _ => self.begin_long(value_len, out),
        }
    }

    #[cold]
    fn begin_long(&self, value_len: usize, out: &mut Vec<u8>) {
        out.push(ENTRY);
        wire::varint((self.key.len() + 1 + varint_len(value_len) + value_len) as u64, out);
        out.extend_from_slice(&self.key);
        out.push(VALUE);
        wire::varint(value_len as u64, out);
    }
}
