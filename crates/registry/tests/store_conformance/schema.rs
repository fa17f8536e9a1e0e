//! Which tables a version of the store works on, and what it does about others: as a rolling upgrade, and taking one back,
//! meets them.

use std::path::Path;

use anyhow::Result;
use registry::store::{Schema, SchemaError, Store, StoreError};
use sqlx::{AnyConnection, Connection as _};

use crate::fixture::{account, reading};

/// The last migration of the tables that lack some.
const SOME: i64 = 5;

/// A migration of a version to come, as that version would leave it: what it adds, and its note.
async fn migrate_ahead(url: &str, version: i64, description: &str) -> Result<()> {
    let mut database = AnyConnection::connect(url).await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("ALTER TABLE accounts ADD COLUMN of_{version} TEXT")))
        .execute(&mut database)
        .await?;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES ($1, $2, true, $3, 0)",
    )
    .bind(version)
    .bind(description.to_owned())
    .bind(vec![7_u8; 48])
    .execute(&mut database)
    .await?;
    Ok(database.close().await?)
}

fn refusal(opened: registry::store::Result<Store>) -> SchemaError {
    match opened {
        Err(StoreError::Schema(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn versions(schema: &Schema) -> [Vec<i64>; 3] {
    [&schema.applied, &schema.pending, &schema.newer]
        .map(|migrations| migrations.iter().map(|migration| migration.version).collect())
}

/// Before the upgrade, and until its migrations were applied.
pub(crate) async fn lacking_tables_are_refused_until_they_are_migrated(
    url: &str,
    migrations: &str,
) -> Result<()> {
    sqlx::any::install_default_drivers();
    let store = Store::connect(url).await?;
    let [applied, all, newer] = versions(&store.schema().await?);
    assert!(applied.is_empty() && all.len() > SOME as usize && newer.is_empty(), "{all:?}");
    let mut database = AnyConnection::connect(url).await?;
    sqlx::migrate::Migrator::new(Path::new(migrations)).await?.run_to(SOME, &mut database).await?;
    database.close().await?;

    let lacking: Vec<i64> = all.iter().copied().filter(|version| *version > SOME).collect();
    for _ in 0..2 {
        // Twice: to refuse them changes nothing.
        let refused = refusal(Store::open_migrated(url).await);
        assert!(
            matches!(&refused, SchemaError::Pending(pending) if pending.len() == lacking.len()),
            "{refused}"
        );
        assert!(refused.to_string().contains("cortex migrate"), "{refused}");
        assert_eq!(versions(&store.schema().await?)[1], lacking);
    }
    let applied: Vec<i64> = store.migrate().await?.iter().map(|migration| migration.version).collect();
    assert_eq!(applied, lacking);
    assert_eq!(store.migrate().await?, []);
    assert_eq!(versions(&store.schema().await?), [all, vec![], vec![]]);
    account(&Store::open_migrated(url).await?, "acme").await?;
    Ok(())
}

/// During the upgrade, and after it was taken back.
pub(crate) async fn tables_of_a_newer_version_are_worked_on_unless_they_lack_something(
    url: &str,
) -> Result<()> {
    let known = versions(&Store::open(url).await?.schema().await?)[0].clone();
    migrate_ahead(url, 9000, "claims by day").await?;
    let store = Store::open(url).await?;
    assert_eq!(versions(&store.schema().await?), [known, vec![], vec![9000]]);
    reading(&store).await?;
    Store::open_migrated(url).await?.close().await;

    // What came with 9000 is now all that there is: whoever does not know it is left behind.
    migrate_ahead(url, 9001, "contract after 9000 claims").await?;
    for opened in [Store::open(url).await, Store::open_migrated(url).await] {
        let refused = refusal(opened);
        assert!(matches!(refused, SchemaError::TooOld { needs: 9000, .. }), "{refused}");
    }
    Ok(())
}

/// A database that a version of another line has migrated is left as it is.
pub(crate) async fn tables_of_another_line_are_left_alone(url: &str, migrations: &str) -> Result<()> {
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(url).await?;
    sqlx::migrate::Migrator::new(Path::new(migrations)).await?.run_to(SOME, &mut database).await?;
    database.close().await?;
    migrate_ahead(url, 9000, "of another line").await?;
    let refused = refusal(Store::open(url).await);
    assert!(
        matches!(&refused, SchemaError::Diverged { lacking, .. } if lacking[0].version == SOME + 1),
        "{refused}"
    );
    Ok(())
}

/// Every scan would take its files for new ones.
pub(crate) async fn a_ledger_whose_files_have_other_ids_is_refused(url: &str) -> Result<()> {
    let store = Store::open(url).await?;
    reading(&store).await?;
    Store::open(url).await?.close().await;
    let mut database = AnyConnection::connect(url).await?;
    let id = vec![7_u8; 16];
    let changed = sqlx::query("UPDATE files SET file_id = $1").bind(id).execute(&mut database).await?;
    assert_eq!(changed.rows_affected(), 1);
    database.close().await?;
    for opened in [Store::open(url).await, Store::open_migrated(url).await] {
        let refused = refusal(opened);
        assert!(matches!(&refused, SchemaError::OtherIds { key, .. } if key.ends_with(".csv")), "{refused}");
    }
    Ok(())
}
