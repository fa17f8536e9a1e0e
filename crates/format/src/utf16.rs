//! UTF-16 to UTF-8, piece by piece.

/// The order of the bytes of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    LittleEndian,
    BigEndian,
}

impl Order {
    /// What a byte order mark says. One of UTF-32 begins alike, and is none.
    pub(crate) fn of_mark(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xfe, 0, 0, ..] => None,
            [0xff, 0xfe, ..] => Some(Self::LittleEndian),
            [0xfe, 0xff, ..] => Some(Self::BigEndian),
            _ => None,
        }
    }

    fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::LittleEndian => u16::from_le_bytes(bytes),
            Self::BigEndian => u16::from_be_bytes(bytes),
        }
    }
}

/// Converts whole characters and keeps the bytes of one that is not whole yet.
#[derive(Debug)]
pub(crate) struct Utf16 {
    order: Order,
    /// The high surrogate that waits for its low one.
    high: Option<u16>,
    /// The byte that waits for its unit's other one.
    odd: Option<u8>,
}

impl Utf16 {
    pub(crate) fn new(order: Order) -> Self {
        Self { order, high: None, odd: None }
    }

    /// Appends what `bytes` add to `out`. A surrogate without its other half becomes three bytes that are no valid UTF-8,
    /// so that it is the row's fault and not the file's.
    pub(crate) fn convert(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut bytes = bytes;
        if let (Some(first), [second, rest @ ..]) = (self.odd, bytes) {
            self.odd = None;
            bytes = rest;
            self.unit(self.order.unit([first, *second]), out);
        }
        let (units, rest) = bytes.as_chunks::<2>();
        for unit in units {
            self.unit(self.order.unit(*unit), out);
        }
        if let [odd] = rest {
            self.odd = Some(*odd);
        }
    }

    /// Forgets what waits: the next bytes are from elsewhere.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(self.order);
    }

    /// There are no more bytes; false where they end in the middle of a unit.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(high) = self.high.take() {
            push_lone(high, out);
        }
        self.odd.take().is_none()
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) {
        if let Some(high) = self.high.take() {
            if let Some(Ok(character)) = char::decode_utf16([high, unit]).next() {
                push(character, out);
                return;
            }
            push_lone(high, out);
        }
        match char::from_u32(u32::from(unit)) {
            Some(character) => push(character, out),
            None if unit < 0xdc00 => self.high = Some(unit),
            None => push_lone(unit, out),
        }
    }
}

fn push(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// As UTF-8 would write it if it allowed for surrogates.
fn push_lone(unit: u16, out: &mut Vec<u8>) {
    let bits = |shift: u16| 0x80 | (unit >> shift & 0x3f) as u8;
    out.extend_from_slice(&[0xe0 | (unit >> 12) as u8, bits(6), bits(0)]);
}

/// How many bytes of UTF-16 these bytes of UTF-8 were, which begin and end with a character.
pub(crate) fn length(utf8: &[u8]) -> u64 {
    let units: u64 = utf8
        .iter()
        .map(|byte| match byte {
            0x80..=0xbf => 0,
            0xf0.. => 2,
            _ => 1,
        })
        .sum();
    2 * units
}

/// Where in the UTF-8 the character begins that stands `behind` bytes of UTF-16; its end where that is beyond.
pub(crate) fn offset(utf8: &[u8], behind: u64) -> usize {
    let mut passed = 0;
    utf8.iter()
        .position(|byte| {
            let begins = !matches!(byte, 0x80..=0xbf);
            let found = begins && passed >= behind;
            passed += length(&[*byte]);
            found
        })
        .unwrap_or(utf8.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str, order: Order) -> Vec<u8> {
        let write = |unit: u16| match order {
            Order::LittleEndian => unit.to_le_bytes(),
            Order::BigEndian => unit.to_be_bytes(),
        };
        text.encode_utf16().flat_map(write).collect()
    }

    #[test]
    fn characters_of_every_length_are_converted_wherever_the_bytes_are_cut() {
        let text = "a\u{0}é日𝄞\u{10ffff}\u{feff}z";
        for order in [Order::LittleEndian, Order::BigEndian] {
            let bytes = bytes(text, order);
            for cut in 0..=bytes.len() {
                let mut utf16 = Utf16::new(order);
                let mut out = Vec::new();
                utf16.convert(&bytes[..cut], &mut out);
                assert!(std::str::from_utf8(&out).is_ok(), "whole characters");
                utf16.convert(&bytes[cut..], &mut out);
                assert!(utf16.end(&mut out));
                assert_eq!(String::from_utf8(out.clone()).unwrap(), text);
                assert_eq!(length(&out), bytes.len() as u64);
            }
        }
    }

    #[test]
    fn lone_surrogates_are_no_utf_8_and_spoil_nothing_else() {
        let units = [0xd800_u16, 0x61, 0xdc00, 0xd834, 0xd834, 0xdd1e, 0xdbff];
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let mut utf16 = Utf16::new(Order::BigEndian);
        let mut out = Vec::new();
        utf16.convert(&bytes, &mut out);
        assert!(utf16.end(&mut out));
        assert_eq!(out, b"\xed\xa0\x80a\xed\xb0\x80\xed\xa0\xb4\xf0\x9d\x84\x9e\xed\xaf\xbf");
        assert_eq!(length(&out), bytes.len() as u64);
    }

    #[test]
    fn half_a_unit_at_the_end_is_told() {
        let mut utf16 = Utf16::new(Order::LittleEndian);
        let mut out = Vec::new();
        utf16.convert(b"a\0b", &mut out);
        assert_eq!((utf16.end(&mut out), out.as_slice()), (false, b"a".as_slice()));
    }

    #[test]
    fn offsets_are_those_of_characters() {
        let text = "aé日𝄞z".as_bytes();
        for (behind, expected) in [(0, 0), (2, 1), (4, 3), (6, 6), (10, 10), (12, 11), (99, 11)] {
            assert_eq!(offset(text, behind), expected, "{behind}");
        }
    }
}
