//! What a source's rows must be: the dataset's own columns and the customer's.

use std::collections::HashSet;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use crate::kind::DatasetKind;
use crate::shown::cut;
use crate::timestamp::check_format;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    String,
    /// 64-bit signed.
    Integer,
    /// 64-bit float, finite.
    Number,
    /// True or false.
    Boolean,
    /// An instant, to the nanosecond.
    Timestamp,
    /// Several texts.
    StringList,
}

/// What becomes of columns that the schema does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AdditionalColumns {
    /// They are properties: strings from CSV and TSV, of the JSON type from JSON.
    #[default]
    Keep,
    /// They are left out.
    Ignore,
    /// A row that has one is refused.
    Reject,
}

/// A column of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name in the record.
    pub name: String,
    /// Its type.
    pub column_type: ColumnType,
    /// True where a row without it is refused.
    pub required: bool,
    /// The header in the file, where it differs from the name.
    pub from: Option<String>,
    /// For timestamps: a strftime format, where the column has one of its own.
    pub format: Option<String>,
    /// For timestamps: an IANA zone for values without an offset; else the source's.
    pub time_zone: Option<String>,
    /// True where its values are masked wherever people look: in samples, previews and errors. Records have them as they are.
    pub sensitive: bool,
}

impl Column {
    /// The name that the file has it by.
    pub fn header(&self) -> &str {
        self.from.as_deref().unwrap_or(&self.name)
    }
}

/// Why a schema does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Not JSON, or not of the schema's form.
    #[error("the schema is not of its JSON form: {0}")]
    Json(#[from] serde_json::Error),
    /// There is no such dataset.
    #[error("there is no dataset {0:?}; there are EVENTS, ATTRIBUTES, ITEMS and ID_MAPPINGS")]
    Dataset(String),
    /// A word that is none of the allowed ones.
    #[error("{field} {found:?} is none of {allowed}")]
    Word {
        /// Where.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        allowed: &'static str,
    },
    /// A column is not right.
    #[error("column {column:?}: {reason}")]
    Column {
        /// Its name.
        column: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// What a source's rows must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    dataset: &'static DatasetKind,
    columns: Vec<Column>,
    additional: AdditionalColumns,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaJson {
    dataset: String,
    additional_columns: Option<String>,
    #[serde(default)]
    columns: Vec<ColumnJson>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ColumnJson {
    name: String,
    #[serde(rename = "type")]
    column_type: Option<String>,
    #[serde(default)]
    required: bool,
    from: Option<String>,
    format: Option<String>,
    time_zone: Option<String>,
    #[serde(default)]
    sensitive: bool,
}

/// As many as a file's header may have.
const MOST_COLUMNS: usize = 4_096;
/// In bytes.
const LONGEST_NAME: usize = 256;

/// Whether a column of a schema may have this name.
pub(crate) fn is_name(text: &str) -> bool {
    !is_blank(text) && text.len() <= LONGEST_NAME
}

/// True of a name with nothing to see in it.
pub(crate) fn is_blank(name: &str) -> bool {
    name.trim().is_empty()
}

impl Schema {
    /// The dataset's own columns, everything else kept.
    pub fn default_for(dataset: &'static DatasetKind) -> Self {
        let columns = dataset
            .columns
            .iter()
            .map(|own| Column {
                name: own.name.to_owned(),
                column_type: own.column_type,
                required: own.required,
                from: None,
                format: None,
                time_zone: None,
                sensitive: false,
            })
            .collect();
        Self { dataset, columns, additional: AdditionalColumns::Keep }
    }

    /// From its JSON form, which may name only what differs from the dataset's own columns.
    ///
    /// ```
    /// let schema = dataset::Schema::parse_json(r#"{"dataset": "EVENTS", "columns": [
    ///     {"name": "user_id", "from": "customer"}, {"name": "price", "type": "NUMBER", "required": true}]}"#)?;
    /// assert_eq!(schema.columns().len(), 5);
    /// # Ok::<(), dataset::SchemaError>(())
    /// ```
    pub fn parse_json(text: &str) -> Result<Self, SchemaError> {
        let json: SchemaJson = serde_json::from_str(text)?;
        let dataset = DatasetKind::by_name(&json.dataset)
            .ok_or_else(|| SchemaError::Dataset(cut(&json.dataset).into_owned()))?;
        let mut schema = Self::default_for(dataset);
        if let Some(word) = json.additional_columns {
            schema.additional = AdditionalColumns::from_word(&word)?;
        }
        let mut named = HashSet::new();
        for column in json.columns {
            if named.len() == MOST_COLUMNS {
                let reason = format!("it is one too many: a schema has at most {MOST_COLUMNS} columns");
                return Err(column_error(&column.name, reason));
            }
            if !named.insert(column.name.clone()) {
                return Err(column_error(&column.name, "it stands twice; name it once"));
            }
            schema.add(column)?;
        }
        schema.check_headers()?;
        Ok(schema)
    }

    fn add(&mut self, json: ColumnJson) -> Result<(), SchemaError> {
        let column_type = json.column_type.as_deref().map(ColumnType::from_word).transpose()?;
        if !is_name(&json.name) {
            return Err(column_error(
                &json.name,
                format!("a name has 1 to {LONGEST_NAME} bytes, not all blank"),
            ));
        }
        let own = self.columns.iter_mut().find(|own| own.name == json.name);
        let column = match own {
            Some(own) => {
                if column_type.is_some_and(|given| given != own.column_type) {
                    let reason =
                        format!("the dataset has it as {}; leave its type out", own.column_type.word());
                    return Err(column_error(&json.name, reason));
                }
                own.required |= json.required;
                own.from = json.from;
                own.format = json.format;
                own.time_zone = json.time_zone;
                own.sensitive = json.sensitive;
                own
            }
            None => {
                let column_type = column_type
                    .ok_or_else(|| column_error(&json.name, "the dataset does not know it: give its type"))?;
                self.columns.push(Column {
                    name: json.name,
                    column_type,
                    required: json.required,
                    from: json.from,
                    format: json.format,
                    time_zone: json.time_zone,
                    sensitive: json.sensitive,
                });
                // It was pushed just now.
                let last = self.columns.len() - 1;
                &mut self.columns[last]
            }
        };
        check_timestamp_settings(column)
    }

    /// Two columns cannot be read from one header.
    fn check_headers(&self) -> Result<(), SchemaError> {
        let mut headers = HashSet::new();
        for column in &self.columns {
            if !headers.insert(column.header()) {
                let reason = format!("header {:?} is another column's already", cut(column.header()));
                return Err(column_error(&column.name, reason));
            }
        }
        Ok(())
    }

    /// The dataset.
    pub fn dataset(&self) -> &'static DatasetKind {
        self.dataset
    }

    /// The dataset's own columns, then the customer's.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The columns whose values are masked wherever people look.
    pub fn sensitive(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.sensitive)
    }

    /// True where there is such a column.
    pub fn has_sensitive(&self) -> bool {
        self.sensitive().next().is_some()
    }

    /// What becomes of other columns.
    pub fn additional(&self) -> AdditionalColumns {
        self.additional
    }
}

fn check_timestamp_settings(column: &Column) -> Result<(), SchemaError> {
    if column.column_type != ColumnType::Timestamp && (column.format.is_some() || column.time_zone.is_some())
    {
        return Err(column_error(&column.name, "format and time_zone are for timestamps"));
    }
    if let Some(zone) = &column.time_zone {
        jiff::tz::TimeZone::get(zone).map_err(|_| {
            column_error(&column.name, format!("{:?} is no IANA zone, such as Europe/Paris", cut(zone)))
        })?;
    }
    if let Some(format) = &column.format {
        check_format(format).map_err(|reason| {
            column_error(&column.name, format!("format {:?} cannot be read: {reason}", cut(format)))
        })?;
    }
    Ok(())
}

fn column_error(column: &str, reason: impl Into<String>) -> SchemaError {
    SchemaError::Column { column: cut(column).into_owned(), reason: reason.into() }
}

fn word(text: &str) -> String {
    text.trim().to_ascii_uppercase().replace(['-', ' '], "_")
}

impl ColumnType {
    /// As in the JSON form.
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Integer => "INTEGER",
            Self::Number => "NUMBER",
            Self::Boolean => "BOOLEAN",
            Self::Timestamp => "TIMESTAMP",
            Self::StringList => "STRING_LIST",
        }
    }

    fn from_word(text: &str) -> Result<Self, SchemaError> {
        let all =
            [Self::String, Self::Integer, Self::Number, Self::Boolean, Self::Timestamp, Self::StringList];
        all.into_iter().find(|one| one.word() == word(text)).ok_or_else(|| SchemaError::Word {
            field: "type",
            found: cut(text).into_owned(),
            allowed: "STRING, INTEGER, NUMBER, BOOLEAN, TIMESTAMP, STRING_LIST",
        })
    }
}

impl AdditionalColumns {
    /// As in the JSON form.
    pub fn word(self) -> &'static str {
        match self {
            Self::Keep => "KEEP",
            Self::Ignore => "IGNORE",
            Self::Reject => "REJECT",
        }
    }

    fn from_word(text: &str) -> Result<Self, SchemaError> {
        let all = [Self::Keep, Self::Ignore, Self::Reject];
        all.into_iter().find(|one| one.word() == word(text)).ok_or_else(|| SchemaError::Word {
            field: "additional_columns",
            found: cut(text).into_owned(),
            allowed: "KEEP, IGNORE, REJECT",
        })
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut schema = serializer.serialize_struct("Schema", 3)?;
        schema.serialize_field("dataset", self.dataset.name)?;
        schema.serialize_field("additional_columns", self.additional.word())?;
        schema.serialize_field("columns", &self.columns)?;
        schema.end()
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut column = serializer.serialize_struct("Column", 7)?;
        column.serialize_field("name", &self.name)?;
        column.serialize_field("type", self.column_type.word())?;
        column.serialize_field("required", &self.required)?;
        for (key, value) in [("from", &self.from), ("format", &self.format), ("time_zone", &self.time_zone)] {
            if let Some(value) = value {
                column.serialize_field(key, value)?;
            }
        }
        if self.sensitive {
            column.serialize_field("sensitive", &true)?;
        }
        column.end()
    }
}
