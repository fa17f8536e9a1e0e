//! Protobuf's wire format, as far as records need it (<https://protobuf.dev/programming-guides/encoding>).

use crate::timestamp::Instant;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

pub(crate) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn tag(field: u32, kind: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | kind), out);
}

/// A string, bytes or message field.
pub(crate) fn bytes(field: u32, value: &[u8], out: &mut Vec<u8>) {
    tag(field, LENGTH, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

pub(crate) fn unsigned(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, VARINT, out);
    varint(value, out);
}

/// A `sint64`.
pub(crate) fn signed(field: u32, value: i64, out: &mut Vec<u8>) {
    tag(field, VARINT, out);
    varint(((value << 1) ^ (value >> 63)) as u64, out);
}

/// A `fixed64`, or a `double` by its bits.
pub(crate) fn fixed64(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, FIXED64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A `google.protobuf.Timestamp`.
pub(crate) fn timestamp(field: u32, at: Instant, out: &mut Vec<u8>) {
    tag(field, LENGTH, out);
    let length = out.len();
    out.push(0);
    if at.seconds != 0 {
        unsigned(1, at.seconds as u64, out);
    }
    if at.nanos != 0 {
        unsigned(2, at.nanos as u64, out);
    }
    // Two fields of at most 11 bytes: the length is one byte.
    out[length] = (out.len() - length - 1) as u8;
}
