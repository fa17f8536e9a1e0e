//! What the ledger's calls take on PostgreSQL, beside an empty ledger: the same calls on both in turn, told as one JSON object
//! of milliseconds by call.
//!
//! One database has `CORTEX_BENCH_FILES` (200,000) files over `CORTEX_BENCH_SOURCES` (1,000) sources, the other the same sources
//! and no file; each call is made `CORTEX_BENCH_ROUNDS` (200) times, round by round on another source. The server is the one
//! that `CORTEX_TEST_POSTGRES` names, or a temporary one with PostgreSQL's own settings but `fsync = off`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use ledger::attempt::Asking;
use ledger::claim::{Decision, QueuePosition};
use records::queue::{Counters, FileProgress, Outcome, RefusedRow, SampleRow};
use records::topic;
use registry::store::{
    Account, AccountId, Applied, Claim, FileGeneration, Filter, InvalidRows, ListedObject, NewSource,
    OverwritePolicy, PageRequest, ProgressBatch, ScanCompletion, SchemaVersion, SourceSettings, SourceState,
    Store,
};
use serde_json::{Map, Value, json};

/// Sources whose files one INSERT writes.
const FILLED_AT_ONCE: u64 = 20;
/// New objects that a round lists, of one folder.
const NEW: usize = 250;
/// Claims of one call, of files of ten sources, as a parser's; and the most that one may make.
const CLAIMED: usize = 100;
const MOST_CLAIMED: usize = 1_000;
/// Batches that a call's claims are drawn from, each of another source.
const SOURCES_AT_ONCE: usize = 10;

/// Files of the sources from `{first}` to `{last}` in the order of their ids, `{files}` each over 1,000 dates: of a thousand one
/// waits, one is on the queue, one is being read; one of a hundred has refused rows.
const FILL: &str = r"
    WITH few AS (SELECT source_id FROM sources ORDER BY source_id OFFSET {first} LIMIT {count}), named AS (
        SELECT source_id, n, (DATE '2024-01-01' + CAST(n % 1000 AS INT))::text AS day FROM few, generate_series(1, {files}) AS n),
    keyed AS (SELECT *, 'exports/events/' || day || '/export-' || lpad(n::text, 8, '0') || '.csv.gz' AS key FROM named),
    identified AS (SELECT *, substring(sha256(convert_to(source_id, 'UTF8') || '\x00'::bytea
            || convert_to('exports/events/' || day, 'UTF8')) FOR 4)
        || substring(sha256(convert_to(source_id, 'UTF8') || '\x00'::bytea || convert_to(key, 'UTF8')) FOR 12) AS id FROM keyed),
    with_files AS (INSERT INTO files (source_id, file_id, object_key) SELECT source_id, id, key FROM identified),
    with_errors AS (INSERT INTO row_errors (source_id, file_id, generation, position, row_number, detail)
        SELECT source_id, id, 1, p * 100, p, '{}' FROM identified, generate_series(1, 5) AS p WHERE n % 100 = 3)
    INSERT INTO generations (source_id, file_id, generation, etag, size, last_modified, date, state, published_at, claim_topic,
        claim_partition, claim_offset, claimed_by, claimed_at, row_count, accepted, position, chunk, format, compression,
        discovered_at, updated_at, finished_at)
    SELECT source_id, id, 1, md5(key), 4096, 0, day, CASE n % 1000 WHEN 0 THEN 'discovered' WHEN 1 THEN 'published'
        WHEN 2 THEN 'claimed' ELSE 'accepted' END, n, CASE WHEN n % 1000 > 1 THEN 'cortex.objects.v1' END,
        CASE WHEN n % 1000 > 1 THEN n % 12 END, CASE WHEN n % 1000 > 1 THEN n END, 'parser-1', n, 100, 100, 4096,
        CASE WHEN n % 1000 > 2 THEN 1 ELSE 0 END, 'csv',
        'gzip', n, n, CASE WHEN n % 1000 > 2 THEN n END
    FROM identified;";

pub(crate) fn run() -> Result<()> {
    let (files, sources) = (setting("FILES", 200_000)?, setting("SOURCES", 1_000)?);
    let rounds = setting("ROUNDS", 200)?;
    ensure!(
        sources >= rounds,
        "a round needs a source of its own: CORTEX_BENCH_SOURCES is less than CORTEX_BENCH_ROUNDS"
    );
    // The server blocks until it runs, so it starts outside of the runtime.
    let server = services::shared::postgres()?;
    let urls = [server.database("ledger_empty")?, server.database("ledger_filled")?];
    let runtime = tokio::runtime::Runtime::new()?;
    let begun = Instant::now();
    for url in &urls {
        runtime.block_on(make_sources(url, sources))?;
    }
    for first in (0..sources).step_by(usize::try_from(FILLED_AT_ONCE)?) {
        let count = FILLED_AT_ONCE.min(sources - first);
        let fill = FILL.replace("{first}", &first.to_string()).replace("{count}", &count.to_string());
        server.run(&urls[1], &fill.replace("{files}", &(files / sources).to_string()))?;
    }
    server.run(&urls[1], "VACUUM ANALYZE")?;
    let filled = begun.elapsed().as_secs_f64();
    let calls = runtime.block_on(measure(&urls, rounds))?;
    println!(
        "{}",
        json!({ "files": files, "sources": sources, "rounds": rounds, "fill_seconds": rounded(filled), "calls": calls })
    );
    Ok(())
}

fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(format!("CORTEX_BENCH_{name}")) {
        Ok(value) => value.parse().with_context(|| format!("CORTEX_BENCH_{name} is {value:?}, not a number")),
        Err(_) => Ok(default),
    }
}

/// One account with so many active sources.
async fn make_sources(url: &str, sources: u64) -> Result<()> {
    let (store, now) = (Store::open(url).await?, Timestamp::now());
    let account = Account {
        id: "acme".into(),
        display_name: "Acme".to_owned(),
        external_id: "external".to_owned(),
        previous_external_id: None,
        previous_until: None,
        deletions_version: 0,
        created: now,
    };
    let account = store.create_account(&account, None).await?.id;
    for number in 0..sources {
        let new = source(&account, number);
        let draft = store.create_source(&new, now).await?;
        store.set_source_state(&account, &draft.id, draft.revision, SourceState::Active, now).await?;
    }
    store.close().await;
    Ok(())
}

fn source(account: &AccountId, number: u64) -> NewSource {
    NewSource {
        id: format!("source-{number:06}").as_str().into(),
        account: account.clone(),
        settings: SourceSettings {
            display_name: format!("Events {number}"),
            dataset: "events".to_owned(),
            bucket: "bucket".to_owned(),
            path: "exports/events".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/cortex".to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint_url: String::new(),
            expected_bucket_owner: "123456789012".to_owned(),
            time_zone: "UTC".to_owned(),
            schema: SchemaVersion { version: 1, json: r#"{"columns":[]}"#.to_owned() },
            invalid_rows: InvalidRows::RejectRow,
            overwrite_policy: OverwritePolicy::Replace,
            max_rejected: 0,
            event_queue_url: String::new(),
        },
        sealed_keys: None,
        request_id: None,
    }
}

async fn measure(urls: &[String; 2], rounds: u64) -> Result<Value> {
    let mut empty = Ledger::open(&urls[0]).await?;
    let mut filled = Ledger::open(&urls[1]).await?;
    for round in 0..rounds {
        // Who goes first changes, so that neither always finds the processor's caches as the other left them.
        if round % 2 == 0 {
            empty.round(round).await?;
            filled.round(round).await?;
        } else {
            filled.round(round).await?;
            empty.round(round).await?;
        }
    }
    let mut calls = Map::new();
    for (name, times) in empty.times {
        let beside = filled.times.remove(name).context("the same calls on both")?;
        calls.insert(name.to_owned(), json!({ "empty": told(times), "filled": told(beside) }));
    }
    Ok(Value::Object(calls))
}

fn told(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let of = |percent: usize| {
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).map_or(0.0, |time| rounded(time.as_secs_f64() * 1000.0))
    };
    json!({ "p50_ms": of(50), "p99_ms": of(99) })
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A ledger under measurement.
struct Ledger {
    store: Store,
    account: AccountId,
    /// What is on the queue and not claimed yet, a source each.
    published: Vec<Vec<Claim>>,
    offset: i64,
    progress: i64,
    times: BTreeMap<&'static str, Vec<Duration>>,
}

impl Ledger {
    async fn open(url: &str) -> Result<Self> {
        Ok(Self {
            store: Store::open(url).await?,
            account: "acme".into(),
            published: Vec::new(),
            offset: 0,
            progress: 0,
            times: BTreeMap::new(),
        })
    }

    async fn time<T>(
        &mut self,
        name: &'static str,
        call: impl AsyncFnOnce(&Store) -> registry::store::Result<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        let answer = call(&self.store).await.context(name)?;
        self.times.entry(name).or_default().push(begun.elapsed());
        Ok(answer)
    }

    /// A scan of one source with new objects, claims and progress of files of ten, and a look at a list.
    async fn round(&mut self, round: u64) -> Result<()> {
        let now = Timestamp::now();
        let ttl = Duration::from_secs(60);
        let lease = self.time("lease", async |store| store.lease_due_scan("scanner", ttl, now).await).await?;
        let lease = lease.context("a source is due")?;
        let (token, source) = (&lease.token, &lease.source.id);
        let objects: Vec<_> = (0..NEW).map(|number| object(round, number)).collect();
        let recorded =
            self.time("record_250_new", async |s| s.record_objects(token, &objects, now).await).await?;
        ensure!(recorded.opened as usize == NEW, "{recorded:?}");
        self.time("record_250_known", async |s| s.record_objects(token, &objects, now).await).await?;
        let due =
            self.time("list_unpublished_250", async |s| s.list_unpublished(token, 250, 1_000).await).await?;
        ensure!(due.files.len() == NEW, "{} are due", due.files.len());
        let names: Vec<_> = due
            .files
            .iter()
            .map(|file| FileGeneration { file_id: file.file_id, generation: file.generation })
            .collect();
        self.time("mark_published_250", async |s| s.mark_published(token, &names, now).await).await?;
        let offset = self.offset;
        let claims = (offset..).zip(&names).map(|(offset, name)| Claim {
            range: 0,
            source: source.clone(),
            file_id: name.file_id,
            generation: name.generation,
            at: QueuePosition { topic: topic::OBJECTS.to_owned(), partition: 0, offset },
            attempt: Asking { name: "one".to_owned(), chunk: 0, alone: false },
        });
        self.published.push(claims.collect());
        self.offset += i64::try_from(NEW)?;
        let done = ScanCompletion { next_scan_at: later(now), ..ScanCompletion::default() };
        self.time("complete_scan", async |s| s.complete_scan(token, &done, now).await).await?;
        self.read("claim_100", CLAIMED).await?;
        if round % 10 == 9 {
            self.read("claim_1000", MOST_CLAIMED).await?;
        }
        let page = PageRequest { size: 50, token: String::new() };
        let (filter, account) = (Filter::default(), self.account.clone());
        self.time("list_files_50", async |s| s.list_files(&account, source, &filter, &page).await).await?;
        Ok(())
    }

    /// Claims so many files, and applies what a parser says of the first hundred: each in one chunk, with a refused row.
    async fn read(&mut self, name: &'static str, count: usize) -> Result<()> {
        let claims = self.draw(count);
        let claimed =
            self.time(name, async |s| s.claim("parser", &claims, 5, Timestamp::now()).await).await?;
        ensure!(claimed.decisions.iter().all(|one| *one == Decision::Granted), "a claim was refused");
        let messages: Vec<_> =
            claims.iter().take(CLAIMED).map(|claim| progress(&self.account, claim)).collect();
        let batch = ProgressBatch {
            topic: topic::FILE_PROGRESS,
            partition: 0,
            next_offset_before: self.progress,
            next_offset_after: self.progress + 1,
            messages: &messages,
        };
        self.progress += 1;
        let apply = async |store: &Store| store.apply_progress(&batch, Timestamp::now()).await;
        let applied = self.time("progress_100", apply).await?;
        ensure!(matches!(applied, Applied::Applied { ignored: 0, .. }), "{applied:?}");
        Ok(())
    }

    /// So many claims of as many sources as there are, up to ten.
    fn draw(&mut self, count: usize) -> Vec<Claim> {
        let mut claims = Vec::with_capacity(count);
        while claims.len() < count && !self.published.is_empty() {
            let wanted = count - claims.len();
            let sources = self.published.len().min(SOURCES_AT_ONCE);
            for batch in &mut self.published[..sources] {
                claims.extend(batch.drain(..batch.len().min(wanted.div_ceil(sources))));
            }
            self.published.retain(|batch| !batch.is_empty());
        }
        claims
    }
}

fn object(round: u64, number: usize) -> ListedObject {
    // The day behind the last of those that the ledger is filled with.
    let date = date(2026, 9, 27);
    let object_key = format!("exports/events/{date}/new-{round:08}-{number:08}.csv.gz");
    ListedObject {
        etag: format!("{number:032x}"),
        object_key,
        size: 4096,
        last_modified: Timestamp::UNIX_EPOCH,
        date,
    }
}

fn progress(account: &AccountId, claim: &Claim) -> FileProgress {
    FileProgress {
        account_id: account.to_string(),
        source_id: claim.source.to_string(),
        file_id: claim.file_id.as_bytes().to_vec(),
        generation: claim.generation,
        chunk: 1,
        totals: Some(Counters { rows: 10, accepted: 9, rejected: 1, ..Counters::default() }),
        position: 4096,
        outcome: Outcome::AcceptedWithRejections.into(),
        format: "csv".to_owned(),
        compression: "gzip".to_owned(),
        samples: vec![SampleRow { message: "cortex.records.v1.Event".to_owned(), record: vec![7; 200] }],
        refusals: vec![RefusedRow { position: 99, ..RefusedRow::default() }],
        ..FileProgress::default()
    }
}

fn later(now: Timestamp) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(1)).unwrap_or(now)
}
