//! People who are signed in at an identity provider: what their tokens open, and which tokens hold.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use api::registry::{
    GetAccountRequest, GetCallerRequest, GetSourceRequest, ListAccountsRequest, ListAuditEntriesRequest,
    ListDatasetTypesRequest, PauseSourceRequest, RotateExternalIdRequest, TokenScope,
};
use serde_json::{Value, json};
use services::token_issuer::token as signed;
use services::{TokenIssuer, TokenKey};
use tonic::Code;

use crate::fixture::{Around, Fixture};

const CLIENT: &str = "cortex-console";

/// A registry that takes the tokens of a provider.
struct World {
    fixture: Fixture,
    issuer: TokenIssuer,
    key: TokenKey,
}

impl World {
    async fn start(accounts: &[(&str, &str)]) -> Self {
        let key = TokenKey::ec().unwrap();
        let issuer = TokenIssuer::start(vec![key.published("one")]).unwrap();
        let sign_in = registry::SignIn {
            provider: oidc::Config {
                issuer: issuer.issuer().to_owned(),
                client_id: CLIENT.to_owned(),
                ca: None,
            },
            claim: "groups".to_owned(),
            accounts: accounts
                .iter()
                .map(|(value, opens)| ((*value).to_owned(), (*opens).to_owned()))
                .collect(),
        };
        let configure = Box::new(|config: &mut registry::Config, _: &str| config.sign_in = Some(sign_in));
        Self { fixture: Fixture::start_around(Around { configure, ..Around::default() }).await, issuer, key }
    }

    fn claims(&self, groups: Value) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        json!({ "iss": self.issuer.issuer(), "aud": CLIENT, "sub": "ann", "exp": now + 600, "groups": groups })
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.sign(&json!({ "alg": "ES256", "kid": "one" }), claims)
    }

    fn person(&self, groups: &[&str]) -> String {
        self.sign(&self.claims(json!(groups)))
    }

    async fn caller(&self, token: &str) -> Result<api::registry::GetCallerResponse, tonic::Status> {
        let asked = self.fixture.as_holder_of(token).get_caller(GetCallerRequest {}).await;
        asked.map(tonic::Response::into_inner)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_the_accounts_that_their_groups_name_and_no_other() {
    let world = World::start(&[]).await;
    let (own, other) = (world.fixture.account("own").await, world.fixture.account("other").await);
    let (source, foreign) = (world.fixture.draft(&own).await, world.fixture.draft(&other).await);
    let id = |name: &str| name.trim_start_matches("accounts/").to_owned();
    let token = world.person(&["staff", &format!("cortex:{}", id(&own.name))]);
    let caller = world.caller(&token).await.unwrap();
    assert_eq!((caller.account.as_str(), caller.actor.as_str()), (own.name.as_str(), "oidc:ann"));
    assert_eq!((caller.scope(), caller.accounts.len()), (TokenScope::ReadWrite, 1));

    let mut client = world.fixture.as_holder_of(&token);
    client.get_account(GetAccountRequest { name: own.name.clone() }).await.unwrap();
    client.get_source(GetSourceRequest { name: source.name }).await.unwrap();
    client.list_dataset_types(ListDatasetTypesRequest::default()).await.unwrap();
    let code = client.get_account(GetAccountRequest { name: other.name.clone() }).await.unwrap_err().code();
    assert_eq!(code, Code::NotFound);
    let code = client.get_source(GetSourceRequest { name: foreign.name }).await.unwrap_err().code();
    assert_eq!(code, Code::NotFound);
    let code = client.list_accounts(ListAccountsRequest::default()).await.unwrap_err().code();
    assert_eq!(code, Code::PermissionDenied, "what is the operator's stays the operator's");

    // What they do is theirs in the audit trail.
    client
        .rotate_external_id(RotateExternalIdRequest { name: own.name.clone(), overlap: None })
        .await
        .unwrap();
    let trail = ListAuditEntriesRequest { parent: own.name.clone(), ..Default::default() };
    let entries = client.list_audit_entries(trail).await.unwrap().into_inner().audit_entries;
    assert_eq!(
        (entries[0].action.as_str(), entries[0].actor.as_str()),
        ("account.rotate_external_id", "oidc:ann")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_look_in_one_account_and_change_things_in_another() {
    let world = World::start(&[("Shop Team", "shop seen:read-only")]).await;
    let make =
        |id: &str| api::registry::CreateAccountRequest { account_id: id.to_owned(), ..Default::default() };
    for id in ["shop", "seen"] {
        world.fixture.as_admin().create_account(make(id)).await.unwrap();
    }
    let token = world.person(&["Shop Team", "cortex:other"]);
    let caller = world.caller(&token).await.unwrap();
    assert_eq!((caller.account.as_str(), caller.scope()), ("", TokenScope::ReadWrite));
    let open: BTreeMap<_, _> =
        caller.accounts.iter().map(|one| (one.account.as_str(), one.scope())).collect();
    let expected = [("accounts/seen", TokenScope::ReadOnly), ("accounts/shop", TokenScope::ReadWrite)];
    assert_eq!(open, BTreeMap::from(expected));

    let mut client = world.fixture.as_holder_of(&token);
    client.get_account(GetAccountRequest { name: "accounts/seen".into() }).await.unwrap();
    let rotate = |name: &str| RotateExternalIdRequest { name: name.to_owned(), overlap: None };
    client.rotate_external_id(rotate("accounts/shop")).await.unwrap();
    let code = client.rotate_external_id(rotate("accounts/seen")).await.unwrap_err().code();
    assert_eq!(code, Code::PermissionDenied);
    let code = client.rotate_external_id(rotate("accounts/other")).await.unwrap_err().code();
    assert_eq!(code, Code::NotFound, "a table of groups is the whole of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_no_account_is_shown_nothing() {
    let world = World::start(&[]).await;
    let account = world.fixture.account("own").await;
    let source = world.fixture.draft(&account).await;
    for groups in [json!(["staff"]), json!([]), json!(null), json!({ "cortex:own": true }), json!("own")] {
        let token = world.sign(&world.claims(groups.clone()));
        let error = world.caller(&token).await.unwrap_err();
        assert_eq!(error.code(), Code::PermissionDenied, "{groups}");
        assert!(error.message().contains("no account is open to you"), "{}", error.message());
        let mut client = world.fixture.as_holder_of(&token);
        let asked = client.list_dataset_types(ListDatasetTypesRequest::default()).await;
        assert_eq!(asked.unwrap_err().code(), Code::PermissionDenied);
        let asked = client.pause_source(PauseSourceRequest { name: source.name.clone() });
        assert_eq!(asked.await.unwrap_err().code(), Code::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_the_providers_for_this_client_and_of_now_are_refused() {
    let world = World::start(&[]).await;
    let good = world.claims(json!(["cortex:own"]));
    world.caller(&world.sign(&good)).await.unwrap();
    let with = |claim: &str, value: Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        world.sign(&claims)
    };
    let header = |alg: &str| json!({ "alg": alg, "kid": "one" });
    let public = world.key.published("one").to_string();
    let hmac = |secret: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        signed(&header("HS256"), &good, |message| ring::hmac::sign(&key, message).as_ref().to_vec())
    };
    let stranger = TokenKey::ec().unwrap();
    for (what, token) in [
        ("another issuer's", with("iss", json!("https://evil.example"))),
        ("for another client", with("aud", json!("another"))),
        ("for another party", with("azp", json!("another"))),
        ("for several without a party", with("aud", json!([CLIENT, "another"]))),
        ("over", with("exp", json!(1_700_000_000))),
        ("without an end", with("exp", json!(null))),
        ("to come", with("nbf", json!(4_000_000_000_u64))),
        ("of nobody", with("sub", json!(""))),
        ("unsigned", signed(&header("none"), &good, |_| Vec::new())),
        ("unsigned under an algorithm", signed(&header("ES256"), &good, |_| Vec::new())),
        ("by the public key as a secret", hmac(world.key.public())),
        ("by the published text as a secret", hmac(public.as_bytes())),
        ("by another key", stranger.sign(&header("ES256"), &good)),
        ("by a key that is not published", stranger.sign(&json!({ "alg": "ES256", "kid": "two" }), &good)),
    ] {
        let error = world.caller(&token).await.unwrap_err();
        assert_eq!(error.code(), Code::Unauthenticated, "{what}: {error:?}");
        assert!(
            !error.message().contains(&token) && !error.message().contains("evil"),
            "{}",
            error.message()
        );
    }
    // Tokens of the registry's own hold beside them.
    let account = world.fixture.account("own").await;
    let token = world.fixture.token(&account).await;
    assert_eq!(world.caller(&token).await.unwrap().account, account.name);
}
