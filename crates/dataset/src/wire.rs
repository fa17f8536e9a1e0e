//! Protobuf's wire format, as far as records need it (<https://protobuf.dev/programming-guides/encoding>).

use crate::timestamp::Instant;

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

#[inline]
pub(crate) fn varint(value: u64, out: &mut Vec<u8>) {
    if value < 0x80 {
        out.push(value as u8);
    } else if value < 1 << 56 {
        // Eight groups of seven bits at once: a write of fixed length, of which the groups that are not needed are cut off.
        let groups = (value & 0x0000_0000_0fff_ffff) | (value & 0x00ff_ffff_f000_0000) << 4;
        let groups = (groups & 0x0000_3fff_0000_3fff) | (groups & 0x0fff_c000_0fff_c000) << 2;
        let groups = (groups & 0x007f_007f_007f_007f) | (groups & 0x3f80_3f80_3f80_3f80) << 1;
        let len = varint_len(value as usize);
        let more = 0x8080_8080_8080_8080 >> (8 * (9 - len));
        out.extend_from_slice(&(groups | more).to_le_bytes());
        out.truncate(out.len() - 8 + len);
    } else {
        long_varint(value, out);
    }
}

#[cold]
fn long_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes a varint takes.
#[inline]
pub(crate) fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn tag(field: u32, kind: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | kind), out);
}

/// A string, bytes or message field.
#[inline]
pub(crate) fn bytes(field: u32, value: &[u8], out: &mut Vec<u8>) {
    if field < 16 && value.len() < 0x80 {
        out.extend_from_slice(&[(field << 3 | LENGTH) as u8, value.len() as u8]);
    } else {
        tag(field, LENGTH, out);
        varint(value.len() as u64, out);
    }
    out.extend_from_slice(value);
}

pub(crate) fn unsigned(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, VARINT, out);
    varint(value, out);
}

/// How a `sint64` is written: small numbers of either sign are short.
#[inline]
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// A `fixed64`, or a `double` by its bits.
pub(crate) fn fixed64(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, FIXED64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of at most 15 that holds a `google.protobuf.Timestamp`.
#[inline]
pub(crate) fn timestamp(field: u32, at: Instant, out: &mut Vec<u8>) {
    out.extend_from_slice(&[(field << 3 | LENGTH) as u8, timestamp_len(at) as u8]);
    if at.seconds != 0 {
        out.push((1 << 3 | VARINT) as u8);
        varint(at.seconds as u64, out);
    }
    if at.nanos != 0 {
        out.push((2 << 3 | VARINT) as u8);
        varint(at.nanos as u64, out);
    }
}

/// The bytes of a `google.protobuf.Timestamp`: two fields of at most 11.
#[inline]
pub(crate) fn timestamp_len(at: Instant) -> usize {
    let field = |value: i64| if value == 0 { 0 } else { 1 + varint_len(value as usize) };
    field(at.seconds) + field(i64::from(at.nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_is_what_prost_writes() {
        for bits in 0..64 {
            for value in [1 << bits, (1 << bits) - 1, 0x5555_5555_5555_5555 >> (63 - bits)] {
                let (mut out, mut expected) = (vec![7], vec![7]);
                varint(value, &mut out);
                prost::encoding::encode_varint(value, &mut expected);
                assert_eq!(out, expected, "{value}");
                assert_eq!(varint_len(value as usize), out.len() - 1, "{value}");
            }
        }
    }
}
