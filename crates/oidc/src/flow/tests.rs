//! Sign-ins at a provider whose every answer is the test's.

use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::{Value, json};
use services::{TokenIssuer, TokenKey};

use super::*;
use crate::config::Config;
use crate::error::Refused;

const REDIRECT: &str = "https://console.example/sign-in/callback";

/// A sign-in that has begun.
struct Begun {
    issuer: TokenIssuer,
    key: TokenKey,
    party: RelyingParty,
    pending: Pending,
    /// What the browser takes to the provider.
    sent: HashMap<String, String>,
}

impl Begun {
    async fn start(secret: Option<&str>) -> Self {
        let key = TokenKey::ec().unwrap();
        let issuer = TokenIssuer::start(vec![key.published("one")]).unwrap();
        let config = Config { issuer: issuer.issuer().to_owned(), client_id: "cortex".to_owned(), ca: None };
        let provider = Provider::new(config).unwrap();
        let scopes = vec!["openid".to_owned(), "groups".to_owned()];
        let party = RelyingParty::new(provider, secret.map(ClientSecret::new), REDIRECT.to_owned(), scopes);
        let (address, pending) = party.begin().await.unwrap();
        let query = address.strip_prefix(&format!("{}/authorize?", issuer.issuer())).unwrap();
        let sent = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { issuer, key, party, pending, sent }
    }

    /// Has the provider give a token with this nonce.
    fn give(&self, nonce: &Value) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": self.issuer.issuer(), "aud": "cortex", "sub": "ann", "exp": now + 600, "nonce": nonce
        });
        self.issuer.give(&self.key.sign(&json!({ "alg": "ES256", "kid": "one" }), &claims));
    }

    fn callback(&self) -> Callback {
        Callback { code: "the code".into(), state: self.sent["state"].clone(), ..Callback::default() }
    }

    async fn finish(&self, callback: &Callback) -> Result<Claims, FlowError> {
        self.party.finish(&self.pending, callback).await.map(|(_, claims)| claims)
    }
}

#[tokio::test]
async fn a_sign_in_that_comes_back_is_exchanged_with_the_proof_that_it_began_here() {
    let begun = Begun::start(Some("a:b c%")).await;
    let sent = |name: &str| begun.sent[name].as_str();
    assert_eq!(
        (sent("response_type"), sent("client_id"), sent("redirect_uri")),
        ("code", "cortex", REDIRECT)
    );
    assert_eq!((sent("scope"), sent("code_challenge_method")), ("openid groups", "S256"));
    begun.give(&json!(sent("nonce")));
    assert_eq!(begun.finish(&begun.callback()).await.unwrap().subject(), "ann");

    let exchanged = begun.issuer.exchanged().remove(0);
    let (head, form) = exchanged.split_once("\r\n\r\n").unwrap();
    let form: HashMap<String, String> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    assert_eq!((form["code"].as_str(), form["redirect_uri"].as_str()), ("the code", REDIRECT));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    assert_eq!(challenge, sent("code_challenge"));
    assert!(
        head.contains(&basic("cortex", &ClientSecret::new("a:b c%"))) && !form.contains_key("client_secret")
    );
    // No sign-in is like another.
    let (other, _) = begun.party.begin().await.unwrap();
    for unique in ["state", "nonce", "code_challenge"] {
        assert!(!other.contains(sent(unique)), "{unique}");
    }
}

#[tokio::test]
async fn a_forged_state_spends_no_code() {
    let begun = Begun::start(None).await;
    begun.give(&json!(begun.sent["nonce"]));
    for state in ["", "forged", &begun.sent["state"][1..]] {
        let forged = Callback { state: state.to_owned(), ..begun.callback() };
        let error = begun.finish(&forged).await.unwrap_err();
        assert!(matches!(error, FlowError::Forged), "{error}");
    }
    let elsewhere = Callback { iss: Some("https://evil.example".into()), ..begun.callback() };
    assert!(matches!(begun.finish(&elsewhere).await, Err(FlowError::Forged)), "another provider's answer");
    assert_eq!(begun.issuer.exchanged(), Vec::<String>::new());
    begun.finish(&begun.callback()).await.unwrap();
}

#[tokio::test]
async fn a_token_of_another_sign_in_is_refused() {
    let begun = Begun::start(None).await;
    for nonce in [json!("another"), json!(""), json!(null), json!([begun.sent["nonce"]])] {
        begun.give(&nonce);
        let error = begun.finish(&begun.callback()).await.unwrap_err();
        let refused = matches!(error, FlowError::Token(TokenError::Refused(Refused::Nonce)));
        assert!(refused, "{nonce}: {error}");
    }
}

#[tokio::test]
async fn what_the_provider_refuses_is_told_by_its_code() {
    let begun = Begun::start(None).await;
    let denied = Callback { error: "access_denied".into(), ..begun.callback() };
    let error = begun.finish(&denied).await.unwrap_err();
    assert!(matches!(&error, FlowError::Denied(code) if code == "access_denied"), "{error}");
    begun.issuer.give("");
    let error = begun.finish(&begun.callback()).await.unwrap_err();
    assert!(matches!(error, FlowError::NoToken(_)), "{error}");
}

#[test]
fn what_a_stranger_writes_is_no_error_code() {
    assert_eq!(code("access_denied"), "access_denied");
    for wrong in ["<script>", "Call +1 555 0100 now", &"a".repeat(61)] {
        assert_eq!(code(wrong), "unknown error");
    }
}

#[test]
fn secrets_are_form_encoded_and_in_no_debug_output() {
    let secret = ClientSecret::new("a:b c%");
    assert_eq!(basic("my id", &secret), format!("Basic {}", STANDARD.encode("my+id:a%3Ab+c%25")));
    let pending = Pending { state: "hush".into(), nonce: "hush".into(), verifier: "hush".into() };
    let callback = Callback { code: "hush".into(), ..Callback::default() };
    assert!(!format!("{pending:?}{callback:?}{secret:?}").contains("hush"));
}

#[test]
fn an_endpoint_keeps_its_own_query() {
    assert_eq!(with_query("https://id.example/auth", "a=b"), "https://id.example/auth?a=b");
    assert_eq!(with_query("https://id.example/auth?policy=1", "a=b"), "https://id.example/auth?policy=1&a=b");
}
