use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use ledger::{
    FileId,
    generation::{Known, Listed, Policy, decide},
};
use serde_json::json;
use sqlx::any::AnyRow;

use super::{
    AttentionKind, FileGeneration, LeaseToken, OverwritePolicy, Result, SourceId, Store, StoreError, Tx,
    dialect::{Kind, int},
    generations::{NAME, names},
    row::{Columns, to_json},
    sql,
};

/// Generations that are held back are counted up to here: there may be millions, and every batch asks.
const MOST_COUNTED: u64 = 10_000;

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
    /// Objects that the ledger does not know, in folders of which it has forgotten files: they may be among those.
    pub left_alone: u32,
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
    /// Generations that wait because the source has its limit of unfinished files on the queue, counted up to
    /// 10,000.
    pub held_back: u64,
}

/// A generation to be opened.
struct Open<'o> {
    name: FileGeneration,
    object: &'o ListedObject,
    /// The generation whose records its own take the place of; 0 where none.
    replaces: u32,
}

impl Store {
    /// Writes listed objects into the ledger: an ETag never seen for its object opens the object's next generation,
    /// every other is known. Of a key listed twice in one call the last counts, and the rest are known. What
    /// [`Store::forget_files`] may have removed opens nothing. All of the call or nothing; [`StoreError::FenceLost`] where
    /// the lease is lost.
    pub async fn record_objects(
        &self,
        token: &LeaseToken,
        objects: &[ListedObject],
        now: Timestamp,
    ) -> Result<Recorded> {
        let mut tx = self.begin().await?;
        self.hold(&mut tx, token).await?;
        let recorded = self.open_listed(&mut tx, &token.source, objects, now).await?;
        tx.commit().await?;
        Ok(recorded)
    }

    /// Opens the generations that the objects call for. Under the lock of the source's scan.
    pub(super) async fn open_listed(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        objects: &[ListedObject],
        now: Timestamp,
    ) -> Result<Recorded> {
        let mut listed = identify(source, objects)?;
        if listed.is_empty() {
            return Ok(Recorded { opened: 0, known: 0, left_alone: 0 });
        }
        let (policy, forgotten_until) = rules(tx, source).await?;
        let known = self.known_generations(tx, source, &listed).await?;
        let before = listed.len();
        listed.retain(|id, object| {
            known.contains_key(id) || forgotten_until.is_none_or(|until| object.date > until)
        });
        let left_alone = before - listed.len();
        let opens = opened(&listed, &known, policy);
        if !opens.is_empty() {
            self.open_generations(tx, source, &opens, now).await?;
            self.note_arrivals(tx, source, &opens).await?;
            self.end_attention(tx, source, AttentionKind::Data).await?;
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let known = objects.len() - opens.len() - left_alone;
        Ok(Recorded { opened: count(opens.len()), known: count(known), left_alone: count(left_alone) })
    }

    /// Counts what was discovered by date.
    async fn note_arrivals(&self, tx: &mut Tx, source: &SourceId, opens: &[Open<'_>]) -> Result<()> {
        let mut days: BTreeMap<Date, (u64, u64, Timestamp, Timestamp)> = BTreeMap::new();
        for Open { object, .. } in opens {
            let at = object.last_modified;
            let day = days.entry(object.date).or_insert((0, 0, at, at));
            *day = (day.0 + 1, day.1.saturating_add(object.size), day.2.min(at), day.3.max(at));
        }
        let day = |(date, (objects, bytes, first, last)): (&Date, &(u64, u64, Timestamp, Timestamp))| {
            json!({
                "date": date.to_string(),
                "objects": int(*objects),
                "bytes": int(*bytes),
                "first_arrived_at": first.as_microsecond(),
                "last_arrived_at": last.as_microsecond(),
            })
        };
        let columns = [
            ("date", Kind::Text),
            ("objects", Kind::Int),
            ("bytes", Kind::Int),
            ("first_arrived_at", Kind::Int),
            ("last_arrived_at", Kind::Int),
        ];
        sqlx::query(sql(format!(
            "INSERT INTO source_days (source_id, date, files, row_count, accepted, rejected, objects, bytes, \
             first_arrived_at, last_arrived_at) \
             SELECT $2, date, 0, 0, 0, 0, objects, bytes, first_arrived_at, last_arrived_at FROM {} \
             WHERE true ORDER BY date ON CONFLICT (source_id, date) DO UPDATE SET \
             objects = source_days.objects + excluded.objects, bytes = source_days.bytes + excluded.bytes, \
             first_arrived_at = CASE WHEN source_days.first_arrived_at < excluded.first_arrived_at \
                THEN source_days.first_arrived_at ELSE excluded.first_arrived_at END, \
             last_arrived_at = CASE WHEN source_days.last_arrived_at > excluded.last_arrived_at \
                THEN source_days.last_arrived_at ELSE excluded.last_arrived_at END",
            self.dialect.batch("$1", &columns)
        )))
        .bind(to_json(&days.iter().map(day).collect::<Vec<_>>())?)
        .bind(source.as_str())
        .execute(&mut **tx)
        .await?;
        Ok(())
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
            "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM generations \
                     WHERE source_id = $1 AND phase = 'under_way' LIMIT $2) AS few) AS unfinished, \
                    (SELECT COUNT(*) FROM (SELECT 1 FROM generations \
                     WHERE source_id = $1 AND phase = 'waiting' LIMIT $3) AS few) AS waiting",
        )
        .bind(token.source.as_str())
        .bind(int(max_unfinished))
        .bind(int(max_unfinished.saturating_add(MOST_COUNTED)))
        .fetch_one(&mut *tx)
        .await?;
        let counts = Columns(&counts);
        let allowed = max_unfinished.saturating_sub(counts.count("unfinished")?);
        let rows = sqlx::query(
            "SELECT g.file_id, g.generation, f.object_key, g.etag, g.size, g.last_modified, g.date \
             FROM generations g JOIN files f ON f.source_id = g.source_id AND f.file_id = g.file_id \
             WHERE g.source_id = $1 AND g.phase = 'waiting' ORDER BY g.date, g.file_id, g.generation LIMIT $2",
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
        let wanted: BTreeSet<_> = files.iter().map(|name| (token.source.clone(), *name)).collect();
        let mut tx = self.begin().await?;
        self.hold(&mut tx, token).await?;
        self.lock_generations(&mut tx, &wanted).await?;
        sqlx::query(sql(format!(
            "UPDATE generations SET published_at = COALESCE(published_at, $2), updated_at = $2, \
             state = CASE WHEN state = 'discovered' THEN 'published' ELSE state END \
             FROM {} WHERE generations.source_id = batch.source_id AND generations.file_id = batch.file_id \
             AND generations.generation = batch.generation",
            self.dialect.batch("$1", &NAME)
        )))
        .bind(names(&wanted)?)
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn known_generations(
        &self,
        tx: &mut Tx,
        source: &SourceId,
        listed: &BTreeMap<FileId, &ListedObject>,
    ) -> Result<BTreeMap<FileId, Vec<(u32, String)>>> {
        let ids: Vec<_> = listed
            .keys()
            .map(|id| json!({ "source_id": source.as_str(), "file_id": id.to_string() }))
            .collect();
        let rows = sqlx::query(sql(format!(
            "SELECT g.file_id, g.generation, g.etag FROM {} \
             JOIN generations g ON g.source_id = batch.source_id AND g.file_id = batch.file_id",
            self.dialect.batch("$1", &NAME[..2])
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
        source: &SourceId,
        opens: &[Open<'_>],
        now: Timestamp,
    ) -> Result<()> {
        let opens = to_json(&opens.iter().map(as_json).collect::<Vec<_>>())?;
        let files = self.dialect.batch("$1", &[("file_id", Kind::Bytes), ("object_key", Kind::Text)]);
        // "WHERE true" lets SQLite tell the conflict clause from a join's condition.
        sqlx::query(sql(format!(
            "INSERT INTO files (source_id, file_id, object_key) SELECT $2, file_id, object_key FROM {files} \
             WHERE true ON CONFLICT (source_id, file_id) DO NOTHING"
        )))
        .bind(opens.as_str())
        .bind(source.as_str())
        .execute(&mut **tx)
        .await?;
        let columns = [
            ("file_id", Kind::Bytes),
            ("generation", Kind::Int),
            ("etag", Kind::Text),
            ("size", Kind::Int),
            ("last_modified", Kind::Int),
            ("date", Kind::Text),
            ("replaces", Kind::Int),
        ];
        sqlx::query(sql(format!(
            "INSERT INTO generations (source_id, file_id, generation, etag, size, last_modified, date, replaces, \
             discovered_at, updated_at) \
             SELECT $2, file_id, generation, etag, size, last_modified, date, replaces, $3, $3 FROM {}",
            self.dialect.batch("$1", &columns)
        )))
        .bind(opens)
        .bind(source.as_str())
        .bind(now.as_microsecond())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// By file id: of an object listed twice the last stays. PostgreSQL has no text with a NUL in it.
fn identify<'o>(
    source: &SourceId,
    objects: &'o [ListedObject],
) -> Result<BTreeMap<FileId, &'o ListedObject>> {
    if let Some(object) = objects.iter().find(|one| one.object_key.contains('\0') || one.etag.contains('\0'))
    {
        return Err(StoreError::Invalid(format!(
            "object key {:?} or its ETag holds a NUL character; rename the object",
            object.object_key
        )));
    }
    Ok(objects.iter().map(|object| (FileId::of(source.as_str(), &object.object_key), object)).collect())
}

fn opened<'o>(
    listed: &BTreeMap<FileId, &'o ListedObject>,
    known: &BTreeMap<FileId, Vec<(u32, String)>>,
    policy: OverwritePolicy,
) -> Vec<Open<'o>> {
    let opens = |(&file_id, &object): (&FileId, &&'o ListedObject)| {
        let generations = known.get(&file_id).map(Vec::as_slice).unwrap_or_default();
        let generations: Vec<_> =
            generations.iter().map(|(generation, etag)| Known { generation: *generation, etag }).collect();
        match decide(policy.into(), &generations, &object.etag) {
            Listed::Opens(generation) => {
                let newest = generations.iter().map(|known| known.generation).max().unwrap_or(0);
                let replaces = if policy == OverwritePolicy::Replace { newest } else { 0 };
                Some(Open { name: FileGeneration { file_id, generation }, object, replaces })
            }
            Listed::Known(_) | Listed::Ignored(_) => None,
        }
    };
    listed.iter().filter_map(opens).collect()
}

impl From<OverwritePolicy> for Policy {
    fn from(policy: OverwritePolicy) -> Self {
        match policy {
            OverwritePolicy::Replace => Self::Replace,
            OverwritePolicy::IngestAgain => Self::IngestAgain,
            OverwritePolicy::Ignore => Self::Ignore,
        }
    }
}

fn as_json(Open { name, object, replaces }: &Open<'_>) -> serde_json::Value {
    json!({
        "file_id": name.file_id.to_string(),
        "generation": name.generation,
        "object_key": object.object_key,
        "etag": object.etag,
        "size": int(object.size),
        "last_modified": object.last_modified.as_microsecond(),
        "date": object.date.to_string(),
        "replaces": replaces,
    })
}

/// What an overwritten object does, and up to which folder files may have been forgotten.
async fn rules(tx: &mut Tx, source: &SourceId) -> Result<(OverwritePolicy, Option<Date>)> {
    let row = sqlx::query(
        "SELECT s.overwrite_policy, c.forgotten_until FROM sources s JOIN scans c ON c.source_id = s.source_id \
         WHERE s.source_id = $1",
    )
    .bind(source.as_str())
    .fetch_one(&mut **tx)
    .await?;
    let row = Columns(&row);
    Ok((OverwritePolicy::parse(&row.text("overwrite_policy")?)?, row.date_or_none("forgotten_until")?))
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
