use anyhow::Result;
use ledger::claim::Decision;
use records::queue::Outcome;
use registry::store::{Claim, FileState, ProgressBatch, SourceState, Store};

use crate::fixture::{
    MOST_ATTEMPTS, PROGRESS, account, active, at, attempt, chunk, claim, files, listed, reading, scanning,
};

async fn decide(store: &Store, claims: &[Claim]) -> Result<Vec<Decision>> {
    Ok(store.claim("parser", claims, MOST_ATTEMPTS, at(10)).await?.decisions)
}

pub(crate) async fn a_generation_is_granted_to_the_first_message_only(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let objects = [listed("2026-11-23", "a.csv", "e1"), listed("2026-11-23", "b.csv", "e1")];
    store.record_objects(&token, &objects, at(1)).await?;
    let first = claim(&token.source, &objects[0], 1, 7);
    let later = claim(&token.source, &objects[0], 1, 8);
    let other = claim(&token.source, &objects[1], 1, 9);
    let claimed = store.claim("parser", &[first.clone(), later.clone(), other], MOST_ATTEMPTS, at(2)).await?;
    assert_eq!(claimed.decisions, [Decision::Granted, Decision::OwnedByOther, Decision::Granted]);
    assert_eq!(claimed.sources, [store.get_source(&acme, &token.source).await?], "each source once");

    assert_eq!(decide(store, &[first.clone(), first.clone()]).await?, [Decision::GrantedAgain; 2]);
    assert_eq!(decide(store, &[later]).await?, [Decision::OwnedByOther]);
    let mut elsewhere = first.clone();
    elsewhere.at.partition = 1;
    assert_eq!(decide(store, &[elsewhere]).await?, [Decision::OwnedByOther]);
    let mut on_another_topic = first;
    on_another_topic.at.topic = "cortex.objects.v2".to_owned();
    assert_eq!(decide(store, &[on_another_topic]).await?, [Decision::OwnedByOther]);
    assert!(files(store, &acme, &token.source).await?.iter().all(|file| file.state == FileState::Claimed));
    Ok(())
}

pub(crate) async fn concurrent_claims_of_a_generation_grant_it_once(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    for round in 0..10 {
        let object = listed("2026-11-23", &format!("{round}.csv"), "e1");
        store.record_objects(&token, std::slice::from_ref(&object), at(1)).await?;
        let tasks = (0..8).map(|offset| {
            let (store, claim) = (store.clone(), claim(&token.source, &object, 1, offset));
            tokio::spawn(async move {
                store.claim(&format!("parser-{offset}"), &[claim], MOST_ATTEMPTS, at(2)).await
            })
        });
        let mut granted = Vec::new();
        for (offset, task) in futures::future::join_all(tasks).await.into_iter().enumerate() {
            match task??.decisions[..] {
                [Decision::Granted] => granted.push(i64::try_from(offset)?),
                [Decision::OwnedByOther] => {}
                ref other => anyhow::bail!("decided {other:?}"),
            }
        }
        assert_eq!(granted.len(), 1, "granted to offsets {granted:?}");
        let owner = claim(&token.source, &object, 1, granted[0]);
        assert_eq!(decide(store, &[owner]).await?, [Decision::GrantedAgain]);
    }
    Ok(())
}

pub(crate) async fn overlapping_batches_never_share_a_generation(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    let objects: Vec<_> =
        (0..100).map(|number| listed("2026-11-23", &format!("{number}.csv"), "e1")).collect();
    store.record_objects(&token, &objects, at(1)).await?;
    let tasks = (0..8).map(|task: i64| {
        let store = store.clone();
        let asks = |(object, at)| claim(&token.source, object, 1, task * 1000 + at);
        let mut claims: Vec<_> = objects.iter().zip(0..).map(asks).collect();
        // Half of the tasks ask in the other order.
        if task % 2 == 1 {
            claims.reverse();
        }
        tokio::spawn(async move { store.claim("parser", &claims, MOST_ATTEMPTS, at(2)).await })
    });
    let mut granted = 0;
    for task in futures::future::join_all(tasks).await {
        granted += task??.decisions.iter().filter(|one| **one == Decision::Granted).count();
    }
    assert_eq!(granted, 100);
    Ok(())
}

pub(crate) async fn an_older_generation_is_granted_too(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    let object = listed("2026-11-23", "a.csv", "e1");
    for etag in ["e1", "e2"] {
        store.record_objects(&token, &[listed("2026-11-23", "a.csv", etag)], at(1)).await?;
    }
    let claims = [claim(&token.source, &object, 1, 0), claim(&token.source, &object, 2, 1)];
    assert_eq!(decide(store, &claims).await?, [Decision::Granted; 2]);
    Ok(())
}

pub(crate) async fn what_the_ledger_does_not_know_is_not_granted(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let object = listed("2026-11-23", "a.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&object), at(1)).await?;
    let other = active(store, &acme).await?;
    let foreign = Claim { source: other.id, ..claim(&token.source, &object, 1, 0) };
    let claims = [
        claim(&token.source, &listed("2026-11-23", "b.csv", "e1"), 1, 0),
        claim(&token.source, &object, 2, 1),
        foreign,
    ];
    let claimed = store.claim("parser", &claims, MOST_ATTEMPTS, at(2)).await?;
    assert_eq!(claimed.decisions, [Decision::Unknown; 3]);
    assert!(claimed.sources.is_empty());
    assert_eq!(decide(store, &[]).await?, []);
    Ok(())
}

pub(crate) async fn a_finished_generation_is_not_read_again(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let messages = [chunk(&acme, &token.source, &object, 1, (5, 0), Outcome::Accepted)];
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 0,
        next_offset_before: 0,
        next_offset_after: 1,
        messages: &messages,
    };
    store.apply_progress(&batch, at(1000)).await?;
    let claims = [claim(&token.source, &object, 1, 0), claim(&token.source, &object, 1, 5)];
    assert_eq!(decide(store, &claims).await?, [Decision::Finished; 2]);
    Ok(())
}

pub(crate) async fn nothing_of_a_deleted_source_is_granted(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let other = account(store, "other").await?;
    active(store, &other).await?;
    let source = store.get_source(&acme, &token.source).await?;
    store.set_source_state(&acme, &source.id, source.revision, SourceState::Deleted, at(5)).await?;
    assert_eq!(decide(store, &[claim(&token.source, &object, 1, 0)]).await?, [Decision::Unknown]);
    Ok(())
}

pub(crate) async fn a_generation_on_which_attempts_were_lost_is_read_alone_and_then_set_aside(
    store: &Store,
) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let asks =
        |name: &str, alone| Claim { attempt: attempt(name, 0, alone), ..claim(&token.source, &object, 1, 0) };
    let decided = async |claim: Claim| {
        let claimed = store.claim("parser-2", &[claim], MOST_ATTEMPTS, at(10)).await?;
        anyhow::Ok((claimed.decisions[0], claimed.lost_attempts[0], claimed.sources.len()))
    };
    // The attempt that the fixture began goes on under its own name, however often it asks.
    assert_eq!(decided(asks("one", false)).await?, (Decision::GrantedAgain, 0, 1));
    // Under another name it was lost: it begins alone only, and asking beside others counts nothing.
    for _ in 0..5 {
        assert_eq!(decided(asks("two", false)).await?, (Decision::GrantedAgain, 1, 1));
    }
    assert_eq!(decided(asks("two", true)).await?, (Decision::GrantedAgain, 1, 1));
    assert_eq!(decided(asks("three", true)).await?, (Decision::GrantedAgain, 2, 1));
    let file = &files(store, &acme, &token.source).await?[0];
    assert_eq!((file.attempts, file.worker_id.as_str()), (3, "parser-2"));
    for alone in [false, true] {
        assert_eq!(decided(asks("four", alone)).await?, (Decision::SetAside, 3, 1));
    }
    // Another message has no say in it.
    let later = Claim { at: claim(&token.source, &object, 1, 9).at, ..asks("five", true) };
    assert_eq!(decided(later).await?, (Decision::OwnedByOther, 0, 0));
    Ok(())
}

pub(crate) async fn a_claim_that_is_given_back_unread_does_not_count(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let asks =
        |name: &str, alone| Claim { attempt: attempt(name, 0, alone), ..claim(&token.source, &object, 1, 0) };
    let lost = async |claim: Claim| {
        anyhow::Ok(store.claim("parser-2", &[claim], MOST_ATTEMPTS, at(10)).await?.lost_attempts[0])
    };
    // Only the one that began it gives an attempt back.
    store.release_claims(&[asks("other", false)]).await?;
    assert_eq!(lost(asks("two", false)).await?, 1);
    store.release_claims(&[asks("one", false)]).await?;
    assert_eq!(files(store, &acme, &token.source).await?[0].attempts, 0);
    assert_eq!(lost(asks("two", false)).await?, 0);
    // An attempt behind a lost one was begun alone, to be read.
    assert_eq!(lost(asks("three", true)).await?, 1);
    store.release_claims(&[asks("three", true)]).await?;
    assert_eq!(lost(asks("four", false)).await?, 2);
    Ok(())
}

pub(crate) async fn a_committed_chunk_forgives_lost_attempts(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let asks = |name: &str, chunk| Claim {
        attempt: attempt(name, chunk, true),
        ..claim(&token.source, &object, 1, 0)
    };
    for (number, chunk) in (1..=20).enumerate() {
        let claims = [asks(&format!("worker-{number}"), chunk)];
        let claimed = store.claim("parser", &claims, MOST_ATTEMPTS, at(10)).await?;
        assert_eq!((claimed.decisions[0], claimed.lost_attempts[0]), (Decision::GrantedAgain, 0));
    }
    assert_eq!(files(store, &acme, &token.source).await?[0].attempts, 1);
    Ok(())
}
