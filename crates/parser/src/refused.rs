//! A refused row, as the topic of rejected rows has it and as the ledger shows it.

use dataset::{RefusedRow, Schema};
use records::queue;
use records::v1::RejectedRow;

/// What a rejected row holds of the raw row, in bytes.
const RAW_BYTES: usize = 16 << 10;
/// What the ledger holds of it, in bytes.
const RAW_BYTES_SHOWN: usize = 512;
/// What the ledger holds of a reason, in characters: that of a file's longest value and its column's name is shorter.
const REASON_SHOWN: usize = 1_000;
/// Refused rows of a chunk that go with its progress: 20 of less than 6 KiB each, so that the message stays small.
pub(crate) const SHOWN_A_CHUNK: usize = 20;

/// All of a refused row but its envelope.
pub(crate) fn refused(row: RefusedRow<'_>) -> RejectedRow {
    let cut = row.raw.len().min(RAW_BYTES);
    RejectedRow {
        envelope: None,
        code: row.refusal.code.to_owned(),
        column: row.refusal.column,
        reason: row.refusal.reason,
        advice: row.refusal.advice.to_owned(),
        raw: row.raw[..cut].to_vec(),
        raw_truncated: row.raw_truncated || cut < row.raw.len(),
    }
}

/// The row as people see it who look at the ledger: nothing of it where the schema has sensitive columns, and no value of
/// such a column.
pub(crate) fn shown(row: &RefusedRow<'_>, schema: &Schema) -> queue::RefusedRow {
    let raw = if schema.has_sensitive() { &[] } else { row.raw };
    queue::RefusedRow {
        row_number: Some(row.at.row),
        position: row.at.position,
        code: row.refusal.code.to_owned(),
        column: row.refusal.column.clone(),
        reason: schema
            .shown_reason(row.refusal.code, &row.refusal.column, &row.refusal.reason)
            .chars()
            .take(REASON_SHOWN)
            .collect(),
        advice: row.refusal.advice.to_owned(),
        raw: raw[..raw.len().min(RAW_BYTES_SHOWN)].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use dataset::{Checked, FileChecker, FileFacts};
    use format::{Limits, Rows};

    use super::*;

    fn seen(schema: &str, text: &str) -> Vec<queue::RefusedRow> {
        let schema = Schema::parse_json(schema).unwrap();
        let file = std::io::Cursor::new(text.to_owned());
        let mut rows = Rows::open(Box::new(file), "a.csv", Limits::default()).unwrap();
        let mut checker = FileChecker::new(schema.clone(), FileFacts::default());
        let mut seen = Vec::new();
        while let Some(item) = rows.next().unwrap() {
            if let Checked::Refused(row) = checker.check(&item, &mut Vec::new()).unwrap() {
                seen.push(shown(&row, &schema));
            }
        }
        seen
    }

    #[test]
    fn a_refused_row_is_shown_with_its_place_its_reason_and_its_beginning() {
        let long = "x".repeat(600);
        let seen = seen(r#"{"dataset": "EVENTS"}"#, &format!("user_id,timestamp,type\nu,soon,{long}\n"));
        let row = &seen[0];
        assert_eq!((row.row_number, row.position, row.code.as_str()), (Some(1), 23, "invalid_type"));
        assert_eq!((row.column.as_str(), row.reason.as_str()), ("timestamp", r#""soon" is not a timestamp"#));
        assert_eq!((row.raw.len(), row.raw.starts_with(b"u,soon,xxx")), (512, true));
    }

    #[test]
    fn nothing_of_a_row_with_sensitive_columns_is_shown() {
        let schema = r#"{"dataset": "EVENTS", "columns": [{"name": "timestamp", "sensitive": true}]}"#;
        let seen = seen(schema, "user_id,timestamp,type\nu,soon,view\nu,2026-01-01,view,more\n");
        let told: Vec<_> = seen.iter().map(|row| (row.code.as_str(), row.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                ("invalid_type", "the value is not of the column's type"),
                ("wrong_field_count", "the row has 4 fields, the header 3"),
            ]
        );
        assert!(seen.iter().all(|row| row.raw.is_empty()));
    }

    #[test]
    fn what_a_chunk_shows_of_its_refused_rows_is_small() {
        let name = "\u{10ffff}".repeat(64);
        let schema = format!(
            r#"{{"dataset": "EVENTS", "columns": [{{"name": "{name}", "type": "TIMESTAMP", "format": "%Y-%m-%d{name}"}}]}}"#
        );
        let value = "\u{7}".repeat(2_000);
        let rows = format!("u,2026-01-01,view,{value}\n").repeat(SHOWN_A_CHUNK);
        let seen = seen(&schema, &format!("user_id,timestamp,type,{name}\n{rows}"));
        let bytes: usize = seen.iter().map(prost::Message::encoded_len).sum();
        assert_eq!(seen.len(), SHOWN_A_CHUNK);
        assert!(bytes < SHOWN_A_CHUNK * (6 << 10), "{bytes}");
    }
}
