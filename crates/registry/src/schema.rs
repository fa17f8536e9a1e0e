//! A schema between its API form and the dataset crate's.

use api::registry::{AdditionalColumns, Column, ColumnType, Dataset, Schema};
use serde_json::{Map, Value, json};

/// The name of a dataset in the schema's JSON form: `EVENTS`, `ID_MAPPINGS`, …
pub(crate) fn dataset_name(dataset: Dataset) -> &'static str {
    dataset.as_str_name().trim_start_matches("DATASET_")
}

/// The dataset of that name.
pub(crate) fn dataset_from_name(name: &str) -> Dataset {
    Dataset::from_str_name(&format!("DATASET_{name}")).unwrap_or_default()
}

/// The API's form of a schema; version 0, since only the store knows it.
///
/// Both forms name the same things by the same words, so JSON is the bridge: a new column type is one entry in the
/// contract and one in the dataset crate, and none here.
pub fn schema_to_api(schema: &dataset::Schema) -> Schema {
    let json = serde_json::to_value(schema).unwrap_or(Value::Null);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let columns = json["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let described =
        |name: &str| schema.dataset().own(name).map(|own| own.description.to_owned()).unwrap_or_default();
    let column = |column: &Value| Column {
        name: text(&column["name"]),
        r#type: ColumnType::from_str_name(&format!("COLUMN_TYPE_{}", text(&column["type"])))
            .unwrap_or_default() as i32,
        required: column["required"].as_bool().unwrap_or_default(),
        from: text(&column["from"]),
        format: text(&column["format"]),
        time_zone: text(&column["time_zone"]),
        sensitive: column["sensitive"].as_bool().unwrap_or_default(),
        description: described(column["name"].as_str().unwrap_or_default()),
    };
    let additional = format!("ADDITIONAL_COLUMNS_{}", text(&json["additional_columns"]));
    Schema {
        dataset: dataset_from_name(&text(&json["dataset"])) as i32,
        version: 0,
        columns: columns.iter().map(column).collect(),
        additional_columns: AdditionalColumns::from_str_name(&additional).unwrap_or_default() as i32,
    }
}

/// The dataset crate's schema, or why it does not hold.
pub fn schema_from_api(schema: &Schema) -> Result<dataset::Schema, String> {
    let columns: Vec<Value> = schema.columns.iter().map(column_json).collect();
    let mut json = json!({ "dataset": dataset_name(schema.dataset()), "columns": columns });
    if schema.additional_columns() != AdditionalColumns::Unspecified {
        let name = schema.additional_columns().as_str_name().trim_start_matches("ADDITIONAL_COLUMNS_");
        json["additional_columns"] = name.into();
    }
    dataset::Schema::parse_json(&json.to_string()).map_err(|error| error.to_string())
}

/// Only what is set: the rest is the dataset's own, or the default.
fn column_json(column: &Column) -> Value {
    let mut json = Map::new();
    json.insert("name".to_owned(), column.name.clone().into());
    if column.r#type() != ColumnType::Unspecified {
        let name = column.r#type().as_str_name().trim_start_matches("COLUMN_TYPE_");
        json.insert("type".to_owned(), name.into());
    }
    if column.required {
        json.insert("required".to_owned(), true.into());
    }
    if column.sensitive {
        json.insert("sensitive".to_owned(), true.into());
    }
    for (key, value) in [("from", &column.from), ("format", &column.format), ("time_zone", &column.time_zone)]
    {
        if !value.is_empty() {
            json.insert(key.to_owned(), value.clone().into());
        }
    }
    Value::Object(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_comes_back_from_the_api_as_it_was() {
        let text = r#"{"dataset": "EVENTS", "additional_columns": "IGNORE", "columns": [
            {"name": "user_id", "from": "customer"},
            {"name": "price", "type": "NUMBER", "required": true},
            {"name": "tags", "type": "STRING_LIST"},
            {"name": "seen_at", "type": "TIMESTAMP", "format": "%d/%m/%Y %H:%M", "time_zone": "Europe/Paris"}]}"#;
        let schema = dataset::Schema::parse_json(text).unwrap();
        let api = schema_to_api(&schema);
        assert_eq!(api.dataset(), Dataset::Events);
        assert!(api.columns.iter().all(|column| column.r#type() != ColumnType::Unspecified));
        let back = schema_from_api(&api).unwrap();
        assert_eq!(serde_json::to_value(&back).unwrap(), serde_json::to_value(&schema).unwrap());
    }
}
