use super::{Result, SealedKeys, SourceId, Store, row::Columns};

impl Store {
    /// The sealed keys of all sources that have any, by source id, behind `after`; at most `limit`.
    pub async fn list_sealed_keys(
        &self,
        after: Option<&SourceId>,
        limit: u32,
    ) -> Result<Vec<(SourceId, SealedKeys)>> {
        let rows = sqlx::query(
            "SELECT source_id, sealed_keys FROM sources WHERE sealed_keys IS NOT NULL AND source_id > $1 \
             ORDER BY source_id LIMIT $2",
        )
        .bind(after.map_or("", SourceId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let sealed = |row| {
            let row = Columns(row);
            let keys = row.bytes_or_none("sealed_keys")?.unwrap_or_default();
            Ok((SourceId::from(row.text("source_id")?), SealedKeys(keys)))
        };
        rows.iter().map(sealed).collect()
    }

    /// Puts the same keys, sealed anew, in the place of what was read; false where they changed meanwhile. The source's
    /// revision stays, as nothing changed for its customer.
    pub async fn replace_sealed_keys(
        &self,
        id: &SourceId,
        read: &SealedKeys,
        anew: &SealedKeys,
    ) -> Result<bool> {
        let done =
            sqlx::query("UPDATE sources SET sealed_keys = $3 WHERE source_id = $1 AND sealed_keys = $2")
                .bind(id.as_str())
                .bind(read.0.clone())
                .bind(anew.0.clone())
                .execute(&self.pool)
                .await?;
        Ok(done.rows_affected() == 1)
    }
}
