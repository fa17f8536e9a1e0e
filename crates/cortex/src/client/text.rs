//! Values as people read them.

use api::registry::{Dataset, FileProblem, FileState, Source, SourceState};
use indicatif::{HumanBytes, HumanCount, HumanDuration};
use jiff::Timestamp;

/// A file's state as people read it: `ACCEPTED`, `REJECTED`, …
pub(crate) fn state_name(state: FileState) -> &'static str {
    state.as_str_name().trim_start_matches("FILE_STATE_")
}

/// A source's: `ACTIVE`, `NEEDS_ATTENTION`, …
pub(crate) fn source_state(source: &Source) -> &'static str {
    let state = SourceState::try_from(source.state).unwrap_or_default();
    state.as_str_name().trim_start_matches("SOURCE_STATE_")
}

/// `events`, `id-mappings`, …
pub(crate) fn dataset_word(dataset: Dataset) -> String {
    dataset.as_str_name().trim_start_matches("DATASET_").to_ascii_lowercase().replace('_', "-")
}

/// `events`, `id-mappings`, … as they are typed.
pub(crate) fn dataset_of(word: &str) -> Option<Dataset> {
    Dataset::from_str_name(&format!("DATASET_{}", constant(word))).filter(|one| *one != Dataset::Unspecified)
}

/// A word as constants of the contract are written.
pub(crate) fn constant(word: &str) -> String {
    word.trim().to_ascii_uppercase().replace(['-', ' '], "_")
}

/// `2026-11-23 10:00:00Z`; empty where absent.
pub(crate) fn time(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| Timestamp::new(at.seconds, 0).ok())
        .map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// How long ago, such as `3 minutes ago`, or how long until; empty where absent.
pub(crate) fn relative(at: Option<&prost_types::Timestamp>) -> String {
    let Some(at) = at else { return String::new() };
    let seconds = Timestamp::now().as_second() - at.seconds;
    let span = HumanDuration(std::time::Duration::from_secs(seconds.unsigned_abs()));
    if seconds >= 0 { format!("{span} ago") } else { format!("in {span}") }
}

/// `about 3 minutes`
pub(crate) fn span(duration: &prost_types::Duration) -> String {
    let seconds = u64::try_from(duration.seconds).unwrap_or_default();
    HumanDuration(std::time::Duration::from_secs(seconds)).to_string()
}

/// `1.50 MiB`
pub(crate) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// `1,234`
pub(crate) fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// `[code] reason; advice`
pub(crate) fn problem(problem: &FileProblem) -> String {
    let advice = if problem.advice.is_empty() { String::new() } else { format!("; {}", problem.advice) };
    format!("[{}] {}{advice}", problem.code, problem.reason)
}
