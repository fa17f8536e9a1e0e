//! `cortex console`: what the console is given of the parser's code, and its settings.

use std::fs::File;
use std::time::{SystemTime, UNIX_EPOCH};

use api::registry::{
    ColumnSeen, Dataset, FileProblem, FileState, FileWarning, PreviewSourceResponse, PreviewedRecord,
    ProposeSourceSchemaResponse, RowError, Schema,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use console::{CheckOptions, CheckReport, FileTools, SessionKey, Upload};
use dataset::{DatasetKind, FileFacts, Proposer};
use format::{Limits, Rows};
use ledger::tolerance::Tolerance;
use parser::{Candidate, Rejected, Report, Sink};
use records::queue::Outcome;

use crate::settings::{Settings, SettingsError};
use crate::{sign_in, tls};

/// The tools that look at local files.
pub(crate) const TOOLS: FileTools = FileTools { check, propose };

/// Records and refused rows that are shown of a file.
const SHOWN_RECORDS: usize = 10;
const SHOWN_ERRORS: usize = 100;
/// Bytes of a refused row that are shown.
const SHOWN_RAW: usize = 512;
/// Rows that a proposal looks at.
const PROPOSAL_ROWS: u64 = 100_000;

/// The console's settings.
pub(crate) fn config(settings: &Settings) -> Result<console::Config, SettingsError> {
    Ok(console::Config {
        listen: settings.console_listen,
        url: settings.console_url.clone(),
        registry_url: settings.registry_url()?.to_owned(),
        registry_tls: tls::worker(settings)?,
        session_key: match settings.console_key()? {
            Some(key) => session_key(key.reveal())?,
            None => SessionKey::random(),
        },
        max_upload_bytes: settings.console_max_upload_bytes,
        tools: TOOLS,
        sign_in_hint: None,
        provider: sign_in::console(settings)?,
    })
}

fn session_key(text: &str) -> Result<SessionKey, SettingsError> {
    let bytes: Option<[u8; 32]> = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.as_ref().map(SessionKey::new).ok_or_else(|| SettingsError::Value {
        name: "console_key".to_owned(),
        reason: "it must be 32 bytes in base64, such as `openssl rand -base64 32` gives".to_owned(),
    })
}

/// As `cortex validate`, by the parser's own code.
fn check(upload: &Upload<'_>, schema: &Schema, options: &CheckOptions) -> Result<CheckReport, String> {
    let schema = registry::schema_from_api(schema)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time_zone = if options.time_zone.is_empty() { "UTC" } else { &options.time_zone };
    let candidate = Candidate {
        name: upload.name,
        schema: &schema,
        facts: FileFacts {
            time_zone: time_zone.to_owned(),
            now: i64::try_from(now.as_secs()).unwrap_or_default(),
            folder_date: String::new(),
            last_columns: Vec::new(),
            most_bytes: Some(parser::most_bytes(queue::MAX_MESSAGE_BYTES as usize)),
            json: None,
            deleted: None,
        },
        tolerance: Tolerance::new(options.reject_file, hundredths(options.max_rejected_percent)),
    };
    let mut shown = Shown::default();
    let open = || {
        let file = File::open(upload.path).map_err(format::ReadError::Io)?;
        Rows::open(Box::new(file), upload.name, Limits::default())
    };
    let report = parser::validate(&candidate, open, &mut shown).map_err(|error| error.to_string())?;
    Ok(told(upload, report, shown))
}

/// Hundredths of a percent.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn hundredths(percent: f64) -> u32 {
    (percent * 100.0).round().clamp(0.0, 10_000.0) as u32
}

/// The first records and refused rows.
#[derive(Default)]
struct Shown {
    records: Vec<PreviewedRecord>,
    errors: Vec<RowError>,
}

impl Sink for Shown {
    fn record(&mut self, message: &str, record: &[u8]) -> std::io::Result<()> {
        if self.records.len() < SHOWN_RECORDS {
            let json = records::to_json(message, record).map_err(std::io::Error::other)?.to_string();
            self.records.push(PreviewedRecord { json, ..PreviewedRecord::default() });
        }
        Ok(())
    }

    fn rejected(&mut self, row: &Rejected<'_>) -> std::io::Result<()> {
        if self.errors.len() < SHOWN_ERRORS {
            let raw = &row.fields.raw[..row.fields.raw.len().min(SHOWN_RAW)];
            self.errors.push(RowError {
                row_number: Some(row.row),
                position: row.position,
                code: row.fields.code.clone(),
                column: row.fields.column.clone(),
                reason: row.fields.reason.clone(),
                advice: row.fields.advice.clone(),
                raw: String::from_utf8_lossy(raw).into_owned(),
            });
        }
        Ok(())
    }
}

fn told(upload: &Upload<'_>, report: Report, shown: Shown) -> CheckReport {
    let outcome = match report.outcome {
        Outcome::Accepted => FileState::Accepted,
        Outcome::AcceptedWithRejections => FileState::AcceptedWithRejections,
        Outcome::Incomplete => FileState::Incomplete,
        Outcome::Rejected | Outcome::Superseded | Outcome::Unspecified => FileState::Rejected,
    };
    let warning = |one: records::queue::FileWarning| FileWarning {
        code: one.code,
        column: one.column,
        reason: one.reason,
        advice: one.advice,
        row_number: one.row_number,
        position: one.position,
    };
    let problem = report.error.map(|error| FileProblem {
        code: error.code,
        reason: error.reason,
        advice: error.advice,
        position: error.position,
    });
    let complete = problem.is_none();
    let found = PreviewSourceResponse {
        object_key: upload.name.to_owned(),
        size: upload.size,
        format: report.format.to_owned(),
        compression: report.compression.to_owned(),
        rows: report.totals.rows,
        accepted: report.totals.accepted,
        rejected: report.totals.rejected,
        rejections: report.totals.rejections,
        records: shown.records,
        errors: shown.errors,
        warnings: report.warnings.into_iter().map(warning).collect(),
        problem,
        complete,
    };
    CheckReport { outcome, found }
}

/// As `cortex schema propose`.
fn propose(upload: &Upload<'_>, dataset: Dataset) -> Result<ProposeSourceSchemaResponse, String> {
    let name = dataset.as_str_name().trim_start_matches("DATASET_");
    let kind = DatasetKind::by_name(name).ok_or_else(|| format!("there is no dataset {name:?}"))?;
    let mut proposer = Proposer::new(kind);
    let file = File::open(upload.path).map_err(|error| error.to_string())?;
    let mut rows = Rows::open(Box::new(file), upload.name, Limits::default())
        .map_err(|error| format!("the file cannot be read: {error}"))?;
    loop {
        let seen = rows.place().row;
        match rows.next() {
            Ok(Some(item)) if seen < PROPOSAL_ROWS => proposer.look(&item),
            Ok(_) => break,
            // What came before counts, where something did.
            Err(error) if seen == 0 => return Err(format!("the file cannot be read: {error}")),
            Err(_) => break,
        }
    }
    let proposal = proposer.propose().map_err(|error| error.to_string())?;
    if proposal.columns.is_empty() {
        return Err("the file has no columns to propose a schema from".to_owned());
    }
    let mut columns: Vec<ColumnSeen> = proposal
        .columns
        .iter()
        .map(|column| ColumnSeen {
            name: if column.name.is_empty() { column.header.clone() } else { column.name.clone() },
            rows: proposal.rows,
            empty: empty(column.null_share, proposal.rows),
            note: column.note.clone(),
        })
        .collect();
    columns.extend(proposal.missing.iter().map(|name| ColumnSeen {
        name: (*name).to_owned(),
        rows: proposal.rows,
        empty: proposal.rows,
        note: "required, and no column of the file seems to be it: say which header it has".to_owned(),
    }));
    Ok(ProposeSourceSchemaResponse {
        schema: Some(registry::schema_to_api(&proposal.schema)),
        columns,
        object_keys: Vec::new(),
    })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
fn empty(share: f64, rows: u64) -> u64 {
    (share * rows as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn with<T>(name: &str, text: &str, look: impl FnOnce(&Upload<'_>) -> T) -> T {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        look(&Upload { name, path: file.path(), size: text.len() as u64 })
    }

    fn events() -> Schema {
        Schema { dataset: Dataset::Events as i32, ..Schema::default() }
    }

    const ROWS: &str = "user_id,timestamp,type\nu1,2026-11-23T10:00:00Z,view\n,2026-11-23T10:00:00Z,view\n";

    #[test]
    fn a_file_is_checked_as_the_parser_would_take_it() {
        let check =
            |options: &CheckOptions| with("a.csv", ROWS, |upload| check(upload, &events(), options)).unwrap();
        let report = check(&CheckOptions::default());
        assert_eq!(report.outcome, FileState::AcceptedWithRejections);
        assert_eq!((report.found.accepted, report.found.rejected), (1, 1));
        assert!(report.found.records[0].json.contains("u1"), "{report:?}");
        let error = &report.found.errors[0];
        assert_eq!(
            (error.row_number, error.column.as_str(), error.code.as_str()),
            (Some(2), "user_id", "missing_value")
        );
        assert!(error.raw.starts_with(",2026-11-23"), "{error:?}");
        let strict = check(&CheckOptions { reject_file: true, ..CheckOptions::default() });
        assert_eq!((strict.outcome, strict.found.accepted), (FileState::Rejected, 0));
        let bearing = check(&CheckOptions { max_rejected_percent: 60.0, ..CheckOptions::default() });
        assert_eq!(bearing.outcome, FileState::AcceptedWithRejections);
    }

    #[test]
    fn a_schema_is_proposed_from_a_file_and_what_is_none_is_told() {
        let text = "userId,timestamp,type,price\nu1,2026-11-23T10:00:00Z,view,9.5\n";
        let answer = with("a.csv", text, |upload| propose(upload, Dataset::Events)).unwrap();
        let schema = answer.schema.unwrap();
        let column = |name: &str| schema.columns.iter().find(|column| column.name == name).unwrap();
        assert_eq!(column("user_id").from, "userId");
        assert_eq!(column("price").r#type(), api::registry::ColumnType::Number);
        assert!(with("a.csv", "", |upload| propose(upload, Dataset::Events)).is_err());
        let refused = with("a.zip", "PK\u{3}\u{4} no archive", |upload| propose(upload, Dataset::Events));
        assert!(refused.is_err(), "{refused:?}");
    }

    #[test]
    fn a_session_key_is_32_bytes() {
        assert!(session_key(&STANDARD.encode([7; 32])).is_ok());
        for wrong in ["", "c2hvcnQ=", "not base64!"] {
            assert!(session_key(wrong).unwrap_err().to_string().contains("console_key"), "{wrong}");
        }
    }
}
