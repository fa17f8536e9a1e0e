//! Accounts, their External IDs and tokens, and the log of what was done.

use super::{Service, page};
use crate::error::CallError;
use crate::store::{Account, AccountId, Principal, TokenHash};
use crate::{convert, name};
use api::registry::{
    CreateAccountRequest, CreateAccountResponse, CreateAccountTokenRequest, CreateAccountTokenResponse,
    GetAccountRequest, GetAccountResponse, ListAccountTokensRequest, ListAccountTokensResponse,
    ListAccountsRequest, ListAccountsResponse, ListAuditEntriesRequest, ListAuditEntriesResponse,
    RevokeAccountTokenRequest, RevokeAccountTokenResponse, RotateExternalIdRequest, RotateExternalIdResponse,
};
use jiff::Timestamp;
use serde_json::json;
use tonic::Request;
use uuid::Uuid;

impl Service {
    pub(super) async fn create_account(
        &self,
        request: Request<CreateAccountRequest>,
    ) -> Result<CreateAccountResponse, CallError> {
        self.auth.admin(&request).await?;
        let request = request.into_inner();
        let id = match request.account_id.as_str() {
            "" => format!("a-{}", Uuid::new_v4().simple()),
            id if name::is_account_id(id) => id.to_owned(),
            _ => {
                let rule = "3 to 63 of a-z, 0-9 and '-', beginning with a letter, not ending with '-'";
                return Err(CallError::invalid("account_id", rule));
            }
        };
        let account = Account {
            id: AccountId::from(id),
            display_name: request.display_name,
            external_id: random_hex(),
            created: Timestamp::now(),
        };
        self.store.create_account(&account).await?;
        let account_name = format!("accounts/{}", account.id);
        self.audit("admin", &account.id, "account.create", &account_name, json!({})).await?;
        Ok(CreateAccountResponse { account: Some(convert::account(account)) })
    }

    pub(super) async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<GetAccountResponse, CallError> {
        let id = name::account("name", &request.get_ref().name)?;
        self.auth.account(&request, &id).await?;
        let account = self.store.get_account(&id).await?;
        Ok(GetAccountResponse { account: Some(convert::account(account)) })
    }

    pub(super) async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<ListAccountsResponse, CallError> {
        self.auth.admin(&request).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let page = self.store.list_accounts(&page).await?;
        Ok(ListAccountsResponse {
            accounts: page.items.into_iter().map(convert::account).collect(),
            next_page_token: page.next_token,
        })
    }

    pub(super) async fn create_account_token(
        &self,
        request: Request<CreateAccountTokenRequest>,
    ) -> Result<CreateAccountTokenResponse, CallError> {
        self.auth.admin(&request).await?;
        let id = name::account("name", &request.get_ref().name)?;
        let token = format!("cortex_{}", random_hex());
        let principal = Principal::Account(id.clone());
        self.store.add_token(&TokenHash::of(&token), &principal, Timestamp::now()).await?;
        self.audit("admin", &id, "token.create", &request.get_ref().name, json!({})).await?;
        Ok(CreateAccountTokenResponse { token, account_token: None })
    }

    pub(super) async fn rotate_external_id(
        &self,
        _request: Request<RotateExternalIdRequest>,
    ) -> Result<RotateExternalIdResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn list_account_tokens(
        &self,
        _request: Request<ListAccountTokensRequest>,
    ) -> Result<ListAccountTokensResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn revoke_account_token(
        &self,
        _request: Request<RevokeAccountTokenRequest>,
    ) -> Result<RevokeAccountTokenResponse, CallError> {
        Err(CallError::Unimplemented)
    }

    pub(super) async fn list_audit_entries(
        &self,
        _request: Request<ListAuditEntriesRequest>,
    ) -> Result<ListAuditEntriesResponse, CallError> {
        Err(CallError::Unimplemented)
    }
}

/// 64 hexadecimal digits from the system's random numbers: never chosen by a client, and not to be guessed.
fn random_hex() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}
