//! The database's tables: which migrations made them what they are, and whether this version can work on them.
//!
//! **Expand, then contract.** During an upgrade old and new registries work on one database, and an upgrade may be taken back. So
//! a migration only adds, and a registry works on beside migrations that it does not know. What an addition made needless is taken
//! away a release later, by a migration whose file says whom that leaves behind: `0012_contract_after_0010_old_claims.sql` is one
//! that registries bear which know migration 10. One that does not refuses the database.

use std::collections::BTreeMap;
use std::fmt;

use ledger::FileId;
use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::{AnyConnection, Row as _};

use super::dialect::Dialect;
use super::{Result, Store, StoreError};

/// What the description of a migration that contracts begins with; the number of a migration follows.
const CONTRACT: &str = "contract after ";

/// A step that the tables took, or are to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number, in the order of steps.
    pub version: i64,
    /// What it is about, as its file's name says.
    pub description: String,
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04} {}", self.version, self.description)
    }
}

impl Migration {
    /// The newest migration that a registry must know in order to work beside this one; 0 where it need know none.
    fn needs(&self) -> i64 {
        let number = self.description.strip_prefix(CONTRACT).and_then(|rest| rest.split(' ').next());
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    }
}

/// How a database's tables stand to this version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// What this version knows and the database has, oldest first.
    pub applied: Vec<Migration>,
    /// What this version knows and the database lacks.
    pub pending: Vec<Migration>,
    /// What a newer version has added.
    pub newer: Vec<Migration>,
}

/// Tables that this version cannot work on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Migrations are to be applied first.
    #[error("the database lacks what `cortex migrate` of this version adds: {}", list(.0))]
    Pending(Vec<Migration>),
    /// A newer version has taken away what this one needs.
    #[error(
        "this version is too old for the database: it does not know migration {needs:04}, without which nothing works \
         behind `{by}`; run a newer version"
    )]
    TooOld {
        /// What took it away.
        by: Migration,
        /// What it asks for.
        needs: i64,
    },
    /// Both have what the other has not.
    #[error(
        "the database is of another line of versions: it has {}, which this version does not know, and lacks {}; use \
         the version that migrated it, or another database",
        list(.unknown), list(.lacking)
    )]
    Diverged {
        /// What the database has.
        unknown: Vec<Migration>,
        /// What this version has.
        lacking: Vec<Migration>,
    },
    /// A migration is not what it was when it was applied.
    #[error(
        "migration {0} of the database is not the one that this version has under its number; use the version that \
         migrated it"
    )]
    Changed(Migration),
    /// The ledger's files have ids that this version does not give them: it would take all of them for new.
    #[error(
        "the ledger has {key:?} of source {source_id} under another id than this version gives it, as builds from before \
         0.1.0 did: this version would read every file once more; use another database, or the build that made it"
    )]
    OtherIds {
        /// Whose file it is.
        source_id: String,
        /// Its key.
        key: String,
    },
}

fn list(migrations: &[Migration]) -> String {
    migrations.iter().map(Migration::to_string).collect::<Vec<_>>().join(", ")
}

/// A migration with the hash of its text.
type Hashed = (Migration, Vec<u8>);

impl Store {
    /// How the tables stand to this version; changes nothing.
    ///
    /// # Errors
    /// [`SchemaError`] where this version can do nothing with them, pending migrations aside.
    pub async fn schema(&self) -> Result<Schema> {
        look(&mut *self.pool.acquire().await?, self.dialect).await
    }

    /// Applies what is pending, and gives it. Where several processes do so at once, one does and the others wait for it.
    ///
    /// # Errors
    /// [`SchemaError`] as [`schema`](Self::schema); what the database says to a migration, which is then undone.
    pub async fn migrate(&self) -> Result<Vec<Migration>> {
        let connection = &mut *self.pool.acquire().await?;
        connection.lock().await.map_err(failed)?;
        let applied = apply(connection, self.dialect).await;
        let unlocked = connection.unlock().await;
        // What went wrong first is told: a connection that broke has let the lock go.
        let applied = applied?;
        unlocked.map_err(failed)?;
        Ok(applied)
    }

    /// Refuses a ledger whose files have other ids than they would get now (decision 0025), by one of them.
    pub(super) async fn must_know_ids(&self) -> Result<()> {
        let file = sqlx::query("SELECT source_id, object_key, file_id FROM files LIMIT 1");
        let Some(row) = file.fetch_optional(&self.pool).await? else { return Ok(()) };
        let (source_id, key): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let id: Vec<u8> = row.try_get(2)?;
        if FileId::of(&source_id, &key).as_bytes().as_slice() == id {
            return Ok(());
        }
        Err(SchemaError::OtherIds { source_id, key }.into())
    }

    /// Refuses tables that lack something.
    pub(super) async fn must_be_migrated(&self) -> Result<()> {
        match self.schema().await?.pending {
            pending if pending.is_empty() => Ok(()),
            pending => Err(SchemaError::Pending(pending).into()),
        }
    }
}

async fn apply(connection: &mut AnyConnection, dialect: Dialect) -> Result<Vec<Migration>> {
    let pending = look(connection, dialect).await?.pending;
    if !pending.is_empty() {
        let mut migrator = migrator(dialect);
        // The lock is held already; what is unknown was looked at.
        migrator.set_locking(false).set_ignore_missing(true);
        migrator.run_direct(None, connection, false).await.map_err(failed)?;
    }
    Ok(pending)
}

fn migrator(dialect: Dialect) -> Migrator {
    match dialect {
        Dialect::Postgres => sqlx::migrate!("migrations/postgres"),
        Dialect::Sqlite => sqlx::migrate!("migrations/sqlite"),
    }
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => error.into(),
        MigrateError::ExecuteMigration(error, version) => match StoreError::from(error) {
            passing if passing.is_transient() => passing,
            other => StoreError::Unusable(format!("migration {version:04} does not go through: {other}")),
        },
        other => StoreError::Unusable(format!("its tables cannot be brought up to this version: {other}")),
    }
}

async fn look(connection: &mut AnyConnection, dialect: Dialect) -> Result<Schema> {
    let known = migrator(dialect);
    let known = known.iter().map(|one| {
        let migration = Migration { version: one.version, description: one.description.to_string() };
        (migration, one.checksum.to_vec())
    });
    Ok(compare(known.collect(), applied(connection, dialect).await?)?)
}

/// What the database notes of its migrations; nothing where none ever ran.
async fn applied(connection: &mut AnyConnection, dialect: Dialect) -> Result<Vec<Hashed>> {
    let has_notes: i64 = sqlx::query_scalar(match dialect {
        Dialect::Postgres => "SELECT count(to_regclass('_sqlx_migrations'))",
        Dialect::Sqlite => "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
    })
    .fetch_one(&mut *connection)
    .await?;
    if has_notes == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT version, description, checksum FROM _sqlx_migrations WHERE success ORDER BY version",
    )
    .fetch_all(connection)
    .await?;
    let read = |row: &sqlx::any::AnyRow| {
        let migration = Migration { version: row.try_get(0)?, description: row.try_get(1)? };
        Ok((migration, row.try_get(2)?))
    };
    rows.iter().map(read).collect::<std::result::Result<_, sqlx::Error>>().map_err(StoreError::from)
}

/// The decision alone, on what each side has.
fn compare(known: Vec<Hashed>, applied: Vec<Hashed>) -> std::result::Result<Schema, SchemaError> {
    let newest = known.iter().map(|(migration, _)| migration.version).max().unwrap_or(0);
    let mut lacking: BTreeMap<i64, Hashed> =
        known.into_iter().map(|(migration, hash)| (migration.version, (migration, hash))).collect();
    let mut schema = Schema::default();
    for (migration, hash) in applied {
        match lacking.remove(&migration.version) {
            Some((_, same)) if same == hash => schema.applied.push(migration),
            Some(_) => return Err(SchemaError::Changed(migration)),
            None if migration.needs() > newest => {
                return Err(SchemaError::TooOld { needs: migration.needs(), by: migration });
            }
            None => schema.newer.push(migration),
        }
    }
    schema.pending = lacking.into_values().map(|(migration, _)| migration).collect();
    if schema.newer.is_empty() || schema.pending.is_empty() {
        return Ok(schema);
    }
    Err(SchemaError::Diverged { unknown: schema.newer, lacking: schema.pending })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrations(all: &[(i64, &str)]) -> Vec<Hashed> {
        let one = |(version, description): &(i64, &str)| {
            let migration = Migration { version: *version, description: (*description).to_owned() };
            (migration, description.as_bytes().to_vec())
        };
        all.iter().map(one).collect()
    }

    fn versions(all: &[Migration]) -> Vec<i64> {
        all.iter().map(|one| one.version).collect()
    }

    #[test]
    fn what_each_side_has_is_told_apart() {
        let known = || migrations(&[(1, "a"), (2, "b"), (3, "c")]);
        let schema = compare(known(), migrations(&[])).unwrap();
        assert_eq!((versions(&schema.applied), versions(&schema.pending)), (vec![], vec![1, 2, 3]));
        let schema = compare(known(), migrations(&[(1, "a"), (2, "b")])).unwrap();
        assert_eq!((versions(&schema.applied), versions(&schema.pending)), (vec![1, 2], vec![3]));
        let schema = compare(known(), migrations(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")])).unwrap();
        assert_eq!((versions(&schema.pending), versions(&schema.newer)), (vec![], vec![4]));
    }

    #[test]
    fn tables_of_which_something_was_taken_away_are_refused_by_whoever_needs_it() {
        let applied = || migrations(&[(1, "a"), (2, "b"), (3, "contract after 0002 a"), (4, "d")]);
        let refused = compare(migrations(&[(1, "a")]), applied()).unwrap_err();
        assert!(matches!(refused, SchemaError::TooOld { needs: 2, .. }), "{refused}");
        let schema = compare(migrations(&[(1, "a"), (2, "b")]), applied()).unwrap();
        assert_eq!(versions(&schema.newer), [3, 4]);
    }

    #[test]
    fn tables_of_another_line_or_with_a_changed_migration_are_refused() {
        let known = || migrations(&[(1, "a"), (2, "b")]);
        let refused = compare(known(), migrations(&[(1, "a"), (3, "c")])).unwrap_err();
        assert!(matches!(refused, SchemaError::Diverged { .. }), "{refused}");
        let refused = compare(known(), migrations(&[(1, "a"), (2, "other")])).unwrap_err();
        assert!(matches!(refused, SchemaError::Changed(_)), "{refused}");
    }

    /// Both databases take the same steps, and a name that is to say whom it leaves behind says so.
    #[test]
    fn migrations_of_both_databases_are_the_same_and_named_by_the_rule() {
        let names = |dialect| -> Vec<(i64, String)> {
            migrator(dialect).iter().map(|one| (one.version, one.description.to_string())).collect()
        };
        let all = names(Dialect::Postgres);
        assert_eq!(all, names(Dialect::Sqlite));
        for (version, description) in all.into_iter().filter(|(_, name)| name.contains("contract")) {
            let needs = Migration { version, description: description.clone() }.needs();
            assert!((1..version).contains(&needs), "{description}: call it contract_after_NNNN_…");
        }
    }
}
