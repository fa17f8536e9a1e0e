//! The accounts: all of them for the operator, for a person those that are open to them.

use api::registry::{Account, GetAccountRequest, ListAccountsRequest, ListAccountsResponse};
use axum::extract::{Query, State};
use maud::html;
use serde::Deserialize;

use super::place::AccountPlace;
use crate::error::PageError;
use crate::html::{Page, Row, Table, empty, head, local_time, pager, row, value};
use crate::session::{App, Session};

/// Which part of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Paging {
    #[serde(default)]
    page: String,
}

/// `GET /accounts`
pub(crate) async fn list(
    State(app): State<App>,
    session: Session,
    Query(paging): Query<Paging>,
) -> Result<Page, PageError> {
    let answer = if session.accounts.is_empty() {
        let request = ListAccountsRequest { page_size: 100, page_token: paging.page.clone() };
        session.registry(&app)?.list_accounts(request).await?.into_inner()
    } else {
        own(&app, &session).await?
    };
    let table = Table::new("Accounts", [head("Account"), head("Id"), head("Since")]).titled();
    Ok(Page::new("Accounts").of(&session, "").body(html! {
        @if answer.accounts.is_empty() {
            (empty(html! {
                @if session.accounts.is_empty() {
                    p { "There are no accounts yet." }
                    p { "Make one on the command line: " code { "cortex account create --id shop --name \"A shop\"" } }
                } @else {
                    p { "None of the accounts that are open to you is there. Ask whoever runs Cortex to make it." }
                }
            }))
        } @else {
            (table.rows(answer.accounts.iter().map(line)))
            (pager("/accounts", &[], &paging.page, &answer.next_page_token))
        }
    }))
}

fn line(account: &Account) -> Row {
    let place = AccountPlace { account: account.name.trim_start_matches("accounts/").to_owned() };
    row([
        html! {
            a href=(place.href("/sources")) {
                @if account.display_name.is_empty() { (place.account) } @else { (value(&account.display_name)) }
            }
        },
        html! { code { (place.account) } },
        local_time(account.create_time.as_ref()),
    ])
}

/// The person's own, without those that no one has made.
async fn own(app: &App, session: &Session) -> Result<ListAccountsResponse, PageError> {
    let mut registry = session.registry(app)?;
    let mut accounts = Vec::new();
    for open in &session.accounts {
        let request = GetAccountRequest { name: format!("accounts/{}", open.id) };
        match registry.get_account(request).await {
            Ok(answer) => accounts.extend(answer.into_inner().account),
            Err(status) if status.code() == tonic::Code::NotFound => {}
            Err(status) => return Err(status.into()),
        }
    }
    Ok(ListAccountsResponse { accounts, next_page_token: String::new() })
}
