use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use ledger::{
    FileId,
    claim::{Decision, QueuePosition, decide},
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
    /// Where the message stands.
    pub at: QueuePosition,
}

/// What [`Store::claim`] decided.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// One a claim, in their order.
    pub decisions: Vec<Decision>,
    /// The sources of the granted claims, each once.
    pub sources: Vec<Source>,
    /// The columns of their last files, where known.
    pub last_columns: BTreeMap<SourceId, Vec<String>>,
}

impl Store {
    /// Grants generations to the queue message that asks first, and to it alone; the whole batch in one transaction.
    ///
    /// A generation that is not the object's newest is granted like any other: each is read, and one that was
    /// overwritten in S3 is found out by `If-Match`.
    pub async fn claim(&self, worker_id: &str, claims: &[Claim], now: Timestamp) -> Result<Claimed> {
        let wanted: BTreeSet<_> = claims.iter().map(Claim::name).collect();
        let mut tx = self.begin().await?;
        let mut known = self.lock_generations(&mut tx, &wanted).await?;
        let mut granted = Vec::new();
        let mut sources = BTreeSet::new();
        let mut decisions = Vec::with_capacity(claims.len());
        for claim in claims {
            let generation = known.get_mut(&claim.name()).filter(|one| one.source == claim.source);
            let decision = match generation {
                None => Decision::Unknown,
                Some(generation) => {
                    let decision = decide(&generation.ledgered(), &claim.at);
                    if decision == Decision::Granted {
                        generation.owner = Some(claim.at.clone());
                        generation.state = FileState::Claimed;
                        granted.push(as_json(claim));
                    }
                    decision
                }
            };
            if matches!(decision, Decision::Granted | Decision::GrantedAgain) {
                sources.insert(claim.source.clone());
            }
            decisions.push(decision);
        }
        if !granted.is_empty() {
            self.write_claims(&mut tx, worker_id, &granted, now).await?;
        }
        let last_columns = self.last_columns(&mut tx, &sources).await?;
        let sources = self.sources_named(&mut tx, &sources).await?;
        tx.commit().await?;
        Ok(Claimed { decisions, sources, last_columns })
    }

    async fn write_claims(
        &self,
        tx: &mut Tx,
        worker_id: &str,
        granted: &[serde_json::Value],
        now: Timestamp,
    ) -> Result<()> {
        let columns = [
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("topic", Kind::Text),
            ("partition_id", Kind::Int),
            ("at_offset", Kind::Int),
        ];
        sqlx::query(sql(format!(
            "UPDATE generations SET state = 'claimed', claim_topic = batch.topic, \
             claim_partition = batch.partition_id, claim_offset = batch.at_offset, claimed_by = $2, \
             claimed_at = $3, updated_at = $3 \
             FROM {} WHERE generations.file_id = batch.file_id AND generations.generation = batch.generation",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(granted)?)
        .bind(worker_id)
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
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
    fn name(&self) -> FileGeneration {
        FileGeneration { file_id: self.file_id, generation: self.generation }
    }
}

fn as_json(claim: &Claim) -> serde_json::Value {
    json!({
        "file_id": claim.file_id.to_string(),
        "generation": claim.generation,
        "topic": claim.at.topic,
        "partition_id": claim.at.partition,
        "at_offset": claim.at.offset,
    })
}
