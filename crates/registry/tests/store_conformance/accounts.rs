use anyhow::Result;
use registry::store::{Account, AuditEntry, PageRequest, Principal, Store, StoreError, TokenHash};

use crate::fixture::{account, at, page};

pub(crate) async fn an_external_id_belongs_to_one_account(store: &Store) -> Result<()> {
    let acme = account(store, "acme").await?;
    let mut other = store.get_account(&acme).await?;
    other.id = "other".into();
    let taken = store.create_account(&other).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    let again = Account { external_id: "another".to_owned(), ..store.get_account(&acme).await? };
    let taken = store.create_account(&again).await;
    assert!(matches!(taken, Err(StoreError::AlreadyExists { .. })), "{taken:?}");
    assert_eq!(store.get_account(&acme).await?.external_id, "external-acme");
    let absent = store.get_account(&"other".into()).await;
    assert!(matches!(absent, Err(StoreError::NotFound { .. })), "{absent:?}");
    Ok(())
}

pub(crate) async fn a_token_speaks_for_whom_it_was_made(store: &Store) -> Result<()> {
    let acme = Principal::Account(account(store, "acme").await?);
    for (token, principal) in [("a", &acme), ("b", &Principal::Admin), ("c", &Principal::Worker)] {
        store.add_token(&TokenHash::of(token), principal, at(0)).await?;
        store.add_token(&TokenHash::of(token), principal, at(1)).await?;
        assert_eq!(store.principal(&TokenHash::of(token)).await?.as_ref(), Some(principal));
    }
    assert_eq!(store.principal(&TokenHash::of("d")).await?, None);
    let raised = store.add_token(&TokenHash::of("a"), &Principal::Admin, at(2)).await;
    assert!(matches!(raised, Err(StoreError::AlreadyExists { .. })), "{raised:?}");
    let nobody = store.add_token(&TokenHash::of("e"), &Principal::Account("nobody".into()), at(0)).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })), "{nobody:?}");
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
            // Pairs of the same age.
            created: at(number / 2),
        };
        store.create_account(&account).await?;
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
    assert_eq!(store.list_audit(&"acme".into(), 10).await?, [second.clone(), first]);
    assert_eq!(store.list_audit(&"acme".into(), 1).await?, [second]);
    Ok(())
}
