//! Tokens by keys that are made here, of a provider that publishes them on a socket.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use services::token_issuer::token as signed;
use services::{TokenIssuer, TokenKey};

use super::*;

const CLIENT: &str = "cortex";

fn provider(issuer: &TokenIssuer, pace: Pace) -> Provider {
    let config = Config { issuer: issuer.issuer().to_owned(), client_id: CLIENT.to_owned(), ca: None };
    Provider::with_pace(config, pace).unwrap()
}

const AT_ONCE: Pace = Pace { answered: Duration::ZERO, failed: Duration::ZERO };

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn header() -> Value {
    json!({ "alg": "ES256", "kid": "one", "typ": "JWT" })
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "aud": CLIENT, "sub": "ann", "exp": now() + 600, "iat": now(), "groups": ["cortex:shop"] })
}

fn refusal(verified: Result<Claims, TokenError>) -> Refused {
    match verified {
        Err(TokenError::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_token_holds_by_each_kind_of_key() {
    let (ec, ed) = (TokenKey::ec().unwrap(), TokenKey::ed().unwrap());
    let odd = [json!({ "kty": "oct", "k": "AAAA", "kid": "two" }), json!({ "kty": "new" }), json!(7)];
    let mut keys = odd.to_vec();
    keys.extend([ec.published("one"), ed.published("two")]);
    let publisher = TokenIssuer::start(keys).unwrap();
    let provider = provider(&publisher, PACE);
    let mut claims = claims(publisher.issuer());
    let verified = provider.verify(&ec.sign(&header(), &claims)).await.unwrap();
    assert_eq!((verified.subject(), verified.values("groups")), ("ann", vec!["cortex:shop"]));
    claims["aud"] = json!(["other", CLIENT]);
    claims["azp"] = json!(CLIENT);
    provider.verify(&ed.sign(&json!({ "alg": "EdDSA", "kid": "two" }), &claims)).await.unwrap();
    // Without an id one key alone is for the algorithm.
    provider.verify(&ec.sign(&json!({ "alg": "ES256" }), &claims)).await.unwrap();
    assert_eq!(publisher.asked(), 1, "the keys are kept");
}

#[tokio::test]
async fn a_token_of_another_issuer_audience_or_time_is_refused() {
    let ec = TokenKey::ec().unwrap();
    let publisher = TokenIssuer::start(vec![ec.published("one")]).unwrap();
    let provider = provider(&publisher, AT_ONCE);
    for (claim, value, why) in [
        ("iss", json!("https://evil.example"), Refused::Issuer),
        ("iss", json!([publisher.issuer(), "https://evil.example"]), Refused::Issuer),
        ("iss", json!(null), Refused::Claims),
        ("aud", json!("another"), Refused::Audience),
        ("aud", json!(["another", "third"]), Refused::Audience),
        ("aud", json!([]), Refused::Audience),
        ("aud", json!(["another", CLIENT]), Refused::Audience),
        ("aud", json!(null), Refused::Claims),
        ("azp", json!("another"), Refused::Audience),
        ("exp", json!(now() - 60), Refused::Expired),
        ("exp", json!(null), Refused::Claims),
        ("exp", json!("tomorrow"), Refused::Claims),
        ("nbf", json!(now() + 600), Refused::NotYet),
        ("nbf", json!("tomorrow"), Refused::Claims),
        ("sub", json!(null), Refused::Claims),
        ("sub", json!(""), Refused::Claims),
        ("sub", json!("a\nb"), Refused::Claims),
        ("sub", json!("a".repeat(256)), Refused::Claims),
    ] {
        let mut claims = claims(publisher.issuer());
        claims[claim] = value.clone();
        let found = provider.verify(&ec.sign(&header(), &claims)).await;
        assert_eq!(refusal(found), why, "{claim}: {value}");
    }
    // Clocks that differ by some seconds keep no one out.
    let mut late = claims(publisher.issuer());
    late["exp"] = json!(now() - 5);
    late["nbf"] = json!(now() + 5);
    provider.verify(&ec.sign(&header(), &late)).await.unwrap();
}

#[tokio::test]
async fn no_algorithm_but_that_of_the_key_holds() {
    let (ec, stranger) = (TokenKey::ec().unwrap(), TokenKey::ec().unwrap());
    let publisher = TokenIssuer::start(vec![ec.published("one")]).unwrap();
    let provider = provider(&publisher, AT_ONCE);
    let claims = claims(publisher.issuer());
    let verify = async |token: String| refusal(provider.verify(&token).await);

    // Not signed at all, in every spelling.
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": none, "kid": "one" });
        assert_eq!(verify(signed(&header, &claims, |_| Vec::new())).await, Refused::Malformed, "{none}");
    }
    assert_eq!(verify(signed(&header(), &claims, |_| Vec::new())).await, Refused::Signature);

    // The public key as a shared secret, in each form that it is published or kept in.
    let spki = {
        let mut der = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00".to_vec();
        der.extend_from_slice(ec.public());
        der
    };
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&spki));
    let published = ec.published("one").to_string();
    for secret in [ec.public(), spki.as_slice(), pem.as_bytes(), published.as_bytes(), b""] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let header = json!({ "alg": "HS256", "kid": "one" });
        let token = signed(&header, &claims, |message| ring::hmac::sign(&key, message).as_ref().to_vec());
        assert_eq!(verify(token).await, Refused::Algorithm);
    }

    // Another's key, under the published one's id, and brought along in the header.
    assert_eq!(verify(stranger.sign(&header(), &claims)).await, Refused::Signature);
    let mut brought = header();
    brought["jwk"] = stranger.published("one");
    brought["jku"] = json!("https://evil.example/keys");
    assert_eq!(verify(stranger.sign(&brought, &claims)).await, Refused::Signature);
    // An algorithm that the key is not for, an id that is not there, what must be understood and is not.
    for (name, value, why) in [
        ("alg", json!("ES384"), Refused::Algorithm),
        ("alg", json!("RS256"), Refused::Algorithm),
        ("alg", json!("EdDSA"), Refused::Algorithm),
        ("kid", json!("other"), Refused::UnknownKey),
        ("crit", json!(["exp"]), Refused::Malformed),
    ] {
        let mut header = header();
        header[name] = value;
        assert_eq!(verify(ec.sign(&header, &claims)).await, why, "{header}");
    }

    // A claim that is changed, and what is no JWT.
    let token = ec.sign(&header(), &claims);
    let mut parts: Vec<&str> = token.split('.').collect();
    let mut other = claims.clone();
    other["sub"] = json!("eve");
    let other = URL_SAFE_NO_PAD.encode(other.to_string());
    parts[1] = &other;
    assert_eq!(verify(parts.join(".")).await, Refused::Signature);
    for wrong in ["", "a.b.c", "ey.ey.ey", &token[1..], &"a".repeat(MAX_TOKEN + 1)] {
        assert_eq!(verify(wrong.to_owned()).await, Refused::Malformed, "{wrong}");
    }
    provider.verify(&token).await.unwrap();
}

#[tokio::test]
async fn a_new_key_is_found_and_unknown_ones_do_not_make_the_provider_be_asked_each_time() {
    let (first, second) = (TokenKey::ec().unwrap(), TokenKey::ec().unwrap());
    let publisher = TokenIssuer::start(vec![first.published("one")]).unwrap();
    let claims = claims(publisher.issuer());
    let (hurried, calm) = (provider(&publisher, AT_ONCE), provider(&publisher, PACE));
    hurried.verify(&first.sign(&header(), &claims)).await.unwrap();
    publisher.publish(vec![second.published("two")]);
    let token = second.sign(&json!({ "alg": "ES256", "kid": "two" }), &claims);
    hurried.verify(&token).await.unwrap();
    // What is published no more holds no more.
    assert_eq!(refusal(hurried.verify(&first.sign(&header(), &claims)).await), Refused::UnknownKey);

    let before = publisher.asked();
    for made_up in 0..50 {
        let header = json!({ "alg": "ES256", "kid": format!("made-up-{made_up}") });
        assert_eq!(refusal(calm.verify(&second.sign(&header, &claims)).await), Refused::UnknownKey);
    }
    assert_eq!(publisher.asked() - before, 1);
    calm.verify(&token).await.unwrap();
}

#[tokio::test]
async fn an_address_counts_where_it_is_verified() {
    let ec = TokenKey::ec().unwrap();
    let publisher = TokenIssuer::start(vec![ec.published("one")]).unwrap();
    let provider = provider(&publisher, PACE);
    let mut claims = claims(publisher.issuer());
    claims["email"] = json!("ann@shop.example");
    claims["preferred_username"] = json!("ann");
    for (verified, expected, shown) in [
        (json!(true), vec!["ann@shop.example"], "ann@shop.example"),
        (json!(false), vec![], "ann"),
        (json!("yes"), vec![], "ann"),
        (json!(null), vec![], "ann"),
    ] {
        claims["email_verified"] = verified;
        let found = provider.verify(&ec.sign(&header(), &claims)).await.unwrap();
        assert_eq!((found.values("email"), found.shown_name()), (expected, shown));
        assert!(!format!("{found:?}").contains("shop.example"));
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_or_is_another_is_told_and_tokens_do_not_hold() {
    let ec = TokenKey::ec().unwrap();
    let nobody = Config { issuer: "http://127.0.0.1:1".to_owned(), client_id: CLIENT.to_owned(), ca: None };
    let provider = Provider::new(nobody).unwrap();
    let token = ec.sign(&header(), &claims("http://127.0.0.1:1"));
    let error = provider.verify(&token).await.unwrap_err();
    assert!(matches!(error, TokenError::Unavailable(_)), "{error}");

    // A document that names another issuer would have another's keys hold.
    let publisher = TokenIssuer::start(vec![ec.published("one")]).unwrap();
    let other = format!("{}/realm", publisher.issuer());
    let provider =
        Provider::new(Config { issuer: other.clone(), client_id: CLIENT.to_owned(), ca: None }).unwrap();
    let error = provider.verify(&ec.sign(&header(), &claims(&other))).await.unwrap_err();
    assert!(error.to_string().contains("another issuer"), "{error}");

    let ca = Config { ca: Some(b"no PEM".to_vec()), issuer: other, client_id: CLIENT.to_owned() };
    assert!(Provider::new(ca).unwrap_err().to_string().contains("oidc_ca_file"));
}
