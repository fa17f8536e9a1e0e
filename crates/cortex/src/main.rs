//! The one binary: every role and the client commands are its subcommands. Here arguments are parsed and parts are
//! wired; the work is in the crates.

mod args;
mod audit;
mod client;
mod dev;
mod health;
mod kafka;
mod manual;
mod migrate;
mod role;
mod schema;
mod settings;
mod sign_in;
mod tail;
mod tls;
mod topics;
mod validate;
mod values;
mod web;

use std::process::ExitCode;

// Linked, it serves every request for memory of the process: most are librdkafka's, some for each message
// (docs/decisions/0026).
#[cfg(target_os = "linux")]
use tikv_jemalloc_sys as _;

use clap::Parser;
use tokio_util::sync::CancellationToken;

use args::{Cli, Command, RoleArgs};
use client::ClientError;
use queue::QueueError;
use registry::RegistryError;
use registry::store::StoreError;
use schema_registry::SchemaRegistryError;
use settings::{Settings, SettingsError};

/// Wrong usage or settings (sysexits' EX_USAGE).
const WRONG_USAGE: u8 = 64;

/// The queue or the schema registry does not accept who this is, or what it asks for.
const NOT_PERMITTED: u8 = 4;
/// The queue, the database or the role does not answer.
const UNREACHABLE: u8 = 6;
/// The database's tables are not such that this version can work on them.
const UNFIT_TABLES: u8 = 7;

/// What a command found, where it was asked a question; the process leaves with 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::FAILURE,
        }
    }
}

/// Arguments that do not go together, or name what is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed standard error leaves no one to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(WRONG_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    // In test builds alone; what FAILPOINTS names happens then.
    let _faults = fail::has_failpoints().then(fail::FailScenario::setup);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(cli.command));
            // A thread that still blocks on the network must not hold up the end.
            runtime.shutdown_timeout(std::time::Duration::from_secs(2));
            outcome
        });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("cortex: {error:#}");
            exit_status(&error)
        }
    }
}

/// The status of a failure; `cortex --help` lists them.
fn exit_status(error: &anyhow::Error) -> ExitCode {
    if error.is::<SettingsError>() || error.is::<UsageError>() {
        return ExitCode::from(WRONG_USAGE);
    }
    let store = match error.downcast_ref::<RegistryError>() {
        Some(RegistryError::Store(error)) => Some(error),
        _ => error.downcast_ref::<StoreError>(),
    };
    match store {
        Some(StoreError::Schema(_)) => return ExitCode::from(UNFIT_TABLES),
        Some(StoreError::Unavailable(_)) => return ExitCode::from(UNREACHABLE),
        _ => {}
    }
    // A role tells it as the cause of its own end.
    match error.chain().find_map(|cause| cause.downcast_ref::<QueueError>()) {
        Some(QueueError::Denied(_) | QueueError::Unauthenticated(_)) => return ExitCode::from(NOT_PERMITTED),
        Some(QueueError::Unavailable(_)) => return ExitCode::from(UNREACHABLE),
        _ => {}
    }
    match error.downcast_ref::<SchemaRegistryError>() {
        Some(SchemaRegistryError::Setting { .. }) => return ExitCode::from(WRONG_USAGE),
        Some(SchemaRegistryError::Denied(_)) => return ExitCode::from(NOT_PERMITTED),
        _ => {}
    }
    error.downcast_ref::<ClientError>().map_or(ExitCode::FAILURE, |error| ExitCode::from(error.exit_status()))
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Audit(args) => return audit::run(args).await,
        Command::Validate(args) => return validate::run(args).await,
        Command::Topics(command) => {
            return tokio::task::spawn_blocking(move || topics::run(&command)).await?;
        }
        Command::Schema(command) => return schema::run(command).await,
        Command::Migrate(args) => return migrate::run(args, shutdown_signal()?).await,
        Command::Health(args) => return health::run(args).await,
        Command::Dev(args) => dev::run(args, shutdown_signal()?).await,
        Command::Registry(args) => role::registry(load(&args)?, shutdown_signal()?).await,
        Command::Scanner(args) => role::scanner(load(&args)?, shutdown_signal()?).await,
        Command::Parser(args) => role::parser(load(&args)?, shutdown_signal()?).await,
        Command::Console(args) => role::console(load(&args)?, shutdown_signal()?).await,
        Command::Config(args) => {
            print(&load(&args)?.shown()?);
            Ok(())
        }
        Command::Tail(args) => tokio::task::spawn_blocking(move || tail::run(&args)).await?,
        Command::Account(command) => return Ok(client::account::run(command).await?.into()),
        Command::Source(command) => return Ok(client::source::run(command).await?.into()),
        Command::Dataset(command) => client::dataset::run(command).await,
        Command::Profile(command) => client::profile::run(command),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { command, out } => manual::man(&command, out.as_deref()),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn load(args: &RoleArgs) -> Result<Settings, SettingsError> {
    let flags = args.flags().map_err(|reason| SettingsError::Value { name: "--set".to_owned(), reason })?;
    Settings::load(args.config.as_deref(), settings::environment(), &flags)
}

/// Cancelled at SIGTERM or SIGINT.
fn shutdown_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        token.cancel();
    });
    Ok(shutdown)
}

/// Writes a line to standard output; a reader that has gone is no error.
fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.trim_end_matches('\n'));
}
