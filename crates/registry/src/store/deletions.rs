use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::{
    AccountId, Result, Store, Tx,
    dialect::{Kind, hex},
    row::{Columns, to_json},
    sql,
};

/// What is kept of a subject on a deletion list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubjectHash(pub dataset::SubjectHash);

impl SubjectHash {
    /// Of a subject of the account.
    #[must_use]
    pub fn of(account: &AccountId, subject: &str) -> Self {
        Self(dataset::subject_hash(account.as_str(), subject.as_bytes()))
    }
}

impl Store {
    /// Puts subjects on the account's deletion list; gives how many were not on it. [`super::StoreError::NotFound`] where
    /// there is no such account.
    pub async fn add_deleted(
        &self,
        account: &AccountId,
        subjects: &BTreeSet<SubjectHash>,
        now: Timestamp,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(sql(format!(
            "INSERT INTO deleted_subjects (account_id, subject_hash, added_at) \
             SELECT $2, subject_hash, $3 FROM {} WHERE true ON CONFLICT DO NOTHING",
            self.hashes()
        )))
        .bind(batch(subjects)?)
        .bind(account.as_str())
        .bind(now.as_microsecond())
        .execute(&mut *tx)
        .await?;
        self.changed(tx, account, done.rows_affected()).await
    }

    /// Takes subjects off the account's deletion list; gives how many were on it.
    pub async fn remove_deleted(&self, account: &AccountId, subjects: &BTreeSet<SubjectHash>) -> Result<u64> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(sql(format!(
            "DELETE FROM deleted_subjects WHERE account_id = $2 \
             AND subject_hash IN (SELECT subject_hash FROM {})",
            self.hashes()
        )))
        .bind(batch(subjects)?)
        .bind(account.as_str())
        .execute(&mut *tx)
        .await?;
        self.changed(tx, account, done.rows_affected()).await
    }

    /// Those of the subjects that are on the account's list.
    pub async fn deleted_among(
        &self,
        account: &AccountId,
        subjects: &BTreeSet<SubjectHash>,
    ) -> Result<BTreeSet<SubjectHash>> {
        let rows = sqlx::query(sql(format!(
            "SELECT d.subject_hash FROM {} JOIN deleted_subjects d \
             ON d.account_id = $2 AND d.subject_hash = batch.subject_hash",
            self.hashes()
        )))
        .bind(batch(subjects)?)
        .bind(account.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| hash(&Columns(row))).collect()
    }

    /// How many subjects are on the account's list.
    pub async fn count_deleted(&self, account: &AccountId) -> Result<u64> {
        let row = sqlx::query("SELECT COUNT(*) AS subjects FROM deleted_subjects WHERE account_id = $1")
            .bind(account.as_str())
            .fetch_one(&self.pool)
            .await?;
        Columns(&row).count("subjects")
    }

    /// Hashes of the account's list in their order, behind `after`; at most `limit`.
    pub async fn list_deleted(
        &self,
        account: &AccountId,
        after: Option<SubjectHash>,
        limit: u32,
    ) -> Result<Vec<SubjectHash>> {
        let rows = sqlx::query(
            "SELECT subject_hash FROM deleted_subjects WHERE account_id = $1 AND subject_hash > $2 \
             ORDER BY subject_hash LIMIT $3",
        )
        .bind(account.as_str())
        .bind(after.map(|hash| hash.0.to_vec()).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| hash(&Columns(row))).collect()
    }

    /// Notes that the list is another now, where it is.
    async fn changed(&self, mut tx: Tx, account: &AccountId, changed: u64) -> Result<u64> {
        if changed > 0 {
            sqlx::query(
                "UPDATE accounts SET deletions_version = deletions_version + 1 WHERE account_id = $1",
            )
            .bind(account.as_str())
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    fn hashes(&self) -> String {
        self.dialect.batch("$1", &[("subject_hash", Kind::Bytes)])
    }
}

fn batch(subjects: &BTreeSet<SubjectHash>) -> Result<String> {
    to_json(&subjects.iter().map(|one| json!({ "subject_hash": hex(&one.0) })).collect::<Vec<_>>())
}

fn hash(row: &Columns<'_>) -> Result<SubjectHash> {
    let bytes = row.bytes("subject_hash")?;
    let hash = bytes
        .try_into()
        .map_err(|_| super::StoreError::corrupt("deleted_subjects.subject_hash has not 16 bytes"))?;
    Ok(SubjectHash(hash))
}
