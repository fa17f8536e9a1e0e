//! The plans of the store's calls, as PostgreSQL tells them by `auto_explain` over a ledger of 100,000 files: no table is read
//! from one end to the other, no call looks into the partitions of other sources, and what is read is what is asked for.
//!
//! `CORTEX_TEST_POSTGRES` names a server whose user is a superuser; without it a temporary one is started.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp, civil::date};
use ledger::FileId;
use records::queue::{FileError, FileProgress, Outcome, RefusedRow};
use registry::store::{
    AccountId, Claim, FileGeneration, Filter, ListedObject, PageRequest, ProgressBatch, ScanCompletion,
    ScanLease, SourceId, SourceState, Store,
};
use sqlx::{Connection as _, Executor as _, PgConnection};

#[path = "../store_conformance/fixture.rs"]
#[allow(dead_code, reason = "the conformance suite uses what this test does not")]
mod fixture;
mod plan;

use fixture::{MOST_ATTEMPTS, TTL, at, attempt};
use plan::{Within, watch};

const SOURCES: usize = 40;
const FILES_OF_A_SOURCE: i64 = 2_500;
/// Sources that one batch names.
const AT_ONCE: usize = 8;

/// Of each source 2,500 files over 250 dates, ten a date: of each fifty one waits, one is on the queue, one is being read; of a
/// hundred one ended unread and is to be opened again.
const FILL: &str = r#"
    CREATE FUNCTION key_of(n BIGINT) RETURNS TEXT LANGUAGE SQL IMMUTABLE AS $$
        SELECT 'exports/events/' || (DATE '2025-01-01' + CAST(n / 10 AS INT)) || '/' || n || '.csv' $$;
    CREATE FUNCTION id_of(source TEXT, n BIGINT) RETURNS BYTEA LANGUAGE SQL IMMUTABLE AS $$
        SELECT substring(sha256(convert_to(source, 'UTF8') || '\x00'::bytea
                || convert_to(regexp_replace(key_of(n), '/[^/]*$', ''), 'UTF8')) for 4)
            || substring(sha256(convert_to(source, 'UTF8') || '\x00'::bytea || convert_to(key_of(n), 'UTF8')) for 12) $$;
    INSERT INTO files (source_id, file_id, object_key)
        SELECT source_id, id_of(source_id, n), key_of(n) FROM sources, generate_series(0, 2499) AS n;
    INSERT INTO generations (source_id, file_id, generation, etag, size, last_modified, date, state, reopen, discovered_at,
            updated_at, finished_at)
        SELECT source_id, id_of(source_id, n), 1, 'e1', 1000, 0, (DATE '2025-01-01' + CAST(n / 10 AS INT))::text,
            CASE n % 50 WHEN 0 THEN 'discovered' WHEN 1 THEN 'published' WHEN 2 THEN 'claimed' ELSE 'accepted' END,
            CASE n % 100 WHEN 7 THEN 1 ELSE 0 END, n, n, CASE WHEN n % 50 > 2 THEN n END
        FROM sources, generate_series(0, 2499) AS n;
    INSERT INTO row_errors (source_id, file_id, generation, position, row_number, detail)
        SELECT source_id, id_of(source_id, n), 1, p, p, '{"code":"c","column":"","reason":"","advice":"","raw":""}'
        FROM sources, generate_series(0, 2499, 10) AS n, generate_series(1, 5) AS p;
"#;

/// A filled database.
struct World {
    url: String,
    database: PgConnection,
    account: AccountId,
    sources: Vec<SourceId>,
}

impl World {
    async fn new() -> Result<Self> {
        let name = format!("cortex_plans_{}", uuid::Uuid::new_v4().simple());
        let url = services::shared::postgres()?.database(&name)?;
        let store = Store::open(&url).await?;
        let account = fixture::account(&store, "acme").await?;
        let mut sources = Vec::new();
        for _ in 0..SOURCES {
            sources.push(fixture::active(&store, &account).await?.id);
        }
        store.close().await;
        let mut database = PgConnection::connect(&url).await?;
        for setting in [
            "session_preload_libraries = 'auto_explain'",
            "auto_explain.log_min_duration = 0",
            "auto_explain.log_analyze = on",
            "auto_explain.log_buffers = on",
            "auto_explain.log_timing = off",
            "auto_explain.log_format = 'json'",
            "auto_explain.log_level = 'notice'",
        ] {
            database.execute(sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET {setting}"))).await?;
        }
        Ok(Self { url, database, account, sources })
    }

    async fn fill(&mut self) -> Result<()> {
        Ok(self.database.execute(FILL).await.map(drop)?)
    }

    /// A store whose connections plan once for all values, or anew for each.
    async fn open(&mut self, plan_cache_mode: &str) -> Result<Store> {
        let (_, name) = self.url.rsplit_once('/').context("the URL ends with the database")?;
        let setting = format!("ALTER DATABASE {name} SET plan_cache_mode = '{plan_cache_mode}'");
        self.database.execute(sqlx::AssertSqlSafe(setting)).await?;
        Ok(Store::open(&self.url).await?)
    }
}

fn object(n: i64, etag: &str) -> ListedObject {
    let date = date(2025, 1, 1).saturating_add(jiff::Span::new().days(n / 10));
    ListedObject {
        object_key: format!("exports/events/{date}/{n}.csv"),
        etag: etag.to_owned(),
        size: 1000,
        last_modified: at(0),
        date,
    }
}

fn claims(sources: &[SourceId], files: impl Iterator<Item = i64> + Clone) -> Vec<Claim> {
    let claim = |source: &SourceId, n: i64| Claim {
        source: source.clone(),
        file_id: FileId::of(source.as_str(), &object(n, "e1").object_key),
        generation: 1,
        range: 0,
        at: ledger::claim::QueuePosition { topic: fixture::OBJECTS.to_owned(), partition: 0, offset: n },
        attempt: attempt("one", 0, false),
    };
    sources.iter().flat_map(|source| files.clone().map(move |n| claim(source, n))).collect()
}

/// The last chunk of each, with a refused row; of two of them it says that they could not be read as they are.
fn progress(account: &AccountId, claims: &[Claim]) -> Vec<FileProgress> {
    let codes = [Some(ledger::outcome::OBJECT_ALTERED), Some("access_denied")]
        .into_iter()
        .chain(std::iter::repeat(None));
    let message = |(claim, code): (&Claim, Option<&str>)| FileProgress {
        error: code.map(|code| FileError { code: code.to_owned(), ..FileError::default() }),
        refusals: vec![RefusedRow { position: 1, ..RefusedRow::default() }],
        ..fixture::chunk(account, &claim.source, &object(claim.at.offset, "e1"), 1, (5, 1), Outcome::Rejected)
    };
    claims.iter().zip(codes).map(message).collect()
}

/// Every call that touches the ledger, on sources of its own.
async fn calls(store: &Store, account: &AccountId, sources: &[SourceId], mode: &str) -> Result<Vec<String>> {
    let one = |rows| Within { sources: 1, rows };
    let mut faults = Vec::new();
    let lease = scan(store).await?;
    let (token, source) = (&lease.token, &lease.token.source);

    // Half of them are known.
    let listed: Vec<_> =
        (FILES_OF_A_SOURCE - 100..FILES_OF_A_SOURCE + 100).map(|n| object(n, "e1")).collect();
    let recorded =
        watch("record_objects", one(400), &mut faults, store, store.record_objects(token, &listed, at(1)))
            .await?;
    ensure!((recorded.opened, recorded.known) == (100, 100), "{recorded:?}");
    let event = store.record_events(source, &listed[..10], None, at(1));
    watch("record_events", one(20), &mut faults, store, event).await?;
    let due =
        watch("list_unpublished", one(400), &mut faults, store, store.list_unpublished(token, 100, 200))
            .await?;
    ensure!(due.files.len() == 100, "{} are due", due.files.len());
    let name =
        |file: &registry::store::UnpublishedFile| FileGeneration { file_id: file.file_id, generation: 1 };
    let names: Vec<_> = due.files.iter().map(name).collect();
    watch("mark_published", one(400), &mut faults, store, store.mark_published(token, &names, at(2))).await?;

    let several = &sources[..AT_ONCE];
    let of_several = |rows| Within { sources: AT_ONCE, rows };
    let claims = claims(several, (0..10).map(|n| n * 50 + 1));
    let claim = store.claim("parser", &claims, MOST_ATTEMPTS, at(3));
    let claimed = watch("claim", of_several(300), &mut faults, store, claim).await?;
    ensure!(claimed.decisions.iter().all(|one| *one == ledger::claim::Decision::Granted), "{claimed:?}");
    watch("release_claims", of_several(300), &mut faults, store, store.release_claims(&claims)).await?;
    let messages = progress(account, &claims);
    let batch = ProgressBatch {
        topic: mode,
        partition: 0,
        next_offset_before: 0,
        next_offset_after: 1,
        messages: &messages,
    };
    watch("apply_progress", of_several(300), &mut faults, store, store.apply_progress(&batch, at(4))).await?;

    let completed = ScanCompletion { next_scan_at: Timestamp::MAX, ..ScanCompletion::default() };
    watch("complete_scan", one(60), &mut faults, store, store.complete_scan(token, &completed, at(5)))
        .await?;

    let (filter, page) = (Filter::default(), PageRequest { size: 50, token: String::new() });
    let files = store.list_files(account, source, &filter, &page);
    let files = watch("list_files", one(110), &mut faults, store, files).await?;
    let page = PageRequest { size: 50, token: files.next_token };
    let next = store.list_files(account, source, &filter, &page);
    watch("list_files: the next page", one(110), &mut faults, store, next).await?;
    let (first, last) = (object(10, "e1").object_key, object(13, "e1").object_key);
    let errors = store.file_errors(account, source, &first, 0, 10);
    ensure!(watch("file_errors", one(20), &mut faults, store, errors).await?.1.len() == 5, "row errors");
    let again = store.reprocess(account, source, &last, Duration::from_secs(1), at(6));
    watch("reprocess", one(10), &mut faults, store, again).await?;
    let (dates, every) = ((date(2025, 3, 1), date(2025, 3, 2)), BTreeSet::new());
    let again = store.reprocess_dates(account, source, dates, &every, at(7));
    watch("reprocess_dates", one(100), &mut faults, store, again).await?;
    let backlog = store.backlog(account, source, SignedDuration::from_secs(60), at(8));
    watch("backlog", one(400), &mut faults, store, backlog).await?;
    // Those of all sources, by their partial index.
    let all = Within { sources: SOURCES, rows: 40 * 100 + 500 };
    watch("unfinished", all, &mut faults, store, store.unfinished(at(9))).await?;
    let forgotten = store.forget_files(source, at(0), 100);
    // Each file is looked at for another generation that keeps it.
    ensure!(watch("forget_files", one(350), &mut faults, store, forgotten).await? == 100, "old files");

    let doomed = store.get_source(account, source).await?;
    store.set_source_state(account, source, doomed.revision, SourceState::Deleted, at(10)).await?;
    watch("purge_source", one(2_200), &mut faults, store, store.purge_source(source, at(11))).await?;
    Ok(faults)
}

async fn scan(store: &Store) -> Result<ScanLease> {
    store.lease_due_scan("scanner", TTL, at(0)).await?.context("a source is due")
}

/// Files of a source of an empty ledger, so that connections keep the plans that were made there.
async fn plan_while_empty(store: &Store, account: &AccountId) -> Result<()> {
    let lease = scan(store).await?;
    let (token, source) = (&lease.token, &lease.token.source);
    let listed: Vec<_> = (0..20).map(|n| object(n, "e1")).collect();
    for _ in 0..2 {
        store.record_objects(token, &listed, at(1)).await?;
        store.list_unpublished(token, 100, 200).await?;
        let claims = claims(std::slice::from_ref(source), 0..20);
        let name = |claim: &Claim| FileGeneration { file_id: claim.file_id, generation: 1 };
        store.mark_published(token, &claims.iter().map(name).collect::<Vec<_>>(), at(2)).await?;
        store.claim("parser", &claims, MOST_ATTEMPTS, at(3)).await?;
        store.release_claims(&claims).await?;
        let messages = progress(account, &claims);
        let batch = ProgressBatch {
            topic: "another",
            partition: 0,
            next_offset_before: 0,
            next_offset_after: 1,
            messages: &messages,
        };
        store.apply_progress(&batch, at(4)).await?;
        store.forget_files(source, at(0), 100).await?;
        let page = PageRequest { size: 50, token: String::new() };
        store.list_files(account, source, &Filter::default(), &page).await?;
    }
    let completed = ScanCompletion { next_scan_at: Timestamp::MAX, ..ScanCompletion::default() };
    store.complete_scan(token, &completed, at(5)).await?;
    let gone = store.get_source(account, source).await?;
    store.set_source_state(account, source, gone.revision, SourceState::Deleted, at(6)).await?;
    store.purge_source(source, at(7)).await?;
    Ok(())
}

/// All that the process is told is listened to, so the cases come one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_look_up_what_they_name_and_a_missing_index_is_seen() -> Result<()> {
    plan::listen()?;
    plans_made_while_the_ledger_was_empty().await?;
    look_ups_cannot_read_the_index_for_listing().await?;
    plans_of_a_filled_ledger_and_missing_indexes().await
}

/// As in a new installation's first minute, until PostgreSQL has looked at the tables.
async fn plans_made_while_the_ledger_was_empty() -> Result<()> {
    let mut world = World::new().await?;
    let store = world.open("force_generic_plan").await?;
    plan_while_empty(&store, &world.account).await?;
    world.fill().await?;
    let faults = calls(&store, &world.account, &world.sources[SOURCES - AT_ONCE..], "empty").await?;
    assert_eq!(faults, Vec::<String>::new());
    store.close().await;
    Ok(())
}

/// It has the columns of a look-up, and seems as cheap as the keys while a partition is small; but it is read from a source's first
/// entry to its last. That it is not taken while there are the keys to take may be luck, so they are taken away.
async fn look_ups_cannot_read_the_index_for_listing() -> Result<()> {
    let mut world = World::new().await?;
    world
        .database
        .execute(
            "ALTER TABLE generations DROP CONSTRAINT generations_by_number, DROP CONSTRAINT generations_by_etag;
             SET plan_cache_mode = 'force_generic_plan';
             SET enable_seqscan = off;
             SET enable_bitmapscan = off;
             PREPARE look_up (TEXT, BYTEA, BIGINT) AS SELECT state FROM generations
                 WHERE source_id = $1 AND file_id = $2 AND generation = $3;
             PREPARE listing (TEXT, TEXT) AS SELECT state FROM generations
                 WHERE source_id = $1 AND date = $2 AND generation > 0 ORDER BY discovered_at DESC;",
        )
        .await?;
    for (statement, is_read) in [("look_up ('s', '\\x00', 1)", false), ("listing ('s', '2025-01-01')", true)]
    {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN EXECUTE {statement}"));
        let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut world.database).await?;
        let plan = plan.join("\n");
        assert_eq!(plan.contains("Index Cond: ((source_id = $1)"), is_read, "{statement}: {plan}");
    }
    Ok(())
}

/// Every file is claimed: its row is written again on its own page, and none of the indexes.
async fn claims_leave_the_indexes_alone(world: &mut World, sources: &[SourceId]) -> Result<()> {
    let before = rows_written_in_place(&mut world.database).await?;
    let store = world.open("auto").await?;
    let claims = claims(sources, (0..10).map(|n| n * 50 + 1));
    store.claim("parser", &claims, MOST_ATTEMPTS, at(3)).await?;
    // Connections tell what they did when they end, if not before.
    store.close().await;
    let told = async {
        while rows_written_in_place(&mut world.database).await? - before < i64::try_from(claims.len())? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.context("claims write to indexes")?
}

async fn rows_written_in_place(database: &mut PgConnection) -> Result<i64> {
    let written = "SELECT CAST(SUM(n_tup_hot_upd) AS BIGINT) FROM pg_stat_user_tables WHERE relname LIKE 'generations%'";
    Ok(sqlx::query_scalar(written).fetch_one(database).await?)
}

async fn plans_of_a_filled_ledger_and_missing_indexes() -> Result<()> {
    let mut world = World::new().await?;
    world.fill().await?;
    world.database.execute("ANALYZE").await?;
    let mut sources = world.sources.chunks(AT_ONCE).map(<[SourceId]>::to_vec).collect::<Vec<_>>();
    claims_leave_the_indexes_alone(&mut world, &sources.pop().context("sources")?).await?;
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let store = world.open(mode).await?;
        let faults = calls(&store, &world.account, &sources.pop().context("sources")?, mode).await?;
        assert_eq!(faults, Vec::<String>::new(), "{mode}");
        store.close().await;
    }

    let store = world.open("auto").await?;
    let lease = scan(&store).await?;
    let (token, source) = (&lease.token, &lease.token.source);
    let mut kept = Vec::new();
    for (index, rows) in [
        ("generations_finished", 350),
        ("generations_by_date", 110),
        ("generations_unfinished", 400),
        ("generations_unpublished", 400),
        ("generations_to_reopen", 60),
    ] {
        world.database.execute(sqlx::AssertSqlSafe(format!("DROP INDEX {index}"))).await?;
        let within = Within { sources: 1, rows };
        let mut faults = Vec::new();
        match index {
            "generations_finished" => {
                watch(index, within, &mut faults, &store, store.forget_files(source, at(0), 100))
                    .await
                    .map(drop)?;
            }
            "generations_by_date" => {
                let page = PageRequest { size: 50, token: String::new() };
                let filter = Filter::default();
                let files = store.list_files(&world.account, source, &filter, &page);
                watch(index, within, &mut faults, &store, files).await.map(drop)?;
            }
            "generations_to_reopen" => {
                let completed = ScanCompletion { next_scan_at: at(900), ..ScanCompletion::default() };
                watch(index, within, &mut faults, &store, store.complete_scan(token, &completed, at(5)))
                    .await
                    .map(drop)?;
            }
            _ => watch(index, within, &mut faults, &store, store.list_unpublished(token, 100, 200))
                .await
                .map(drop)?,
        }
        if faults.is_empty() {
            kept.push(index);
        }
    }
    assert_eq!(kept, Vec::<&str>::new(), "nobody misses them");
    store.close().await;
    Ok(())
}
