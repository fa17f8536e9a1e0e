use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use ledger::{
    FileId,
    generation::{Known, Listed, Policy, decide},
};
use serde_json::json;
use sqlx::any::AnyRow;

use super::{
    FileGeneration, LeaseToken, Result, Store, StoreError, Tx,
    dialect::{Kind, int},
    generations::names,
    row::{Columns, to_json},
    sql,
};

/// An object as a LIST showed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Key in the bucket.
    pub object_key: String,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// As S3 says.
    pub last_modified: Timestamp,
    /// Its dated folder.
    pub date: Date,
}

/// What [`Store::record_objects`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Generations that were opened.
    pub opened: u32,
    /// Objects that were known as they are.
    pub known: u32,
}

/// A generation that is due on the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpublishedFile {
    /// Identity of (source, object key).
    pub file_id: FileId,
    /// Which version of the object.
    pub generation: u32,
    /// Key in the bucket.
    pub object_key: String,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// As S3 says.
    pub last_modified: Timestamp,
    /// Its dated folder.
    pub date: Date,
}

/// What [`Store::list_unpublished`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// Oldest date first.
    pub files: Vec<UnpublishedFile>,
    /// Generations that wait because the source has its limit of unfinished files on the queue.
    pub held_back: u64,
}

impl Store {
    /// Writes listed objects into the ledger: an ETag never seen for its object opens the object's next generation,
    /// every other is known. Of a key listed twice in one call the last counts, and the rest are known. All of the call
    /// or nothing; [`StoreError::FenceLost`] where the lease is lost.
    pub async fn record_objects(
        &self,
        token: &LeaseToken,
        objects: &[ListedObject],
        now: Timestamp,
    ) -> Result<Recorded> {
        let listed = identify(token, objects)?;
        let mut tx = self.begin().await?;
        self.hold(&mut tx, token).await?;
        let known = self.known_generations(&mut tx, &listed).await?;
        let opens = opened(&listed, &known);
        if !opens.is_empty() {
            self.open_generations(&mut tx, token, &opens, now).await?;
        }
        tx.commit().await?;
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Recorded { opened: count(opens.len()), known: count(objects.len() - opens.len()) })
    }

    /// At most `limit` generations that are due on the queue, oldest date first, and only as many as keep the source's
    /// unfinished files (on the queue or being read) within `max_unfinished`. The same come again until
    /// [`Store::mark_published`].
    pub async fn list_unpublished(
        &self,
        token: &LeaseToken,
        limit: u32,
        max_unfinished: u64,
    ) -> Result<Unpublished> {
        let mut tx = self.begin().await?;
        self.hold(&mut tx, token).await?;
        let counts = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM generations \
                     WHERE source_id = $1 AND state IN ('published', 'claimed')) AS unfinished, \
                    (SELECT COUNT(*) FROM generations WHERE source_id = $1 AND state = 'discovered') AS waiting",
        )
        .bind(token.source.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let counts = Columns(&counts);
        let allowed = max_unfinished.saturating_sub(counts.count("unfinished")?);
        let rows = sqlx::query(
            "SELECT g.file_id, g.generation, f.object_key, g.etag, g.size, g.last_modified, g.date \
             FROM generations g JOIN files f ON f.file_id = g.file_id \
             WHERE g.source_id = $1 AND g.state = 'discovered' ORDER BY g.date, g.file_id, g.generation LIMIT $2",
        )
        .bind(token.source.as_str())
        .bind(int(allowed.min(limit.into())))
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Unpublished {
            files: rows.iter().map(unpublished).collect::<Result<_>>()?,
            held_back: counts.count("waiting")?.saturating_sub(allowed),
        })
    }

    /// Marks generations of the lease's source as being on the queue. One that a parser has claimed already stays so.
    pub async fn mark_published(
        &self,
        token: &LeaseToken,
        files: &[FileGeneration],
        now: Timestamp,
    ) -> Result<()> {
        let wanted: BTreeSet<_> = files.iter().copied().collect();
        let mut tx = self.begin().await?;
        self.hold(&mut tx, token).await?;
        self.lock_generations(&mut tx, &wanted).await?;
        let batch = self.dialect.batch("$1", &[("file_id", Kind::Bytes), ("generation", Kind::Int)]);
        sqlx::query(sql(format!(
            "UPDATE generations SET published_at = COALESCE(published_at, $2), updated_at = $2, \
             state = CASE WHEN state = 'discovered' THEN 'published' ELSE state END \
             FROM {batch} WHERE generations.file_id = batch.file_id \
             AND generations.generation = batch.generation AND generations.source_id = $3"
        )))
        .bind(names(&wanted)?)
        .bind(now.as_microsecond())
        .bind(token.source.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn known_generations(
        &self,
        tx: &mut Tx,
        listed: &BTreeMap<FileId, &ListedObject>,
    ) -> Result<BTreeMap<FileId, Vec<(u32, String)>>> {
        let ids: Vec<_> = listed.keys().map(|id| json!({ "file_id": id.to_string() })).collect();
        let rows = sqlx::query(sql(format!(
            "SELECT g.file_id, g.generation, g.etag FROM {} JOIN generations g ON g.file_id = batch.file_id",
            self.dialect.batch("$1", &[("file_id", Kind::Bytes)])
        )))
        .bind(to_json(&ids)?)
        .fetch_all(&mut **tx)
        .await?;
        let mut known: BTreeMap<FileId, Vec<(u32, String)>> = BTreeMap::new();
        for row in &rows {
            let row = Columns(row);
            let one = (row.small("generation")?, row.text("etag")?);
            known.entry(row.file_id("file_id")?).or_default().push(one);
        }
        Ok(known)
    }

    async fn open_generations(
        &self,
        tx: &mut Tx,
        token: &LeaseToken,
        opens: &[(FileGeneration, &ListedObject)],
        now: Timestamp,
    ) -> Result<()> {
        let opens = to_json(&opens.iter().map(as_json).collect::<Vec<_>>())?;
        let files = self.dialect.batch("$1", &[("file_id", Kind::Bytes), ("object_key", Kind::Text)]);
        // "WHERE true" lets SQLite tell the conflict clause from a join's condition.
        sqlx::query(sql(format!(
            "INSERT INTO files (file_id, source_id, object_key) SELECT file_id, $2, object_key FROM {files} \
             WHERE true ON CONFLICT (file_id) DO NOTHING"
        )))
        .bind(opens.as_str())
        .bind(token.source.as_str())
        .execute(&mut **tx)
        .await?;
        let columns = [
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("etag", Kind::Text),
            ("size", Kind::Int),
            ("last_modified", Kind::Int),
            ("date", Kind::Text),
        ];
        sqlx::query(sql(format!(
            "INSERT INTO generations (file_id, generation, source_id, etag, size, last_modified, date, \
             discovered_at, updated_at) \
             SELECT file_id, generation, $2, etag, size, last_modified, date, $3, $3 FROM {}",
            self.dialect.batch("$1", &columns)
        )))
        .bind(opens)
        .bind(token.source.as_str())
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// By file id: of an object listed twice the last stays. PostgreSQL has no text with a NUL in it.
fn identify<'o>(
    token: &LeaseToken,
    objects: &'o [ListedObject],
) -> Result<BTreeMap<FileId, &'o ListedObject>> {
    if let Some(object) = objects.iter().find(|one| one.object_key.contains('\0') || one.etag.contains('\0'))
    {
        return Err(StoreError::Invalid(format!(
            "object key {:?} or its ETag holds a NUL character; rename the object",
            object.object_key
        )));
    }
    Ok(objects.iter().map(|object| (FileId::of(token.source.as_str(), &object.object_key), object)).collect())
}

fn opened<'o>(
    listed: &BTreeMap<FileId, &'o ListedObject>,
    known: &BTreeMap<FileId, Vec<(u32, String)>>,
) -> Vec<(FileGeneration, &'o ListedObject)> {
    let opens = |(&file_id, &object): (&FileId, &&'o ListedObject)| {
        let generations = known.get(&file_id).map(Vec::as_slice).unwrap_or_default();
        let generations: Vec<_> =
            generations.iter().map(|(generation, etag)| Known { generation: *generation, etag }).collect();
        match decide(Policy::Replace, &generations, &object.etag) {
            Listed::Opens(generation) => Some((FileGeneration { file_id, generation }, object)),
            Listed::Known(_) | Listed::Ignored(_) => None,
        }
    };
    listed.iter().filter_map(opens).collect()
}

fn as_json((name, object): &(FileGeneration, &ListedObject)) -> serde_json::Value {
    json!({
        "file_id": name.file_id.to_string(),
        "generation": name.generation,
        "object_key": object.object_key,
        "etag": object.etag,
        "size": int(object.size),
        "last_modified": object.last_modified.as_microsecond(),
        "date": object.date.to_string(),
    })
}

fn unpublished(row: &AnyRow) -> Result<UnpublishedFile> {
    let row = Columns(row);
    Ok(UnpublishedFile {
        file_id: row.file_id("file_id")?,
        generation: row.small("generation")?,
        object_key: row.text("object_key")?,
        etag: row.text("etag")?,
        size: row.count("size")?,
        last_modified: row.time("last_modified")?,
        date: row.date("date")?,
    })
}
