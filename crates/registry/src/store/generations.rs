use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use ledger::{
    FileId,
    attempt::Attempts,
    claim::{Ledgered, QueuePosition},
};
use serde_json::json;
use sqlx::any::AnyRow;

use super::{
    AccountId, FileState, Result, SourceId, Store, StoreError, Tx, Warning,
    dialect::Kind,
    row::{Columns, to_json},
    sql,
};

/// Names one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileGeneration {
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Which version of the object, from 1.
    pub generation: u32,
}

/// A generation under lock: what claims and progress decide on.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) source: SourceId,
    pub(super) account: AccountId,
    pub(super) source_deleted: bool,
    pub(super) object_key: String,
    pub(super) date: Date,
    pub(super) state: FileState,
    pub(super) owner: Option<QueuePosition>,
    pub(super) attempts: Attempts,
    pub(super) rows: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) chunk: u32,
    /// The generation whose records this one's take the place of; 0 where none.
    pub(super) replaces: u32,
    /// Examples of what is odd in it.
    pub(super) warnings: Vec<Warning>,
    pub(super) updated_at: Timestamp,
}

impl Generation {
    pub(super) fn ledgered(&self) -> Ledgered {
        match &self.owner {
            _ if self.source_deleted => Ledgered::Absent,
            _ if self.state.is_finished() => Ledgered::Finished,
            Some(owner) => Ledgered::Claimed(owner.clone()),
            None => Ledgered::Unclaimed,
        }
    }
}

impl Store {
    /// Locks those of the generations that the ledger knows as their source's, always in the same order, and reads them.
    pub(super) async fn lock_generations(
        &self,
        tx: &mut Tx,
        wanted: &BTreeSet<(SourceId, FileGeneration)>,
    ) -> Result<BTreeMap<FileGeneration, Generation>> {
        let batch = self.dialect.batch("$1", &NAME);
        // Sources are found by an expression, so that they come behind the generations: by the source alone PostgreSQL might
        // read all generations of it for each name.
        let rows = sqlx::query(sql(format!(
            "SELECT g.file_id, g.generation, g.source_id, s.account_id, s.state AS source_state, f.object_key, \
             g.date, g.state, g.claim_topic, g.claim_partition, g.claim_offset, g.row_count, g.accepted, \
             g.rejected, g.chunk, g.replaces, g.warning_examples, g.updated_at, g.attempts, g.attempt, g.attempt_chunk \
             FROM {batch} \
             JOIN generations g ON g.source_id = batch.source_id AND g.file_id = batch.file_id \
             AND g.generation = batch.generation \
             JOIN files f ON f.source_id = g.source_id AND f.file_id = g.file_id \
             JOIN sources s ON s.source_id = g.source_id || '' \
             ORDER BY g.file_id, g.generation {}",
            self.dialect.lock("g")
        )))
        .bind(names(wanted)?)
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(generation).collect()
    }
}

/// The columns of [`names`]. The source is among them so that PostgreSQL looks into its partition alone; where it were bound
/// beside them, both databases might walk all generations of the source, and read the batch anew for each.
pub(super) const NAME: [(&str, Kind); 3] =
    [("source_id", Kind::Text), ("file_id", Kind::Bytes), ("generation", Kind::Int)];

/// Names of generations as a batch. PostgreSQL has no text with a NUL in it; no source is called so.
pub(super) fn names(wanted: &BTreeSet<(SourceId, FileGeneration)>) -> Result<String> {
    let names: Vec<_> = wanted
        .iter()
        .filter(|(source, _)| !source.as_str().contains('\0'))
        .map(|(source, name)| {
            json!({
                "source_id": source.as_str(),
                "file_id": name.file_id.to_string(),
                "generation": name.generation,
            })
        })
        .collect();
    to_json(&names)
}

fn generation(row: &AnyRow) -> Result<(FileGeneration, Generation)> {
    let row = Columns(row);
    let name = FileGeneration { file_id: row.file_id("file_id")?, generation: row.small("generation")? };
    let generation = Generation {
        source: row.text("source_id")?.into(),
        account: row.text("account_id")?.into(),
        source_deleted: row.text("source_state")? == "deleted",
        object_key: row.text("object_key")?,
        date: row.date("date")?,
        state: FileState::parse(&row.text("state")?)?,
        owner: owner(&row)?,
        attempts: Attempts {
            begun: row.small("attempts")?,
            name: row.text("attempt")?,
            chunk: row.small("attempt_chunk")?,
        },
        rows: row.count("row_count")?,
        accepted: row.count("accepted")?,
        rejected: row.count("rejected")?,
        chunk: row.small("chunk")?,
        replaces: row.small("replaces")?,
        warnings: row.json("warning_examples")?,
        updated_at: row.time("updated_at")?,
    };
    Ok((name, generation))
}

pub(super) fn owner(row: &Columns<'_>) -> Result<Option<QueuePosition>> {
    let Some(topic) = row.text_or_none("claim_topic")? else { return Ok(None) };
    let partition = row.int("claim_partition")?;
    let partition = i32::try_from(partition)
        .map_err(|_| StoreError::corrupt(format!("generations.claim_partition is {partition}")))?;
    Ok(Some(QueuePosition { topic, partition, offset: row.int("claim_offset")? }))
}
