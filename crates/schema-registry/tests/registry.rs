//! The client on a schema registry that nobody here wrote.

// Functions beside the tests are part of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read, Write};
use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use https::Https;
use schema_registry::{Config, SchemaRegistry, SchemaRegistryError};
use serde_json::{Value, json};
use services::TcpProxy;
use services::shared::schema_registry;

fn client(url: &str, auto_register: bool) -> SchemaRegistry {
    let config = Config { url: url.to_owned(), login: None, ca: None, auto_register };
    SchemaRegistry::new(config).unwrap()
}

/// What the registry answers an operator.
async fn ask(method: Method, path: &str, body: Value) -> Value {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", schema_registry().unwrap().url()))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let (status, answer) = Https::new(None).unwrap().ask(request).await.unwrap();
    assert_eq!(status, StatusCode::OK, "{path}: {answer:?}");
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test]
async fn a_schema_has_one_id_however_often_it_is_registered_and_looked_up() {
    let url = schema_registry().unwrap().url();
    for (topic, message) in records::topic::VALUES {
        let schema = records::schema(message).unwrap();
        let absent = client(&url, false).id(topic, schema).await.unwrap_err();
        let told = format!("register what `cortex topics schema {topic}` prints");
        assert!(matches!(&absent, SchemaRegistryError::Refused(_)), "{absent}");
        assert!(absent.to_string().contains(&told), "{absent}");

        let id = client(&url, true).id(topic, schema).await.unwrap();
        assert_eq!(client(&url, true).id(topic, schema).await.unwrap(), id);
        assert_eq!(client(&url, false).id(topic, schema).await.unwrap(), id);
        let versions = ask(Method::GET, &format!("/subjects/{topic}-value/versions"), Value::Null).await;
        assert_eq!(versions, json!([1]));
        let known = ask(Method::GET, &format!("/schemas/ids/{id}"), Value::Null).await;
        assert_eq!(
            (known["schema"].as_str(), known["schemaType"].as_str()),
            (Some(schema), Some("PROTOBUF"))
        );
    }
}

#[tokio::test]
async fn what_is_not_compatible_with_another_program_s_schema_is_refused() {
    let url = schema_registry().unwrap().url();
    let schema = records::schema("cortex.records.v1.Item").unwrap();
    let other = schema.replace("string item_id = 2", "int64 item_id = 2");
    let ours = client(&url, true);
    let first = ours.id("taken", &other).await.unwrap();
    ask(Method::PUT, "/config/taken-value", json!({ "compatibility": "BACKWARD" })).await;
    let refused = ours.id("taken", schema).await.unwrap_err();
    assert!(matches!(refused, SchemaRegistryError::Refused(_)), "{refused}");
    let told = refused.to_string();
    assert!(told.contains("taken-value") && told.contains("compatible") && told.contains("409"), "{told}");
    assert_eq!(ours.id("taken", &other).await.unwrap(), first, "what was there stays");
    // A field more, as a later version has it, is compatible.
    let later = other.replace("int64 item_id = 2;", "int64 item_id = 2;\n  string more = 3;");
    assert_ne!(ours.id("taken", &later).await.unwrap(), first);

    let no_schema = ours.id("broken", "nonsense").await.unwrap_err();
    assert!(matches!(no_schema, SchemaRegistryError::Refused(_)), "{no_schema}");
}

#[tokio::test]
async fn what_passes_is_told_from_what_stays() {
    use SchemaRegistryError::{Denied, Refused, Unavailable};
    let registry = schema_registry().unwrap();
    let schema = records::schema("cortex.records.v1.Event").unwrap();
    let proxy = TcpProxy::start(&registry.address()).unwrap();
    let by_proxy = client(&services::SchemaRegistry::url_at(&proxy.address()), true);
    proxy.refuse();
    let away = by_proxy.id("away", schema).await.unwrap_err();
    assert!(matches!(away, Unavailable { .. }), "{away}");
    proxy.pass();
    by_proxy.id("away", schema).await.unwrap();

    let elsewhere = client(&format!("http://{}/nothing", registry.address()), true);
    let elsewhere = elsewhere.id("away", schema).await.unwrap_err();
    assert!(
        matches!(&elsewhere, Refused(_)) && elsewhere.to_string().contains("schema_registry_url"),
        "{elsewhere}"
    );

    let over_tls = |ca: Option<Vec<u8>>| {
        let config = Config { url: registry.https_url(), login: None, ca, auto_register: true };
        SchemaRegistry::new(config).unwrap()
    };
    let ca = std::fs::read(registry.ca_file()).unwrap();
    over_tls(Some(ca)).id("away", schema).await.unwrap();
    let unknown = over_tls(None).id("away", schema).await.unwrap_err();
    assert!(
        matches!(&unknown, Denied(_)) && unknown.to_string().contains("schema_registry_ca_file"),
        "{unknown}"
    );
}

/// The registry of these tests takes anyone, so that this one is a socket that lets one login in.
#[tokio::test]
async fn it_says_who_it_is_and_a_wrong_password_is_denied_without_being_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let basic = format!("authorization: Basic {}", STANDARD.encode("cortex:hush"));
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            let is_right = String::from_utf8(head).unwrap().lines().any(|line| line == basic);
            let (status, body) =
                if is_right { ("200 OK", r#"{"id":7}"#) } else { ("401 Unauthorized", "{}") };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    let with = |password: &str| {
        let login = Some(("cortex".to_owned(), password.to_owned()));
        let config = Config { url: url.clone(), login, ca: None, auto_register: true };
        SchemaRegistry::new(config).unwrap()
    };
    assert_eq!(with("hush").id("topic", "schema").await.unwrap(), 7);
    let denied = with("wrong-one").id("topic", "schema").await.unwrap_err();
    assert!(matches!(denied, SchemaRegistryError::Denied(_)), "{denied}");
    let told = denied.to_string();
    assert!(told.contains("schema_registry_user") && !told.contains("wrong-one"), "{told}");
}
