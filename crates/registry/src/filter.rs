//! Filters of lists: comparisons joined by AND, the part of AIP-160 that the lists serve.

use crate::error::CallError;
use crate::store::Filter;

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equals,
    Differs,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Has,
}

impl Operator {
    /// Longer ones before those that they begin with.
    const ALL: [(&'static str, Self); 7] = [
        ("!=", Self::Differs),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("=", Self::Equals),
        ("<", Self::Less),
        (">", Self::Greater),
        (":", Self::Has),
    ];

    fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, one)| *one == self).map_or("=", |(text, _)| text)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Comparison {
    field: String,
    operator: Operator,
    value: String,
}

const STATES: [&str; 5] = ["DRAFT", "ACTIVE", "PAUSED", "NEEDS_ATTENTION", "DELETED"];
const DATASETS: [&str; 4] = ["EVENTS", "ATTRIBUTES", "ITEMS", "ID_MAPPINGS"];
const FILE_STATES: [&str; 8] = [
    "DISCOVERED",
    "PUBLISHED",
    "CLAIMED",
    "ACCEPTED",
    "ACCEPTED_WITH_REJECTIONS",
    "REJECTED",
    "INCOMPLETE",
    "SUPERSEDED",
];

impl Filter {
    /// The filter of a list of sources: see `ListSourcesRequest`. The error says what is wrong with the text.
    pub fn of_sources(text: &str, show_deleted: bool) -> Result<Self, String> {
        sources(text, show_deleted).map_err(|error| error.to_string())
    }

    /// The filter of a list of files: see `ListFilesRequest`.
    pub fn of_files(text: &str) -> Result<Self, String> {
        files(text).map_err(|error| error.to_string())
    }
}

/// The filter of a list of sources: see `ListSourcesRequest`.
pub(crate) fn sources(text: &str, show_deleted: bool) -> Result<Filter, CallError> {
    let mut filter = Filter::default();
    if !show_deleted {
        filter.and("s.state <> 'deleted'");
    }
    for comparison in parse(text)? {
        let Comparison { field, operator, value } = &comparison;
        match (field.as_str(), operator) {
            ("state", Operator::Equals | Operator::Differs) => {
                one_of(&comparison, &STATES)?;
                filter.and(source_state(value, *operator == Operator::Equals));
            }
            ("dataset", Operator::Equals | Operator::Differs) => {
                one_of(&comparison, &DATASETS)?;
                filter.and_text(format!("s.dataset {} {{}}", sql_of(*operator)), value.clone());
            }
            ("display_name" | "bucket" | "path", Operator::Equals | Operator::Differs) => {
                filter.and_text(format!("s.{field} {} {{}}", sql_of(*operator)), value.clone());
            }
            // As a text in it, upper and lower case alike, as people search.
            ("display_name", Operator::Has) => {
                let condition = r"LOWER(s.display_name) LIKE LOWER({}) ESCAPE '\'".to_owned();
                filter.and_text(condition, format!("%{}%", like(value)));
            }
            _ => {
                return Err(unknown(
                    &comparison,
                    "state, dataset, display_name, bucket and path with = or !=, or display_name with :",
                ));
            }
        }
    }
    Ok(filter)
}

/// The filter of a list of files: see `ListFilesRequest`.
pub(crate) fn files(text: &str) -> Result<Filter, CallError> {
    let mut filter = Filter::default();
    for comparison in parse(text)? {
        let Comparison { field, operator, value } = &comparison;
        match (field.as_str(), operator) {
            ("date", operator) if !matches!(operator, Operator::Has | Operator::Differs) => {
                let date: jiff::civil::Date = value.parse().map_err(|_| {
                    CallError::invalid("filter", format!("{value:?} must be a date, YYYY-MM-DD"))
                })?;
                filter.and_text(format!("g.date {} {{}}", sql_of(*operator)), date.to_string());
            }
            ("state", Operator::Equals | Operator::Differs) => {
                one_of(&comparison, &FILE_STATES)?;
                filter.and_text(format!("g.state {} {{}}", sql_of(*operator)), value.to_ascii_lowercase());
            }
            ("object_key", Operator::Equals) => {
                filter.and_text("f.object_key = {}".to_owned(), value.clone());
            }
            ("object_key", Operator::Has) => {
                filter.and_text("substr(f.object_key, 1, length({})) = {}".to_owned(), value.clone());
            }
            _ => {
                return Err(unknown(
                    &comparison,
                    "date with =, <, <=, >, >=, state with = or !=, object_key with = or :",
                ));
            }
        }
    }
    Ok(filter)
}

fn source_state(state: &str, equals: bool) -> &'static str {
    match (state, equals) {
        ("DRAFT", true) => "s.state = 'draft'",
        ("DRAFT", false) => "s.state <> 'draft'",
        ("PAUSED", true) => "s.state = 'paused'",
        ("PAUSED", false) => "s.state <> 'paused'",
        ("DELETED", true) => "s.state = 'deleted'",
        ("DELETED", false) => "s.state <> 'deleted'",
        ("NEEDS_ATTENTION", true) => "(s.state = 'active' AND c.attention IS NOT NULL)",
        ("NEEDS_ATTENTION", false) => "NOT (s.state = 'active' AND c.attention IS NOT NULL)",
        (_, true) => "(s.state = 'active' AND c.attention IS NULL)",
        (_, false) => "NOT (s.state = 'active' AND c.attention IS NULL)",
    }
}

fn sql_of(operator: Operator) -> &'static str {
    match operator {
        Operator::Differs => "<>",
        Operator::Less => "<",
        Operator::AtMost => "<=",
        Operator::Greater => ">",
        Operator::AtLeast => ">=",
        Operator::Equals | Operator::Has => "=",
    }
}

/// A text as it stands in a LIKE pattern.
fn like(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

fn one_of(comparison: &Comparison, allowed: &[&str]) -> Result<(), CallError> {
    if allowed.contains(&comparison.value.as_str()) {
        return Ok(());
    }
    let rule = format!("{} is one of {}, not {:?}", comparison.field, allowed.join(", "), comparison.value);
    Err(CallError::invalid("filter", rule))
}

fn unknown(comparison: &Comparison, known: &str) -> CallError {
    let Comparison { field, operator, .. } = comparison;
    CallError::invalid(
        "filter",
        format!("`{field} {}` is not served here; it takes {known}", operator.as_str()),
    )
}

/// `FIELD OPERATOR VALUE`, joined by `AND`; a value is a word, or stands in quotes.
fn parse(text: &str) -> Result<Vec<Comparison>, CallError> {
    let mut rest = text.trim_start();
    let mut comparisons = Vec::new();
    while !rest.is_empty() {
        if !comparisons.is_empty() {
            rest = rest
                .strip_prefix("AND")
                .filter(|rest| rest.starts_with(char::is_whitespace))
                .ok_or_else(|| CallError::invalid("filter", format!("AND is due at {rest:?}")))?
                .trim_start();
        }
        let name = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (field, behind) = rest.split_at(name);
        let behind = behind.trim_start();
        let found = Operator::ALL.into_iter().find_map(|(text, one)| Some((one, behind.strip_prefix(text)?)));
        let (operator, behind) = found.filter(|_| !field.is_empty()).ok_or_else(|| {
            CallError::invalid("filter", format!("FIELD OPERATOR VALUE is due at {rest:?}"))
        })?;
        let (value, behind) = value(behind.trim_start())?;
        comparisons.push(Comparison { field: field.to_owned(), operator, value });
        rest = behind.trim_start();
    }
    Ok(comparisons)
}

/// A word or a quoted text, and what stands behind it.
fn value(text: &str) -> Result<(String, &str), CallError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        if word.is_empty() {
            return Err(CallError::invalid("filter", "it ends where a value is due"));
        }
        return Ok((word.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    Err(CallError::invalid("filter", format!("the quote before {quoted:?} is not closed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_read_in_every_form() {
        let parsed =
            parse(r#" date >= "2026-11-01" AND state=REJECTED AND object_key : "a \"b\" AND c" "#).unwrap();
        let read: Vec<_> = parsed
            .iter()
            .map(|one| (one.field.as_str(), one.operator.as_str(), one.value.as_str()))
            .collect();
        assert_eq!(
            read,
            [("date", ">=", "2026-11-01"), ("state", "=", "REJECTED"), ("object_key", ":", "a \"b\" AND c")]
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for wrong in
            ["state", "state =", "= x", "state = \"x", "state = ACTIVE dataset = EVENTS", "a ~ b", "é = 1"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["state = LIVE", "size > 3", "dataset : EVENTS", "date = 2026-11-01"] {
            assert!(sources(wrong, false).is_err(), "{wrong}");
        }
        for wrong in ["date = yesterday", "date : 2026-11-01", "state = accepted", "rows > 3"] {
            assert!(files(wrong).is_err(), "{wrong}");
        }
    }
}
