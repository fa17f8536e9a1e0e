use anyhow::Result;
use records::queue::{Outcome, RefusedRow};
use registry::store::{
    Filter, InvalidRows, NewSource, OverwritePolicy, ProgressBatch, SchemaVersion, SealedKeys,
    SourceSettings, SourceState, Store, StoreError,
};

use crate::fixture::{
    PROGRESS, account, active, at, chunk, days, draft, files, lease, page, reading, scanning,
};

/// Those that are not deleted.
fn kept() -> Filter {
    Filter::of_sources("", false).expect("a filter")
}

pub(crate) async fn a_repeated_create_gives_the_same_source(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let first = draft(&acme, Some("request-1"));
    let made = store.create_source(&first, at(1)).await?;
    assert_eq!(made.id, first.id);
    assert_eq!(made.state, SourceState::Draft);
    assert_eq!(made.settings, first.settings);
    assert_eq!((made.created, made.updated), (at(1), at(1)));

    let again = store.create_source(&draft(&acme, Some("request-1")), at(2)).await?;
    assert_eq!(again, made);
    let other = account(store, "other").await?;
    let others = store.create_source(&draft(&other, Some("request-1")), at(2)).await?;
    assert_ne!(others.id, made.id, "a request id counts within its account");
    let unnamed = [draft(&acme, None), draft(&acme, None)];
    for source in &unnamed {
        assert_eq!(store.create_source(source, at(3)).await?.id, source.id);
    }
    let taken = store.create_source(&unnamed[0], at(4)).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    Ok(())
}

pub(crate) async fn concurrent_creates_of_one_request_make_one_source(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let creates = (0..8).map(|_| {
        let (store, source) = (store.clone(), draft(&acme, Some("request-1")));
        tokio::spawn(async move { store.create_source(&source, at(1)).await })
    });
    let mut ids = Vec::new();
    for made in futures::future::join_all(creates).await {
        ids.push(made??.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(store.list_sources(&acme, &kept(), &page(10)).await?.items.len(), 1);
    Ok(())
}

pub(crate) async fn a_source_without_an_account_is_refused(store: &Store) -> Result<()> {
    let refused = store.create_source(&draft(&"nobody".into(), None), at(1)).await;
    assert!(matches!(refused, Err(StoreError::NotFound { kind: "account", .. })), "{refused:?}");
    Ok(())
}

pub(crate) async fn a_source_is_seen_by_its_account_only(store: &Store) -> Result<()> {
    let (acme, other) = (account(store, "acme").await?, account(store, "other").await?);
    let source = active(store, &acme).await?;
    assert_eq!(store.get_source(&acme, &source.id).await?, source);
    assert_eq!(store.source_for_worker(&source.id).await?, source);

    let hidden = store.get_source(&other, &source.id).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let hidden =
        store.set_source_state(&other, &source.id, source.revision, SourceState::Deleted, at(1)).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let schema = SchemaVersion { version: 2, json: "{}".to_owned() };
    let hidden = store.set_source_schema(&other, &source.id, source.revision, &schema, at(1)).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    assert!(store.list_source_schemas(&other, &source.id).await?.is_empty());
    assert!(store.list_sources(&other, &kept(), &page(10)).await?.items.is_empty());
    assert_eq!(store.get_source(&acme, &source.id).await?, source);
    Ok(())
}

pub(crate) async fn a_change_on_a_stale_revision_is_refused(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let draft = store.create_source(&draft(&acme, None), at(0)).await?;
    let active = store.set_source_state(&acme, &draft.id, draft.revision, SourceState::Active, at(1)).await?;
    assert_eq!(active.state, SourceState::Active);
    assert!(active.revision > draft.revision);
    assert_eq!(active.updated, at(1));
    let stale = store.set_source_state(&acme, &draft.id, draft.revision, SourceState::Paused, at(2)).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    assert_eq!(store.get_source(&acme, &draft.id).await?, active);
    Ok(())
}

pub(crate) async fn a_deleted_source_is_hidden_until_it_is_undeleted_or_purged(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let keys = SealedKeys(vec![0, 159, 255]);
    let new = NewSource { sealed_keys: Some(keys.clone()), ..draft(&acme, Some("request-1")) };
    let source = store.create_source(&new, at(0)).await?;
    assert_eq!(store.sealed_keys(&source.id).await?, Some(keys.clone()));
    let active =
        store.set_source_state(&acme, &source.id, source.revision, SourceState::Active, at(1)).await?;
    assert_eq!(store.sealed_keys(&source.id).await?, Some(keys));

    let deleted =
        store.set_source_state(&acme, &source.id, active.revision, SourceState::Deleted, at(2)).await?;
    assert_eq!(deleted.state, SourceState::Deleted);
    let gone = store.get_source(&acme, &source.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    let gone = store.sealed_keys(&source.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    let gone = store.source_for_worker(&source.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    let gone = store.set_source_state(&acme, &source.id, deleted.revision, SourceState::Active, at(3)).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
    assert!(store.list_sources(&acme, &kept(), &page(10)).await?.items.is_empty());
    assert_eq!(
        store.list_sources(&acme, &Filter::default(), &page(10)).await?.items,
        std::slice::from_ref(&deleted)
    );
    assert_eq!(store.create_source(&new, at(4)).await?, deleted, "the request was fulfilled before");
    assert_eq!(store.get_deleted_source(&acme, &source.id).await?, deleted);
    assert_eq!((deleted.deleted, store.count_sources(&acme).await?), (Some(at(2)), 0));

    let back =
        store.set_source_state(&acme, &source.id, deleted.revision, SourceState::Paused, at(5)).await?;
    assert_eq!((back.state, back.deleted), (SourceState::Paused, None));
    assert!(store.sealed_keys(&source.id).await?.is_some(), "it comes back with its keys");
    store.set_source_state(&acme, &source.id, back.revision, SourceState::Deleted, at(10)).await?;
    assert!(store.due_for_purge(at(10), 5).await?.is_empty());
    assert_eq!(store.due_for_purge(at(11), 5).await?, std::slice::from_ref(&source.id));
    assert!(!store.purge_source(&source.id, at(10)).await?, "its grace is not over");
    assert!(store.purge_source(&source.id, at(11)).await?);
    assert!(!store.purge_source(&source.id, at(11)).await?);
    assert!(store.list_sources(&acme, &Filter::default(), &page(10)).await?.items.is_empty());
    Ok(())
}

pub(crate) async fn purging_takes_all_of_one_source_and_nothing_of_another(store: &Store) -> Result<()> {
    let (acme, token, object) = reading(store).await?;
    let other = active(store, &acme).await?;
    let others = lease(store, "scanner-2", at(1)).await?;
    store.record_objects(&others, std::slice::from_ref(&object), at(1)).await?;
    let mut message = chunk(&acme, &token.source, &object, 1, (5, 2), Outcome::AcceptedWithRejections);
    message.columns = vec!["user_id".to_owned()];
    message.refusals = vec![RefusedRow { position: 3, ..RefusedRow::default() }];
    let batch = ProgressBatch {
        topic: PROGRESS,
        partition: 0,
        next_offset_before: 0,
        next_offset_after: 1,
        messages: &[message],
    };
    store.apply_progress(&batch, at(2)).await?;
    let source = store.get_source(&acme, &token.source).await?;
    store.set_source_state(&acme, &source.id, source.revision, SourceState::Deleted, at(3)).await?;
    assert!(store.purge_source(&source.id, at(4)).await?);
    assert_eq!(files(store, &acme, &other.id).await?.len(), 1);
    assert_eq!(days(store, &acme, &other.id).await?.len(), 1);
    Ok(())
}

pub(crate) async fn an_update_changes_the_settings_and_ends_a_running_scan(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let before = store.get_source(&acme, &token.source).await?;
    let settings = SourceSettings {
        display_name: "Other".to_owned(),
        bucket: "other-bucket".to_owned(),
        path: String::new(),
        role_arn: String::new(),
        region: "us-west-2".to_owned(),
        endpoint_url: "https://s3.example.com".to_owned(),
        expected_bucket_owner: String::new(),
        time_zone: String::new(),
        invalid_rows: InvalidRows::RejectRow,
        overwrite_policy: OverwritePolicy::Ignore,
        max_rejected: 0,
        event_queue_url: "https://sqs.example.com/q".to_owned(),
        ..before.settings.clone()
    };
    let keys = SealedKeys(vec![1, 2, 3]);
    let changed =
        store.update_source(&acme, &before.id, before.revision, &settings, Some(&keys), at(5)).await?;
    assert_eq!((&changed.settings, changed.state), (&settings, SourceState::Active));
    assert_eq!((changed.updated, changed.discovery.next_scan_at), (at(5), Some(at(5))));
    assert_eq!(store.sealed_keys(&before.id).await?, Some(keys.clone()));
    let refused = store.record_objects(&token, &[], at(6)).await;
    assert!(matches!(refused, Err(StoreError::FenceLost { .. })), "{refused:?}");
    let stale = store.update_source(&acme, &before.id, before.revision, &settings, None, at(6)).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    store.update_source(&acme, &before.id, changed.revision, &settings, None, at(7)).await?;
    assert_eq!(store.sealed_keys(&before.id).await?, Some(keys), "keys that are not sent stay");
    let other = account(store, "other").await?;
    let hidden = store.update_source(&other, &before.id, 3, &settings, None, at(8)).await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    Ok(())
}

pub(crate) async fn every_version_of_a_schema_is_kept(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let source = store.create_source(&draft(&acme, None), at(0)).await?;
    let first = source.settings.schema.clone();
    let second = SchemaVersion { version: 2, json: r#"{"columns":["é"]}"#.to_owned() };
    let changed = store.set_source_schema(&acme, &source.id, source.revision, &second, at(1)).await?;
    assert_eq!(changed.settings.schema, second);
    assert_eq!(
        store.list_source_schemas(&acme, &source.id).await?,
        [(first, at(0)), (second.clone(), at(1))]
    );
    let used = store.set_source_schema(&acme, &source.id, changed.revision, &second, at(2)).await;
    assert!(matches!(used, Err(StoreError::AlreadyExists { .. })), "{used:?}");
    let stale = store.set_source_schema(&acme, &source.id, source.revision, &second, at(2)).await;
    assert!(matches!(stale, Err(StoreError::Conflict { .. })), "{stale:?}");
    Ok(())
}

pub(crate) async fn paging_walks_all_sources(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let other = account(store, "other").await?;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(store.create_source(&draft(&acme, None), at(number)).await?.id);
        store.create_source(&draft(&other, None), at(number)).await?;
    }
    let mut walked = Vec::new();
    let mut request = page(2);
    loop {
        let page = store.list_sources(&acme, &kept(), &request).await?;
        walked.extend(page.items.into_iter().map(|source| source.id));
        if page.next_token.is_empty() {
            break;
        }
        request.token = page.next_token;
    }
    assert_eq!(walked, made);
    Ok(())
}
