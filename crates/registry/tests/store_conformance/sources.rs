use anyhow::Result;
use registry::store::{NewSource, SchemaVersion, SealedKeys, SourceState, Store, StoreError};

use crate::fixture::{account, active, at, draft, page};

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
    assert_eq!(store.list_sources(&acme, &page(10)).await?.items.len(), 1);
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
    assert!(store.list_sources(&other, &page(10)).await?.items.is_empty());
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

pub(crate) async fn a_deleted_source_is_gone_and_its_keys_with_it(store: &Store) -> Result<()> {
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
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "deleted is for good: {gone:?}");
    assert!(store.list_sources(&acme, &page(10)).await?.items.is_empty());
    assert_eq!(store.create_source(&new, at(4)).await?, deleted, "the request was fulfilled before");
    Ok(())
}

pub(crate) async fn every_version_of_a_schema_is_kept(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let source = store.create_source(&draft(&acme, None), at(0)).await?;
    let first = source.settings.schema.clone();
    let second = SchemaVersion { version: 2, json: r#"{"columns":["é"]}"#.to_owned() };
    let changed = store.set_source_schema(&acme, &source.id, source.revision, &second, at(1)).await?;
    assert_eq!(changed.settings.schema, second);
    assert_eq!(store.list_source_schemas(&acme, &source.id).await?, [first, second.clone()]);
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
        let page = store.list_sources(&acme, &request).await?;
        walked.extend(page.items.into_iter().map(|source| source.id));
        if page.next_token.is_empty() {
            break;
        }
        request.token = page.next_token;
    }
    assert_eq!(walked, made);
    Ok(())
}
