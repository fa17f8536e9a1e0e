//! The project's own chores, so that a fresh machine needs one command: `cargo xtask test`, `fuzz`, `chaos`, `upgrade`, `bench`,
//! `services`, `lint`, `setup`.

mod bench;
mod fuzz;
mod needs;
mod upgrade;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use services::{ForeignS3, Kafka, Postgres};

#[derive(Parser)]
#[command(name = "xtask", about = "The project's own chores")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Installs what is missing, starts the servers, lints the contracts and runs every test.
    Test {
        /// For `cargo test`, such as `-p queue` or a test's name; all of the workspace if no package is named.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Feeds the decoders and the row checks with inputs made to break them.
    Fuzz {
        /// How long, for all targets together.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// One target of `fuzz/fuzz_targets` alone.
        #[arg(long)]
        target: Option<String>,
    },
    /// Kills, freezes and cuts off everything while files come in, and looks whether each row was seen once.
    Chaos {
        /// How long things break.
        #[arg(long, default_value_t = 5.0)]
        minutes: f64,
        /// Draws the faults and the files.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print nothing but one JSON object at the end.
        #[arg(long)]
        json: bool,
    },
    /// Replaces every process of an earlier version by this one while files come in, and back, and looks whether each row was
    /// seen once.
    Upgrade {
        /// The earlier version: a tag or commit of this repository.
        #[arg(long, value_name = "REVISION")]
        from: String,
    },
    /// Measures decoding, the whole system and discovery, and writes `docs/benchmarks.md`.
    Bench {
        /// Only these (`hot_path`, `whole`, `rivals`, …): the page's other sections stay.
        names: Vec<String>,
        /// Print one JSON object instead.
        #[arg(long)]
        json: bool,
    },
    /// Draws flame graphs of the parser while the whole system is measured, into `target/flame`. Wants `perf`.
    Flame,
    /// Starts the servers and keeps them up for work by hand, until Ctrl-C.
    Services,
    /// Formatting, clippy and the contracts.
    Lint,
    /// Installs what a fresh machine lacks.
    Setup,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Test { arguments } => test(&arguments, &[]),
        Chore::Fuzz { seconds, target } => fuzz::run(seconds, target.as_deref()),
        Chore::Chaos { minutes, seed, json } => chaos(minutes, seed, json),
        Chore::Upgrade { from } => upgrade::run_from(&from),
        Chore::Bench { names, json } => bench::bench(&names, json),
        Chore::Flame => bench::flame::draw(),
        Chore::Services => keep_services(),
        Chore::Lint => lint(),
        Chore::Setup => needs::install(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The servers of a run; they stop when this is dropped.
struct Servers {
    kafka: Kafka,
    postgres: Postgres,
    s3: ForeignS3,
}

impl Servers {
    fn start() -> Result<Self> {
        eprintln!("xtask: starting Kafka, PostgreSQL and S3");
        Ok(Self { kafka: Kafka::start()?, postgres: Postgres::start()?, s3: ForeignS3::start()? })
    }

    /// What points the tests at them.
    fn environment(&self) -> [(&'static str, String); 3] {
        let s3 = &self.s3;
        let host = s3.endpoint().trim_start_matches("http://");
        [
            ("CORTEX_TEST_KAFKA", self.kafka.bootstrap().to_owned()),
            ("CORTEX_TEST_POSTGRES", self.postgres.url().to_owned()),
            ("CORTEX_TEST_S3", format!("http://{}:{}@{host}", s3.access_key(), s3.secret_key())),
        ]
    }
}

/// With these variables of the environment.
fn test(arguments: &[String], environment: &[(&str, &Path)]) -> Result<()> {
    needs::install()?;
    needs::lint_contracts()?;
    // Compiled before the servers start: a build beside them would only slow both.
    let mut scope = arguments.to_vec();
    if !names_packages(arguments) {
        scope.insert(0, "--workspace".to_owned());
    }
    let build = cargo().arg("test").args(scope_before_names(&scope)).arg("--no-run").status()?;
    succeeded("the build", build)?;
    let servers = Servers::start()?;
    let mut tests = cargo();
    tests.arg("test");
    // One that fails hides no other.
    if !scope_before_names(&scope).iter().any(|one| one == "--no-fail-fast") {
        tests.arg("--no-fail-fast");
    }
    tests.args(&scope).envs(servers.environment()).envs(environment.iter().copied());
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        // One more than there are cores: those that take longest mostly wait for sessions and leases to run out.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        tests.env("RUST_TEST_THREADS", (cores + 1).to_string());
    }
    let status = tests.status()?;
    drop(servers);
    succeeded("a test", status)
}

/// True where the arguments choose packages themselves; otherwise cargo would take the workspace's default one alone.
fn names_packages(arguments: &[String]) -> bool {
    scope_before_names(arguments).iter().any(|one| {
        one.starts_with("-p") || one.starts_with("--package") || one == "--workspace" || one == "--all"
    })
}

/// The arguments up to `--`: what follows is for the tests, not for the build.
fn scope_before_names(arguments: &[String]) -> Vec<String> {
    arguments.iter().take_while(|one| *one != "--").cloned().collect()
}

/// The crash points and all are in what the tests are built beside, so that is what is broken.
fn chaos(minutes: f64, seed: u64, json: bool) -> Result<()> {
    needs::install()?;
    let build = cargo().args(["test", "--workspace", "--no-run"]).status()?;
    succeeded("the build", build)?;
    let seconds = (minutes * 60.0).round().to_string();
    let seed = seed.to_string();
    let mut run = Command::new(target().join("debug/chaos"));
    run.args([&seconds, &seed]).args(json.then_some("--json")).current_dir(root());
    run.env("CORTEX_TEST_BINARY", target().join("debug/cortex"));
    succeeded("the run", run.status().context("the run does not start")?)
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |shared| root().join(shared))
}

fn keep_services() -> Result<()> {
    needs::install()?;
    let servers = Servers::start()?;
    let mut out = std::io::stdout().lock();
    for (name, value) in servers.environment() {
        writeln!(out, "export {name}={value}")?;
    }
    drop(out);
    eprintln!("xtask: the servers run until Ctrl-C");
    loop {
        std::thread::park();
    }
}

fn lint() -> Result<()> {
    for manifest in ["Cargo.toml", "fuzz/Cargo.toml"] {
        let format = ["fmt", "--all", "--check", "--manifest-path", manifest];
        succeeded("cargo fmt --check", cargo().args(format).status()?)?;
        let clippy =
            ["clippy", "--manifest-path", manifest, "--workspace", "--all-targets", "--", "-D", "warnings"];
        succeeded("cargo clippy", cargo().args(clippy).status()?)?;
    }
    needs::install()?;
    needs::lint_contracts()
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What `cargo run` tells this program of itself: build scripts that look at it would run again, and all that depends on them
    // would be compiled anew each time after a cargo that was started by hand.
    for (name, _) in std::env::vars_os() {
        let of_this = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| of_this.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command
}

/// The workspace. Where `cargo run` says it is now: this program may have been built from another clone that shares the target
/// directory.
fn root() -> &'static Path {
    static CRATE: LazyLock<PathBuf> = LazyLock::new(|| {
        std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
    });
    CRATE.parent().unwrap_or(Path::new("."))
}

fn succeeded(what: &str, status: ExitStatus) -> Result<()> {
    ensure!(status.success(), "{what} failed ({status})");
    Ok(())
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("{shown} does not start"))?;
    succeeded(&shown, status)
}
