//! Files as customers upload them, with what is to become of each row.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;

/// An object to be uploaded, and what is expected of it.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Key below the source's path: `YYYY-MM-DD/name`.
    pub key: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The subject (user, item or original id) of each row that is valid; no two rows share one.
    pub accepted: BTreeSet<String>,
    /// Row numbers of the rows that are not.
    pub rejected: BTreeSet<u64>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `.csv`
    Csv,
    /// `.tsv`
    Tsv,
    /// One object a line, `.json`
    JsonLines,
    /// One array, `.json`
    JsonArray,
}

/// How it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// `.gz`
    Gzip,
    /// `.zip`
    Zip,
}

/// Events of `rows` users, every `bad_every`-th without a valid timestamp (0: none).
pub fn events(key: &str, rows: u64, bad_every: u64, style: Style, packing: Packing) -> Result<Upload> {
    let columns = ["user_id", "timestamp", "type", "price"];
    table(key, rows, bad_every, style, packing, &columns, |row, bad| {
        let time = if bad { "soon".to_owned() } else { format!("2026-11-{:02}T10:00:00Z", 1 + row % 28) };
        vec![subject(key, row), time, "view".to_owned(), format!("{}.5", row % 100)]
    })
}

/// Rows of `columns`, the first of which is the subject; every `bad_every`-th has an empty subject (0: none).
pub fn subjects(
    key: &str,
    rows: u64,
    bad_every: u64,
    style: Style,
    packing: Packing,
    columns: [&str; 2],
) -> Result<Upload> {
    table(key, rows, bad_every, style, packing, &columns, |row, bad| {
        let subject = if bad { String::new() } else { subject(key, row) };
        vec![subject, format!("value {row}, \"quoted\"")]
    })
}

fn subject(key: &str, row: u64) -> String {
    format!("{key}#{row}")
}

fn table(
    key: &str,
    rows: u64,
    bad_every: u64,
    style: Style,
    packing: Packing,
    columns: &[&str],
    values: impl Fn(u64, bool) -> Vec<String>,
) -> Result<Upload> {
    let mut upload = Upload {
        key: key.to_owned(),
        bytes: Vec::new(),
        accepted: BTreeSet::new(),
        rejected: BTreeSet::new(),
    };
    let mut text = match style {
        Style::Csv => format!("{}\n", columns.join(",")),
        Style::Tsv => format!("{}\n", columns.join("\t")),
        Style::JsonLines => String::new(),
        Style::JsonArray => "[".to_owned(),
    };
    for row in 1..=rows {
        let bad = bad_every > 0 && row % bad_every == 0;
        if bad {
            upload.rejected.insert(row);
        } else {
            upload.accepted.insert(subject(key, row));
        }
        write_row(&mut text, style, row, columns, &values(row, bad))?;
    }
    if style == Style::JsonArray {
        text.push(']');
    }
    upload.bytes = pack(key, text.into_bytes(), packing)?;
    Ok(upload)
}

fn write_row(text: &mut String, style: Style, row: u64, columns: &[&str], values: &[String]) -> Result<()> {
    match style {
        Style::Csv | Style::Tsv => {
            let separator = if style == Style::Csv { "," } else { "\t" };
            let fields: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            writeln!(text, "{}", fields.join(separator))?;
        }
        Style::JsonLines | Style::JsonArray => {
            let object: serde_json::Map<_, _> = columns
                .iter()
                .zip(values)
                .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
                .collect();
            if style == Style::JsonArray && row > 1 {
                text.push_str(",\n");
            }
            text.push_str(&serde_json::to_string(&object)?);
            if style == Style::JsonLines {
                text.push('\n');
            }
        }
    }
    Ok(())
}

fn quoted(value: &str) -> String {
    if value.contains(['"', ',', '\t']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

fn pack(key: &str, bytes: Vec<u8>, packing: Packing) -> Result<Vec<u8>> {
    match packing {
        Packing::Plain => Ok(bytes),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes)?;
            Ok(encoder.finish()?)
        }
        Packing::Zip => {
            let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            let name = key.rsplit('/').next().unwrap_or(key).trim_end_matches(".zip");
            writer.start_file(name, zip::write::SimpleFileOptions::default())?;
            writer.write_all(&bytes)?;
            Ok(writer.finish()?.into_inner())
        }
    }
}
