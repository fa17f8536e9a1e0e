use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use registry::store::{
    FolderMark, LeaseToken, ListedFolder, Problem, ScanCompletion, SourceState, Store, StoreError,
};

use crate::fixture::{TTL, account, active, at, draft, lease, listed, scanning};

fn completion(next_scan: i64) -> ScanCompletion {
    ScanCompletion {
        folders: 3,
        objects: 40,
        list_requests: 5,
        outside: 2,
        outside_examples: vec!["exports/events/23-11-2026/".to_owned()],
        left_alone: 1,
        error: None,
        sweep_cursor: String::new(),
        next_sweep_at: None,
        next_scan_at: at(next_scan),
        ..ScanCompletion::default()
    }
}

fn lost<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::FenceLost { .. }))
}

/// Every write under the lease.
async fn assert_refused(store: &Store, token: &LeaseToken) {
    let object = listed("2026-11-23", "a.csv", "e1");
    assert!(lost(store.record_objects(token, &[object], at(500)).await));
    assert!(lost(store.list_unpublished(token, 10, 10).await));
    assert!(lost(store.mark_published(token, &[], at(500)).await));
    assert!(lost(store.renew_lease(token, TTL, "", at(500)).await));
    assert!(lost(store.complete_scan(token, &completion(900), at(500)).await));
}

pub(crate) async fn only_active_sources_are_leased_the_longest_due_first(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    assert_eq!(store.next_due().await?, None);
    store.create_source(&draft(&acme, None), at(0)).await?;
    assert!(store.lease_due_scan("scanner", TTL, at(1000)).await?.is_none(), "a draft is never due");
    assert_eq!((store.next_due().await?, store.scanned_longest_ago().await?), (None, None));

    let (first, second) = (active(store, &acme).await?, active(store, &acme).await?);
    for (source, due, ended) in [(&first, 200, 1), (&second, 100, 2)] {
        let token = lease(store, "scanner", at(0)).await?;
        store
            .complete_scan(
                &token,
                &completion(if token.source == source.id { due } else { 300 - due }),
                at(ended),
            )
            .await?;
    }
    assert_eq!(store.next_due().await?, Some(at(100)));
    assert_eq!(store.scanned_longest_ago().await?, Some(at(1)));
    assert!(store.lease_due_scan("scanner", TTL, at(99)).await?.is_none());
    assert_eq!(lease(store, "scanner", at(250)).await?.source, second.id);
    assert_eq!(lease(store, "scanner", at(250)).await?.source, first.id);
    assert!(store.lease_due_scan("scanner", TTL, at(250)).await?.is_none());
    assert_eq!(store.next_due().await?, Some(at(310)), "when the leases expire");
    Ok(())
}

pub(crate) async fn two_workers_never_hold_one_source(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    for _ in 0..5 {
        active(store, &acme).await?;
    }
    let workers = (0..8).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Some(lease) = store.lease_due_scan(&format!("scanner-{number}"), TTL, at(1)).await? {
                held.push(lease.source.id);
            }
            Ok::<_, StoreError>(held)
        })
    });
    let mut held = Vec::new();
    for worker in futures::future::join_all(workers).await {
        held.extend(worker??);
    }
    assert_eq!(held.len(), 5);
    assert_eq!(held.into_iter().collect::<BTreeSet<_>>().len(), 5);
    Ok(())
}

pub(crate) async fn an_expired_lease_is_taken_over_and_the_old_fence_refused(store: &Store) -> Result<()> {
    let (_, old) = scanning(store).await?;
    assert!(store.lease_due_scan("scanner-2", TTL, at(59)).await?.is_none());
    assert_eq!(store.renew_lease(&old, TTL, "", at(0)).await?, at(60));

    let new = lease(store, "scanner-2", at(60)).await?;
    assert_eq!(new.source, old.source);
    assert!(new.fence > old.fence);
    assert_refused(store, &old).await;
    let object = listed("2026-11-23", "a.csv", "e1");
    assert_eq!(store.record_objects(&new, &[object], at(61)).await?.opened, 1);
    store.complete_scan(&new, &completion(900), at(62)).await?;
    assert_refused(store, &new).await;
    Ok(())
}

pub(crate) async fn a_renewed_lease_is_not_taken_over(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    // Expired, but no one took it: what its holder did and does still counts.
    assert_eq!(store.renew_lease(&token, TTL, "", at(70)).await?, at(130));
    assert!(store.lease_due_scan("scanner-2", TTL, at(129)).await?.is_none());
    store.complete_scan(&token, &completion(900), at(130)).await?;
    Ok(())
}

pub(crate) async fn a_completed_scan_frees_the_source_until_it_is_due(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let problem = Problem {
        code: "access_denied".to_owned(),
        reason: "LIST was refused".to_owned(),
        advice: "allow s3:ListBucket".to_owned(),
        position: 0,
    };
    let failed = ScanCompletion {
        error: Some(problem.clone()),
        sweep_cursor: "2026-01-05".to_owned(),
        ..completion(100)
    };
    store.complete_scan(&token, &failed, at(10)).await?;
    let source = store.get_source(&acme, &token.source).await?;
    assert_eq!(source.discovery.error, Some(problem));
    assert_eq!(source.discovery.last_scan_at, Some(at(10)));
    assert_eq!(source.discovery.next_scan_at, Some(at(100)));
    assert_eq!(source.discovery.outside_examples, ["exports/events/23-11-2026/"]);
    assert_eq!((source.discovery.folders, source.discovery.objects, source.discovery.outside), (3, 40, 2));

    assert!(store.lease_due_scan("scanner", TTL, at(99)).await?.is_none());
    let next = store.lease_due_scan("scanner", TTL, at(100)).await?.context("due again")?;
    assert_eq!((next.sweep_cursor.as_str(), next.next_sweep_at), ("2026-01-05", None));
    let swept = ScanCompletion { next_sweep_at: Some(at(9000)), ..completion(200) };
    store.complete_scan(&next.token, &swept, at(110)).await?;
    let next = store.lease_due_scan("scanner", TTL, at(200)).await?.context("due again")?;
    assert_eq!((next.sweep_cursor.as_str(), next.next_sweep_at), ("", Some(at(9000))));
    assert_eq!(next.source.discovery.error, None, "a good scan takes the error away");
    store.complete_scan(&next.token, &completion(300), at(210)).await?;
    let next = store.lease_due_scan("scanner", TTL, at(300)).await?.context("due again")?;
    assert_eq!(next.next_sweep_at, Some(at(9000)), "a scan without a sweep leaves the sweep's time");
    Ok(())
}

pub(crate) async fn a_renewal_keeps_how_far_the_sweep_is(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    store.renew_lease(&token, TTL, "2026-01-05", at(10)).await?;
    store.renew_lease(&token, TTL, "", at(20)).await?;
    // The scanner dies.
    let successor = store.lease_due_scan("another", TTL, at(500)).await?.context("the lease ran out")?;
    assert_eq!(successor.sweep_cursor, "2026-01-05");
    assert!(lost(store.renew_lease(&token, TTL, "2026-01-06", at(501)).await));
    store.complete_scan(&successor.token, &completion(600), at(510)).await?;
    let next = store.lease_due_scan("another", TTL, at(600)).await?.context("due again")?;
    assert_eq!(next.sweep_cursor, "", "the completion has the last word");
    Ok(())
}

pub(crate) async fn marks_move_with_a_completion_and_go_with_new_settings(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let date = "2026-11-23".parse()?;
    let folder = ListedFolder {
        date,
        in_full: true,
        after: "exports/events/2026-11-23/\u{1F600} \"quoted\"\u{1}".to_owned(),
        objects: 2_500,
        out_of_order: 0,
    };
    let listed = ScanCompletion { listed: vec![folder.clone()], marks_from: date, ..completion(100) };
    store.complete_scan(&token, &listed, at(10)).await?;
    let next = store.lease_due_scan("scanner", TTL, at(100)).await?.context("due again")?;
    let mark = FolderMark {
        date: "2026-11-23".to_owned(),
        after: folder.after.clone(),
        objects: 2_500,
        in_full_at: at(10).as_microsecond(),
        out_of_order_at: None,
    };
    assert_eq!(next.marks, std::slice::from_ref(&mark));

    let moved = ListedFolder { in_full: false, after: "exports/events/2026-11-23/z".to_owned(), ..folder };
    let moved = ScanCompletion { listed: vec![moved], marks_from: date, ..completion(200) };
    assert!(lost(store.complete_scan(&token, &moved, at(110)).await));
    let failed = ScanCompletion { marks_from: date, ..completion(200) };
    store.complete_scan(&next.token, &failed, at(110)).await?;
    let next = store.lease_due_scan("scanner", TTL, at(200)).await?.context("due again")?;
    assert_eq!(next.marks, [mark], "who has lost the lease moves no mark, and what was not listed keeps it");

    let source = store.get_source(&acme, &token.source).await?;
    store.update_source(&acme, &source.id, source.revision, &source.settings, None, at(210)).await?;
    let next = store.lease_due_scan("scanner", TTL, at(210)).await?.context("due at once")?;
    assert_eq!(next.marks, [], "the path may be another");
    Ok(())
}

pub(crate) async fn pausing_ends_a_running_scan(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let source = store.get_source(&acme, &token.source).await?;
    let paused =
        store.set_source_state(&acme, &source.id, source.revision, SourceState::Paused, at(5)).await?;
    assert_eq!(paused.discovery.next_scan_at, None);
    assert_refused(store, &token).await;
    assert!(store.lease_due_scan("scanner", TTL, at(1000)).await?.is_none());
    store.set_source_state(&acme, &source.id, paused.revision, SourceState::Active, at(1001)).await?;
    assert!(lease(store, "scanner", at(1001)).await?.fence > token.fence);
    Ok(())
}
