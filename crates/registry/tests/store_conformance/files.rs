use anyhow::Result;
use registry::store::{Store, StoreError};

use crate::fixture::{account, active, at, lease, listed, page, scanning};

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
            let page = store.list_files(&acme, &token.source, &request).await?;
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
    let hidden = store.list_files(&other, &token.source, &page(10)).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let hidden = store.list_samples(&other, &token.source, 10).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    let hidden = store.list_days(&other, &token.source, 10).await.map(drop);
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    Ok(())
}
