//! The accounts, for the operator.

use api::registry::{Account, ListAccountsRequest};
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
    let request = ListAccountsRequest { page_size: 100, page_token: paging.page.clone() };
    let answer = session.registry(&app)?.list_accounts(request).await?.into_inner();
    let table = Table::new("Accounts", [head("Account"), head("Id"), head("Since")]).titled();
    Ok(Page::new("Accounts").of(&session, "").body(html! {
        @if answer.accounts.is_empty() {
            (empty(html! {
                p { "There are no accounts yet." }
                p { "Make one on the command line: " code { "cortex account create --id shop --name \"A shop\"" } }
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
