use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;
use sqlx::any::AnyRow;

use super::{
    AccountId, Result, SourceId, Store, Tx,
    dialect::{Kind, hex},
    row::{Columns, to_json},
    sql,
};

/// Samples that are kept a source.
const KEPT: usize = 100;

/// A record recently received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Key of the object that it stood in.
    pub object_key: String,
    /// Which version of the object.
    pub generation: u32,
    /// When its chunk was committed.
    pub received_at: Timestamp,
    /// Full protobuf message name.
    pub message: String,
    /// The record as it was published.
    pub record: Vec<u8>,
}

impl Store {
    /// The records most recently received from the account's source, newest first; at most `limit`, of the 100 that
    /// are kept. [`super::StoreError::NotFound`] where the source is another's, or deleted.
    pub async fn list_samples(
        &self,
        account: &AccountId,
        source: &SourceId,
        limit: u32,
    ) -> Result<Vec<Sample>> {
        self.get_source(account, source).await?;
        let rows = sqlx::query(
            "SELECT p.object_key, p.generation, p.received_at, p.message, p.record \
             FROM samples p JOIN sources s ON s.source_id = p.source_id \
             WHERE p.source_id = $1 AND s.account_id = $2 ORDER BY p.sample_id DESC LIMIT $3",
        )
        .bind(source.as_str())
        .bind(account.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(sample).collect()
    }

    /// Adds records, oldest first, and takes away what is over the number kept.
    pub(super) async fn add_samples(
        &self,
        tx: &mut Tx,
        samples: &BTreeMap<SourceId, Vec<Sample>>,
    ) -> Result<()> {
        let columns = [
            ("ordinal", Kind::Int),
            ("object_key", Kind::Text),
            ("generation", Kind::Int),
            ("received_at", Kind::Int),
            ("message", Kind::Text),
            ("record", Kind::Bytes),
        ];
        for (source, samples) in samples {
            let newest = &samples[samples.len().saturating_sub(KEPT)..];
            let batch: Vec<_> = newest.iter().enumerate().map(as_json).collect();
            sqlx::query(sql(format!(
                "INSERT INTO samples (source_id, object_key, generation, received_at, message, record) \
                 SELECT $2, object_key, generation, received_at, message, record FROM {} ORDER BY ordinal",
                self.dialect.batch("$1", &columns)
            )))
            .bind(to_json(&batch)?)
            .bind(source.as_str())
            .execute(&mut **tx)
            .await?;
            sqlx::query(
                "DELETE FROM samples WHERE source_id = $1 AND sample_id <= (SELECT sample_id FROM samples \
                 WHERE source_id = $1 ORDER BY sample_id DESC LIMIT 1 OFFSET $2)",
            )
            .bind(source.as_str())
            .bind(i64::try_from(KEPT).unwrap_or(i64::MAX))
            .execute(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

fn as_json((ordinal, sample): (usize, &Sample)) -> serde_json::Value {
    json!({
        "ordinal": ordinal,
        "object_key": sample.object_key,
        "generation": sample.generation,
        "received_at": sample.received_at.as_microsecond(),
        "message": sample.message,
        "record": hex(&sample.record),
    })
}

fn sample(row: &AnyRow) -> Result<Sample> {
    let row = Columns(row);
    Ok(Sample {
        object_key: row.text("object_key")?,
        generation: row.small("generation")?,
        received_at: row.time("received_at")?,
        message: row.text("message")?,
        record: row.bytes("record")?,
    })
}
