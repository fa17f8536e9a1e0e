//! `cortex migrate`: brings the registry's database up to this version, before any registry of it starts.

use std::process::ExitCode;

use anyhow::Result;
use registry::store::{Migration, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::args::MigrateArgs;
use crate::role::once_the_database_is_there;
use crate::{UNFIT_TABLES, load, print};

/// Applies what is pending, or with `--check` tells it alone.
pub(crate) async fn run(args: MigrateArgs, shutdown: CancellationToken) -> Result<ExitCode> {
    let settings = load(&args.role)?;
    let url = settings.database_url()?.reveal();
    let _telemetry = telemetry::init(&telemetry::Config {
        service: "cortex-migrate".to_owned(),
        instance: settings.worker_id("migrate"),
        log_filter: settings.log.clone(),
        log_format: settings.log_format.parse()?,
        otlp_endpoint: None,
        http_listen: None,
    })?;
    if args.check {
        let schema = Store::connect(url).await?.schema().await?;
        tell("pending", &schema.pending);
        tell("of a newer version", &schema.newer);
        return Ok(if schema.pending.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(UNFIT_TABLES) });
    }
    let migrate = || async {
        let store = Store::connect(url).await?;
        let applied = store.migrate().await?;
        Ok((applied, store.schema().await?))
    };
    let (applied, schema) = once_the_database_is_there(migrate, StoreError::is_transient, &shutdown).await?;
    tell("applied", &applied);
    tell("of a newer version", &schema.newer);
    if applied.is_empty() {
        print("nothing was to be applied");
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(what: &str, migrations: &[Migration]) {
    for migration in migrations {
        print(&format!("{what}: {migration}"));
    }
}
