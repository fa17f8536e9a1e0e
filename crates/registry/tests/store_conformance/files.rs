use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use jiff::civil::date;
use ledger::claim::Decision;
use ledger::outcome::OBJECT_ALTERED;
use records::queue::{FileError, FileProgress, Outcome, RefusedRow};
use registry::store::{FileState, Filter, ProgressBatch, Reprocessed, Store, StoreError, Unfinished};

use crate::fixture::{
    MOST_ATTEMPTS, PROGRESS, account, active, at, chunk, claim, files, lease, listed, page, reading, scanning,
};

const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Applies one message at an offset.
async fn apply(store: &Store, offset: i64, message: FileProgress) -> Result<()> {
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 0,
        next_offset_before: offset,
        next_offset_after: offset + 1,
        messages: &[message],
    };
    store.apply_progress(&batch, at(1000)).await?;
    Ok(())
}

pub(crate) async fn paging_walks_all_files_newest_date_first(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let other = active(store, &acme).await?;
    let others = lease(store, "scanner-2", at(0)).await?;
    assert_eq!(others.source, other.id);
    store.record_objects(&others, &[listed("2026-11-22", "z.csv", "e1")], at(1)).await?;
    for (second, date) in [(1, "2026-11-22"), (2, "2026-11-23"), (3, "2026-11-23"), (4, "2025-01-01")] {
        let objects: Vec<_> =
            (0..5).map(|number| listed(date, &format!("{second}-{number}.csv"), "e1")).collect();
        store.record_objects(&token, &objects, at(second)).await?;
    }
    for size in [1, 3, 7, 20, 21] {
        let mut walked = Vec::new();
        let mut request = page(size);
        loop {
            let page = store.list_files(&acme, &token.source, &Filter::default(), &request).await?;
            assert!(page.items.len() <= usize::try_from(size)?);
            walked.extend(page.items);
            if page.next_token.is_empty() {
                break;
            }
            request.token = page.next_token;
        }
        let order: Vec<_> = walked.iter().map(|file| (file.date.to_string(), file.discovered_at)).collect();
        let mut sorted = order.clone();
        sorted.sort_by(|a, b| b.cmp(a));
        assert_eq!(order, sorted);
        walked.sort_by_key(|file| file.file_id);
        walked.dedup_by_key(|file| file.file_id);
        assert_eq!(walked.len(), 20, "with pages of {size}");
    }
    Ok(())
}

pub(crate) async fn files_samples_and_days_are_seen_by_their_account_only(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    store.record_objects(&token, &[listed("2026-11-23", "a.csv", "e1")], at(1)).await?;
    let other = account(store, "other").await?;
    let hidden = store.list_files(&other, &token.source, &Filter::default(), &page(10)).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let hidden = store.list_samples(&other, &token.source, 10).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let hidden = store.list_days(&other, &token.source, date(2026, 1, 1), date(2026, 12, 31)).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn a_file_at_rest_is_opened_again_on_request(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let key = &object.object_key;
    apply(store, 0, chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted)).await?;
    let opened = store.reprocess(&acme, &token.source, key, STUCK_AFTER, at(10)).await?;
    assert_eq!((opened.generation, opened.state, opened.etag.as_str()), (2, FileState::Discovered, "e1"));
    let known = store.record_objects(&token, std::slice::from_ref(&object), at(11)).await?;
    assert_eq!((known.opened, known.known), (0, 1), "its ETag stays known");
    let due = store.list_unpublished(&token, 10, 100).await?.files;
    assert_eq!(due.iter().map(|file| file.generation).collect::<Vec<_>>(), [2]);
    let claimed =
        store.claim("parser", &[claim(&token.source, &object, 2, 7)], MOST_ATTEMPTS, at(12)).await?;
    assert_eq!(claimed.decisions, [Decision::Granted]);
    // Another ETag and another request go on behind it.
    store.record_objects(&token, &[listed("2026-11-23", "a.csv", "e2")], at(13)).await?;
    assert_eq!(files(store, &acme, &token.source).await?.iter().map(|one| one.generation).max(), Some(3));

    let nothing = store.reprocess(&acme, &token.source, "no such key", STUCK_AFTER, at(14)).await.map(drop);
    assert!(matches!(nothing, Err(StoreError::NotFound { kind: "file", .. })), "{nothing:?}");
    let other = account(store, "other").await?;
    let hidden = store.reprocess(&other, &token.source, key, STUCK_AFTER, at(14)).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { kind: "source", .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn a_file_that_is_still_to_be_read_is_opened_again_only_where_it_is_stuck(
    store: &Store,
) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let key = &object.object_key;
    let early = store.reprocess(&acme, &token.source, key, STUCK_AFTER, at(60)).await.map(drop);
    assert!(matches!(early, Err(StoreError::Conflict { .. })), "{early:?}");
    let opened = store.reprocess(&acme, &token.source, key, STUCK_AFTER, at(63)).await?;
    assert_eq!(opened.generation, 2);
    // Whoever had it may not go on, and what it publishes moves nothing.
    let again = store.claim("parser", &[claim(&token.source, &object, 1, 0)], MOST_ATTEMPTS, at(64)).await?;
    assert_eq!(again.decisions, [Decision::Finished]);
    apply(store, 0, chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted)).await?;
    let first = files(store, &acme, &token.source).await?.into_iter().find(|file| file.generation == 1);
    let first = first.ok_or_else(|| anyhow::anyhow!("generation 1"))?;
    assert_eq!((first.state, first.accepted), (FileState::Superseded, 0));
    assert_eq!(first.error.map(|error| error.code).as_deref(), Some("reprocessed"));
    Ok(())
}

pub(crate) async fn an_object_that_came_altered_is_opened_again_by_itself_but_not_for_ever(
    store: &Store,
) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    for generation in 1..=4 {
        let error = FileError { code: OBJECT_ALTERED.to_owned(), ..FileError::default() };
        let message = FileProgress {
            generation,
            error: Some(error),
            ..chunk(&acme, &token.source, &object, 2, (5, 0), Outcome::Superseded)
        };
        apply(store, i64::from(generation) - 1, message).await?;
        let newest = files(store, &acme, &token.source).await?.iter().map(|one| one.generation).max();
        assert_eq!(newest, Some((generation + 1).min(4)));
    }
    Ok(())
}

pub(crate) async fn what_is_to_be_read_is_counted(store: &Store) -> Result<()> {
    assert_eq!(store.unfinished(at(100)).await?, Unfinished::default());
    let (acme, token, object) = reading(store).await?;
    let waiting = listed("2026-11-23", "b.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&waiting), at(5)).await?;
    let names: Vec<_> = store.list_unpublished(&token, 10, 100).await?.files;
    let names: Vec<_> = names
        .iter()
        .map(|file| registry::store::FileGeneration { file_id: file.file_id, generation: 1 })
        .collect();
    store.mark_published(&token, &names, at(9)).await?;
    let counted = store.unfinished(at(5)).await?;
    assert_eq!(counted, Unfinished { published: 1, claimed: 1, stuck: 1, oldest: Some(at(2)) });
    apply(store, 0, chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted)).await?;
    let counted = store.unfinished(at(5)).await?;
    assert_eq!(counted, Unfinished { published: 1, claimed: 0, stuck: 0, oldest: Some(at(9)) });
    Ok(())
}

pub(crate) async fn filters_let_through_what_they_say(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let others = [listed("2026-11-22", "100%_a.csv", "e1"), listed("2026-11-24", "b.csv", "e1")];
    store.record_objects(&token, &others, at(1)).await?;
    apply(store, 0, chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted)).await?;
    let mut counts = Vec::new();
    for filter in [
        "",
        "date >= 2026-11-23",
        "date = 2026-11-22",
        "state = ACCEPTED",
        "state != ACCEPTED AND date < \"2026-11-24\"",
        "object_key : exports/events/2026-11-2",
        "object_key : \"exports/events/2026-11-22/100%_\"",
        "object_key : exports/events/2026-11-22/1000",
        "object_key : EXPORTS",
        "object_key = exports/events/2026-11-24/b.csv",
    ] {
        let filter = Filter::of_files(filter).map_err(anyhow::Error::msg)?;
        counts.push(store.list_files(&acme, &token.source, &filter, &page(10)).await?.items.len());
    }
    assert_eq!(counts, [3, 2, 1, 1, 1, 3, 1, 0, 0, 1]);

    let mut counts = Vec::new();
    for filter in [
        "state = ACTIVE",
        "state = NEEDS_ATTENTION",
        "state != ACTIVE",
        "display_name : \"VENT\" AND bucket = bucket",
        "display_name : \"v_nt\"",
        "path != \"exports/events\"",
    ] {
        let filter = Filter::of_sources(filter, false).map_err(anyhow::Error::msg)?;
        counts.push(store.list_sources(&acme, &filter, &page(10)).await?.items.len());
    }
    assert_eq!(counts, [1, 0, 0, 1, 0, 0]);
    Ok(())
}

pub(crate) async fn dates_are_reprocessed_but_for_what_is_still_to_be_read(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let waiting = listed("2026-11-22", "b.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&waiting), at(1)).await?;
    apply(store, 0, chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted)).await?;
    let dates = |first: i8, last: i8| (date(2026, 11, first), date(2026, 11, last));
    let again = |dates, states: &[&'static str]| {
        let states = states.iter().copied().collect();
        let (acme, source) = (acme.clone(), token.source.clone());
        async move { store.reprocess_dates(&acme, &source, dates, &states, at(9)).await }
    };
    assert_eq!(again(dates(24, 30), &[]).await?, Reprocessed::default());
    assert_eq!(again(dates(23, 23), &["rejected"]).await?, Reprocessed::default());
    let both = Reprocessed { opened: 1, left_alone: 1 };
    assert_eq!(again(dates(22, 23), &["accepted"]).await?, both);
    assert_eq!(again(dates(22, 23), &[]).await?, Reprocessed { opened: 0, left_alone: 2 });
    let newest = files(store, &acme, &token.source).await?.into_iter().max_by_key(|file| file.generation);
    assert_eq!(newest.map(|file| (file.generation, file.replaces)), Some((2, 1)));
    let other = account(store, "other").await?;
    let hidden =
        store.reprocess_dates(&other, &token.source, dates(1, 30), &BTreeSet::new(), at(9)).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn the_first_refused_rows_are_kept(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let refused = |position: u64| RefusedRow {
        row_number: Some(position / 10),
        position,
        code: "invalid_type".to_owned(),
        column: "price".to_owned(),
        reason: "\"x\" is no number\0".to_owned(),
        advice: "send a number".to_owned(),
        raw: b"u,\xff".to_vec(),
    };
    for number in 1..=3_u32 {
        let total = u64::from(number) * 60;
        let mut message = chunk(&acme, &token.source, &object, number, (0, total), Outcome::Unspecified);
        message.refusals = (0..20).map(|row| refused(u64::from(number) * 1000 + row * 10)).collect();
        apply(store, i64::from(number) - 1, message).await?;
    }
    let key = &object.object_key;
    let (file, errors) = store.file_errors(&acme, &token.source, key, 0, 100).await?;
    assert_eq!((file.generation, file.rejected, errors.len()), (1, 180, 40), "of 120 no more are kept");
    let first = &errors[0];
    assert_eq!((first.position, first.row_number, first.column.as_str()), (1000, Some(100), "price"));
    assert_eq!((first.raw.as_str(), first.reason.as_str()), ("u,\u{fffd}", "\"x\" is no number\u{fffd}"));
    let none = store.file_errors(&acme, &token.source, key, 2, 100).await.map(drop);
    assert!(matches!(none, Err(StoreError::NotFound { kind: "file", .. })), "{none:?}");
    let other = account(store, "other").await?;
    let hidden = store.file_errors(&other, &token.source, key, 0, 100).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { kind: "source", .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn a_backlog_tells_what_is_left_and_how_fast_it_goes(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let waiting = [listed("2026-11-22", "b.csv", "e1"), listed("2026-11-24", "c.csv", "e1")];
    store.record_objects(&token, &waiting, at(1)).await?;
    let window = jiff::SignedDuration::from_secs(600);
    let before = store.backlog(&acme, &token.source, window, at(50)).await?;
    assert_eq!((before.files, before.bytes, before.oldest_date.as_str()), (3, 3702, "2026-11-22"));
    assert_eq!((before.finished_files, before.seconds), (0, 0.0));
    let mut message = chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted);
    message.committed_at = Some(prost_types::Timestamp { seconds: at(40).as_second(), nanos: 0 });
    apply(store, 0, message).await?;
    let after = store.backlog(&acme, &token.source, window, at(52)).await?;
    assert_eq!((after.files, after.finished_files, after.finished_bytes), (2, 1, 1234));
    assert!((after.seconds - 50.0).abs() < 0.001, "since it was claimed: {}", after.seconds);
    let formats = store.list_formats(&token.source).await?;
    assert_eq!(formats.len(), 1);
    assert_eq!(
        (formats[0].format.as_str(), formats[0].compression.as_str(), formats[0].files),
        ("csv", "gzip", 1)
    );
    Ok(())
}
