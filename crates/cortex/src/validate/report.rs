//! What was found, for people or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use parser::{Rejected, Report};
use records::queue::{FileWarning, Outcome};
use serde_json::{Value, json};

use super::lines::unwritten;

/// Rejections of a file that are shown, and how many of one code in one column.
const MOST_SHOWN: usize = 10;
const MOST_ALIKE: usize = 3;

/// The first rejections of a file.
#[derive(Debug, Default)]
pub(crate) struct Found(Vec<Rejection>);

#[derive(Debug)]
struct Rejection {
    row: u64,
    position: u64,
    code: String,
    column: String,
    reason: String,
    advice: String,
}

impl Found {
    pub(crate) fn add(&mut self, rejected: &Rejected<'_>) {
        let fields = rejected.fields;
        let alike = |one: &&Rejection| one.code == fields.code && one.column == fields.column;
        if self.0.len() < MOST_SHOWN && self.0.iter().filter(alike).count() < MOST_ALIKE {
            self.0.push(Rejection {
                row: rejected.row,
                position: rejected.position,
                code: fields.code.clone(),
                column: fields.column.clone(),
                reason: fields.reason.clone(),
                advice: fields.advice.clone(),
            });
        }
    }
}

/// Prints reports as they come.
pub(crate) struct Printer {
    json: bool,
    /// To standard error, as standard output holds records.
    aside: bool,
    outcomes: BTreeMap<&'static str, u64>,
    rows: u64,
    accepted: u64,
    rejected: u64,
}

impl Printer {
    pub(crate) fn new(json: bool, aside: bool) -> Self {
        Self { json, aside, outcomes: BTreeMap::new(), rows: 0, accepted: 0, rejected: 0 }
    }

    pub(crate) fn file(&mut self, name: &str, report: &Report, found: &Found) -> io::Result<()> {
        *self.outcomes.entry(outcome_name(report.outcome)).or_default() += 1;
        self.rows += report.totals.rows;
        self.accepted += report.totals.accepted;
        self.rejected += report.totals.rejected;
        self.print(&if self.json {
            format!("{}\n", as_json(name, report))
        } else {
            as_text(name, report, found)
        })
    }

    /// Sums up, where there was more than one file.
    pub(crate) fn end(&self) -> io::Result<()> {
        let files: u64 = self.outcomes.values().sum();
        if self.json || files < 2 {
            return Ok(());
        }
        let outcomes: Vec<String> =
            self.outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let (rows, accepted, rejected) = (self.rows, self.accepted, self.rejected);
        self.print(&format!(
            "{files} files: {}; {rows} rows: {accepted} accepted, {rejected} rejected\n",
            outcomes.join(", ")
        ))
    }

    fn print(&self, text: &str) -> io::Result<()> {
        if self.aside {
            let written = io::stderr().lock().write_all(text.as_bytes());
            return written.map_err(|error| unwritten("standard error", &error));
        }
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| unwritten("standard output", &error))
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    outcome.as_str_name().trim_start_matches("OUTCOME_")
}

fn as_json(name: &str, report: &Report) -> Value {
    let error = report.error.as_ref().map(|error| {
        json!({ "code": error.code, "reason": error.reason, "advice": error.advice, "position": error.position })
    });
    let example = |one: &FileWarning| {
        json!({ "code": one.code, "column": one.column, "reason": one.reason, "advice": one.advice,
                "row": one.row_number, "position": one.position })
    };
    json!({
        "file": name,
        "outcome": outcome_name(report.outcome),
        "format": report.format,
        "compression": report.compression,
        "rows": report.totals.rows,
        "accepted": report.totals.accepted,
        "rejected": report.totals.rejected,
        "rejections": report.totals.rejections,
        "warnings": report.totals.warnings,
        "warning_examples": report.warnings.iter().map(example).collect::<Vec<_>>(),
        "error": error,
    })
}

fn as_text(name: &str, report: &Report, found: &Found) -> String {
    let mut lines = vec![headline(name, report)];
    if let Some(error) = &report.error {
        let at = if error.position > 0 { format!(" at byte {}", error.position) } else { String::new() };
        lines.push(format!("  {}{at}: {}; {}", error.code, error.reason, error.advice));
    }
    for one in &found.0 {
        let place = place(one.row, one.position, &one.column);
        lines.push(format!("  {place}: {}: {}; {}", one.code, one.reason, one.advice));
    }
    for (code, count) in &report.totals.rejections {
        let shown = found.0.iter().filter(|one| one.code == *code).count() as u64;
        if *count > shown {
            lines.push(format!("  {} more {code}", count - shown));
        }
    }
    for one in &report.warnings {
        let place = place(one.row_number, one.position, &one.column);
        lines.push(format!("  warning: {place}: {}: {}; {}", one.code, one.reason, one.advice));
    }
    for (code, count) in &report.totals.warnings {
        let shown = report.warnings.iter().filter(|one| one.code == *code).count() as u64;
        if *count > shown {
            lines.push(format!("  warning: {} more {code}", count - shown));
        }
    }
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{}", printable(line));
        text
    })
}

fn headline(name: &str, report: &Report) -> String {
    let totals = &report.totals;
    let mut line = format!("{name}: {}", outcome_name(report.outcome));
    match (report.format, report.compression) {
        ("", _) => {}
        (format, "none") => line.push_str(&format!(", {format}")),
        (format, compression) => line.push_str(&format!(", {format} in {compression}")),
    }
    if totals.rows > 0 {
        let (rows, accepted, rejected) = (totals.rows, totals.accepted, totals.rejected);
        let noun = if rows == 1 { "row" } else { "rows" };
        line.push_str(&format!(", {rows} {noun}: {accepted} accepted, {rejected} rejected"));
    }
    line
}

/// Row 0 is the file as a whole.
fn place(row: u64, position: u64, column: &str) -> String {
    let mut place = if row > 0 { format!("row {row}, byte {position}") } else { "file".to_owned() };
    if !column.is_empty() {
        place.push_str(&format!(", column {column:?}"));
    }
    place
}

/// A file's own bytes must not steer the terminal.
pub(crate) fn printable(line: &str) -> String {
    line.chars().fold(String::with_capacity(line.len()), |mut text, c| {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
        text
    })
}
