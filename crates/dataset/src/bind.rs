//! A schema bound to the columns of a file: each header is resolved once.

use std::collections::HashSet;

use format::Place;
use records::JsonError;

use crate::names::{Bound, Found, Names};
use crate::schema::Schema;
use crate::shown::cut;

/// Why a file's columns do not fit the schema: the file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {advice}")]
pub struct HeaderFault {
    /// `missing_column`
    pub code: &'static str,
    /// In plain words, with the header that was found and the nearest names.
    pub reason: String,
    /// What to do.
    pub advice: String,
}

impl HeaderFault {
    /// What stands at `at` cannot be published as JSON, which holds whatever was checked: a fault of Cortex's own.
    pub fn no_json(at: Place, error: &JsonError) -> Self {
        Self {
            code: "malformed_document",
            reason: format!("row {} has no form in JSON: {error}", at.row),
            advice: "report it; until it is mended, publish values as protobuf".to_owned(),
        }
    }
}

/// What becomes of each column of a header; refused where a required column is not among them.
pub(crate) fn header(
    schema: &Schema,
    in_schema: &mut Names,
    names: &[String],
) -> Result<Vec<Bound>, HeaderFault> {
    let found: Vec<Found> = names.iter().map(|name| in_schema.find(name)).collect();
    let bound = settle_rivals(in_schema, names, &found, schema.columns().len());
    let found: HashSet<usize> = bound
        .iter()
        .filter_map(|one| if let Bound::Schema(index) = one { Some(*index) } else { None })
        .collect();
    let lacking = schema.columns().iter().enumerate().filter(|(index, _)| !found.contains(index));
    let lacking: Vec<&str> =
        lacking.filter(|(_, column)| column.required).map(|(_, column)| column.header()).collect();
    if !lacking.is_empty() {
        return Err(missing(&lacking, names));
    }
    let kind = schema.dataset();
    if kind.needs_another_column && names.len() < 2 {
        let (subject, name) = (kind.subject(), kind.display_name);
        return Err(HeaderFault {
            code: "missing_column",
            reason: format!(
                "{name} need at least one column besides {subject:?}; the header is {}",
                shown(names)
            ),
            advice: "add the columns that say something of it".to_owned(),
        });
    }
    Ok(bound)
}

/// Where two headers differ in case alone, only the one that is written exactly is the schema's; if none is, it is not
/// sure which is meant, and none is. Nor is any of several columns without a name, the only ones that a header may have
/// more than once.
fn settle_rivals(in_schema: &Names, names: &[String], found: &[Found], columns: usize) -> Vec<Bound> {
    let mut rivals = vec![0_usize; columns];
    for one in found {
        if let Bound::Schema(index) = one.bound {
            rivals[index] += 1;
        }
    }
    let several_nameless = names.iter().filter(|name| name.is_empty()).count() > 1;
    let settled = |(name, one): (&String, &Found)| match one.bound {
        _ if several_nameless && name.is_empty() => in_schema.nameless(),
        Bound::Schema(index) if rivals[index] > 1 && !one.exact => in_schema.undeclared(name),
        bound => bound,
    };
    names.iter().zip(found).map(settled).collect()
}

/// The required columns that a header lacks, each with the names in it that are nearest.
fn missing(wanted: &[&str], names: &[String]) -> HeaderFault {
    const MOST: usize = 5;
    let described: Vec<String> = wanted.iter().take(MOST).map(|one| with_nearest(one, names)).collect();
    let more = wanted.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let (noun, verb) = if wanted.len() == 1 { ("column", "is") } else { ("columns", "are") };
    HeaderFault {
        code: "missing_column",
        reason: format!(
            "the required {noun} {}{more} {verb} not in the header {}",
            described.join(", "),
            shown(names)
        ),
        advice: "rename the file's columns, or tell the source's schema which headers hold them (`from`)"
            .to_owned(),
    }
}

fn with_nearest(wanted: &str, names: &[String]) -> String {
    let lower = wanted.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| (distance(&lower, &name.to_lowercase()), name.as_str()))
        .filter(|(distance, _)| *distance <= 3.max(wanted.len() / 3) && *distance < wanted.len())
        .collect();
    near.sort_unstable();
    let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("{:?}", cut(name))).collect();
    let wanted = cut(wanted);
    if near.is_empty() { format!("{wanted:?}") } else { format!("{wanted:?} (nearest: {})", near.join(", ")) }
}

/// The header for people, cut where it is long.
fn shown(names: &[String]) -> String {
    const MOST: usize = 20;
    let cut = |name: &String| name.chars().take(60).collect::<String>();
    let listed: Vec<String> = names.iter().take(MOST).map(cut).collect();
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(", … and {more} more") } else { String::new() };
    format!("[{}{more}]", listed.join(", "))
}

/// Levenshtein distance, of names cut at 64 characters.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::DatasetKind;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn header(schema: &Schema, names: &[String]) -> Result<Vec<Bound>, HeaderFault> {
        super::header(schema, &mut Names::of(schema), names)
    }

    #[test]
    fn names_match_exactly_and_then_in_any_case_where_that_is_sure() {
        let schema = Schema::default_for(DatasetKind::ID_MAPPINGS);
        let bound = header(&schema, &names(&["MAPPED_ID", "Original_Id", "x"])).unwrap();
        assert_eq!(bound, [Bound::Schema(1), Bound::Schema(0), Bound::Keep]);
        let bound = header(&schema, &names(&["ORIGINAL_ID", "original_id", "mapped_id"])).unwrap();
        assert_eq!(bound, [Bound::Keep, Bound::Schema(0), Bound::Schema(1)]);
        assert!(header(&schema, &names(&["ORIGINAL_ID", "Original_id", "mapped_id"])).is_err());
    }

    #[test]
    fn a_missing_column_names_the_nearest() {
        let schema = Schema::default_for(DatasetKind::EVENTS);
        let fault = header(&schema, &names(&["userid", "timestamp", "type"])).unwrap_err();
        assert_eq!(fault.code, "missing_column");
        assert!(
            fault.reason.contains("\"user_id\"") && fault.reason.contains("nearest: \"userid\""),
            "{}",
            fault.reason
        );
    }

    #[test]
    fn attributes_need_another_column() {
        let schema = Schema::default_for(DatasetKind::ATTRIBUTES);
        assert!(header(&schema, &names(&["user_id"])).is_err());
        assert!(header(&schema, &names(&["user_id", "age"])).is_ok());
    }
}
