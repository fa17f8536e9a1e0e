//! Whether a new version of a schema takes all that the version before took.

use crate::names::alike;
use crate::schema::{AdditionalColumns, Column, ColumnType, Schema};
use crate::shown::cut;

/// A change by which rows or files are refused that were accepted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakingChange {
    /// The column; empty where the schema as a whole is meant.
    pub column: String,
    /// In plain words.
    pub reason: String,
    /// How to do without it.
    pub advice: &'static str,
}

impl Schema {
    /// What this schema may refuse of that which `before` accepted; nothing where it takes all of it.
    ///
    /// ```
    /// use dataset::{DatasetKind, Schema};
    /// let before = Schema::default_for(DatasetKind::EVENTS);
    /// let after = Schema::parse_json(
    ///     r#"{"dataset": "EVENTS", "columns": [{"name": "price", "type": "NUMBER", "required": true}]}"#,
    /// )?;
    /// assert_eq!(after.breaking_changes_since(&before)[0].column, "price");
    /// assert!(after.breaking_changes_since(&after).is_empty());
    /// # Ok::<(), dataset::SchemaError>(())
    /// ```
    pub fn breaking_changes_since(&self, before: &Schema) -> Vec<BreakingChange> {
        if self.dataset().name != before.dataset().name {
            let reason =
                format!("the dataset was {}, now it is {}", before.dataset().name, self.dataset().name);
            return vec![change("", reason, "create another source for the other dataset")];
        }
        let mut changes = Vec::new();
        if self.additional() == AdditionalColumns::Keep && before.additional() == AdditionalColumns::Ignore {
            let reason = "columns that the schema does not name were left out, now they are kept: a row is refused \
                          with values in several columns without a name, or in one of the name of a column that is read \
                          from another header"
                .to_owned();
            changes.push(change("", reason, "ignore additional columns"));
        }
        let rejects = self.additional() == AdditionalColumns::Reject;
        if rejects && before.additional() != AdditionalColumns::Reject {
            let reason =
                "columns that the schema does not name were taken, now a row with one is refused".to_owned();
            changes.push(change("", reason, "keep or ignore additional columns"));
        }
        for column in self.columns() {
            match before.columns().iter().find(|one| one.name == column.name) {
                Some(old) => compare(old, column, &mut changes),
                None => added(column, before, &mut changes),
            }
        }
        let is_gone = |old: &&Column| !self.columns().iter().any(|column| column.name == old.name);
        for old in before.columns().iter().filter(is_gone) {
            gone(old, self, &mut changes);
        }
        changes
    }
}

fn compare(old: &Column, new: &Column, changes: &mut Vec<BreakingChange>) {
    if new.required && !old.required {
        let reason = "rows without the column were accepted, now it is required".to_owned();
        changes.push(change(&new.name, reason, "leave it as not required"));
    }
    if !takes_all(old, new) {
        let reason = if old.column_type == new.column_type {
            format!("its timestamps were read {}, now {}", by_format(old), by_format(new))
        } else {
            format!("its type was {}, now it is {}", old.column_type.word(), new.column_type.word())
        };
        changes.push(change(
            &new.name,
            reason,
            "add a column of another name, which is read from the same header later",
        ));
    }
    // In another case alone, too: a file may have both.
    if old.header() != new.header() {
        let reason =
            format!("it was read from the header {:?}, now from {:?}", cut(old.header()), cut(new.header()));
        changes.push(change(&new.name, reason, "keep the header, or change the files at the same time"));
    }
}

/// A column that files may have had already, when it was none of the schema's and could hold anything.
fn added(column: &Column, before: &Schema, changes: &mut Vec<BreakingChange>) {
    if column.required {
        let reason = "the column is new and required: rows without it were accepted".to_owned();
        changes.push(change(&column.name, reason, "leave it as not required"));
    } else if before.additional() != AdditionalColumns::Reject {
        let reason = format!(
            "the column is new: where files have had {:?} already, values that are not {} were accepted",
            cut(column.header()),
            column.column_type.word()
        );
        changes.push(change(&column.name, reason, "make sure that no file has other values in it"));
    } else if let Some(old) = rival(column, before) {
        let reason = format!(
            "the column is new and takes the header {:?}, which was read into the column {:?} until now",
            cut(column.header()),
            cut(&old.name)
        );
        changes.push(change(&column.name, reason, "read it from a header that differs in more than case"));
    }
}

/// A column whose header files may go on to have.
fn gone(old: &Column, now: &Schema, changes: &mut Vec<BreakingChange>) {
    let reason = if now.additional() == AdditionalColumns::Reject {
        "the column is gone, and a row with a column that the schema does not name is refused".to_owned()
    } else if let Some(heir) = rival(old, now) {
        format!(
            "the column is gone, and its header {:?} is now read into the column {:?}",
            cut(old.header()),
            cut(&heir.name)
        )
    } else if let Some(taken) = namesake(old, now) {
        format!(
            "the column is gone, and its header {:?} is the name of a column that is read from {:?}: a row that has it is \
             refused",
            cut(old.header()),
            cut(taken.header())
        )
    } else {
        return;
    };
    changes.push(change(&old.name, reason, "leave the column in the schema, as not required"));
}

/// The column that a header of this one's is matched to, in any case, where this one is not in the schema.
fn rival<'a>(column: &Column, schema: &'a Schema) -> Option<&'a Column> {
    schema.columns().iter().find(|one| one.name != column.name && alike(one.header(), column.header()))
}

/// The column whose name a header of the old one's may have as a property, while it is read from another header.
fn namesake<'a>(old: &Column, now: &'a Schema) -> Option<&'a Column> {
    let keeps = now.additional() == AdditionalColumns::Keep;
    let is_taken = |one: &&Column| one.header() != one.name && alike(&one.name, old.header());
    now.columns().iter().filter(|_| keeps).find(is_taken)
}

/// True where every value that the old column takes is one of the new column's.
fn takes_all(old: &Column, new: &Column) -> bool {
    use ColumnType::{Integer, Number, String, StringList, Timestamp};
    match (old.column_type, new.column_type) {
        (Timestamp, Timestamp) => old.format == new.format,
        // A format may begin with a bracket, as a list does that is written as JSON.
        (Timestamp, StringList) => old.format.is_none(),
        (one, other) if one == other => true,
        // Texts may be any, so that those that begin as a JSON list does must be one; lists are no text.
        (String, _) | (StringList, _) => false,
        (_, String | StringList) => true,
        (Integer, Number) => true,
        _ => false,
    }
}

fn by_format(column: &Column) -> String {
    match &column.format {
        Some(format) => format!("by the format {:?}", cut(format)),
        None => "in ISO 8601 or as Unix time".to_owned(),
    }
}

fn change(column: &str, reason: String, advice: &'static str) -> BreakingChange {
    BreakingChange { column: cut(column).into_owned(), reason, advice }
}
