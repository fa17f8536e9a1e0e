//! A fresh database for one case.

use anyhow::{Context as _, Result};
use registry::store::Store;
use sqlx::{Connection as _, Executor as _, PgConnection};

pub(crate) struct Database {
    store: Store,
    url: String,
    // Removed when the case is over.
    _folder: Option<tempfile::TempDir>,
}

pub(crate) async fn sqlite() -> Result<Database> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("registry.db").display());
    Ok(Database { store: Store::open(&url).await?, url, _folder: Some(folder) })
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
