use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use ledger::access::is_access;
use ledger::{
    FileId,
    outcome::OBJECT_ALTERED,
    progress::{Decision, decide},
};
use records::queue::{FileProgress, FileWarning, Outcome, RefusedRow};
use serde_json::json;

use super::{
    FileGeneration, FileState, Problem, Result, Sample, SourceId, Store, StoreError, Tx, Warning,
    counted::Counted,
    dialect::{Kind, int},
    files::RowErrorDetail,
    generations::Generation,
    ranges::{Splits, is_split},
    reprocess::{MOST_BY_ITSELF, open_next},
    row::{Columns, to_json},
    sql,
};

/// A generation that has so many refused rows keeps no more of them.
const MOST_ROW_ERRORS: u64 = 100;
/// Examples of warnings that a generation keeps, each of another kind or column.
const MOST_EXAMPLES: usize = 20;

/// Messages of one partition that a reader has read, in their order, and where that leaves it.
#[derive(Debug, Clone)]
pub struct ProgressBatch<'a> {
    /// The topic that was read.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// The position that [`Store::reader_positions`] (or the batch before) gave; 0 where it has none.
    pub next_offset_before: i64,
    /// The position behind the batch.
    pub next_offset_after: i64,
    /// The decoded messages; may be empty where none could be decoded.
    pub messages: &'a [FileProgress],
}

/// What [`Store::apply_progress`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The ledger and the position moved together.
    Applied {
        /// Chunks that moved the ledger on.
        chunks: u32,
        /// Messages without effect: chunks applied before, or of files that are at rest or unknown to the ledger.
        ignored: u32,
    },
    /// Another reader was here: nothing was changed; go on from this position.
    Conflict {
        /// The stored position.
        next_offset: i64,
    },
}

impl Store {
    /// Applies progress messages to the ledger, samples and daily statistics, and moves the reader's position, all in one
    /// transaction, and only where the stored position still equals `next_offset_before`.
    pub async fn apply_progress(&self, batch: &ProgressBatch<'_>, now: Timestamp) -> Result<Applied> {
        let mut tx = self.begin().await?;
        if let Some(next_offset) = move_position(&mut tx, batch).await? {
            return Ok(Applied::Conflict { next_offset });
        }
        self.note_reading(&mut tx, batch.messages, now).await?;
        let wanted: BTreeSet<_> = batch.messages.iter().filter_map(wanted).collect();
        let mut change = Change::default();
        if !wanted.is_empty() {
            let mut known = self.lock_generations(&mut tx, &wanted).await?;
            change.splits = self.splits(&mut tx, &known, batch.messages).await?;
            for message in batch.messages {
                change.add(message, &mut known)?;
            }
        }
        let ignored = batch.messages.len() - change.chunks;
        self.write_generations(&mut tx, &change).await?;
        self.write_ranges(&mut tx, &change.splits).await?;
        self.write_days(&mut tx, &change).await?;
        self.write_row_errors(&mut tx, &change.row_errors).await?;
        self.write_formats(&mut tx, &change.formats).await?;
        self.write_last_columns(&mut tx, &change.columns).await?;
        self.add_samples(&mut tx, &change.samples).await?;
        for (source, name, at) in &change.altered {
            open_next(&mut tx, source, *name, MOST_BY_ITSELF, *at).await?;
        }
        tx.commit().await?;
        self.named.count(change.by_source);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Applied::Applied { chunks: count(change.chunks), ignored: count(ignored) })
    }

    /// The next offset to read by partition of `topic`; a partition that was never read is not in it.
    pub async fn reader_positions(&self, topic: &str) -> Result<BTreeMap<i32, i64>> {
        let rows = sqlx::query("SELECT partition_id, next_offset FROM reader_positions WHERE topic = $1")
            .bind(topic)
            .fetch_all(&self.pool)
            .await?;
        let position = |row| {
            let row = Columns(row);
            let partition = row.int("partition_id")?;
            let partition = i32::try_from(partition)
                .map_err(|_| StoreError::corrupt(format!("reader_positions.partition_id is {partition}")))?;
            Ok((partition, row.int("next_offset")?))
        };
        rows.iter().map(position).collect()
    }

    async fn write_generations(&self, tx: &mut Tx, change: &Change) -> Result<()> {
        if change.generations.is_empty() {
            return Ok(());
        }
        let columns = [
            ("source_id", Kind::Text),
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("state", Kind::Text),
            ("row_count", Kind::Int),
            ("accepted", Kind::Int),
            ("rejected", Kind::Int),
            ("rejections", Kind::Text),
            ("warnings", Kind::Text),
            ("warning_examples", Kind::Text),
            ("position", Kind::Int),
            ("chunk", Kind::Int),
            ("format", Kind::Text),
            ("compression", Kind::Text),
            ("error", Kind::Text),
            ("updated_at", Kind::Int),
            ("finished_at", Kind::Int),
            ("reopen", Kind::Int),
            ("split", Kind::Text),
        ];
        let set: Vec<_> = columns[3..].iter().map(|(name, _)| format!("{name} = batch.{name}")).collect();
        sqlx::query(sql(format!(
            "UPDATE generations SET {} FROM {} \
             WHERE generations.source_id = batch.source_id AND generations.file_id = batch.file_id \
             AND generations.generation = batch.generation",
            set.join(", "),
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&change.generations.values().collect::<Vec<_>>())?)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn write_days(&self, tx: &mut Tx, change: &Change) -> Result<()> {
        if change.days.is_empty() {
            return Ok(());
        }
        let day = |((source, date), sum): (&(SourceId, Date), &Sum)| {
            json!({
                "source_id": source.as_str(),
                "date": date.to_string(),
                "files": int(sum.files),
                "row_count": int(sum.rows),
                "accepted": int(sum.accepted),
                "rejected": int(sum.rejected),
            })
        };
        let columns = [
            ("source_id", Kind::Text),
            ("date", Kind::Text),
            ("files", Kind::Int),
            ("row_count", Kind::Int),
            ("accepted", Kind::Int),
            ("rejected", Kind::Int),
        ];
        sqlx::query(sql(format!(
            "INSERT INTO source_days (source_id, date, files, row_count, accepted, rejected) \
             SELECT source_id, date, files, row_count, accepted, rejected FROM {} \
             WHERE true ORDER BY source_id, date ON CONFLICT (source_id, date) DO UPDATE SET \
             files = source_days.files + excluded.files, \
             row_count = source_days.row_count + excluded.row_count, \
             accepted = source_days.accepted + excluded.accepted, \
             rejected = source_days.rejected + excluded.rejected",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&change.days.iter().map(day).collect::<Vec<_>>())?)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

impl Store {
    async fn write_row_errors(&self, tx: &mut Tx, errors: &[serde_json::Value]) -> Result<()> {
        if errors.is_empty() {
            return Ok(());
        }
        let columns = [
            ("source_id", Kind::Text),
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("position", Kind::Int),
            ("row_number", Kind::Int),
            ("detail", Kind::Text),
        ];
        sqlx::query(sql(format!(
            "INSERT INTO row_errors (source_id, file_id, generation, position, row_number, detail) \
             SELECT source_id, file_id, generation, position, row_number, detail FROM {} \
             WHERE true ON CONFLICT DO NOTHING",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(errors)?)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    async fn write_formats(
        &self,
        tx: &mut Tx,
        formats: &BTreeMap<(SourceId, String, String), u64>,
    ) -> Result<()> {
        if formats.is_empty() {
            return Ok(());
        }
        let row = |((source, format, compression), files): (&(SourceId, String, String), &u64)| {
            json!({
                "source_id": source.as_str(),
                "format": format,
                "compression": compression,
                "files": int(*files),
            })
        };
        let columns = [
            ("source_id", Kind::Text),
            ("format", Kind::Text),
            ("compression", Kind::Text),
            ("files", Kind::Int),
        ];
        sqlx::query(sql(format!(
            "INSERT INTO source_formats (source_id, format, compression, files) \
             SELECT source_id, format, compression, files FROM {} \
             WHERE true ORDER BY source_id, format, compression \
             ON CONFLICT (source_id, format, compression) DO UPDATE SET \
             files = source_formats.files + excluded.files",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&formats.iter().map(row).collect::<Vec<_>>())?)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// Moves the reader's position, or gives the one that is stored where it is not the expected one. Locks it, so that of two
/// readers one goes first.
async fn move_position(tx: &mut Tx, batch: &ProgressBatch<'_>) -> Result<Option<i64>> {
    let moved = sqlx::query(
        "UPDATE reader_positions SET next_offset = $4 \
         WHERE topic = $1 AND partition_id = $2 AND next_offset = $3",
    )
    .bind(batch.topic)
    .bind(i64::from(batch.partition))
    .bind(batch.next_offset_before)
    .bind(batch.next_offset_after)
    .execute(&mut **tx)
    .await?;
    if moved.rows_affected() == 1 {
        return Ok(None);
    }
    if batch.next_offset_before == 0 {
        let first = sqlx::query(
            "INSERT INTO reader_positions (topic, partition_id, next_offset) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING",
        )
        .bind(batch.topic)
        .bind(i64::from(batch.partition))
        .bind(batch.next_offset_after)
        .execute(&mut **tx)
        .await?;
        if first.rows_affected() == 1 {
            return Ok(None);
        }
    }
    let stored =
        sqlx::query("SELECT next_offset FROM reader_positions WHERE topic = $1 AND partition_id = $2")
            .bind(batch.topic)
            .bind(i64::from(batch.partition))
            .fetch_optional(&mut **tx)
            .await?;
    stored.as_ref().map_or(Ok(Some(0)), |row| Columns(row).int("next_offset").map(Some))
}

/// What a batch changes, put together before it is written.
#[derive(Default)]
struct Change {
    chunks: usize,
    splits: Splits,
    generations: BTreeMap<FileGeneration, serde_json::Value>,
    days: BTreeMap<(SourceId, Date), Sum>,
    columns: BTreeMap<SourceId, Vec<String>>,
    samples: BTreeMap<SourceId, Vec<Sample>>,
    by_source: BTreeMap<SourceId, Counted>,
    row_errors: Vec<serde_json::Value>,
    /// Files that came to rest, by source, format and compression.
    formats: BTreeMap<(SourceId, String, String), u64>,
    /// Generations whose object did not come as it is stored, and when they ended: they are read again as the next.
    altered: Vec<(SourceId, FileGeneration, Timestamp)>,
}

#[derive(Default)]
struct Sum {
    files: u64,
    rows: u64,
    accepted: u64,
    rejected: u64,
}

impl Change {
    /// Applies one message to the generation that it names; leaves it aside where the ledger does not know that
    /// generation as the message's source's, has applied the chunk before, or has seen the generation come to rest.
    fn add(
        &mut self,
        message: &FileProgress,
        known: &mut BTreeMap<FileGeneration, Generation>,
    ) -> Result<()> {
        let Some(name) = name(message) else { return Ok(()) };
        let Some(generation) = known.get_mut(&name) else { return Ok(()) };
        let names_its_source = generation.source.as_str() == message.source_id
            && generation.account.as_str() == message.account_id;
        if !names_its_source || generation.state.is_finished() {
            return Ok(());
        }
        let of_whole;
        let message = if is_split(message) {
            let Some(one) = self.splits.whole(name, generation, message) else { return Ok(()) };
            of_whole = one;
            &of_whole
        } else {
            message
        };
        if decide(generation.chunk, message.chunk) == Decision::AlreadyApplied {
            return Ok(());
        }
        let at = committed_at(message, generation.updated_at);
        self.count(message, generation);
        self.sample(message, generation, at);
        self.keep_errors(name, message, generation);
        self.count_format(message, generation);
        self.compare_with_next(message, generation);
        advance(generation, message, at);
        if message.error.as_ref().is_some_and(|error| error.code == OBJECT_ALTERED) {
            self.altered.push((generation.source.clone(), name, at));
        }
        let mut row = as_json(name, generation, message)?;
        row["split"] = json!(self.splits.kept(name)?);
        self.generations.insert(name, row);
        self.chunks += 1;
        Ok(())
    }

    /// Messages carry totals, a day's sums grow by what is new in them.
    fn count(&mut self, message: &FileProgress, generation: &Generation) {
        let totals = message.totals.clone().unwrap_or_default();
        let comes_to_rest = message.outcome() != Outcome::Unspecified;
        let accepted = totals.accepted.saturating_sub(generation.accepted);
        let rejected = totals.rejected.saturating_sub(generation.rejected);
        let day = self.days.entry((generation.source.clone(), generation.date)).or_default();
        day.files += u64::from(comes_to_rest);
        day.rows += totals.rows.saturating_sub(generation.rows);
        day.accepted += accepted;
        day.rejected += rejected;
        let counted = self.by_source.entry(generation.source.clone()).or_default();
        counted.accepted += accepted;
        counted.rejected += rejected;
        if comes_to_rest {
            *counted.files.entry(message.outcome()).or_default() += 1;
        }
    }

    /// Columns of a file of which nothing was accepted say nothing of what is usual.
    fn compare_with_next(&mut self, message: &FileProgress, generation: &Generation) {
        let accepted = message.totals.as_ref().is_some_and(|totals| totals.accepted > 0);
        if accepted && !message.columns.is_empty() {
            let columns = message.columns.iter().map(|name| without_nul(name)).collect();
            self.columns.insert(generation.source.clone(), columns);
        }
    }

    /// The first refused rows; later ones are on the topic of rejected rows alone.
    fn keep_errors(&mut self, name: FileGeneration, message: &FileProgress, generation: &Generation) {
        if generation.rejected < MOST_ROW_ERRORS {
            self.row_errors.extend(message.refusals.iter().map(|row| row_error(name, generation, row)));
        }
    }

    fn count_format(&mut self, message: &FileProgress, generation: &Generation) {
        if message.outcome() != Outcome::Unspecified && !message.format.is_empty() {
            let key =
                (generation.source.clone(), without_nul(&message.format), without_nul(&message.compression));
            *self.formats.entry(key).or_default() += 1;
        }
    }

    fn sample(&mut self, message: &FileProgress, generation: &Generation, at: Timestamp) {
        if message.samples.is_empty() {
            return;
        }
        let samples = message.samples.iter().map(|row| Sample {
            object_key: generation.object_key.clone(),
            generation: message.generation,
            received_at: at,
            message: without_nul(&row.message),
            record: row.record.clone(),
        });
        self.samples.entry(generation.source.clone()).or_default().extend(samples);
    }
}

fn wanted(message: &FileProgress) -> Option<(SourceId, FileGeneration)> {
    Some((message.source_id.as_str().into(), name(message)?))
}

pub(super) fn name(message: &FileProgress) -> Option<FileGeneration> {
    let file_id = FileId::try_from(message.file_id.as_slice()).ok()?;
    Some(FileGeneration { file_id, generation: message.generation })
}

fn advance(generation: &mut Generation, message: &FileProgress, at: Timestamp) {
    let totals = message.totals.clone().unwrap_or_default();
    generation.state = FileState::of(message.outcome());
    generation.rows = totals.rows;
    generation.accepted = totals.accepted;
    generation.rejected = totals.rejected;
    generation.chunk = message.chunk;
    for warning in message.warnings.iter().map(warning) {
        let known = |one: &Warning| one.code == warning.code && one.column == warning.column;
        if generation.warnings.len() < MOST_EXAMPLES && !generation.warnings.iter().any(known) {
            generation.warnings.push(warning);
        }
    }
    generation.updated_at = at;
}

fn as_json(
    name: FileGeneration,
    generation: &Generation,
    message: &FileProgress,
) -> Result<serde_json::Value> {
    let rejections: BTreeMap<_, _> = message.totals.iter().flat_map(|totals| &totals.rejections).collect();
    let warnings: BTreeMap<_, _> = message.totals.iter().flat_map(|totals| &totals.warnings).collect();
    let error = message.error.as_ref().map(|error| Problem {
        code: error.code.clone(),
        reason: error.reason.clone(),
        advice: error.advice.clone(),
        position: error.position,
    });
    Ok(json!({
        "source_id": generation.source.as_str(),
        "file_id": name.file_id.to_string(),
        "generation": name.generation,
        "state": generation.state.as_str(),
        "row_count": int(generation.rows),
        "accepted": int(generation.accepted),
        "rejected": int(generation.rejected),
        "rejections": to_json(&rejections)?,
        "warnings": to_json(&warnings)?,
        "warning_examples": to_json(&generation.warnings)?,
        "position": int(message.position),
        "chunk": generation.chunk,
        "format": without_nul(&message.format),
        "compression": without_nul(&message.compression),
        "error": error.as_ref().map(to_json).transpose()?,
        "reopen": i32::from(message.error.as_ref().is_some_and(|error| is_access(&error.code))),
        "updated_at": generation.updated_at.as_microsecond(),
        "finished_at": generation.state.is_finished().then(|| generation.updated_at.as_microsecond()),
    }))
}

fn row_error(name: FileGeneration, generation: &Generation, row: &RefusedRow) -> serde_json::Value {
    let detail = RowErrorDetail {
        code: without_nul(&row.code),
        column: without_nul(&row.column),
        reason: without_nul(&row.reason),
        advice: without_nul(&row.advice),
        raw: without_nul(&String::from_utf8_lossy(&row.raw)),
    };
    json!({
        "source_id": generation.source.as_str(),
        "file_id": name.file_id.to_string(),
        "generation": name.generation,
        "position": int(row.position),
        "row_number": row.row_number.map(int),
        "detail": json!(detail).to_string(),
    })
}

fn warning(sent: &FileWarning) -> Warning {
    Warning {
        code: without_nul(&sent.code),
        column: without_nul(&sent.column),
        reason: without_nul(&sent.reason),
        advice: without_nul(&sent.advice),
        row: sent.row_number,
        position: sent.position,
    }
}

fn committed_at(message: &FileProgress, otherwise: Timestamp) -> Timestamp {
    message
        .committed_at
        .as_ref()
        .and_then(|at| Timestamp::new(at.seconds, at.nanos).ok())
        .unwrap_or(otherwise)
}

/// PostgreSQL has no text with a NUL in it, and one message must not stop the reader.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
