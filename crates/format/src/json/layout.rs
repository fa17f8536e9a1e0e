//! How the objects of a document follow each other.

use memchr::memchr2;

use super::element::Scan;
use super::flatten::Flattener;
use crate::Limits;
use crate::buffer::Buffer;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One object a line.
    Lines,
    /// Objects one after another, over as many lines as they take.
    Sequence,
    /// One array of objects.
    Array,
}

/// Looks at no more than the first row may hold, however the reads come.
pub(super) fn tell(buffer: &mut Buffer, limits: &Limits) -> Layout {
    let head = buffer.peek(limits.row_bytes + 1);
    let head = &head[..head.len().min(limits.row_bytes + 1)];
    match head.first() {
        Some(b'[') => Layout::Array,
        Some(b'{') => of_objects(head, limits),
        // Not an object: as a line of its own it costs that line.
        _ => Layout::Lines,
    }
}

fn of_objects(head: &[u8], limits: &Limits) -> Layout {
    let end_of_first_line = memchr2(b'\n', b'\r', head);
    let (first, rest) = head.split_at(end_of_first_line.unwrap_or(head.len()));
    if let Some(end) = Scan::default().run(first) {
        let several_on_one_line = first[end..].trim_ascii_start().starts_with(b"{");
        return if several_on_one_line { Layout::Sequence } else { Layout::Lines };
    }
    if end_of_first_line.is_none() && head.len() > limits.row_bytes {
        // Longer than a row may be: as a line of its own it costs that line.
        return Layout::Lines;
    }
    // The first line is no whole object: pretty-printed, or the broken first of many lines.
    let second = rest.trim_ascii_start();
    let second = &second[..memchr2(b'\n', b'\r', second).unwrap_or(second.len())];
    let pretty_printed = Scan::default().run(head).is_some_and(|end| is_object(&head[..end], limits));
    if !pretty_printed && is_object(second, limits) { Layout::Lines } else { Layout::Sequence }
}

fn is_object(text: &[u8], limits: &Limits) -> bool {
    std::str::from_utf8(text.trim_ascii_end()).is_ok_and(|text| Flattener::new(limits).read(text).is_ok())
}
