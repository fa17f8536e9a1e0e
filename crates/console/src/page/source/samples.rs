//! A snapshot of the records that were received lately.

use api::registry::{ListSamplesRequest, Sample};
use axum::extract::State;
use maud::html;
use serde_json::Value;

use super::{get, page};
use crate::error::PageError;
use crate::html::{Page, Row, Table, cell, empty, head, local_time};
use crate::page::place::Place;
use crate::session::{App, Session};

const SHOWN: i32 = 50;
/// Columns of the table; the rest of a wide record is left out here.
const MOST_COLUMNS: usize = 60;

/// `GET …/samples`
pub(crate) async fn list(State(app): State<App>, session: Session, place: Place) -> Result<Page, PageError> {
    let mut registry = session.registry(&app)?;
    let source = get(&mut registry, &place).await?;
    let request = ListSamplesRequest { parent: place.name(), page_size: SHOWN };
    let samples = registry.list_samples(request).await?.into_inner().samples;
    let records: Vec<(&Sample, Vec<(String, String)>)> =
        samples.iter().map(|sample| (sample, columns(&sample.json))).collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in records.iter().flat_map(|(_, columns)| columns) {
        if names.len() < MOST_COLUMNS && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    // As the schema has them; what it does not name comes behind.
    let schema = source.schema.clone().unwrap_or_default().columns;
    names.sort_by_key(|name| schema.iter().position(|column| column.name == *name).unwrap_or(usize::MAX));
    let heads = names.iter().map(|name| head(name).value()).chain([head("Received"), head("From")]);
    Ok(page(&session, &place, &source, "/samples", "Sample data").body(html! {
        h2 { "Sample data" }
        @if records.is_empty() {
            (empty(html! {
                p { "No record has been received yet. Once a file has been read, some of its rows are shown here as they were \
                     understood." }
            }))
        } @else {
            p .help { "Some of the records received lately, as they were handed on. What the schema calls sensitive is masked." }
            (Table::new("Sample data", heads).class("records").rows(records.iter().map(|(sample, columns)| {
                let mut line = values(&names, columns);
                line.push(local_time(sample.receive_time.as_ref()).into());
                line.push(cell(sample.object_key.rsplit('/').next().unwrap_or_default()).into());
                line
            })))
        }
    }))
}

/// A record's values under these names.
pub(crate) fn values(names: &[&str], columns: &[(String, String)]) -> Row {
    let shown = |name: &&str| match columns.iter().find(|(column, _)| column == name) {
        Some((_, text)) => cell(text),
        None => html! { span .muted { "–" } },
    };
    names.iter().map(|name| shown(name).into()).collect()
}

/// A record's columns, its own first: from its protobuf JSON, without its envelope.
pub(crate) fn columns(json: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return Vec::new() };
    let mut columns = Vec::new();
    let mut properties = Vec::new();
    for (name, field) in fields {
        match field {
            _ if name == "envelope" => {}
            Value::Object(own) if name == "properties" => {
                properties.extend(own.into_iter().map(|(name, typed)| (name, text(&typed))));
            }
            field => columns.push((name, text(&field))),
        }
    }
    properties.sort();
    columns.extend(properties);
    columns
}

/// A value, out of what protobuf JSON wraps it in (`{"string_value": …}`).
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, inner)) if fields.len() == 1 && (name.ends_with("_value") || name == "values") => {
                text(inner)
            }
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_plain_columns() {
        let json = r#"{"envelope": {"generation": 1}, "user_id": "u1", "timestamp": "2026-11-23T10:00:00Z",
            "properties": {"tags": {"string_list_value": {"values": ["a", "b"]}}, "price": {"number_value": 9.5},
                           "name": {"string_value": "<b>"}}}"#;
        let columns = columns(json);
        let shown: Vec<(&str, &str)> =
            columns.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert!(shown.contains(&("user_id", "u1")) && shown.contains(&("name", "<b>")));
        assert!(shown.contains(&("tags", "a, b")) && shown.contains(&("price", "9.5")));
        assert!(!shown.iter().any(|(name, _)| *name == "envelope"));
        assert!(super::columns("no json").is_empty());
    }
}
