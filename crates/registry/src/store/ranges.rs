//! Large objects that are read in ranges: each range is claimed and moves on by itself, and the generation by what its
//! ranges come to together.

use std::collections::{BTreeMap, BTreeSet};

use ledger::attempt::Attempts;
use ledger::claim::{Ledgered, QueuePosition};
use ledger::outcome::End;
use ledger::split::{self, Applied, Whole};
use records::queue::{Counters, FileError, FileProgress};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;

use super::{
    FileGeneration, Problem, Result, SourceId, Store, Tx,
    claims::{Claim, attempt_columns},
    dialect::{Kind, int},
    generations::{Generation, owner},
    row::{Columns, to_json},
    sql,
};

/// Names one range of a generation.
pub(super) type RangeName = (FileGeneration, u32);

/// A range under the lock of its generation.
#[derive(Debug, Default)]
pub(super) struct Range {
    pub(super) owner: Option<QueuePosition>,
    pub(super) attempts: Attempts,
    state: split::Range,
}

impl Range {
    /// What a claim is decided by, of a range of this generation.
    pub(super) fn ledgered(&self, generation: &Generation) -> Ledgered {
        match generation.ledgered() {
            no @ (Ledgered::Absent | Ledgered::Finished) => no,
            _ if self.state.is_ended => Ledgered::Finished,
            _ => self.owner.clone().map_or(Ledgered::Unclaimed, Ledgered::Claimed),
        }
    }
}

/// The split generations that a batch of progress speaks of.
#[derive(Debug, Default)]
pub(super) struct Splits {
    wholes: BTreeMap<FileGeneration, Whole>,
    ranges: BTreeMap<RangeName, Range>,
    changed: BTreeMap<RangeName, SourceId>,
    ended: BTreeMap<FileGeneration, SourceId>,
}

/// The counters of [`Counters`], as they are kept.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Totals {
    rows: u64,
    accepted: u64,
    rejected: u64,
    rejections: BTreeMap<String, u64>,
    warnings: BTreeMap<String, u64>,
}

/// What a generation keeps of its ranges beside their counts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    ranges: u32,
    ended: u32,
    end: Option<EndKept>,
    error: Option<Problem>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndKept {
    Whole,
    Unreadable,
    Changed,
}

impl Splits {
    /// The message as one about the whole generation, whose number of applied chunks is `chunk`; none where it changes
    /// nothing.
    pub(super) fn whole(
        &mut self,
        name: FileGeneration,
        generation: &Generation,
        message: &FileProgress,
    ) -> Option<FileProgress> {
        let whole = self.wholes.entry(name).or_default();
        let applied = match &message.range {
            None => whole.planned(message.ranges),
            Some(at) => {
                let range = self.ranges.entry((name, at.number)).or_default();
                self.changed.insert((name, at.number), generation.source.clone());
                whole.apply(&mut range.state, at, message)
            }
        };
        let (outcome, error) = match applied {
            Applied::Nothing => return None,
            Applied::Moved => Default::default(),
            Applied::Ended(outcome, error) => {
                self.ended.insert(name, generation.source.clone());
                (outcome, error)
            }
        };
        Some(FileProgress {
            chunk: generation.chunk + 1,
            totals: Some(whole.totals.clone()),
            position: whole.position,
            outcome: outcome as i32,
            error,
            ..message.clone()
        })
    }

    /// What the generation keeps of its ranges; empty where it has none.
    pub(super) fn kept(&self, name: FileGeneration) -> Result<String> {
        let Some(whole) = self.wholes.get(&name) else { return Ok(String::new()) };
        to_json(&Kept {
            ranges: whole.ranges,
            ended: whole.ended,
            end: whole.end.map(|end| match end {
                End::Whole => EndKept::Whole,
                End::Unreadable => EndKept::Unreadable,
                End::Changed => EndKept::Changed,
            }),
            error: whole.error.as_ref().map(|error| Problem {
                code: error.code.clone(),
                reason: error.reason.clone(),
                advice: error.advice.clone(),
                position: error.position,
            }),
        })
    }
}

/// True for a message about a generation that is read in ranges.
pub(super) fn is_split(message: &FileProgress) -> bool {
    message.range.is_some() || message.ranges > 0
}

impl Store {
    /// The ranges that the claims name, as far as they are known. Their generations must be locked.
    pub(super) async fn claimed_ranges(
        &self,
        tx: &mut Tx,
        claims: &[Claim],
    ) -> Result<BTreeMap<RangeName, Range>> {
        let split: Vec<&Claim> = claims.iter().filter(|claim| claim.range > 0).collect();
        let names = split.iter().map(|claim| (claim.source.clone(), claim.name()));
        self.ranges_of(tx, &names.collect()).await
    }

    /// All that is known of the split generations that the messages speak of. They must be locked.
    pub(super) async fn splits(
        &self,
        tx: &mut Tx,
        known: &BTreeMap<FileGeneration, Generation>,
        messages: &[FileProgress],
    ) -> Result<Splits> {
        let of: BTreeSet<(SourceId, FileGeneration)> = messages
            .iter()
            .filter(|message| is_split(message))
            .filter_map(super::progress::name)
            .filter_map(|name| Some((known.get(&name)?.source.clone(), name)))
            .collect();
        if of.is_empty() {
            return Ok(Splits::default());
        }
        let ranges = self.ranges_of(tx, &of).await?;
        let columns = [("source_id", Kind::Text), ("file_id", Kind::Bytes), ("generation", Kind::Int)];
        let rows = sqlx::query(sql(format!(
            "SELECT g.file_id, g.generation, g.split, g.row_count, g.accepted, g.rejected, g.rejections, g.warnings, \
             g.position FROM {} JOIN generations g ON g.source_id = batch.source_id \
             AND g.file_id = batch.file_id AND g.generation = batch.generation",
            self.dialect.batch("$1", &columns)
        )))
        .bind(of_sources(&of)?)
        .fetch_all(&mut **tx)
        .await?;
        let wholes = rows.iter().map(whole).collect::<Result<_>>()?;
        Ok(Splits { wholes, ranges, ..Splits::default() })
    }

    async fn ranges_of(
        &self,
        tx: &mut Tx,
        of: &BTreeSet<(SourceId, FileGeneration)>,
    ) -> Result<BTreeMap<RangeName, Range>> {
        if of.is_empty() {
            return Ok(BTreeMap::new());
        }
        let columns = [("source_id", Kind::Text), ("file_id", Kind::Bytes), ("generation", Kind::Int)];
        let rows = sqlx::query(sql(format!(
            "SELECT r.file_id, r.generation, r.range_number, r.claim_topic, r.claim_partition, r.claim_offset, \
             r.attempts, r.attempt, r.attempt_chunk, r.chunk, r.position, r.totals, r.is_ended \
             FROM {} JOIN file_ranges r ON r.source_id = batch.source_id AND r.file_id = batch.file_id \
             AND r.generation = batch.generation",
            self.dialect.batch("$1", &columns)
        )))
        .bind(of_sources(of)?)
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(range).collect()
    }

    /// Notes the claims on ranges.
    pub(super) async fn write_range_claims(
        &self,
        tx: &mut Tx,
        worker_id: &str,
        begun: &[(&Claim, Attempts)],
    ) -> Result<()> {
        let columns = [&[("range_number", Kind::Int)], &attempt_columns()[..]].concat();
        let rows: Vec<_> = begun
            .iter()
            .map(|(claim, attempts)| {
                let mut row = claim.as_json(attempts);
                row["range_number"] = json!(claim.range);
                row
            })
            .collect();
        sqlx::query(sql(format!(
            "INSERT INTO file_ranges (source_id, file_id, generation, range_number, claim_topic, claim_partition, \
             claim_offset, claimed_by, attempts, attempt, attempt_chunk) \
             SELECT source_id, file_id, generation, range_number, topic, partition_id, at_offset, $2, attempts, \
             attempt, attempt_chunk FROM {} WHERE true \
             ON CONFLICT (source_id, file_id, generation, range_number) DO UPDATE SET \
             claim_topic = excluded.claim_topic, claim_partition = excluded.claim_partition, \
             claim_offset = excluded.claim_offset, claimed_by = excluded.claimed_by, \
             attempts = excluded.attempts, attempt = excluded.attempt, attempt_chunk = excluded.attempt_chunk",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&rows)?)
        .bind(worker_id)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Takes back the first attempts at ranges that the claims began and nothing came of.
    pub(super) async fn release_ranges(&self, tx: &mut Tx, claims: &[&Claim]) -> Result<()> {
        if claims.is_empty() {
            return Ok(());
        }
        let columns = [
            ("source_id", Kind::Text),
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("range_number", Kind::Int),
            ("attempt", Kind::Text),
        ];
        let row = |claim: &&Claim| {
            json!({
                "source_id": claim.source.as_str(),
                "file_id": claim.file_id.to_string(),
                "generation": claim.generation,
                "range_number": claim.range,
                "attempt": claim.attempt.name,
            })
        };
        let rows: Vec<_> = claims.iter().map(row).collect();
        sqlx::query(sql(format!(
            "UPDATE file_ranges SET attempts = 0, attempt = '' FROM {} \
             WHERE file_ranges.source_id = batch.source_id AND file_ranges.file_id = batch.file_id \
             AND file_ranges.generation = batch.generation AND file_ranges.range_number = batch.range_number \
             AND file_ranges.attempt = batch.attempt AND file_ranges.attempts = 1 AND file_ranges.chunk = 0",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&rows)?)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Writes what a batch of progress changed; the ranges of generations that came to rest are forgotten.
    pub(super) async fn write_ranges(&self, tx: &mut Tx, splits: &Splits) -> Result<()> {
        let row = |(name, source): (&RangeName, &SourceId)| -> Result<serde_json::Value> {
            let (FileGeneration { file_id, generation }, number) = name;
            let state = splits.ranges.get(name).map(|range| &range.state).cloned().unwrap_or_default();
            Ok(json!({
                "source_id": source.as_str(),
                "file_id": file_id.to_string(),
                "generation": generation,
                "range_number": number,
                "chunk": state.chunk,
                "position": int(state.position),
                "totals": to_json(&Totals::from(&state.totals))?,
                "is_ended": i32::from(state.is_ended),
            }))
        };
        let moved = splits.changed.iter().filter(|((name, _), _)| !splits.ended.contains_key(name));
        let rows = moved.map(row).collect::<Result<Vec<_>>>()?;
        let columns = [
            ("source_id", Kind::Text),
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("range_number", Kind::Int),
            ("chunk", Kind::Int),
            ("position", Kind::Int),
            ("totals", Kind::Text),
            ("is_ended", Kind::Int),
        ];
        if !rows.is_empty() {
            sqlx::query(sql(format!(
                "INSERT INTO file_ranges (source_id, file_id, generation, range_number, chunk, position, totals, is_ended) \
                 SELECT source_id, file_id, generation, range_number, chunk, position, totals, is_ended FROM {} \
                 WHERE true ON CONFLICT (source_id, file_id, generation, range_number) DO UPDATE SET \
                 chunk = excluded.chunk, position = excluded.position, totals = excluded.totals, \
                 is_ended = excluded.is_ended",
                self.dialect.batch("$1", &columns)
            )))
            .bind(to_json(&rows)?)
            .execute(&mut **tx)
            .await?;
        }
        for (name, source) in &splits.ended {
            forget_ranges(tx, source, *name).await?;
        }
        Ok(())
    }
}

/// Forgets the ranges of a generation that is at rest.
pub(super) async fn forget_ranges(tx: &mut Tx, source: &SourceId, name: FileGeneration) -> Result<()> {
    sqlx::query("DELETE FROM file_ranges WHERE source_id = $1 AND file_id = $2 AND generation = $3")
        .bind(source.as_str())
        .bind(name.file_id.as_bytes().to_vec())
        .bind(i64::from(name.generation))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn of_sources(of: &BTreeSet<(SourceId, FileGeneration)>) -> Result<String> {
    let row = |(source, name): &(SourceId, FileGeneration)| {
        json!({
            "source_id": source.as_str(),
            "file_id": name.file_id.to_string(),
            "generation": name.generation,
        })
    };
    to_json(&of.iter().map(row).collect::<Vec<_>>())
}

fn whole(row: &AnyRow) -> Result<(FileGeneration, Whole)> {
    let row = Columns(row);
    let name = FileGeneration { file_id: row.file_id("file_id")?, generation: row.small("generation")? };
    let is_kept = !row.text("split")?.is_empty();
    let kept = if is_kept { row.json("split")? } else { Kept::default() };
    let totals = Totals {
        rows: row.count("row_count")?,
        accepted: row.count("accepted")?,
        rejected: row.count("rejected")?,
        rejections: row.json("rejections")?,
        warnings: row.json("warnings")?,
    };
    let whole = Whole {
        ranges: kept.ranges,
        ended: kept.ended,
        end: kept.end.map(|end| match end {
            EndKept::Whole => End::Whole,
            EndKept::Unreadable => End::Unreadable,
            EndKept::Changed => End::Changed,
        }),
        error: kept.error.map(|problem| FileError {
            code: problem.code,
            reason: problem.reason,
            advice: problem.advice,
            position: problem.position,
        }),
        totals: totals.into(),
        position: row.count("position")?,
    };
    Ok((name, whole))
}

fn range(row: &AnyRow) -> Result<(RangeName, Range)> {
    let row = Columns(row);
    let name = FileGeneration { file_id: row.file_id("file_id")?, generation: row.small("generation")? };
    let totals: Totals = row.json("totals")?;
    let range = Range {
        owner: owner(&row)?,
        attempts: Attempts {
            begun: row.small("attempts")?,
            name: row.text("attempt")?,
            chunk: row.small("attempt_chunk")?,
        },
        state: split::Range {
            chunk: row.small("chunk")?,
            totals: totals.into(),
            position: row.count("position")?,
            is_ended: row.int("is_ended")? != 0,
        },
    };
    Ok(((name, row.small("range_number")?), range))
}

impl From<&Counters> for Totals {
    fn from(counters: &Counters) -> Self {
        Self {
            rows: counters.rows,
            accepted: counters.accepted,
            rejected: counters.rejected,
            rejections: counters.rejections.clone(),
            warnings: counters.warnings.clone(),
        }
    }
}

impl From<Totals> for Counters {
    fn from(totals: Totals) -> Self {
        Self {
            rows: totals.rows,
            accepted: totals.accepted,
            rejected: totals.rejected,
            rejections: totals.rejections,
            warnings: totals.warnings,
        }
    }
}
