//! `cortex dev`: the whole system in one process, nothing to install. Every role is the one that runs in production, over
//! the same gRPC; only the queue (SQLite), the ledger (SQLite) and S3 and STS (the sandbox) are embedded. Not for
//! production: one machine, one process, no TLS.

mod demo;
mod endpoints;
mod folder;
mod patience;
mod watch;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use api::client::{Registry, Worker, connect};
use queue::Queue;
use queue::embedded::EmbeddedQueue;
use queue::kafka::{KafkaConfig, KafkaQueue};
use sandbox::{Identity, Sandbox};
use serde_json::json;
use telemetry::Health;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use endpoints::Endpoints;

use crate::args::DevArgs;
use crate::client::file_json;
use crate::role::ensure_topics;
use crate::{print, web};
use folder::DataDir;
use patience::Patience;
use watch::{Look, Watch};

/// The platform's AWS account in the sandbox: the seed's.
const PLATFORM_ACCOUNT: &str = "357420518195";
/// The file in the data folder that holds the demo account's token, for the console.
const CONSOLE_TOKEN: &str = "demo.token";
/// Partitions of the topics; few, since each costs a thread.
const PARTITIONS: i32 = 4;
/// A scan that began this long after the last sample was put has seen it, whatever the file system's clock.
const SETTLING: Duration = Duration::from_millis(1_500);
/// Between two scans of a source.
const SCAN_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at the registry.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long looks may fail in passing, as on a disk that stalls, before it is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs until `shutdown`, or until all is at rest where the arguments say so.
pub(crate) async fn run(args: DevArgs, shutdown: CancellationToken) -> Result<()> {
    let telemetry_config = telemetry::Config {
        service: "cortex-dev".to_owned(),
        log_filter: args.log.clone(),
        http_listen: Some(args.http_listen),
        ..telemetry::Config::default()
    };
    let telemetry = telemetry::init(&telemetry_config)?;
    let dir = DataDir::hold(&args.data_dir)?;
    let queue = open_queue(&args, &dir, &shutdown).await?;
    let health = Health::new();
    health.set_not_ready("dev", "starting");
    let http_stop = CancellationToken::new();
    let http = telemetry::serve_http(&telemetry, args.http_listen, health.clone(), http_stop.clone()).await?;

    // Started in the order of the flow against the stream, drained with it: each part outlives those that call it.
    let platform = platform_identity(&dir)?;
    let s3 = Sandbox::bind(sandbox::Config {
        listen: args.s3_listen,
        identities: vec![platform.clone()],
        ..sandbox::Config::new(dir.join("s3"))
    })
    .await?;
    let s3_url = format!("http://{}", s3.local_addr());
    let roles = s3.roles();
    let sandbox_part = Part::start("sandbox", |stop| async move {
        s3.run(stop).await;
        Ok(())
    });

    let admin_token = dir.secret("admin.token")?;
    let worker_token = dir.secret("worker.token")?;
    let config = registry_config(&args, &dir, &platform, &s3_url, &admin_token, &worker_token);
    let server = registry::Server::bind(config, queue.clone()).await?;
    let registry_url = format!("http://{}", server.local_addr());
    let registry_part = Part::start("registry", |stop| async move { Ok(server.run(stop).await?) });

    let console = console::Server::bind(console_config(&args, &registry_url)).await?;
    let endpoints = Endpoints {
        registry: registry_url.clone(),
        console: format!("http://{}", console.local_addr()),
        http: format!("http://{}", http.address),
        s3: s3_url,
        kafka: args.kafka.clone(),
        queue: args.kafka.is_none().then(|| dir.join("queue.db")),
        admin_token_file: dir.join("admin.token"),
        worker_token_file: dir.join("worker.token"),
        account: Some(demo::ACCOUNT.to_owned()),
        pid: std::process::id(),
    };

    let mut registry = Registry::new(connect(&registry_url, &admin_token)?);
    let account = set_up_demo(&args, &dir, &mut registry, &roles, &platform).await?;
    demo::token(&mut registry, &registry_url, &account, &dir.join(CONSOLE_TOKEN)).await?;
    let settled = SystemTime::now() + SETTLING;

    let worker = Worker::new(connect(&registry_url, &worker_token)?);
    let (scanner_queue, scanner_worker) = (queue.clone(), worker.clone());
    let scanner_part = Part::start("scanner", |stop| async move {
        Ok(scanner::run(scanner::Config::new("dev-scanner"), scanner_worker, scanner_queue, stop).await?)
    });
    let parser_queue = queue.clone();
    let parser_part = Part::start("parser", |stop| async move {
        Ok(parser::run(parser::Config::new("dev-parser"), worker, parser_queue, stop).await?)
    });
    let console_part = Part::start("console", |stop| async move { Ok(console.run(stop).await?) });
    endpoints.write(dir.root())?;
    health.set_ready("dev");

    let mut parts = vec![console_part, scanner_part, parser_part, registry_part, sandbox_part];
    greet(&args, &endpoints);
    let watched = watch(&args, &mut registry, account, settled, &parts, &shutdown).await;
    let watched = finish(&args, watched, &queue).await;
    for part in parts.drain(..) {
        part.stop().await?;
    }
    http_stop.cancel();
    telemetry.shutdown();
    watched
}

/// The console, for browsers on this machine.
fn console_config(args: &DevArgs, registry_url: &str) -> console::Config {
    console::Config {
        listen: args.console_listen,
        url: None,
        registry_url: registry_url.to_owned(),
        registry_tls: api::client::ClientTls::default(),
        session_key: console::SessionKey::random(),
        max_upload_bytes: console::MAX_UPLOAD_BYTES,
        tools: web::TOOLS,
        sign_in_hint: Some(format!(
            "The demo account's token is in the file {}.",
            args.data_dir.join(CONSOLE_TOKEN).display()
        )),
        provider: None,
    }
}

/// One part of the system: a role on a task of its own.
struct Part {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Part {
    fn start<F>(name: &'static str, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(stop.clone()));
        Self { name, stop, task }
    }

    /// Drains it.
    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await?.with_context(|| format!("the {} failed", self.name))
    }
}

async fn open_queue(args: &DevArgs, dir: &DataDir, shutdown: &CancellationToken) -> Result<Arc<dyn Queue>> {
    let queue: Arc<dyn Queue> = match &args.kafka {
        Some(bootstrap) => Arc::new(KafkaQueue::new(KafkaConfig::new(bootstrap))?),
        None => {
            let path = dir.join("queue.db");
            Arc::new(tokio::task::spawn_blocking(move || EmbeddedQueue::open(&path)).await??)
        }
    };
    ensure_topics(queue.clone(), &records::topic::ALL, PARTITIONS, shutdown).await?;
    Ok(queue)
}

/// Cortex's own identity at the sandbox's STS.
fn platform_identity(dir: &DataDir) -> Result<Identity> {
    Ok(Identity {
        access_key_id: "AKIACORTEXPLATFORM".to_owned(),
        secret_access_key: dir.secret("platform.key")?,
        arn: format!("arn:aws:iam::{PLATFORM_ACCOUNT}:user/cortex"),
        account_id: PLATFORM_ACCOUNT.to_owned(),
    })
}

/// The registry on SQLite, unless a PostgreSQL is given; the sandbox stands for Amazon.
fn registry_config(
    args: &DevArgs,
    dir: &DataDir,
    platform: &Identity,
    s3_url: &str,
    admin_token: &str,
    worker_token: &str,
) -> registry::Config {
    let database = match &args.postgres {
        Some(url) => url.clone(),
        None => format!("sqlite://{}?mode=rwc", dir.join("registry.db").display()),
    };
    let secret = registry::Secret::new;
    let mut config = registry::Config::new(
        args.grpc_listen,
        secret(database),
        secret(admin_token.to_owned()),
        secret(worker_token.to_owned()),
    );
    config.platform.account_id = platform.account_id.clone();
    config.platform.sts_endpoint = Some(s3_url.to_owned());
    config.platform.s3_endpoint = Some(s3_url.to_owned());
    config.platform.keys = Some((platform.access_key_id.clone(), secret(platform.secret_access_key.clone())));
    // A local folder costs nothing to list, so every date is looked at each time.
    config.scan_interval = SCAN_EVERY;
    config.sweep_interval = SCAN_EVERY;
    config.relist_interval = SCAN_EVERY;
    config
}

/// The demo account, its roles and sources, and at the first start the sample files. Gives the account's name.
async fn set_up_demo(
    args: &DevArgs,
    dir: &DataDir,
    registry: &mut Registry,
    roles: &sandbox::Roles,
    platform: &Identity,
) -> Result<String> {
    let s3 = dir.join("s3");
    let (account, _) = demo::account(registry).await?;
    demo::grant_roles(roles, &account, &platform.arn);
    let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    demo::make_folders(&s3, today)?;
    // Marked once they are all there: started again, neither half a set remains nor a second is put.
    let marker = dir.join("samples.done");
    if !args.no_samples && !marker.exists() {
        demo::put_samples(&s3, today)?;
        std::fs::write(&marker, today.to_string())?;
    }
    demo::sources(registry, &account).await?;
    Ok(account.name)
}

/// Shows files as they come to rest, until the end that the arguments set.
async fn watch(
    args: &DevArgs,
    registry: &mut Registry,
    account: String,
    settled: SystemTime,
    parts: &[Part],
    shutdown: &CancellationToken,
) -> Result<Look> {
    let mut watch = Watch::new(account);
    let mut told = false;
    let mut patience = Patience::new(PATIENCE);
    loop {
        let looked = patience.bear(watch.look(registry, settled).await, Instant::now())?;
        if let Some(ended) = parts.iter().find(|part| part.task.is_finished()) {
            anyhow::bail!("the {} ended by itself; its log says why", ended.name);
        }
        let Some(look) = looked else {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => continue,
                () = shutdown.cancelled() => return watch.look(registry, settled).await,
            }
        };
        if !args.json {
            show(&look);
        }
        if look.at_rest && args.exit_when_idle {
            return Ok(look);
        }
        if look.at_rest && !told {
            told = true;
            if !args.json {
                print("All files are at rest; new ones are picked up within seconds. Ctrl-C ends.");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.cancelled() => return Ok(look),
        }
    }
}

/// What came to rest, a line each; on a terminal also how far those in hand are, on a line that is written over.
fn show(look: &Look) {
    let terminal = std::io::stderr().is_terminal();
    if terminal {
        eprint!("\r\x1b[K");
    }
    look.news.iter().for_each(|line| print(line));
    if let (true, Some(running)) = (terminal, &look.running) {
        eprint!("{running}");
    }
}

/// The counts at the end.
async fn finish(args: &DevArgs, watched: Result<Look>, queue: &Arc<dyn Queue>) -> Result<()> {
    let look = watched?;
    let counting = queue.clone();
    let counts = tokio::task::spawn_blocking(move || -> queue::Result<BTreeMap<&str, u64>> {
        records::topic::ALL.into_iter().map(|topic| Ok((topic, counting.count(topic)?))).collect()
    })
    .await??;
    if args.json {
        let files: Vec<_> = look.files.iter().map(file_json).collect();
        print(&json!({ "files": files, "topics": counts }).to_string());
        return Ok(());
    }
    print("");
    for (topic, count) in counts {
        print(&format!("{topic:<28} {count:>10}"));
    }
    let dir = look_further_dir(&args.data_dir);
    print(&format!(
        "\nLook further:\n  cortex tail cortex.events.v1 --from-beginning{dir}\n  cortex source list demo{dir}"
    ));
    Ok(())
}

/// The flag that a command needs to find this data folder.
fn look_further_dir(data_dir: &Path) -> String {
    if data_dir == Path::new(".cortex") {
        String::new()
    } else {
        format!(" --data-dir {}", data_dir.display())
    }
}

fn greet(args: &DevArgs, endpoints: &Endpoints) {
    if args.json {
        return;
    }
    let dir = args.data_dir.display();
    print(&format!(
        "Cortex for development (not for production): all roles in this process, data in {dir}\n\
         registry {}   health and metrics {}   S3 and STS {}\n\
         console {}   sign in with the token that {dir}/{CONSOLE_TOKEN} holds\n\
         Drop files into {dir}/s3/{}/events/YYYY-MM-DD/\n",
        endpoints.registry,
        endpoints.http,
        endpoints.s3,
        endpoints.console,
        demo::BUCKET,
    ));
}
