use anyhow::Result;
use registry::store::{
    AttentionKind, OverwritePolicy, Problem, ScanCompletion, Source, SourceSettings, SourceState, Store,
};

use crate::fixture::{TTL, account, active, at, draft, files, lease, listed};

async fn with_queue(store: &Store, policy: OverwritePolicy) -> Result<Source> {
    let acme = "acme".into();
    let mut new = draft(&acme, None);
    new.settings = SourceSettings {
        event_queue_url: "https://sqs.eu-central-1.amazonaws.com/123456789012/q".to_owned(),
        overwrite_policy: policy,
        ..new.settings
    };
    let made = store.create_source(&new, at(0)).await?;
    Ok(store.set_source_state(&acme, &made.id, made.revision, SourceState::Active, at(0)).await?)
}

pub(crate) async fn an_event_queue_is_lent_to_one_scanner(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    active(store, &acme).await?;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(with_queue(store, OverwritePolicy::Replace).await?.id);
    }
    let lent = |worker: &'static str, held: Vec<registry::store::SourceId>, wanted: u32, now: i64| async move {
        let sources = store.lease_event_queues(worker, &held, wanted, TTL, at(now)).await?;
        anyhow::Ok(sources.into_iter().map(|source| source.id).collect::<Vec<_>>())
    };
    let one = lent("one", vec![], 2, 0).await?;
    let two = lent("two", vec![], 9, 1).await?;
    assert_eq!((one.len(), two.len()), (2, 1), "a source without a queue is not lent");
    assert!(!one.contains(&two[0]));
    assert_eq!(lent("one", one.clone(), 5, 50).await?, one, "prolonged");
    assert_eq!(lent("two", vec![], 9, 60).await?, two, "what is held is told, named or not");
    // The second dies; the first takes over what it held once that expires.
    assert_eq!(lent("one", one.clone(), 5, 100).await?.len(), 3);
    // A paused source is no one's.
    let source = store.get_source(&acme, &made[0]).await?;
    store.set_source_state(&acme, &made[0], source.revision, SourceState::Paused, at(101)).await?;
    assert!(!lent("one", made.clone(), 0, 102).await?.contains(&made[0]));
    Ok(())
}

pub(crate) async fn an_event_that_comes_while_a_scan_ends_makes_its_source_due_again(
    store: &Store,
) -> Result<()> {
    account(store, "acme").await?;
    let source = with_queue(store, OverwritePolicy::Replace).await?;
    let token = lease(store, "scanner", at(0)).await?;
    // The scan has looked for what is to be published, and is about to end.
    let told = [listed("2026-11-23", "a.csv", "e1")];
    assert_eq!(store.record_events(&source.id, &told, None, at(1)).await?, 1);
    let completion = ScanCompletion { next_scan_at: at(9000), ..ScanCompletion::default() };
    assert_eq!(store.complete_scan(&token, &completion, at(2)).await?, at(3));
    assert_eq!(store.next_due().await?, Some(at(3)));
    Ok(())
}

pub(crate) async fn an_event_opens_a_generation_and_makes_its_source_due(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let source = with_queue(store, OverwritePolicy::Replace).await?;
    let token = lease(store, "scanner", at(0)).await?;
    let completion = ScanCompletion { next_scan_at: at(9000), ..ScanCompletion::default() };
    store.complete_scan(&token, &completion, at(1)).await?;
    let object = listed("2026-11-23", "a.csv", "e1");
    let told = std::slice::from_ref(&object);
    assert_eq!(store.record_events(&source.id, told, None, at(10)).await?, 1);
    assert_eq!(store.next_due().await?, Some(at(10)));
    assert_eq!(store.record_events(&source.id, told, None, at(11)).await?, 0, "told twice");
    let token = lease(store, "scanner", at(11)).await?;
    assert_eq!(store.record_objects(&token, told, at(12)).await?.opened, 0, "and listed besides");
    assert_eq!(files(store, &acme, &source.id).await?.len(), 1);

    let problem = Problem { code: "no_such_queue".to_owned(), ..Problem::default() };
    store.record_events(&source.id, &[], Some(problem), at(20)).await?;
    let found = store.get_source(&acme, &source.id).await?.attention;
    assert_eq!(found.map(|one| one.kind), Some(AttentionKind::Events));
    store.record_events(&source.id, &[], None, at(30)).await?;
    assert_eq!(store.get_source(&acme, &source.id).await?.attention, None);

    let revision = store.get_source(&acme, &source.id).await?.revision;
    store.set_source_state(&acme, &source.id, revision, SourceState::Paused, at(40)).await?;
    let late = listed("2026-11-23", "b.csv", "e1");
    assert_eq!(store.record_events(&source.id, &[late], None, at(41)).await?, 0, "it is paused");
    assert_eq!(store.record_events(&"unknown".into(), told, None, at(41)).await?, 0);
    Ok(())
}

pub(crate) async fn an_overwrite_does_what_its_policy_says(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    for (policy, expected) in [
        (OverwritePolicy::Replace, vec![(1, 0), (2, 1), (3, 2)]),
        (OverwritePolicy::IngestAgain, vec![(1, 0), (2, 0), (3, 0)]),
        (OverwritePolicy::Ignore, vec![(1, 0)]),
    ] {
        let source = with_queue(store, policy).await?;
        for etag in ["e1", "e2", "e3", "e2"] {
            store.record_events(&source.id, &[listed("2026-11-23", "a.csv", etag)], None, at(1)).await?;
        }
        let mut found: Vec<_> = files(store, &acme, &source.id)
            .await?
            .into_iter()
            .map(|file| (file.generation, file.replaces))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{policy:?}");
    }
    Ok(())
}
