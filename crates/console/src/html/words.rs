//! The contract's constants in plain words.

use api::registry::{Dataset, DayStatus, FileState, SourceState};
use maud::{Markup, html};

/// The state of a source.
pub(crate) fn source_state(state: SourceState) -> &'static str {
    match state {
        SourceState::Unspecified => "Unknown",
        SourceState::Draft => "Draft",
        SourceState::Active => "Live",
        SourceState::Paused => "Paused",
        SourceState::Deleted => "Deleted",
        SourceState::NeedsAttention => "Needs attention",
    }
}

/// The same as a badge.
pub(crate) fn source_state_badge(state: SourceState) -> Markup {
    let kind = match state {
        SourceState::Active => "good",
        SourceState::NeedsAttention => "bad",
        SourceState::Paused => "warn",
        SourceState::Unspecified | SourceState::Draft | SourceState::Deleted => "quiet",
    };
    badge(kind, source_state(state))
}

/// The state of a file.
pub(crate) fn file_state(state: FileState) -> &'static str {
    match state {
        FileState::Unspecified => "Unknown",
        FileState::Discovered => "Found",
        FileState::Published => "Queued",
        FileState::Claimed => "Being read",
        FileState::Accepted => "Accepted",
        FileState::AcceptedWithRejections => "Accepted in part",
        FileState::Rejected => "Rejected",
        FileState::Incomplete => "Incomplete",
        FileState::Superseded => "Superseded",
    }
}

/// The same as a badge.
pub(crate) fn file_state_badge(state: FileState) -> Markup {
    let kind = match state {
        FileState::Accepted => "good",
        FileState::AcceptedWithRejections | FileState::Incomplete => "warn",
        FileState::Rejected => "bad",
        FileState::Claimed => "busy",
        FileState::Unspecified | FileState::Discovered | FileState::Published | FileState::Superseded => {
            "quiet"
        }
    };
    badge(kind, file_state(state))
}

/// True for a file that is not at rest.
pub(crate) fn is_running(state: FileState) -> bool {
    matches!(state, FileState::Discovered | FileState::Published | FileState::Claimed)
}

/// A day, against the source's own rhythm.
pub(crate) fn day_status(status: DayStatus) -> &'static str {
    match status {
        DayStatus::OnTime => "On time",
        DayStatus::Late => "Late",
        DayStatus::Missing => "Missing",
        DayStatus::Expected => "Expected",
        DayStatus::Unspecified | DayStatus::Unscheduled => "No schedule yet",
    }
}

/// A dataset, as people call it.
pub(crate) fn dataset_word(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Unspecified => "Unknown",
        Dataset::Events => "Events",
        Dataset::Attributes => "Attributes",
        Dataset::Items => "Items",
        Dataset::IdMappings => "ID mappings",
    }
}

/// The last word of a constant, such as `string list` of `COLUMN_TYPE_STRING_LIST`.
pub(crate) fn constant(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_ascii_lowercase().replace('_', " ")
}

fn badge(kind: &str, word: &str) -> Markup {
    html! { span class={ "badge " (kind) } { (word) } }
}
