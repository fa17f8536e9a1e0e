use std::path::Path;

use anyhow::{Context as _, Result};
use ledger::FileId;
use ledger::claim::Decision;
use records::queue::{FileError, FileProgress, Outcome, RefusedRow};
use registry::store::{
    AccountId, FileState, LeaseToken, ListedObject, ProgressBatch, Recorded, ScanCompletion, SourceId, Store,
    StoreError,
};
use sqlx::{AnyConnection, Connection as _};

use crate::fixture::{MOST_ATTEMPTS, PROGRESS, at, chunk, claim, days, files, lease, listed, scanning};

const DAY: i64 = 24 * 3600;
/// The day on which the tests' time begins is 2026-11-18.
const OLD: &str = "2025-01-10";
const OLDER: &str = "2025-01-03";

/// What [`store`] recorded, with nothing left alone.
const fn recorded(opened: u32, known: u32, left_alone: u32) -> Recorded {
    Recorded { opened, known, left_alone }
}

/// Reads a generation to its end, at a queue position and progress offset of its own.
async fn read(
    store: &Store,
    (account, source): (&AccountId, &SourceId),
    (object, generation): (&ListedObject, u32),
    offset: i64,
    message: impl FnOnce(FileProgress) -> FileProgress,
    second: i64,
) -> Result<()> {
    let claims = [claim(source, object, generation, offset)];
    let claimed = store.claim("parser", &claims, MOST_ATTEMPTS, at(second)).await?;
    assert_eq!(claimed.decisions, [Decision::Granted]);
    let message = message(FileProgress {
        generation,
        committed_at: Some(prost_types::Timestamp { seconds: at(second).as_second(), nanos: 0 }),
        ..chunk(account, source, object, 1, (5, 1), Outcome::AcceptedWithRejections)
    });
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 0,
        next_offset_before: offset,
        next_offset_after: offset + 1,
        messages: &[message],
    };
    store.apply_progress(&batch, at(second)).await?;
    Ok(())
}

async fn names(store: &Store, account: &AccountId, source: &SourceId) -> Result<Vec<(String, u32)>> {
    let mut names: Vec<_> = files(store, account, source)
        .await?
        .into_iter()
        .map(|file| (file.object_key.rsplit('/').next().unwrap_or_default().to_owned(), file.generation))
        .collect();
    names.sort();
    Ok(names)
}

/// A file that came to rest at second 10, in the folder [`OLD`].
async fn one_at_rest(store: &Store) -> Result<(AccountId, LeaseToken, ListedObject)> {
    let (acme, token) = scanning(store).await?;
    let object = listed(OLD, "a.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&object), at(1)).await?;
    let refused = RefusedRow { position: 3, ..RefusedRow::default() };
    let with_errors = |message| FileProgress { refusals: vec![refused], ..message };
    read(store, (&acme, &token.source), (&object, 1), 0, with_errors, 10).await?;
    Ok((acme, token, object))
}

pub(crate) async fn a_file_that_came_to_rest_long_ago_is_forgotten_and_its_folder_opens_nothing_more(
    store: &Store,
) -> Result<()> {
    let (acme, token, object) = one_at_rest(store).await?;
    let source = &token.source;
    let known = std::slice::from_ref(&object);
    assert_eq!(store.forget_files(source, at(10), 100).await?, 0, "it rests since then");
    assert_eq!(store.record_objects(&token, known, at(11)).await?, recorded(0, 1, 0));

    assert_eq!(store.forget_files(source, at(11), 100).await?, 1);
    assert_eq!(store.forget_files(source, at(11), 100).await?, 0);
    assert!(files(store, &acme, source).await?.is_empty());
    let gone = store.file_errors(&acme, source, &object.object_key, 0, 10).await.map(drop);
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    assert_eq!(days(store, &acme, source).await?[0].rows, 6, "what was counted stays");

    // Neither it, nor what has come beside it or before it, is taken for new; what comes behind it is.
    let beside = listed(OLD, "b.csv", "e1");
    let before = listed(OLDER, "c.csv", "e1");
    let behind = listed("2025-01-11", "d.csv", "e1");
    let listed = [object.clone(), beside, before, behind];
    assert_eq!(store.record_objects(&token, &listed, at(12)).await?, recorded(1, 0, 3));
    assert_eq!(names(store, &acme, source).await?, [("d.csv".to_owned(), 1)]);
    let late = store.claim("parser", &[claim(source, &object, 1, 9)], MOST_ATTEMPTS, at(13)).await?;
    assert_eq!(late.decisions, [Decision::Unknown], "its key on the queue again is skipped");

    store
        .complete_scan(&token, &ScanCompletion { next_scan_at: at(20), ..ScanCompletion::default() }, at(14))
        .await?;
    let leased =
        store.lease_due_scan("scanner-2", crate::fixture::TTL, at(20)).await?.context("it is due")?;
    assert_eq!(leased.forgotten_until, Some(object.date));
    Ok(())
}

pub(crate) async fn what_is_unfinished_recent_or_to_be_opened_again_is_not_forgotten(
    store: &Store,
) -> Result<()> {
    let (acme, token, first) = one_at_rest(store).await?;
    let source = &token.source;
    let whose = (&acme, source);
    let again = ListedObject { etag: "e2".to_owned(), ..first.clone() };
    let waiting = listed(OLDER, "waiting.csv", "e1");
    let queued = listed(OLDER, "queued.csv", "e1");
    let reading = listed(OLDER, "reading.csv", "e1");
    let denied = listed(OLDER, "denied.csv", "e1");
    let recent = listed("2026-11-18", "recent.csv", "e1");
    let all = [again.clone(), waiting, queued.clone(), reading.clone(), denied.clone(), recent.clone()];
    assert_eq!(store.record_objects(&token, &all, at(20)).await?.opened, 6);
    let name = |object| registry::store::FileGeneration {
        file_id: crate::fixture::file_id(source, object),
        generation: 1,
    };
    store.mark_published(&token, &[name(&queued)], at(21)).await?;
    store.claim("parser", &[claim(source, &reading, 1, 70)], MOST_ATTEMPTS, at(22)).await?;
    let no_access = |message| FileProgress {
        error: Some(FileError { code: "access_denied".to_owned(), ..FileError::default() }),
        ..message
    };
    read(store, whose, (&denied, 1), 1, no_access, 23).await?;
    read(store, whose, (&recent, 1), 2, |message| message, 24).await?;
    let everything = names(store, &acme, source).await?;
    assert_eq!(everything.len(), 7);

    // The tests' first day: all dates but the recent file's are before it, and all that ended did so before.
    assert_eq!(
        store.forget_files(source, at(100), 100).await?,
        0,
        "its second generation is still to be read"
    );
    read(store, whose, (&again, 2), 3, |message| message, 30).await?;
    assert_eq!(store.forget_files(source, at(30), 100).await?, 0, "its second generation rests since then");
    assert_eq!(store.forget_files(source, at(100), 100).await?, 1);
    let left: Vec<_> = everything.into_iter().filter(|(name, _)| name != "a.csv").collect();
    assert_eq!(names(store, &acme, source).await?, left, "a file goes with all of its generations");

    // What stays in a folder that lost others goes on, and what is overwritten there is read.
    let changed = ListedObject { etag: "e2".to_owned(), ..queued.clone() };
    assert_eq!(store.record_objects(&token, &[changed, first], at(40)).await?, recorded(1, 0, 1));
    let claimed = store.claim("parser", &[claim(source, &queued, 1, 80)], MOST_ATTEMPTS, at(41)).await?;
    assert_eq!(claimed.decisions, [Decision::Granted]);
    Ok(())
}

pub(crate) async fn files_are_forgotten_in_bounded_batches_the_oldest_first(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let source = &token.source;
    // The newer folder came to rest first.
    let objects: Vec<_> = (0..5)
        .map(|number| listed(if number < 3 { OLD } else { OLDER }, &format!("{number}.csv"), "e1"))
        .collect();
    store.record_objects(&token, &objects, at(1)).await?;
    for (offset, object) in (0..).zip(&objects) {
        read(store, (&acme, source), (object, 1), offset, |message| message, 10 + offset).await?;
    }
    assert_eq!(store.forget_files(source, at(DAY), 2).await?, 2);
    let left = ["2.csv", "3.csv", "4.csv"].map(|name| (name.to_owned(), 1));
    assert_eq!(names(store, &acme, source).await?, left);
    assert_eq!(store.forget_files(source, at(DAY), 2).await?, 2);
    assert_eq!(store.forget_files(source, at(DAY), 2).await?, 1);
    assert_eq!(
        store.record_objects(&token, &objects, at(DAY)).await?,
        recorded(0, 0, 5),
        "up to the newest folder"
    );
    assert_eq!(store.sources_behind("", 5).await?, std::slice::from_ref(source));
    assert!(store.sources_behind(source.as_str(), 5).await?.is_empty());
    assert_eq!(store.forget_files(&"unknown".into(), at(DAY), 2).await?, 0);
    Ok(())
}

pub(crate) async fn an_event_opens_nothing_in_a_forgotten_folder(store: &Store) -> Result<()> {
    let (_, token, object) = one_at_rest(store).await?;
    let new = listed("2025-01-11", "d.csv", "e1");
    store.forget_files(&token.source, at(DAY), 100).await?;
    assert_eq!(store.record_events(&token.source, &[object, new], None, at(DAY)).await?, 1);
    Ok(())
}

/// Two generations of a file and a refused row, written as the version before wrote them, are there after the migration.
pub(crate) async fn keeps_what_it_held(url: &str, migrations: &str) -> Result<()> {
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(url).await?;
    let migrations = sqlx::migrate::Migrator::new(Path::new(migrations)).await?;
    migrations.run_to(crate::BEFORE_PARTITIONS, &mut database).await?;
    let file_id = FileId::of("s", "2026-11-23/a.csv");
    for statement in [
        "INSERT INTO accounts (account_id, display_name, external_id, created_at) VALUES ('acme', 'Acme', 'x', 0)",
        "INSERT INTO sources (source_id, account_id, display_name, dataset, state, bucket, path, role_arn, region, \
         endpoint_url, expected_bucket_owner, time_zone, schema_version, schema_json, revision, created_at, updated_at) \
         VALUES ('s', 'acme', 'S', 'events', 'active', 'b', '', '', '', '', '', '', 1, '{}', 1, 0, 0)",
        "INSERT INTO scans (source_id, next_scan_at) VALUES ('s', 0)",
    ] {
        sqlx::query(statement).execute(&mut database).await?;
    }
    for statement in [
        "INSERT INTO files (file_id, source_id, object_key) VALUES ($1, 's', '2026-11-23/a.csv')",
        "INSERT INTO generations (file_id, generation, source_id, etag, size, last_modified, date, state, claim_topic, \
         claim_partition, claim_offset, claimed_by, claimed_at, row_count, accepted, rejected, rejections, position, chunk, \
         format, compression, discovered_at, updated_at, finished_at) VALUES ($1, 1, 's', 'e1', 7, 1, '2026-11-23', \
         'accepted', 't', 2, 3, 'parser', 4, 9, 8, 1, '{\"invalid_type\":1}', 99, 6, 'csv', 'gzip', 5, 6, 7)",
        "INSERT INTO generations (file_id, generation, source_id, etag, requested, size, last_modified, date, replaces, \
         discovered_at, updated_at) VALUES ($1, 2, 's', 'e1', 1, 7, 1, '2026-11-23', 1, 8, 8)",
        "INSERT INTO row_errors (file_id, generation, position, row_number, detail) VALUES ($1, 1, 40, 4, \
         '{\"code\":\"c\",\"column\":\"\",\"reason\":\"\",\"advice\":\"\",\"raw\":\"\"}')",
    ] {
        sqlx::query(statement).bind(file_id.as_bytes().to_vec()).execute(&mut database).await?;
    }
    database.close().await?;

    let store = Store::open(url).await?;
    let (acme, source) = ("acme".into(), SourceId::from("s"));
    assert_eq!(names(&store, &acme, &source).await?, [("a.csv".to_owned(), 1), ("a.csv".to_owned(), 2)]);
    let (file, errors) = store.file_errors(&acme, &source, "2026-11-23/a.csv", 1, 10).await?;
    assert_eq!((file.file_id, file.state, file.attempts), (file_id, FileState::Accepted, 0));
    assert_eq!((file.rows, file.accepted, file.rejected, file.position, file.chunk), (9, 8, 1, 99, 6));
    assert_eq!(
        (file.rejections["invalid_type"], file.finished_at.map(|at| at.as_microsecond())),
        (1, Some(7))
    );
    assert_eq!(errors.iter().map(|row| (row.position, row.row_number)).collect::<Vec<_>>(), [(40, Some(4))]);
    let token = lease(&store, "scanner", at(0)).await?;
    let unpublished = store.list_unpublished(&token, 10, 10).await?.files;
    assert_eq!(unpublished.iter().map(|file| file.generation).collect::<Vec<_>>(), [2]);
    store.close().await;
    Ok(())
}
