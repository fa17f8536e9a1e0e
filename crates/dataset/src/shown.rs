//! Names and values as messages show them.

use std::borrow::Cow;

/// What a message shows of a name or a value, in characters.
pub(crate) const SHOWN: usize = 100;

/// The beginning of a text, so that messages stay small whatever a file holds.
pub(crate) fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}
