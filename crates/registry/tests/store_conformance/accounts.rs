use anyhow::Result;
use std::collections::BTreeSet;

use registry::store::{
    Account, AccountId, AccountToken, AuditEntry, PageRequest, Principal, Scope, Store, StoreError,
    SubjectHash, TokenHash,
};

use crate::fixture::{account, at, page};

pub(crate) async fn an_external_id_belongs_to_one_account(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let mut other = store.get_account(&acme).await?;
    other.id = "other".into();
    let taken = store.create_account(&other, None).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let again = Account { external_id: "another".to_owned(), ..store.get_account(&acme).await? };
    let taken = store.create_account(&again, None).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    assert_eq!(store.get_account(&acme).await?.external_id, "external-acme");
    let absent = store.get_account(&"other".into()).await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })), "{absent:?}");
    Ok(())
}

fn token(account: &AccountId, id: &str, scope: Scope, expires: Option<i64>) -> AccountToken {
    AccountToken {
        id: id.to_owned(),
        account: account.clone(),
        display_name: id.to_uppercase(),
        scope,
        created: at(0),
        expires: expires.map(at),
    }
}

pub(crate) async fn a_token_speaks_for_whom_it_was_made_until_it_ends(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let reading = token(&acme, "reading", Scope::ReadOnly, None);
    let passing = token(&acme, "passing", Scope::ReadWrite, Some(100));
    for (secret, token) in [("a", &reading), ("b", &passing)] {
        store.add_token(&TokenHash::of(secret), token).await?;
        let expected =
            Principal::Account { account: acme.clone(), scope: token.scope, token: token.id.clone() };
        assert_eq!(store.principal(&TokenHash::of(secret), at(99)).await?, Some(expected));
    }
    assert_eq!(store.principal(&TokenHash::of("b"), at(100)).await?, None, "it has ended");
    assert_eq!(store.principal(&TokenHash::of("c"), at(0)).await?, None);
    let taken = store.add_token(&TokenHash::of("a"), &token(&acme, "other", Scope::ReadWrite, None)).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let nobody =
        store.add_token(&TokenHash::of("e"), &token(&"nobody".into(), "x", Scope::ReadOnly, None)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");

    let other = account(store, "other").await?;
    assert!(store.list_tokens(&other).await?.is_empty());
    let hidden = store.revoke_token(&other, "reading").await;
    assert!(matches!(hidden, Err(StoreError::NotFound { .. })), "{hidden:?}");
    assert_eq!(store.list_tokens(&acme).await?, [passing.clone(), reading]);
    store.revoke_token(&acme, "reading").await?;
    assert_eq!(store.principal(&TokenHash::of("a"), at(1)).await?, None);
    assert_eq!(store.list_tokens(&acme).await?, [passing]);
    Ok(())
}

pub(crate) async fn a_repeated_request_gives_the_same_account(store: &Store) -> Result<()> {
    let acme = store.get_account(&account(store, "acme").await?).await?;
    let new = |id: &str| Account { id: id.into(), external_id: format!("external-{id}"), ..acme.clone() };
    let first = store.create_account(&new("first"), Some("request")).await?;
    assert_eq!(store.create_account(&new("second"), Some("request")).await?, first);
    assert_eq!(store.create_account(&new("third"), Some("another")).await?.id.as_str(), "third");
    Ok(())
}

pub(crate) async fn a_rotated_external_id_holds_for_a_while(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let rotated = store.rotate_external_id(&acme, "new", at(100)).await?;
    assert_eq!(rotated.external_id, "new");
    assert_eq!(rotated.previous_at(at(99)), Some("external-acme"));
    assert_eq!(rotated.previous_at(at(100)), None);
    assert_eq!(store.get_account(&acme).await?, rotated);
    let nobody = store.rotate_external_id(&"nobody".into(), "x", at(1)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
    Ok(())
}

pub(crate) async fn a_deletion_list_knows_its_own_and_tells_that_it_changed(store: &Store) -> Result<()> {
    let (acme, other) = (account(store, "acme").await?, account(store, "other").await?);
    let hashes =
        |names: &[&str]| names.iter().map(|name| SubjectHash::of(&acme, name)).collect::<BTreeSet<_>>();
    assert_ne!(
        SubjectHash::of(&acme, "a"),
        SubjectHash::of(&other, "a"),
        "lists of two accounts cannot be compared"
    );
    assert_eq!(store.add_deleted(&acme, &hashes(&["a", "b", "c"]), at(1)).await?, 3);
    assert_eq!(store.add_deleted(&acme, &hashes(&["b", "d"]), at(2)).await?, 1);
    let version = store.get_account(&acme).await?.deletions_version;
    assert_eq!(store.add_deleted(&acme, &hashes(&["b"]), at(3)).await?, 0);
    assert_eq!(store.get_account(&acme).await?.deletions_version, version, "nothing changed");
    assert_eq!(store.remove_deleted(&acme, &hashes(&["a", "x"])).await?, 1);
    assert!(store.get_account(&acme).await?.deletions_version > version);

    assert_eq!(store.count_deleted(&acme).await?, 3);
    assert_eq!(store.deleted_among(&acme, &hashes(&["a", "b", "d"])).await?, hashes(&["b", "d"]));
    assert!(store.deleted_among(&other, &hashes(&["b"])).await?.is_empty());
    let mut walked = BTreeSet::new();
    let mut after = None;
    while let Some(one) = store.list_deleted(&acme, after, 1).await?.first().copied() {
        walked.insert(one);
        after = Some(one);
    }
    assert_eq!(walked, hashes(&["b", "c", "d"]));
    Ok(())
}

pub(crate) async fn paging_walks_all_accounts_oldest_first(store: &Store) -> Result<()> {
    let mut made = Vec::new();
    for number in 0..7 {
        let id = format!("account-{number}");
        let account = Account {
            id: id.as_str().into(),
            display_name: String::new(),
            external_id: id.clone(),
            previous_external_id: None,
            previous_until: None,
            deletions_version: 0,
            // Pairs of the same age.
            created: at(number / 2),
        };
        store.create_account(&account, None).await?;
        made.push(id);
    }
    let mut walked = Vec::new();
    let mut request = page(3);
    loop {
        let page = store.list_accounts(&request).await?;
        walked.extend(page.items.into_iter().map(|account| account.id.to_string()));
        if page.next_token.is_empty() {
            break;
        }
        request.token = page.next_token;
    }
    assert_eq!(walked, made);
    assert_eq!(store.list_accounts(&page(7)).await?.next_token, "", "a full last page has none behind it");
    Ok(())
}

pub(crate) async fn a_token_of_another_list_is_no_page_token(store: &Store) -> Result<()> {
    for token in ["not base64!", "WyJ4Il0"] {
        let refused = store.list_accounts(&PageRequest { size: 1, token: token.to_owned() }).await;
        assert!(matches!(refused, Err(StoreError::PageToken)), "{refused:?}");
    }
    Ok(())
}

pub(crate) async fn the_audit_log_keeps_what_concerns_an_account(store: &Store) -> Result<()> {
    let entry = |account: Option<&str>, action: &str, second| AuditEntry {
        at: at(second),
        actor: "admin".to_owned(),
        account: account.map(Into::into),
        action: action.to_owned(),
        subject: "accounts/acme/sources/s".to_owned(),
        detail: serde_json::json!({ "region": "eu-central-1" }),
    };
    let first = entry(Some("acme"), "source.create", 1);
    let second = entry(Some("acme"), "credentials.issue", 2);
    for entry in [&first, &entry(Some("other"), "source.create", 1), &entry(None, "start", 1), &second] {
        store.audit(entry).await?;
    }
    let newest = store.list_audit(&"acme".into(), None, &page(1)).await?;
    assert_eq!(newest.items, [second]);
    let rest =
        store.list_audit(&"acme".into(), None, &PageRequest { size: 1, token: newest.next_token }).await?;
    assert_eq!((rest.items, rest.next_token.as_str()), (vec![first.clone()], ""));

    let other = AuditEntry {
        subject: "accounts/acme/sources/t".to_owned(),
        ..entry(Some("acme"), "source.pause", 3)
    };
    store.audit(&other).await?;
    let about = |subject: &'static str, page| async move {
        store.list_audit(&"acme".into(), Some(subject), &page).await
    };
    assert_eq!(about("accounts/acme/sources/t", page(10)).await?.items, [other]);
    let newest = about("accounts/acme/sources/s", page(1)).await?;
    let rest = about("accounts/acme/sources/s", PageRequest { size: 1, token: newest.next_token }).await?;
    assert_eq!((rest.items, rest.next_token.as_str()), (vec![first], ""));
    Ok(())
}
