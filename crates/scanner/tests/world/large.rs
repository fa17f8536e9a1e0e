//! A source of any number of objects, behind a generated listing.

use std::sync::Arc;
use std::time::Duration;

use api::client::{Registry, Worker, connect};
use api::registry::{
    ActivateSourceRequest, CreateAccountRequest, CreateSourceRequest, Dataset, Discovery, GetSourceRequest,
    PauseSourceRequest, ResumeSourceRequest, Source, StaticKeys,
};
use api::worker::{CompleteScanRequest, LeaseScanRequest, ScanLease};
use queue::Queue;
use records::topic;
use registry::Secret;
use services::GeneratedS3;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{BUCKET, PATH, PATIENCE, Scanner, config, day};

/// 32 bytes in base64.
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const HOURS: Duration = Duration::from_secs(6 * 3600);

/// A registry whose scans are due when the test says so, and one source.
pub struct LargeWorld {
    pub s3: GeneratedS3,
    pub queue: Arc<dyn Queue>,
    registry: Registry,
    worker: Worker,
    source: String,
    folder: TempDir,
    stop: CancellationToken,
}

/// What a scan took, and what came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Cost {
    /// LIST requests, as S3 counted them.
    pub requests: u64,
    /// Files that were published.
    pub published: u64,
}

impl LargeWorld {
    /// A source that is live and still empty; its folders are listed in full again hours later.
    pub async fn new() -> Self {
        let s3 = GeneratedS3::start(BUCKET, PATH, [], 0).unwrap();
        let (stop, folder) = (CancellationToken::new(), tempfile::tempdir().unwrap());
        let queue = super::open_queue(folder.path().join("queue.db")).await;
        let (registry, worker) = serve(&folder, &s3, &queue, HOURS, &stop).await;
        let source = live_source(registry.clone(), &s3).await;
        Self { s3, queue, registry, worker, source, folder, stop }
    }

    /// From here on scans are given out by another registry on the same ledger, where large folders are due in full after
    /// `relist_interval`.
    pub async fn relist_after(&mut self, relist_interval: Duration) {
        (self.registry, self.worker) =
            serve(&self.folder, &self.s3, &self.queue, relist_interval, &self.stop).await;
    }

    /// From here on folders are due in full by what was found in them alone.
    pub async fn relist_hours_apart(&mut self) {
        self.relist_after(HOURS).await;
    }

    /// So many objects in each folder of these days ago.
    pub fn fill(&self, days_ago: impl IntoIterator<Item = i64>, objects: u64) {
        days_ago.into_iter().for_each(|ago| self.s3.append(&day(ago).to_string(), objects));
    }

    /// LIST requests for the folder of so many days ago.
    pub fn lists(&self, ago: i64) -> u64 {
        self.s3.lists().get(&format!("{PATH}/{}/", day(ago))).copied().unwrap_or_default()
    }

    /// What the source shows of its last scan.
    pub async fn discovery(&self) -> Discovery {
        let request = GetSourceRequest { name: self.source.clone() };
        let source = self.registry.clone().get_source(request).await.unwrap().into_inner().source.unwrap();
        source.discovery.unwrap_or_default()
    }

    pub fn scanner(&self, config: scanner::Config) -> Scanner {
        Scanner::start(config, self.worker.clone(), self.queue.clone())
    }

    /// Makes the source due, and has a scanner scan it once.
    pub async fn scan(&self) -> Cost {
        let (requests, published) = (self.s3.list_requests(), self.published().await);
        let before = self.discovery().await.last_scan_time;
        self.make_due().await;
        let mut alone = config();
        // More would only wait for the ledger.
        alone.list_concurrency = 2;
        let scanner = self.scanner(alone);
        let scanned = async {
            while self.discovery().await.last_scan_time == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(4 * PATIENCE, scanned).await.unwrap();
        scanner.stop().await;
        let cost = Cost {
            requests: self.s3.list_requests() - requests,
            published: self.published().await - published,
        };
        let shown = self.discovery().await;
        assert_eq!((shown.list_requests, shown.error), (cost.requests, None));
        cost
    }

    pub async fn make_due(&self) {
        let name = self.source.clone();
        self.registry.clone().pause_source(PauseSourceRequest { name: name.clone() }).await.unwrap();
        self.registry.clone().resume_source(ResumeSourceRequest { name }).await.unwrap();
    }

    /// Has a scanner that lists one folder at a time die once this is so, without a word; waits until its lease has run out,
    /// and gives what its successor gets.
    pub async fn left_by_the_dead_scanner(&self, dies: impl Fn() -> bool) -> ScanLease {
        self.make_due().await;
        let mut slow = config();
        slow.lease_ttl = Duration::from_secs(3);
        slow.list_concurrency = 1;
        let scanner = self.scanner(slow);
        let died = async {
            while !dies() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, died).await.unwrap();
        scanner.task.abort();
        let taken = async {
            loop {
                let request = LeaseScanRequest { worker_id: "by-hand".into(), ttl_seconds: 3 };
                match self.worker.clone().lease_scan(request).await.unwrap().into_inner().lease {
                    Some(lease) => return lease,
                    None => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let lease = tokio::time::timeout(PATIENCE, taken).await.unwrap();
        let back = CompleteScanRequest {
            token: lease.token.clone(),
            sweep_cursor: lease.sweep_cursor.clone(),
            ..Default::default()
        };
        self.worker.clone().complete_scan(back).await.unwrap();
        lease
    }

    /// Messages on the topic.
    pub async fn published(&self) -> u64 {
        let queue = self.queue.clone();
        tokio::task::spawn_blocking(move || queue.count(topic::OBJECTS).unwrap()).await.unwrap()
    }
}

impl Drop for LargeWorld {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(
    folder: &TempDir,
    s3: &GeneratedS3,
    queue: &Arc<dyn Queue>,
    relist_interval: Duration,
    stop: &CancellationToken,
) -> (Registry, Worker) {
    let mut config = super::registry_config(([127, 0, 0, 1], 0).into(), folder.path().join("registry.db"));
    config.scan_interval = HOURS;
    config.sweep_interval = HOURS;
    config.relist_interval = relist_interval;
    config.max_unfinished_files = u32::MAX;
    config.requests_per_second = 0;
    config.allowed_endpoints = vec![s3.endpoint()];
    config.sealing_key = Some(Secret::new(SEALING_KEY));
    let address = super::serve(config, queue.clone(), stop.clone()).await;
    let registry = Registry::new(connect(&address, "admin").unwrap());
    (registry, Worker::new(connect(&address, "worker").unwrap()))
}

async fn live_source(mut registry: Registry, s3: &GeneratedS3) -> String {
    let request = CreateAccountRequest { account_id: "customer".into(), ..Default::default() };
    let account = registry.create_account(request).await.unwrap().into_inner().account.unwrap();
    let request = CreateSourceRequest {
        parent: account.name,
        source: Some(Source {
            display_name: "Events".into(),
            dataset: Dataset::Events as i32,
            bucket: BUCKET.into(),
            path: PATH.into(),
            endpoint_url: s3.endpoint(),
            ..Source::default()
        }),
        static_keys: Some(StaticKeys { access_key_id: "AKIA".into(), secret_access_key: "secret".into() }),
        ..Default::default()
    };
    let draft = registry.create_source(request).await.unwrap().into_inner().source.unwrap();
    let request = ActivateSourceRequest { name: draft.name };
    registry.activate_source(request).await.unwrap().into_inner().source.unwrap().name
}
