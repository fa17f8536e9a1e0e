use std::collections::BTreeMap;

use anyhow::Result;
use records::queue::{Counters, FileError, FileProgress, FileWarning, Outcome};
use registry::store::{Applied, FileState, Problem, ProgressBatch, Store};

use crate::fixture::{MOST_ATTEMPTS, PROGRESS, account, at, chunk, claim, days, files, listed, reading};

/// Applies messages that stand at offsets from `before` on.
async fn apply(store: &Store, before: i64, messages: &[FileProgress]) -> Result<Applied> {
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 3,
        next_offset_before: before,
        next_offset_after: before + i64::try_from(messages.len())?,
        messages,
    };
    Ok(store.apply_progress(&batch, at(1000)).await?)
}

const fn applied(chunks: u32, ignored: u32) -> Applied {
    Applied::Applied { chunks, ignored }
}

pub(crate) async fn a_chunk_sent_twice_counts_once(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let chunk = |number, totals| chunk(&acme, &token.source, &object, number, totals, Outcome::Unspecified);
    let first = chunk(1, (10, 1));
    assert_eq!(apply(store, 0, &[first.clone(), first.clone()]).await?, applied(1, 1));
    assert_eq!(apply(store, 2, std::slice::from_ref(&first)).await?, applied(0, 1));
    assert_eq!(apply(store, 3, &[chunk(2, (20, 1)), chunk(4, (45, 3)), first]).await?, applied(2, 1));

    let file = &files(store, &acme, &token.source).await?[0];
    assert_eq!((file.rows, file.accepted, file.rejected, file.chunk), (48, 45, 3, 4));
    assert_eq!(file.rejections, BTreeMap::from([("invalid_type".to_owned(), 3)]));
    assert_eq!((file.state, file.finished_at), (FileState::Claimed, None));
    assert_eq!((file.position, file.format.as_str(), file.compression.as_str()), (480, "csv", "gzip"));
    assert_eq!(days(store, &acme, &token.source).await?[0].rows, 48);
    assert_eq!(store.list_samples(&acme, &token.source, 10).await?.len(), 3, "one a chunk applied");
    assert_eq!(store.reader_positions(PROGRESS).await?, BTreeMap::from([(3, 6)]));
    assert!(store.reader_positions("another").await?.is_empty());
    Ok(())
}

pub(crate) async fn the_last_chunk_brings_the_file_to_rest(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let committed = at(1000);
    let last = FileProgress {
        error: Some(FileError {
            code: "truncated".to_owned(),
            reason: "the gzip stream ends early".to_owned(),
            advice: "upload it again".to_owned(),
            position: 77,
        }),
        committed_at: Some(prost_types::Timestamp { seconds: committed.as_second(), nanos: 0 }),
        ..chunk(&acme, &token.source, &object, 2, (7, 0), Outcome::Incomplete)
    };
    let late = chunk(&acme, &token.source, &object, 3, (8, 0), Outcome::Unspecified);
    assert_eq!(apply(store, 0, &[last, late.clone()]).await?, applied(1, 1));
    assert_eq!(apply(store, 2, &[late]).await?, applied(0, 1));
    let file = &files(store, &acme, &token.source).await?[0];
    assert_eq!((file.state, file.rows), (FileState::Incomplete, 7), "what is at rest stays so");
    assert_eq!((file.finished_at, file.updated_at), (Some(committed), committed));
    assert_eq!(
        file.error,
        Some(Problem {
            code: "truncated".to_owned(),
            reason: "the gzip stream ends early".to_owned(),
            advice: "upload it again".to_owned(),
            position: 77,
        })
    );
    Ok(())
}

pub(crate) async fn warnings_are_counted_and_the_first_of_each_column_is_kept(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let warning = |code: &str, column: &str, row_number| FileWarning {
        code: code.to_owned(),
        column: column.to_owned(),
        reason: "odd".to_owned(),
        advice: "look".to_owned(),
        row_number,
        position: row_number * 10,
    };
    let warned = |number, count: u64, warnings| {
        let mut message = chunk(&acme, &token.source, &object, number, (10, 0), Outcome::Unspecified);
        let counted = [("timestamp_in_future".to_owned(), count)].into();
        message.totals = message.totals.map(|totals| Counters { warnings: counted, ..totals });
        FileProgress { warnings, ..message }
    };
    let first = warned(1, 2, vec![warning("timestamp_in_future", "timestamp", 3)]);
    let second = warned(
        2,
        5,
        vec![warning("timestamp_in_future", "timestamp", 90), warning("timestamp_in_future", "seen_at", 91)],
    );
    apply(store, 0, &[first]).await?;
    apply(store, 1, &[second]).await?;
    let file = &files(store, &acme, &token.source).await?[0];
    assert_eq!(file.warnings, BTreeMap::from([("timestamp_in_future".to_owned(), 5)]));
    let kept: Vec<_> = file.warning_examples.iter().map(|one| (one.column.as_str(), one.row)).collect();
    assert_eq!(kept, [("timestamp", 3), ("seen_at", 91)]);
    Ok(())
}

pub(crate) async fn a_claim_tells_the_columns_of_the_last_file(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let claims = [claim(&token.source, &object, 1, 0)];
    assert!(store.claim("parser-1", &claims, MOST_ATTEMPTS, at(3)).await?.last_columns.is_empty());
    let ended = |number, accepted, columns: &[&str]| FileProgress {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        ..chunk(&acme, &token.source, &object, number, (accepted, 1), Outcome::Unspecified)
    };
    apply(
        store,
        0,
        &[ended(1, 5, &["user_id", "type"]), ended(2, 5, &[]), ended(3, 5, &["user_id", "kind"])],
    )
    .await?;
    let claimed = store.claim("parser-1", &claims, MOST_ATTEMPTS, at(4)).await?;
    assert_eq!(claimed.last_columns[&token.source], ["user_id", "kind"]);
    let other = listed("2026-11-23", "b.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&other), at(5)).await?;
    let refused = FileProgress {
        columns: vec!["oops".to_owned()],
        ..chunk(&acme, &token.source, &other, 1, (0, 9), Outcome::Rejected)
    };
    apply(store, 3, &[refused]).await?;
    let claimed = store.claim("parser-1", &claims, MOST_ATTEMPTS, at(6)).await?;
    assert_eq!(claimed.last_columns[&token.source], ["user_id", "kind"], "a refused file says nothing");
    Ok(())
}

pub(crate) async fn a_reader_at_a_stale_position_changes_nothing(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let chunk = |number| chunk(&acme, &token.source, &object, number, (10, 0), Outcome::Unspecified);
    assert_eq!(apply(store, 5, &[chunk(1)]).await?, Applied::Conflict { next_offset: 0 });
    assert_eq!(apply(store, 0, &[chunk(1)]).await?, applied(1, 0));
    for stale in [0, 2] {
        assert_eq!(apply(store, stale, &[chunk(2)]).await?, Applied::Conflict { next_offset: 1 });
    }
    assert_eq!(files(store, &acme, &token.source).await?[0].chunk, 1);
    assert_eq!(store.reader_positions(PROGRESS).await?, BTreeMap::from([(3, 1)]));
    Ok(())
}

pub(crate) async fn of_two_readers_at_one_position_one_applies(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    for round in 0..5 {
        let number = u32::try_from(round)? + 1;
        let message =
            chunk(&acme, &token.source, &object, number, (u64::from(number) * 10, 0), Outcome::Unspecified);
        let readers = (0..4).map(|_| {
            let (store, message) = (store.clone(), message.clone());
            tokio::spawn(async move { apply(&store, round, &[message]).await })
        });
        let mut won = 0;
        for reader in futures::future::join_all(readers).await {
            match reader?? {
                Applied::Applied { chunks: 1, ignored: 0 } => won += 1,
                Applied::Conflict { next_offset } => assert_eq!(next_offset, round + 1),
                other => anyhow::bail!("{other:?}"),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(days(store, &acme, &token.source).await?[0].rows, 50);
    Ok(())
}

pub(crate) async fn a_batch_without_messages_moves_the_position(store: &Store) -> Result<()> {
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 0,
        next_offset_before: 0,
        next_offset_after: 12,
        messages: &[],
    };
    assert_eq!(store.apply_progress(&batch, at(1000)).await?, applied(0, 0));
    assert_eq!(store.reader_positions(PROGRESS).await?, BTreeMap::from([(0, 12)]));
    Ok(())
}

pub(crate) async fn progress_of_another_account_or_an_unknown_file_is_ignored(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let other = account(store, "other").await?;
    let unknown = listed("2026-11-23", "unknown.csv", "e1");
    let messages = [
        chunk(&other, &token.source, &object, 1, (10, 0), Outcome::Accepted),
        chunk(&acme, &"another-source".into(), &object, 1, (10, 0), Outcome::Accepted),
        chunk(&acme, &token.source, &unknown, 1, (10, 0), Outcome::Accepted),
        FileProgress { file_id: vec![1, 2, 3], ..FileProgress::default() },
    ];
    assert_eq!(apply(store, 0, &messages).await?, applied(0, 4));
    let file = &files(store, &acme, &token.source).await?[0];
    assert_eq!((file.state, file.rows), (FileState::Claimed, 0));
    assert!(store.list_samples(&acme, &token.source, 10).await?.is_empty());
    assert_eq!(days(store, &acme, &token.source).await?[0].rows, 0);
    Ok(())
}

pub(crate) async fn a_message_with_a_nul_does_not_stop_the_reader(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let mut message = chunk(&acme, &token.source, &object, 1, (0, 0), Outcome::Rejected);
    message.format = "c\0sv".to_owned();
    message.samples[0].message = "x\0".to_owned();
    message.error = Some(FileError { reason: "byte '\0' at the start".to_owned(), ..FileError::default() });
    assert_eq!(apply(store, 0, &[message]).await?, applied(1, 0));
    let file = &files(store, &acme, &token.source).await?[0];
    assert_eq!(file.format, "c\u{fffd}sv");
    assert_eq!(file.error.as_ref().map(|error| error.reason.as_str()), Some("byte '\0' at the start"));
    Ok(())
}

pub(crate) async fn the_newest_hundred_samples_are_kept(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let chunks: Vec<_> = (1..=250)
        .map(|number| {
            chunk(&acme, &token.source, &object, number, (u64::from(number), 0), Outcome::Unspecified)
        })
        .collect();
    apply(store, 0, &chunks[..80]).await?;
    apply(store, 80, &chunks[80..90]).await?;
    assert_eq!(store.list_samples(&acme, &token.source, 1000).await?.len(), 90);
    apply(store, 90, &chunks[90..130]).await?;
    apply(store, 130, &chunks[130..]).await?;
    let samples = store.list_samples(&acme, &token.source, 1000).await?;
    let newest: Vec<_> = (151..=250u32).rev().map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(samples.iter().map(|sample| sample.record.clone()).collect::<Vec<_>>(), newest);
    assert_eq!(samples[0].object_key, object.object_key);
    assert_eq!((samples[0].generation, samples[0].message.as_str()), (1, "cortex.records.v1.Event"));
    assert_eq!(store.list_samples(&acme, &token.source, 2).await?, samples[..2]);
    Ok(())
}

pub(crate) async fn days_sum_up_what_was_read(store: &Store) -> Result<()> {
    let (acme, token, first) = reading(store).await?;
    let second = listed("2026-11-23", "b.csv", "e1");
    let older = listed("2026-11-22", "a.csv", "e1");
    store.record_objects(&token, &[second.clone(), older.clone()], at(1)).await?;
    let claims = [claim(&token.source, &second, 1, 1), claim(&token.source, &older, 1, 2)];
    store.claim("parser", &claims, MOST_ATTEMPTS, at(2)).await?;
    let message =
        |object, number, totals, outcome| chunk(&acme, &token.source, object, number, totals, outcome);
    let messages = [
        message(&first, 1, (10, 0), Outcome::Unspecified),
        message(&second, 1, (5, 5), Outcome::AcceptedWithRejections),
        message(&older, 1, (1, 0), Outcome::Accepted),
    ];
    apply(store, 0, &messages).await?;
    apply(store, 3, &[message(&first, 2, (30, 2), Outcome::AcceptedWithRejections)]).await?;
    let days: Vec<_> = days(store, &acme, &token.source)
        .await?
        .into_iter()
        .map(|day| (day.date.to_string(), day.files, day.rows, day.accepted, day.rejected))
        .collect();
    assert_eq!(days, [("2026-11-23".to_owned(), 2, 42, 35, 7), ("2026-11-22".to_owned(), 1, 1, 1, 0)]);
    Ok(())
}
