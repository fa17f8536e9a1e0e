use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ledger::{
    FileId,
    attempt::{self, Asking, Attempts},
    claim::{self, Decision, Ledgered, QueuePosition},
};
use serde_json::json;

use super::{
    FileGeneration, FileState, Result, Source, SourceId, Store, Tx,
    dialect::Kind,
    row::to_json,
    sources::{SELECT_SOURCE, source},
    sql,
};

/// A queue message asks for the generation that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The source that the message names.
    pub source: SourceId,
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Which version of the object.
    pub generation: u32,
    /// Number of the range; 0 for the whole.
    pub range: u32,
    /// Where the message stands.
    pub at: QueuePosition,
    /// The attempt at reading that is to begin or to go on.
    pub attempt: Asking,
}

/// What [`Store::claim`] decided.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// One a claim, in their order.
    pub decisions: Vec<Decision>,
    /// One a claim: attempts in a row that were lost on its generation. Where not zero and the claim was not alone, the
    /// generation is the message's and no attempt has begun.
    pub lost_attempts: Vec<u32>,
    /// One a claim: the generation whose records its own take the place of; 0 where none.
    pub replaces: Vec<u32>,
    /// The sources of the claims that were granted or set aside, each once.
    pub sources: Vec<Source>,
    /// The columns of their last files, where known.
    pub last_columns: BTreeMap<SourceId, Vec<String>>,
}

impl Store {
    /// Grants generations to the queue message that asks first, and to it alone; the whole batch in one transaction.
    /// One on which `most_attempts` were lost is set aside.
    ///
    /// A generation that is not the object's newest is granted like any other: each is read, and one that was
    /// overwritten in S3 is found out by `If-Match`.
    pub async fn claim(
        &self,
        worker_id: &str,
        claims: &[Claim],
        most_attempts: u32,
        now: Timestamp,
    ) -> Result<Claimed> {
        let wanted: BTreeSet<_> = claims.iter().map(|claim| (claim.source.clone(), claim.name())).collect();
        let mut tx = self.begin().await?;
        let mut known = self.lock_generations(&mut tx, &wanted).await?;
        let mut ranges = self.claimed_ranges(&mut tx, claims).await?;
        let (mut begun, mut begun_ranges) = (Vec::new(), Vec::new());
        let mut sources = BTreeSet::new();
        let mut decisions = Vec::with_capacity(claims.len());
        let mut lost_attempts = Vec::with_capacity(claims.len());
        let mut replaces = Vec::with_capacity(claims.len());
        for claim in claims {
            let generation = known.get_mut(&claim.name()).filter(|one| one.source == claim.source);
            let decided = match generation {
                None => Decided::REFUSED,
                Some(one) if claim.range > 0 => {
                    let range = ranges.entry((claim.name(), claim.range)).or_default();
                    let ledgered = range.ledgered(one);
                    let decided =
                        decide(&ledgered, &mut range.owner, &mut range.attempts, claim, most_attempts);
                    if decided.begins {
                        begun_ranges.push((claim, range.attempts.clone()));
                    }
                    decided
                }
                Some(one) => {
                    let ledgered = one.ledgered();
                    let decided = decide(&ledgered, &mut one.owner, &mut one.attempts, claim, most_attempts);
                    if decided.begins {
                        one.state = FileState::Claimed;
                        begun.push((claim, one.attempts.clone()));
                    }
                    decided
                }
            };
            if is_owned(decided.decision) {
                sources.insert(claim.source.clone());
            }
            decisions.push(decided.decision);
            lost_attempts.push(decided.lost);
            replaces.push(known.get(&claim.name()).map_or(0, |one| one.replaces));
        }
        if !begun.is_empty() {
            self.write_claims(&mut tx, worker_id, &begun, now).await?;
        }
        if !begun_ranges.is_empty() {
            self.write_range_claims(&mut tx, worker_id, &begun_ranges).await?;
        }
        let last_columns = self.last_columns(&mut tx, &sources).await?;
        let sources = self.sources_named(&mut tx, &sources).await?;
        tx.commit().await?;
        Ok(Claimed { decisions, lost_attempts, replaces, sources, last_columns })
    }

    async fn write_claims(
        &self,
        tx: &mut Tx,
        worker_id: &str,
        begun: &[(&Claim, Attempts)],
        now: Timestamp,
    ) -> Result<()> {
        let columns = attempt_columns();
        let rows: Vec<_> = begun.iter().map(|(claim, attempts)| claim.as_json(attempts)).collect();
        sqlx::query(sql(format!(
            "UPDATE generations SET state = 'claimed', claim_topic = batch.topic, \
             claim_partition = batch.partition_id, claim_offset = batch.at_offset, claimed_by = $2, \
             claimed_at = $3, updated_at = $3, attempts = batch.attempts, attempt = batch.attempt, \
             attempt_chunk = batch.attempt_chunk \
             FROM {} WHERE generations.source_id = batch.source_id AND generations.file_id = batch.file_id \
             AND generations.generation = batch.generation",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&rows)?)
        .bind(worker_id)
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Takes back the first attempts that the claims began and nothing came of. The generations stay with their messages.
    pub async fn release_claims(&self, claims: &[Claim]) -> Result<()> {
        let (whole, ranges): (Vec<&Claim>, Vec<&Claim>) = claims.iter().partition(|claim| claim.range == 0);
        let rows: Vec<_> = whole
            .iter()
            .map(|claim| {
                json!({
                    "source_id": claim.source.as_str(),
                    "file_id": claim.file_id.to_string(),
                    "generation": claim.generation,
                    "attempt": claim.attempt.name,
                })
            })
            .collect();
        let columns = [
            ("source_id", Kind::Text),
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("attempt", Kind::Text),
        ];
        let mut tx = self.begin().await?;
        sqlx::query(sql(format!(
            "UPDATE generations SET attempts = 0, attempt = '' FROM {} \
             WHERE generations.source_id = batch.source_id AND generations.file_id = batch.file_id \
             AND generations.generation = batch.generation \
             AND generations.attempt = batch.attempt AND generations.attempts = 1 AND generations.state = 'claimed'",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&rows)?)
        .execute(&mut *tx)
        .await?;
        self.release_ranges(&mut tx, &ranges).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn sources_named(&self, tx: &mut Tx, ids: &BTreeSet<SourceId>) -> Result<Vec<Source>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id.as_str() })).collect();
        let rows = sqlx::query(sql(format!(
            "{SELECT_SOURCE} JOIN {} ON batch.id = s.source_id",
            self.dialect.batch("$1", &[("id", Kind::Text)])
        )))
        .bind(to_json(&ids)?)
        .fetch_all(&mut **tx)
        .await?;
        rows.iter().map(source).collect()
    }
}

impl Claim {
    pub(super) fn name(&self) -> FileGeneration {
        FileGeneration { file_id: self.file_id, generation: self.generation }
    }

    /// A row of [`attempt_columns`].
    pub(super) fn as_json(&self, attempts: &Attempts) -> serde_json::Value {
        json!({
            "source_id": self.source.as_str(),
            "file_id": self.file_id.to_string(),
            "generation": self.generation,
            "topic": self.at.topic,
            "partition_id": self.at.partition,
            "at_offset": self.at.offset,
            "attempts": attempts.begun,
            "attempt": attempts.name,
            "attempt_chunk": attempts.chunk,
        })
    }
}

/// What is written of an attempt that begins.
pub(super) fn attempt_columns() -> [(&'static str, Kind); 9] {
    [
        ("source_id", Kind::Text),
        ("file_id", Kind::Bytes),
        ("generation", Kind::Int),
        ("topic", Kind::Text),
        ("partition_id", Kind::Int),
        ("at_offset", Kind::Int),
        ("attempts", Kind::Int),
        ("attempt", Kind::Text),
        ("attempt_chunk", Kind::Int),
    ]
}

/// What one claim comes to.
#[derive(Clone, Copy)]
struct Decided {
    decision: Decision,
    lost: u32,
    /// True where the claim or its attempt is new, and is to be written.
    begins: bool,
}

impl Decided {
    const REFUSED: Self = Self { decision: Decision::Unknown, lost: 0, begins: false };
}

/// Decides a claim on what the ledger has as `ledgered`, and notes its owner and attempts, by which later ones of the batch
/// are decided.
fn decide(
    ledgered: &Ledgered,
    owner: &mut Option<QueuePosition>,
    attempts: &mut Attempts,
    claim: &Claim,
    most_attempts: u32,
) -> Decided {
    let decision = claim_decision(ledgered, claim);
    if !is_owned(decision) {
        return Decided { decision, ..Decided::REFUSED };
    }
    let is_new = decision == Decision::Granted;
    if is_new {
        *owner = Some(claim.at.clone());
    }
    match attempt::decide(attempts, &claim.attempt, most_attempts) {
        attempt::Decision::GoesOn { lost } | attempt::Decision::OnlyAlone { lost } => {
            Decided { decision, lost, begins: is_new }
        }
        attempt::Decision::Begins(begun) => {
            let lost = begun.begun - 1;
            *attempts = begun;
            Decided { decision, lost, begins: true }
        }
        attempt::Decision::SetAside { lost } => {
            Decided { decision: Decision::SetAside, lost, begins: is_new }
        }
    }
}

fn claim_decision(ledgered: &Ledgered, claim: &Claim) -> Decision {
    // Tests that show what the claim is for switch it off.
    fail::fail_point!("ledger.unclaimed", |_| Decision::Granted);
    claim::decide(ledgered, &claim.at)
}

fn is_owned(decision: Decision) -> bool {
    matches!(decision, Decision::Granted | Decision::GrantedAgain | Decision::SetAside)
}
