use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    Result, SourceId, Store, Tx,
    dialect::Kind,
    row::{Columns, to_json},
    sql,
};

impl Store {
    /// The columns of each source's last file; a source without one is not in it.
    pub(super) async fn last_columns(
        &self,
        tx: &mut Tx,
        sources: &BTreeSet<SourceId>,
    ) -> Result<BTreeMap<SourceId, Vec<String>>> {
        if sources.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<_> = sources.iter().map(|id| json!({ "id": id.as_str() })).collect();
        let rows = sqlx::query(sql(format!(
            "SELECT k.source_id, k.columns FROM source_columns k JOIN {} ON batch.id = k.source_id",
            self.dialect.batch("$1", &[("id", Kind::Text)])
        )))
        .bind(to_json(&ids)?)
        .fetch_all(&mut **tx)
        .await?;
        let columns = |row| {
            let row = Columns(row);
            Ok((row.text("source_id")?.into(), row.json("columns")?))
        };
        rows.iter().map(columns).collect()
    }

    /// Keeps the columns of the files that ended last.
    pub(super) async fn write_last_columns(
        &self,
        tx: &mut Tx,
        columns: &BTreeMap<SourceId, Vec<String>>,
    ) -> Result<()> {
        if columns.is_empty() {
            return Ok(());
        }
        let row = |(source, columns): (&SourceId, &Vec<String>)| {
            Ok(json!({ "source_id": source.as_str(), "columns": to_json(columns)? }))
        };
        sqlx::query(sql(format!(
            "INSERT INTO source_columns (source_id, columns) SELECT source_id, columns FROM {} \
             WHERE true ORDER BY source_id ON CONFLICT (source_id) DO UPDATE SET columns = excluded.columns",
            self.dialect.batch("$1", &[("source_id", Kind::Text), ("columns", Kind::Text)])
        )))
        .bind(to_json(&columns.iter().map(row).collect::<Result<Vec<_>>>()?)?)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
