use anyhow::Result;
use registry::store::{FileGeneration, FileState, ListedObject, Recorded, Store, StoreError, Unpublished};

use crate::fixture::{MOST_ATTEMPTS, at, claim, file_id, files, listed, scanning};

fn names(unpublished: &Unpublished) -> Vec<FileGeneration> {
    let name = |file: &registry::store::UnpublishedFile| FileGeneration {
        file_id: file.file_id,
        generation: file.generation,
    };
    unpublished.files.iter().map(name).collect()
}

pub(crate) async fn a_new_etag_opens_the_next_generation_and_only_then(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let (first, second) = (listed("2026-11-23", "a.csv", "e1"), listed("2026-11-23", "a.csv", "e2"));
    let other = listed("2026-11-23", "b.csv", "e1");
    let opened = |opened, known| Recorded { opened, known, left_alone: 0 };
    assert_eq!(store.record_objects(&token, std::slice::from_ref(&first), at(1)).await?, opened(1, 0));
    assert_eq!(store.record_objects(&token, &[first.clone(), other], at(2)).await?, opened(1, 1));
    assert_eq!(store.record_objects(&token, std::slice::from_ref(&second), at(3)).await?, opened(1, 0));
    assert_eq!(store.record_objects(&token, &[second, first.clone()], at(4)).await?, opened(0, 2));
    assert_eq!(store.record_objects(&token, &[], at(5)).await?, opened(0, 0));

    let files = files(store, &acme, &token.source).await?;
    let mut of_first: Vec<_> = files
        .iter()
        .filter(|file| file.object_key == first.object_key)
        .map(|file| (file.generation, file.etag.as_str(), file.state))
        .collect();
    of_first.sort_by_key(|(generation, ..)| *generation);
    assert_eq!(of_first, [(1, "e1", FileState::Discovered), (2, "e2", FileState::Discovered)]);
    assert_eq!(files.len(), 3);
    Ok(())
}

pub(crate) async fn an_object_listed_twice_in_one_call_opens_one_generation(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let twice = [listed("2026-11-23", "a.csv", "e1"), listed("2026-11-23", "a.csv", "e2")];
    let recorded = store.record_objects(&token, &twice, at(1)).await?;
    assert_eq!(recorded, Recorded { opened: 1, known: 1, left_alone: 0 });
    let files = files(store, &acme, &token.source).await?;
    assert_eq!(files.iter().map(|file| file.etag.as_str()).collect::<Vec<_>>(), ["e2"]);
    Ok(())
}

pub(crate) async fn concurrent_records_of_the_same_objects_open_one_generation_each(
    store: &Store,
) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let objects: Vec<_> =
        (0..1000).map(|number| listed("2026-11-23", &format!("{number}.csv"), "e1")).collect();
    let calls = (0..8).map(|_| {
        let (store, token, objects) = (store.clone(), token.clone(), objects.clone());
        tokio::spawn(async move { store.record_objects(&token, &objects, at(1)).await })
    });
    let mut opened = 0;
    for call in futures::future::join_all(calls).await {
        let recorded = call??;
        assert_eq!(recorded.opened + recorded.known, 1000);
        opened += recorded.opened;
    }
    assert_eq!(opened, 1000);
    let files = files(store, &acme, &token.source).await?;
    assert_eq!(files.len(), 1000);
    assert!(files.iter().all(|file| file.generation == 1));
    Ok(())
}

pub(crate) async fn keys_are_kept_to_the_letter(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    let object =
        |name: &str| ListedObject { size: 5_000_000_000_000, ..listed("2026-11-23", name, "e'\"-1") };
    let mut objects: Vec<_> = [
        "it's \"quoted\".csv",
        "back\\slash\\u0041.csv",
        "ünï códe 日本 🎉.csv",
        "a\tb\nc.csv",
        "%00$1?.csv",
        "A.CSV",
        "a.csv",
    ]
    .map(object)
    .into();
    store.record_objects(&token, &objects, at(1)).await?;
    assert_eq!(store.record_objects(&token, &objects, at(2)).await?.known, 7);
    let mut found: Vec<_> = store
        .list_unpublished(&token, 100, 100)
        .await?
        .files
        .into_iter()
        .map(|file| {
            assert_eq!(file.generation, 1);
            let object = ListedObject {
                object_key: file.object_key,
                etag: file.etag,
                size: file.size,
                last_modified: file.last_modified,
                date: file.date,
            };
            assert_eq!(file.file_id, file_id(&token.source, &object));
            object
        })
        .collect();
    objects.sort_by(|a, b| a.object_key.cmp(&b.object_key));
    found.sort_by(|a, b| a.object_key.cmp(&b.object_key));
    assert_eq!(found, objects);
    Ok(())
}

pub(crate) async fn a_key_that_the_database_cannot_hold_is_refused(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    let refused = store.record_objects(&token, &[listed("2026-11-23", "a\0.csv", "e1")], at(1)).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    Ok(())
}

pub(crate) async fn unpublished_files_come_again_until_they_are_marked(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let objects = [listed("2026-11-23", "a.csv", "e1"), listed("2026-11-23", "b.csv", "e1")];
    store.record_objects(&token, &objects, at(1)).await?;
    let first = store.list_unpublished(&token, 10, 100).await?;
    assert_eq!(first.files.len(), 2);
    assert_eq!(first.held_back, 0);
    assert_eq!(store.list_unpublished(&token, 10, 100).await?, first);
    assert_eq!(store.list_unpublished(&token, 1, 100).await?.files, first.files[..1]);

    store.mark_published(&token, &names(&first)[..1], at(2)).await?;
    assert_eq!(store.list_unpublished(&token, 10, 100).await?.files, first.files[1..]);
    store.mark_published(&token, &names(&first), at(3)).await?;
    assert!(store.list_unpublished(&token, 10, 100).await?.files.is_empty());
    let files = files(store, &acme, &token.source).await?;
    assert!(files.iter().all(|file| file.state == FileState::Published));
    Ok(())
}

pub(crate) async fn the_oldest_date_is_published_first(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    let objects =
        ["2026-11-23", "2025-12-31", "2026-11-09", "2026-02-01"].map(|date| listed(date, "a.csv", "e1"));
    store.record_objects(&token, &objects, at(1)).await?;
    let dates: Vec<_> = store
        .list_unpublished(&token, 3, 100)
        .await?
        .files
        .iter()
        .map(|file| file.date.to_string())
        .collect();
    assert_eq!(dates, ["2025-12-31", "2026-02-01", "2026-11-09"]);
    Ok(())
}

pub(crate) async fn metering_holds_back_what_is_over_the_limit(store: &Store) -> Result<()> {
    let (_, token) = scanning(store).await?;
    let objects: Vec<_> =
        (0..10).map(|number| listed("2026-11-23", &format!("{number}.csv"), "e1")).collect();
    store.record_objects(&token, &objects, at(1)).await?;
    let first = store.list_unpublished(&token, 100, 4).await?;
    assert_eq!((first.files.len(), first.held_back), (4, 6));
    store.mark_published(&token, &names(&first), at(2)).await?;
    let full = store.list_unpublished(&token, 100, 4).await?;
    assert_eq!((full.files.len(), full.held_back), (0, 6));

    // Being read is unfinished still.
    let object = objects.iter().find(|one| one.object_key == first.files[0].object_key).expect("listed");
    store.claim("parser", &[claim(&token.source, object, 1, 0)], MOST_ATTEMPTS, at(3)).await?;
    assert_eq!(store.list_unpublished(&token, 100, 4).await?.files.len(), 0);
    let more = store.list_unpublished(&token, 1, 7).await?;
    assert_eq!((more.files.len(), more.held_back), (1, 3), "a small page is no holding back");
    Ok(())
}

pub(crate) async fn a_file_claimed_before_it_was_marked_stays_claimed(store: &Store) -> Result<()> {
    let (acme, token) = scanning(store).await?;
    let object = listed("2026-11-23", "a.csv", "e1");
    store.record_objects(&token, std::slice::from_ref(&object), at(1)).await?;
    let unpublished = store.list_unpublished(&token, 10, 10).await?;
    store.claim("parser", &[claim(&token.source, &object, 1, 0)], MOST_ATTEMPTS, at(2)).await?;
    store.mark_published(&token, &names(&unpublished), at(3)).await?;
    assert_eq!(files(store, &acme, &token.source).await?[0].state, FileState::Claimed);
    assert!(store.list_unpublished(&token, 10, 10).await?.files.is_empty());
    Ok(())
}
