use anyhow::{Context as _, Result};
use ledger::claim::Decision;
use records::queue::{FileError, FileProgress, Outcome};
use registry::store::{Attention, AttentionKind, FileState, Problem, ProgressBatch, ScanCompletion, Store};

use crate::fixture::{MOST_ATTEMPTS, PROGRESS, at, chunk, claim, files, lease, listed, scanning};

const HOUR: i64 = 3600;

fn problem(code: &str) -> Problem {
    Problem {
        code: code.to_owned(),
        reason: "S3 refuses it".to_owned(),
        advice: "allow it".to_owned(),
        position: 0,
    }
}

fn ended(error: Option<&str>, now: i64) -> ScanCompletion {
    ScanCompletion { error: error.map(problem), next_scan_at: at(now + 60), ..ScanCompletion::default() }
}

async fn attention(store: &Store) -> Result<Option<Attention>> {
    let token = store.sources_in_order("", 10).await?;
    let acme = "acme".into();
    let all =
        store.list_sources(&acme, &registry::store::Filter::default(), &crate::fixture::page(10)).await?;
    let source = all.items.first().context("a source")?;
    assert_eq!(token.is_empty(), source.attention.is_some(), "those in need are not looked at for rhythm");
    Ok(source.attention.clone())
}

pub(crate) async fn a_source_that_cannot_be_listed_needs_attention_and_is_tried_less_often(
    store: &Store,
) -> Result<()> {
    let (_, mut token) = scanning(store).await?;
    let mut now = 10;
    let mut pauses = Vec::new();
    for failures in 0..7 {
        let next = store.complete_scan(&token, &ended(Some("access_denied"), now), at(now)).await?;
        let found = attention(store).await?.context("an attention")?;
        assert_eq!((found.kind, found.retries), (AttentionKind::List, failures));
        assert_eq!((found.problem.code.as_str(), found.since), ("access_denied", at(10).as_microsecond()));
        let pause = next.as_second() - at(now).as_second();
        pauses.push(pause);
        now += pause;
        token = lease(store, "scanner", at(now)).await?;
    }
    assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900]);
    let next = store.complete_scan(&token, &ended(None, now), at(now)).await?;
    assert_eq!(next, at(now + 60));
    assert_eq!(attention(store).await?, None, "it recovers by itself");
    Ok(())
}

pub(crate) async fn a_passing_failure_is_told_once_it_lasts(store: &Store) -> Result<()> {
    let (_, mut token) = scanning(store).await?;
    let mut now = 10;
    for failures in 1..=5 {
        let next = store.complete_scan(&token, &ended(Some("storage_unavailable"), now), at(now)).await?;
        assert_eq!(attention(store).await?.is_some(), failures == 5);
        now = next.as_second() - at(0).as_second();
        token = lease(store, "scanner", next).await?;
    }
    Ok(())
}

/// Ends generation `generation` of the object, with this error or well.
async fn end(
    store: &Store,
    offset: i64,
    message: FileProgress,
    generation: u32,
    error: Option<&str>,
    now: i64,
) -> Result<()> {
    let error = error.map(|code| FileError { code: code.to_owned(), ..FileError::default() });
    let message = FileProgress { generation, error, ..message };
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 0,
        next_offset_before: offset,
        next_offset_after: offset + 1,
        messages: &[message],
    };
    store.apply_progress(&batch, at(now)).await?;
    Ok(())
}

pub(crate) async fn files_that_could_not_be_read_are_opened_again_once_one_can(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let source = token.source.clone();
    let objects = ["a.csv", "b.csv", "c.csv"].map(|name| listed("2026-11-23", name, "e1"));
    store.record_objects(&token, &objects, at(1)).await?;
    let claims: Vec<_> =
        (0..).zip(&objects).map(|(offset, object)| claim(&source, object, 1, offset)).collect();
    store.claim("parser", &claims, MOST_ATTEMPTS, at(2)).await?;
    for (offset, object) in (0..).zip(&objects) {
        let (totals, outcome) =
            if offset == 0 { ((4, 0), Outcome::Incomplete) } else { ((0, 0), Outcome::Rejected) };
        let message = chunk(&acme, &source, object, 1, totals, outcome);
        end(store, offset, message, 1, Some("access_denied"), 10).await?;
    }
    let found = attention(store).await?.context("an attention")?;
    assert_eq!((found.kind, found.retries), (AttentionKind::Read, 0), "files of one moment are one try");
    let open =
        |files: &[registry::store::File]| files.iter().filter(|file| !file.state.is_finished()).count();

    // Scans go well meanwhile, and nothing is opened again before its time.
    let next = store.complete_scan(&token, &ended(None, 20), at(20)).await?;
    assert_eq!((next, open(&files(store, &acme, &source).await?)), (at(80), 0));
    // Then one file is tried; it fails again, and the next try is later.
    let token = lease(store, "scanner", at(80)).await?;
    let next = store.complete_scan(&token, &ended(None, 80), at(80)).await?;
    assert_eq!(next, at(81), "what was opened again is published at once");
    let all = files(store, &acme, &source).await?;
    let tried: Vec<_> = all.iter().filter(|file| !file.state.is_finished()).collect();
    assert_eq!((tried.len(), tried[0].generation, tried[0].replaces), (1, 2, 1));
    let tried =
        objects.iter().find(|object| object.object_key == tried[0].object_key).context("one of them")?;
    store.claim("parser", &[claim(&source, tried, 2, 7)], MOST_ATTEMPTS, at(82)).await?;
    let message = chunk(&acme, &source, tried, 1, (0, 0), Outcome::Rejected);
    end(store, 3, message, 2, Some("access_denied"), 83).await?;
    let found = attention(store).await?.context("an attention")?;
    assert_eq!((found.retries, found.retry_at), (1, Some(at(143).as_microsecond())));
    let token = lease(store, "scanner", at(90)).await?;
    store.complete_scan(&token, &ended(None, 90), at(90)).await?;
    assert_eq!(open(&files(store, &acme, &source).await?), 0);

    // The next try goes well: the attention is over, and all others are opened again.
    let token = lease(store, "scanner", at(150)).await?;
    store.complete_scan(&token, &ended(None, 150), at(150)).await?;
    let all = files(store, &acme, &source).await?;
    let tried = all.iter().find(|file| !file.state.is_finished()).context("one is tried")?;
    let object =
        objects.iter().find(|object| object.object_key == tried.object_key).context("one of them")?;
    let claimed =
        store.claim("parser", &[claim(&source, object, tried.generation, 8)], MOST_ATTEMPTS, at(151)).await?;
    assert_eq!((claimed.decisions, claimed.replaces), (vec![Decision::Granted], vec![tried.generation - 1]));
    let message = chunk(&acme, &source, object, 1, (9, 0), Outcome::Accepted);
    end(store, 4, message, tried.generation, None, 152).await?;
    assert_eq!(attention(store).await?, None);
    let token = lease(store, "scanner", at(160)).await?;
    store.complete_scan(&token, &ended(None, 160), at(160)).await?;
    let all = files(store, &acme, &source).await?;
    let accepted = all.iter().filter(|file| file.state == FileState::Accepted).count();
    assert_eq!((accepted, open(&all)), (1, 1), "the one that failed twice waits longer than the others");
    let token = lease(store, "scanner", at(210)).await?;
    store.complete_scan(&token, &ended(None, 210), at(210)).await?;
    assert_eq!(open(&files(store, &acme, &source).await?), 2, "nothing that was discovered is lost");
    Ok(())
}

pub(crate) async fn what_is_missing_is_noted_until_something_comes(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    assert!(store.miss_data(&token.source, problem("data_missing"), at(5)).await?);
    assert!(!store.miss_data(&token.source, problem("data_missing"), at(6)).await?, "it is noted");
    assert_eq!(attention(store).await?.context("an attention")?.kind, AttentionKind::Data);
    store.complete_scan(&token, &ended(None, 7), at(7)).await?;
    assert!(attention(store).await?.is_some(), "a scan that finds nothing changes nothing");
    // What matters more takes its place.
    let token = lease(store, "scanner", at(HOUR)).await?;
    store.complete_scan(&token, &ended(Some("role_not_assumable"), HOUR), at(HOUR)).await?;
    assert_eq!(attention(store).await?.context("an attention")?.kind, AttentionKind::List);
    let token = lease(store, "scanner", at(2 * HOUR)).await?;
    store.complete_scan(&token, &ended(None, 2 * HOUR), at(2 * HOUR)).await?;
    store.miss_data(&token.source, problem("data_missing"), at(2 * HOUR)).await?;
    let token = lease(store, "scanner", at(3 * HOUR)).await?;
    store.record_objects(&token, &[listed("2026-11-24", "a.csv", "e1")], at(3 * HOUR)).await?;
    assert_eq!(attention(store).await?, None);
    Ok(())
}
