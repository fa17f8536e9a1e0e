//! How far the tokens of JSON reach, over bytes of which nothing else is known.

use wide::u8x16;

const BLOCK: usize = 16;

/// Bytes of a string that stand for themselves: up to a quote, a backslash or a control character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plain {
    pub(super) len: usize,
    /// All of them are ASCII.
    pub(super) ascii: bool,
}

#[inline]
pub(super) fn plain(text: &[u8]) -> Plain {
    let (mut at, mut foreign) = (0, 0);
    while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let bytes = u8x16::new(*block);
        let control = bytes.min(u8x16::splat(b' ' - 1)).simd_eq(bytes);
        let ends = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | control;
        let (ends, high) = (ends.to_bitmask(), bytes.to_bitmask());
        if ends != 0 {
            foreign |= high & (ends - 1) & !ends;
            return Plain { len: at + ends.trailing_zeros() as usize, ascii: foreign == 0 };
        }
        foreign |= high;
        at += BLOCK;
    }
    let rest = text.get(at..).unwrap_or_default();
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    let rest = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
    Plain { len: at + rest.len(), ascii: foreign == 0 && rest.is_ascii() }
}

/// How long a string with escapes is, the first of which is at `begin`: up to its closing quote, be the escapes right or not;
/// none where it has none.
pub(super) fn escaped_len(content: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin;
    while *content.get(at)? == b'\\' {
        at += 2;
        at += plain(content.get(at..)?).len;
    }
    (content[at] == b'"').then_some(at)
}

/// How long the number is that `text` begins with; else where it lacks a digit.
#[inline]
pub(super) fn number_len(text: &[u8]) -> Result<usize, usize> {
    text.first_chunk().and_then(short_number_len).map_or_else(|| any_number_len(text), Ok)
}

/// A number without exponent that ends in the block, whatever follows it. All of its digits are found at once, as a branch
/// for each of them would be foretold wrongly as often as numbers differ in length.
#[inline]
fn short_number_len(block: &[u8; BLOCK]) -> Option<usize> {
    let digits = u8x16::new(*block) - u8x16::splat(b'0');
    let digits = digits.min(u8x16::splat(9)).simd_eq(digits).to_bitmask();
    let begin = usize::from(block[0] == b'-');
    let whole = (digits >> begin).trailing_ones() as usize;
    if whole == 0 || (whole > 1 && block[begin] == b'0') {
        return None;
    }
    let mut end = begin + whole;
    if *block.get(end)? == b'.' {
        let fraction = (digits >> (end + 1)).trailing_ones() as usize;
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    (!matches!(block.get(end)?, b'e' | b'E')).then_some(end)
}

fn any_number_len(text: &[u8]) -> Result<usize, usize> {
    let byte = |at: usize| text.get(at).copied();
    let behind_digits = |from: usize| {
        let count = text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        if count > 0 { Ok(from + count) } else { Err(from) }
    };
    let mut end = usize::from(byte(0) == Some(b'-'));
    end = if byte(end) == Some(b'0') { end + 1 } else { behind_digits(end)? };
    if byte(end) == Some(b'.') {
        end = behind_digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = byte(end) {
        let sign = matches!(byte(end + 1), Some(b'+' | b'-'));
        end = behind_digits(end + 1 + usize::from(sign))?;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_as_long_byte_by_byte(text in "-?[0-9]{0,18}([.][0-9]{0,4})?([eE][+-]?[0-9]{0,2})?[,} ]?.{0,20}") {
            prop_assert_eq!(number_len(text.as_bytes()), any_number_len(text.as_bytes()));
        }

        #[test]
        fn a_text_is_plain_up_to_what_may_not_stand_in_it(text in "[ -~é\n]{0,40}") {
            let ends = |byte: u8| matches!(byte, b'"' | b'\\' | ..b' ');
            let len = text.bytes().position(ends).unwrap_or(text.len());
            let ascii = text.as_bytes()[..len].is_ascii();
            prop_assert_eq!(plain(text.as_bytes()), Plain { len, ascii });
        }
    }

    #[test]
    fn a_string_with_escapes_ends_at_the_quote_that_is_none() {
        let len = |content: &str| escaped_len(content.as_bytes(), content.find('\\').unwrap());
        assert_eq!(len(r#"a\"b\\","c""#), Some(6));
        assert_eq!(len(r#"a\"#), None);
        assert_eq!(len(r#"a\""#), None);
        assert_eq!(len("a\\n\n\""), None);
    }
}
