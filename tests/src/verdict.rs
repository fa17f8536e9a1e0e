//! What a consumer that is not ours sees of a source, held against what was uploaded. Shares no code with `cortex audit`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use records::v1::{Event, RejectedRow};
use serde_json::Value;

use crate::consumer::{Message, read_committed};
use crate::files::Upload;

/// Every content that was uploaded under a key, by its ETag; the last one is what counts in the end.
#[derive(Debug, Default)]
pub struct Uploaded {
    contents: BTreeMap<String, Vec<(String, Content)>>,
}

/// What is to become of a content.
#[derive(Debug, Clone)]
struct Content {
    rows: u64,
    rejected: BTreeSet<u64>,
}

impl Uploaded {
    /// Adds an upload of events, of which the bytes are not needed any more.
    pub fn add(&mut self, key: &str, etag: &str, upload: &Upload) {
        let rejected = upload.rejected.clone();
        let content = Content { rows: upload.accepted.len() as u64 + rejected.len() as u64, rejected };
        self.contents.entry(key.to_owned()).or_default().push((etag.to_owned(), content));
    }

    /// The number of keys.
    pub fn keys(&self) -> usize {
        self.contents.len()
    }

    /// The ETag that each key has now.
    pub fn newest(&self) -> impl Iterator<Item = (&str, &str)> {
        self.contents.iter().filter_map(|(key, all)| Some((key.as_str(), all.last()?.0.as_str())))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Records and rejected rows that were seen.
    pub rows: u64,
    /// Those seen more than once for one generation.
    pub duplicates: u64,
    /// Rows of the newest content of a key that were not seen.
    pub lost: u64,
    /// Rows that no upload has.
    pub stray: u64,
    /// The first of what is wrong, in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// True where nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.duplicates == 0 && self.lost == 0 && self.stray == 0
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < 10 {
            self.examples.push(text());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, duplicates, lost, stray, examples } = self;
        write!(f, "{rows} rows, {duplicates} twice, {lost} lost, {stray} stray: {}", examples.join("; "))
    }
}

/// The row numbers that were seen of one generation.
#[derive(Default)]
struct Seen {
    etag: String,
    /// Rows with another row's subject.
    odd: usize,
    accepted: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
}

/// Reads the topics of events and rejected rows, and holds one account's part of them against what was uploaded. `files` are
/// the ledger's, as the command line tells them: of each key the newest generation that is not superseded must be whole.
pub fn judge(bootstrap: &str, account: &str, uploaded: &Uploaded, files: &[Value]) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut seen: BTreeMap<(String, u64), Seen> = BTreeMap::new();
    for message in read_committed(bootstrap, "cortex.events.v1")? {
        accepted(&message, account, &mut seen, &mut verdict)?;
    }
    for message in read_committed(bootstrap, "cortex.rejected-rows.v1")? {
        rejected(&message, account, &mut seen, &mut verdict)?;
    }
    for ((key, generation), rows) in &seen {
        // What came altered is superseded, and its rows may be anything.
        let is_altered = |file: &&Value| {
            file["object_key"] == key.as_str()
                && file["generation"] == *generation
                && file["error"]["code"] == "object_altered"
        };
        if !files.iter().any(|file| is_altered(&file)) {
            strays(key, *generation, rows, uploaded, &mut verdict);
        }
    }
    for (key, etag) in uploaded.newest() {
        losses(key, etag, files, uploaded, &seen, &mut verdict)?;
    }
    Ok(verdict)
}

/// What is looked at of a message, whichever form it has.
struct Row {
    account: String,
    key: String,
    generation: u32,
    etag: String,
    number: u64,
    /// Of an event.
    user: String,
}

impl Row {
    /// Told by its first byte: no protobuf message begins with a zero, and none of these with a brace.
    fn of(value: &[u8], is_event: bool) -> Result<Self> {
        let message = match value {
            [b'{', ..] => return Self::of_json(value),
            [0, prefixed @ ..] => {
                ensure!(prefixed.len() > 5 && prefixed[4] == 0, "not the first message of a schema");
                &prefixed[5..]
            }
            message => message,
        };
        let (envelope, user) = if is_event {
            let event = Event::decode(message)?;
            (event.envelope, event.user_id)
        } else {
            (RejectedRow::decode(message)?.envelope, String::new())
        };
        let envelope = envelope.context("a message without envelope")?;
        Ok(Self {
            account: envelope.account_id,
            key: envelope.object_key,
            generation: envelope.generation,
            etag: envelope.etag,
            number: envelope.row_number.context("a row without its number")?,
            user,
        })
    }

    fn of_json(value: &[u8]) -> Result<Self> {
        let value: Value = serde_json::from_slice(value)?;
        let envelope = &value["envelope"];
        let text = |one: &Value| one.as_str().map(str::to_owned).with_context(|| value.to_string());
        let generation = envelope["generation"].as_u64().context("a generation")?;
        Ok(Self {
            account: text(&envelope["account_id"])?,
            key: text(&envelope["object_key"])?,
            generation: u32::try_from(generation)?,
            etag: text(&envelope["etag"])?,
            number: text(&envelope["row_number"])?.parse()?,
            user: value["user_id"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

fn accepted(
    message: &Message,
    account: &str,
    seen: &mut BTreeMap<(String, u64), Seen>,
    verdict: &mut Verdict,
) -> Result<()> {
    let row = Row::of(&message.value, true)?;
    if row.account != account {
        return Ok(());
    }
    verdict.rows += 1;
    let name = (row.key, u64::from(row.generation));
    let rows = seen.entry(name.clone()).or_default();
    rows.etag = row.etag;
    rows.odd += usize::from(!row.user.ends_with(&format!("#{}", row.number)));
    if !rows.accepted.insert(row.number) {
        verdict.duplicates += 1;
        verdict.example(|| format!("{} generation {}: row {} twice", name.0, name.1, row.number));
    }
    Ok(())
}

fn rejected(
    message: &Message,
    account: &str,
    seen: &mut BTreeMap<(String, u64), Seen>,
    verdict: &mut Verdict,
) -> Result<()> {
    let row = Row::of(&message.value, false)?;
    if row.account != account {
        return Ok(());
    }
    verdict.rows += 1;
    let name = (row.key, u64::from(row.generation));
    let rows = seen.entry(name.clone()).or_default();
    rows.etag = row.etag;
    if !rows.rejected.insert(row.number) {
        verdict.duplicates += 1;
        verdict.example(|| format!("{} generation {}: row {} rejected twice", name.0, name.1, row.number));
    }
    Ok(())
}

/// Rows that the content which the generation names does not have, or has otherwise.
fn strays(key: &str, generation: u64, rows: &Seen, uploaded: &Uploaded, verdict: &mut Verdict) {
    let contents = uploaded.contents.get(key).map(Vec::as_slice).unwrap_or_default();
    let content = contents.iter().find(|(etag, _)| *etag == rows.etag).map(|(_, content)| content);
    let wrong = match content {
        None => rows.accepted.len() + rows.rejected.len(),
        Some(content) => {
            let is_valid =
                |row: &&u64| **row >= 1 && **row <= content.rows && !content.rejected.contains(row);
            let accepted = rows.accepted.iter().filter(|row| !is_valid(row)).count();
            rows.odd + accepted + rows.rejected.difference(&content.rejected).count()
        }
    };
    if wrong > 0 {
        verdict.stray += wrong as u64;
        verdict.example(|| format!("{key} generation {generation}: {wrong} rows that it does not have"));
    }
}

/// Rows of a key's present content that its last generation lacks.
fn losses(
    key: &str,
    etag: &str,
    files: &[Value],
    uploaded: &Uploaded,
    seen: &BTreeMap<(String, u64), Seen>,
    verdict: &mut Verdict,
) -> Result<()> {
    let content =
        uploaded.contents[key].iter().rev().find(|(one, _)| one == etag).map(|(_, content)| content);
    let content = content.context("its own ETag")?;
    let last = files
        .iter()
        .filter(|file| file["object_key"] == key && file["etag"] == etag)
        .filter(|file| file["state"] != "FILE_STATE_SUPERSEDED")
        .filter_map(|file| file["generation"].as_u64())
        .max();
    let nothing = Seen::default();
    let rows = last.and_then(|last| seen.get(&(key.to_owned(), last))).unwrap_or(&nothing);
    let lost = (1..=content.rows)
        .filter(|row| match content.rejected.contains(row) {
            true => !rows.rejected.contains(row),
            false => !rows.accepted.contains(row),
        })
        .count();
    if lost > 0 {
        verdict.lost += lost as u64;
        verdict.example(|| format!("{key} generation {last:?}: {lost} of {} rows lost", content.rows));
    }
    Ok(())
}
