//! Accounts, their External IDs and tokens, and the log of what was done.

use api::registry::{
    AuditEntry, CallerAccount, CreateAccountRequest, CreateAccountResponse, CreateAccountTokenRequest,
    CreateAccountTokenResponse, GetAccountRequest, GetAccountResponse, GetCallerRequest, GetCallerResponse,
    ListAccountTokensRequest, ListAccountTokensResponse, ListAccountsRequest, ListAccountsResponse,
    ListAuditEntriesRequest, ListAuditEntriesResponse, RevokeAccountTokenRequest, RevokeAccountTokenResponse,
    RotateExternalIdRequest, RotateExternalIdResponse, TokenScope,
};
use chacha20poly1305::aead::OsRng;
use chacha20poly1305::aead::rand_core::RngCore;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tonic::Request;
use uuid::Uuid;

use super::{Service, page};
use crate::convert::{self, timestamp};
use crate::error::CallError;
use crate::name;
use crate::store::{Account, AccountId, AccountToken, Scope, TokenHash};

/// How long the External ID before a rotation holds, where the caller does not say.
const OVERLAP: SignedDuration = SignedDuration::from_hours(7 * 24);
const LONGEST_OVERLAP: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Service {
    pub(super) async fn get_caller(
        &self,
        request: Request<GetCallerRequest>,
    ) -> Result<GetCallerResponse, CallError> {
        let caller = self.auth.caller(&request).await?;
        let open: Vec<CallerAccount> = caller
            .accounts
            .iter()
            .flatten()
            .map(|(id, scope)| CallerAccount {
                account: format!("accounts/{id}"),
                scope: convert::scope(*scope) as i32,
            })
            .collect();
        // Of several the widest: what a call may do is asked of its own account.
        let writes =
            caller.accounts.as_ref().is_none_or(|own| own.values().any(|one| *one == Scope::ReadWrite));
        Ok(GetCallerResponse {
            account: if let [one] = open.as_slice() { one.account.clone() } else { String::new() },
            scope: convert::scope(if writes { Scope::ReadWrite } else { Scope::ReadOnly }) as i32,
            actor: caller.actor,
            accounts: open,
        })
    }

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
        let new = Account {
            id: AccountId::from(id),
            display_name: request.display_name,
            external_id: random_hex(),
            previous_external_id: None,
            previous_until: None,
            deletions_version: 0,
            created: Timestamp::now(),
        };
        let request_id = (!request.request_id.is_empty()).then_some(request.request_id.as_str());
        let account = self.store.create_account(&new, request_id).await?;
        // A repeated create gives the first one's account, and changes nothing.
        if account.external_id == new.external_id {
            let subject = format!("accounts/{}", account.id);
            self.audit("admin", &account.id, "account.create", &subject, json!({})).await?;
        }
        Ok(CreateAccountResponse { account: Some(convert::account(account)) })
    }

    pub(super) async fn get_account(
        &self,
        request: Request<GetAccountRequest>,
    ) -> Result<GetAccountResponse, CallError> {
        let id = name::account("name", &request.get_ref().name)?;
        self.auth.account_read(&request, &id).await?;
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

    pub(super) async fn rotate_external_id(
        &self,
        request: Request<RotateExternalIdRequest>,
    ) -> Result<RotateExternalIdResponse, CallError> {
        let id = name::account("name", &request.get_ref().name)?;
        let actor = self.auth.account(&request, &id).await?;
        let request = request.into_inner();
        let overlap =
            request.overlap.map_or(OVERLAP, |overlap| SignedDuration::new(overlap.seconds, overlap.nanos));
        if overlap.is_negative() || overlap > LONGEST_OVERLAP {
            return Err(CallError::invalid("overlap", "0 seconds to 90 days"));
        }
        let until = Timestamp::now().checked_add(overlap).unwrap_or(Timestamp::MAX);
        let account = self.store.rotate_external_id(&id, &random_hex(), until).await?;
        let detail = json!({ "previous_until": until.to_string() });
        self.audit(&actor, &id, "account.rotate_external_id", &request.name, detail).await?;
        Ok(RotateExternalIdResponse { account: Some(convert::account(account)) })
    }

    pub(super) async fn create_account_token(
        &self,
        request: Request<CreateAccountTokenRequest>,
    ) -> Result<CreateAccountTokenResponse, CallError> {
        self.auth.admin(&request).await?;
        let account = name::account("name", &request.get_ref().name)?;
        let request = request.into_inner();
        let scope = match request.scope() {
            TokenScope::ReadOnly => Scope::ReadOnly,
            TokenScope::Unspecified | TokenScope::ReadWrite => Scope::ReadWrite,
        };
        let now = Timestamp::now();
        // As the store keeps it, so that it is shown alike later.
        let now = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let expires = request.expire_time.map(|at| Timestamp::new(at.seconds, at.nanos)).transpose();
        let expires = expires.ok().filter(|at| at.is_none_or(|at| at > now));
        let expires = expires.ok_or_else(|| CallError::invalid("expire_time", "must be in the future"))?;
        if request.display_name.chars().count() > 200 {
            return Err(CallError::invalid("display_name", "at most 200 characters"));
        }
        let described = AccountToken {
            id: Uuid::new_v4().to_string(),
            account: account.clone(),
            display_name: request.display_name,
            scope,
            created: now,
            expires,
        };
        let token = format!("cortex_{}", random_hex());
        self.store.add_token(&TokenHash::of(&token), &described).await?;
        let described = convert::token(described);
        let detail = json!({ "scope": described.scope().as_str_name() });
        self.audit("admin", &account, "token.create", &described.name, detail).await?;
        Ok(CreateAccountTokenResponse { token, account_token: Some(described) })
    }

    pub(super) async fn list_account_tokens(
        &self,
        request: Request<ListAccountTokensRequest>,
    ) -> Result<ListAccountTokensResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let tokens = self.store.list_tokens(&account).await?;
        Ok(ListAccountTokensResponse { account_tokens: tokens.into_iter().map(convert::token).collect() })
    }

    pub(super) async fn revoke_account_token(
        &self,
        request: Request<RevokeAccountTokenRequest>,
    ) -> Result<RevokeAccountTokenResponse, CallError> {
        self.auth.admin(&request).await?;
        let (account, id) = name::token("name", &request.get_ref().name)?;
        self.store.revoke_token(&account, &id).await?;
        self.audit("admin", &account, "token.revoke", &request.get_ref().name, json!({})).await?;
        Ok(RevokeAccountTokenResponse {})
    }

    pub(super) async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Result<ListAuditEntriesResponse, CallError> {
        let account = name::account("parent", &request.get_ref().parent)?;
        self.auth.account_read(&request, &account).await?;
        let request = request.into_inner();
        let page = page(request.page_size, request.page_token)?;
        let subject = (!request.subject.is_empty()).then_some(request.subject.as_str());
        let page = self.store.list_audit(&account, subject, &page).await?;
        let entry = |entry: crate::store::AuditEntry| AuditEntry {
            time: Some(timestamp(entry.at)),
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            detail: entry.detail.to_string(),
        };
        Ok(ListAuditEntriesResponse {
            audit_entries: page.items.into_iter().map(entry).collect(),
            next_page_token: page.next_token,
        })
    }
}

/// 64 hexadecimal digits from the system's random numbers: never chosen by a client, and not to be guessed.
fn random_hex() -> String {
    let mut random = [0; 32];
    OsRng.fill_bytes(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_256_bits_is_random() {
        let (mut set, mut unset) = ([0_u8; 32], [0_u8; 32]);
        // That one bit is the same in all of them by chance happens once in 2^255 runs.
        for _ in 0..256 {
            let text = random_hex();
            assert_eq!(text.len(), 64);
            for (at, byte) in (0..64).step_by(2).map(|at| &text[at..at + 2]).enumerate() {
                let byte = u8::from_str_radix(byte, 16).unwrap();
                set[at] |= byte;
                unset[at] |= !byte;
            }
        }
        assert_eq!((set, unset), ([0xff; 32], [0xff; 32]));
    }
}
