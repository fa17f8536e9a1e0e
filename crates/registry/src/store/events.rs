//! Event queues: who reads them, and what they told.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{
    AttentionKind, ListedObject, Problem, Result, Source, SourceId, Store,
    attention::later,
    dialect::Kind,
    row::{Columns, to_json},
    sources::{SELECT_SOURCE, source},
    sql,
};

impl Store {
    /// Lends event queues of active sources to one scanner: prolongs those that it holds, and adds at most `wanted` that no
    /// one holds. Gives the sources of all that it holds now.
    pub async fn lease_event_queues(
        &self,
        worker_id: &str,
        held: &[SourceId],
        wanted: u32,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Vec<Source>> {
        let expires_at = later(now, ttl).as_microsecond();
        let mut tx = self.begin().await?;
        let held: Vec<_> = held.iter().map(|id| json!({ "id": id.as_str() })).collect();
        sqlx::query(sql(format!(
            "UPDATE scans SET events_expires_at = $2 FROM {} \
             WHERE scans.source_id = batch.id AND scans.events_worker = $3",
            self.dialect.batch("$1", &[("id", Kind::Text)])
        )))
        .bind(to_json(&held)?)
        .bind(expires_at)
        .bind(worker_id)
        .execute(&mut *tx)
        .await?;
        sqlx::query(sql(format!(
            "UPDATE scans SET events_worker = $1, events_expires_at = $2 WHERE source_id IN ( \
                SELECT c.source_id FROM sources s JOIN scans c ON c.source_id = s.source_id \
                WHERE s.state = 'active' AND s.event_queue_url <> '' \
                AND (c.events_expires_at IS NULL OR c.events_expires_at <= $3) \
                ORDER BY c.source_id LIMIT $4 {})",
            self.dialect.skip_locked("c")
        )))
        .bind(worker_id)
        .bind(expires_at)
        .bind(now.as_microsecond())
        .bind(i64::from(wanted))
        .execute(&mut *tx)
        .await?;
        let rows = sqlx::query(sql(format!(
            "{SELECT_SOURCE} WHERE c.events_worker = $1 AND c.events_expires_at > $2 AND s.state = 'active' \
             AND s.event_queue_url <> '' ORDER BY s.source_id"
        )))
        .bind(worker_id)
        .bind(now.as_microsecond())
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(source).collect()
    }

    /// Writes objects that events named into the ledger, as [`Store::record_objects`] does, and makes the source's scan due
    /// at once where that opened generations; gives how many. Of a source that is not active nothing is written.
    pub async fn record_events(
        &self,
        source: &SourceId,
        objects: &[ListedObject],
        problem: Option<Problem>,
        now: Timestamp,
    ) -> Result<u32> {
        let mut tx = self.begin().await?;
        let active = sqlx::query(sql(format!(
            "SELECT source_id FROM scans WHERE source_id = $1 AND next_scan_at IS NOT NULL {}",
            self.dialect.lock("scans")
        )))
        .bind(source.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        if active.as_ref().map(Columns).is_none() {
            return Ok(0);
        }
        match problem {
            Some(problem) => self.miss_events(&mut tx, source, problem, now).await?,
            None => self.end_attention(&mut tx, source, AttentionKind::Events).await?,
        }
        let recorded = self.open_listed(&mut tx, source, objects, now).await?;
        if recorded.opened > 0 {
            // A scan that runs meanwhile is due again soon, since it finds them unpublished at its end.
            sqlx::query("UPDATE scans SET next_scan_at = $2 WHERE source_id = $1 AND next_scan_at > $2")
                .bind(source.as_str())
                .bind(now.as_microsecond())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(recorded.opened)
    }
}
