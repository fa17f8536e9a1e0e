//! A list of texts in one field: a JSON array of scalars, or parts separated by `|`.

use serde::de::IgnoredAny;

/// Parts of a list. Each costs memory of its own, many times that of its bytes in the file.
pub(crate) const MOST_PARTS: usize = 65_536;

/// Why a text is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListFault {
    /// It begins as a JSON array and is none of scalars.
    Form,
    /// Over [`MOST_PARTS`].
    TooMany,
}

/// The parts of a list; empty ones between bars and `null`s of JSON are left out.
pub(crate) fn read(text: &str) -> Result<Vec<String>, ListFault> {
    let mut parts = Vec::new();
    let text = text.trim_ascii();
    if let Some(inner) = text.strip_prefix('[') {
        json(inner, &mut parts)?;
    } else {
        for part in text.split('|').map(str::trim).filter(|part| !part.is_empty()) {
            add(part.to_owned(), &mut parts)?;
        }
    }
    Ok(parts)
}

fn add(part: String, parts: &mut Vec<String>) -> Result<(), ListFault> {
    if parts.len() == MOST_PARTS {
        return Err(ListFault::TooMany);
    }
    parts.push(part);
    Ok(())
}

/// What follows the opening bracket. Part by part, so that one that is no scalar ends it before anything is built of the
/// rest; numbers keep their digits, as they do in files of JSON.
fn json(inner: &str, parts: &mut Vec<String>) -> Result<(), ListFault> {
    let mut rest = trim(inner);
    if let Some(behind) = rest.strip_prefix(']') {
        return end(behind);
    }
    loop {
        let (token, behind) = rest.split_at_checked(token_length(rest)).ok_or(ListFault::Form)?;
        if let Some(part) = scalar(token)? {
            add(part, parts)?;
        }
        rest = trim(behind);
        if let Some(behind) = rest.strip_prefix(',') {
            rest = trim(behind);
        } else {
            return end(rest.strip_prefix(']').ok_or(ListFault::Form)?);
        }
    }
}

fn end(behind: &str) -> Result<(), ListFault> {
    if trim(behind).is_empty() { Ok(()) } else { Err(ListFault::Form) }
}

fn trim(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

/// Bytes of the string, or else of what reaches up to a separator.
fn token_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return text.find([',', ']', ' ', '\t', '\n', '\r']).unwrap_or(text.len());
    }
    let mut at = 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

/// The text of a scalar; none for `null`.
fn scalar(token: &str) -> Result<Option<String>, ListFault> {
    match token.as_bytes().first() {
        Some(b'"') => serde_json::from_str(token).map(Some).map_err(|_| ListFault::Form),
        Some(b'-' | b'0'..=b'9') => {
            // Any number of the grammar, also one that no float holds.
            serde_json::from_str::<IgnoredAny>(token).map_err(|_| ListFault::Form)?;
            Ok(Some(token.to_owned()))
        }
        _ => match token {
            "null" => Ok(None),
            "true" | "false" => Ok(Some(token.to_owned())),
            _ => Err(ListFault::Form),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn list(parts: &[&str]) -> Result<Vec<String>, ListFault> {
        Ok(parts.iter().map(|part| (*part).to_owned()).collect())
    }

    #[test]
    fn lists_are_json_or_separated_by_bars() {
        assert_eq!(read("a| b|"), list(&["a", "b"]));
        assert_eq!(read(r#" ["a|b", 2, null, true,"q\"\\" ] "#), list(&["a|b", "2", "true", "q\"\\"]));
        assert_eq!(read("[ ]"), list(&[]));
        for wrong in
            ["[1", "[[1]]", "[{}]", "[1,]", "[,1]", "[1 2]", "[1]x", "[\"a]", "[\"\\\"]", "[01]", "[nul]"]
        {
            assert_eq!(read(wrong), Err(ListFault::Form), "{wrong}");
        }
    }

    #[test]
    fn numbers_in_a_list_keep_their_digits() {
        assert_eq!(
            read("[18446744073709551616, 2.50, 1e999]"),
            list(&["18446744073709551616", "2.50", "1e999"])
        );
    }

    #[test]
    fn a_list_has_so_many_parts_and_no_more() {
        let joined = |count: usize, by: &str| vec!["1"; count].join(by);
        for (text, parts) in [
            (joined(MOST_PARTS, "|"), Ok(MOST_PARTS)),
            (joined(MOST_PARTS + 1, "|"), Err(ListFault::TooMany)),
            (format!("[{}]", joined(MOST_PARTS, ",")), Ok(MOST_PARTS)),
            (format!("[{}]", joined(MOST_PARTS + 1, ",")), Err(ListFault::TooMany)),
        ] {
            assert_eq!(read(&text).map(|parts| parts.len()), parts);
        }
    }

    #[test]
    fn what_is_nested_is_refused_where_it_begins() {
        assert_eq!(read("[\"a\",{\"\":0},1]"), Err(ListFault::Form));
        assert_eq!(scalar("{}"), Err(ListFault::Form));
        assert_eq!(scalar("[1"), Err(ListFault::Form));
    }

    proptest! {
        #[test]
        fn json_is_read_as_serde_reads_it(text in r#"\[([\[\]{},:" \\]|"[a-z\\"u0]{0,4}"|[0-9.eE+-]{1,4}|true|null){0,8}\]?"#) {
            let serde = serde_json::from_str::<Vec<Value>>(&text).ok().and_then(|values| {
                let scalar = |value: &Value| !value.is_array() && !value.is_object();
                values.iter().all(scalar).then(|| values.iter().filter(|value| !value.is_null()).count())
            });
            let ours = read(&text).ok().map(|parts| parts.len());
            // Only a number beyond all floats is taken here and not there.
            prop_assert!(ours == serde || (serde.is_none() && text.contains(['e', 'E'])), "{ours:?} {serde:?}");
        }
    }
}
