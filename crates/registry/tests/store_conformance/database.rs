//! A fresh database for one case.

use anyhow::{Context as _, Result};
use registry::store::Store;
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};

pub(crate) struct Database {
    store: Store,
    url: String,
    // Removed when the case is over.
    _folder: Option<tempfile::TempDir>,
}

/// Its tables have columns that this version does not know, as those of a newer one do while both run: no statement may mind.
/// The statements are the same on PostgreSQL.
pub(crate) async fn sqlite() -> Result<Database> {
    let (folder, url) = sqlite_unopened()?;
    let store = Store::open(&url).await?;
    expand(&url).await?;
    Ok(Database { store, url, _folder: Some(folder) })
}

/// The URL of a SQLite database with nothing in it, and the folder that it is to be in.
pub(crate) fn sqlite_unopened() -> Result<(tempfile::TempDir, String)> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("registry.db").display());
    Ok((folder, url))
}

/// Adds a column to every table.
async fn expand(url: &str) -> Result<()> {
    let mut database = SqliteConnection::connect(url).await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            .fetch_all(&mut database)
            .await?;
    let mut all = database.begin().await?;
    for table in tables {
        let add = format!("ALTER TABLE {table} ADD COLUMN of_a_newer_version TEXT NOT NULL DEFAULT 'x'");
        all.execute(sqlx::AssertSqlSafe(add)).await?;
    }
    all.commit().await?;
    Ok(database.close().await?)
}

pub(crate) async fn postgres() -> Result<Database> {
    let url = postgres_unopened().await?;
    Ok(Database { store: Store::open(&url).await?, url, _folder: None })
}

/// The URL of a PostgreSQL database with nothing in it.
pub(crate) async fn postgres_unopened() -> Result<String> {
    let name = format!("cortex_{}", uuid::Uuid::new_v4().simple());
    services::shared::postgres()?.database(&name)
}

impl Database {
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) async fn open_again(&self) -> Result<Store> {
        self.store.close().await;
        Ok(Store::open(&self.url).await?)
    }

    /// Another store on the same database, as another process would have it.
    pub(crate) async fn open_beside(&self) -> Result<Store> {
        Ok(Store::open(&self.url).await?)
    }

    /// Copies a SQLite database by a connection of its own.
    pub(crate) async fn copy(&self, to: &std::path::Path) -> Result<()> {
        let mut connection = SqliteConnection::connect(&self.url).await?;
        sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Closes the store and, on PostgreSQL, drops its database.
    pub(crate) async fn remove(self) -> Result<()> {
        self.store.close().await;
        if self.url.starts_with("postgres") {
            let (_, name) = self.url.rsplit_once('/').context("the URL ends with the database")?;
            let mut admin = PgConnection::connect(services::shared::postgres()?.url()).await?;
            admin.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await?;
        }
        Ok(())
    }
}
