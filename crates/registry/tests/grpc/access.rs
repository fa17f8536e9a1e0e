//! Who may make which call: every method of both services, by the wrong token, another account's, one that may look only,
//! and none. A method that is added to a service fails here until it is said whose it is.

use api::registry::{CreateAccountTokenRequest, TokenScope};
use bytes::{Buf, BufMut};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, ReflectMessage, Value};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status};

use crate::fixture::{ADMIN, Around, Fixture, WORKER};

/// Whose a call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    /// The operator's.
    Admins,
    /// Its account's, by any token.
    Readers,
    /// Its account's, by a token that may change things.
    Writers,
    /// Anyone's who has a token, but workers'.
    Anyones,
    /// Scanners' and parsers'.
    Workers,
}
use Whose::{Admins, Anyones, Readers, Workers, Writers};

const CALLS: &[(&str, Whose)] = &[
    ("GetCaller", Anyones),
    ("CreateAccount", Admins),
    ("GetAccount", Readers),
    ("ListAccounts", Admins),
    ("RotateExternalId", Writers),
    ("CreateAccountToken", Admins),
    ("ListAccountTokens", Readers),
    ("RevokeAccountToken", Admins),
    ("ListAuditEntries", Readers),
    ("AddDeletedSubjects", Writers),
    ("RemoveDeletedSubjects", Writers),
    ("CheckDeletedSubjects", Readers),
    ("ListDatasetTypes", Anyones),
    ("GetSampleFile", Anyones),
    ("GetSetupDocuments", Readers),
    ("CreateSource", Writers),
    ("GetSource", Readers),
    ("ListSources", Readers),
    ("UpdateSource", Writers),
    ("TestSource", Readers),
    ("PreviewSource", Readers),
    ("ActivateSource", Writers),
    ("PauseSource", Writers),
    ("ResumeSource", Writers),
    ("DeleteSource", Writers),
    ("UndeleteSource", Writers),
    ("SetSourceSchema", Writers),
    ("ListSourceSchemas", Readers),
    ("ProposeSourceSchema", Readers),
    ("ListFiles", Readers),
    ("ListFileErrors", Readers),
    ("ReprocessFile", Writers),
    ("ReprocessFiles", Writers),
    ("ListSamples", Readers),
    ("ListDays", Readers),
    ("GetBacklog", Readers),
    ("LeaseScan", Workers),
    ("RenewLease", Workers),
    ("RecordObjects", Workers),
    ("ListUnpublished", Workers),
    ("MarkPublished", Workers),
    ("CompleteScan", Workers),
    ("ClaimFiles", Workers),
    ("ReleaseClaims", Workers),
    ("IssueCredentials", Workers),
    ("ListDeletedSubjects", Workers),
    ("LeaseEventQueues", Workers),
    ("RecordEvents", Workers),
];

/// Bytes as they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

/// Makes the call, and reads the answer to its first message.
async fn call(
    address: &str,
    method: &MethodDescriptor,
    body: &[u8],
    token: Option<&str>,
) -> Result<(), Status> {
    call_with(address, method, body, token, &[]).await
}

/// The same with more metadata.
async fn call_with(
    address: &str,
    method: &MethodDescriptor,
    body: &[u8],
    token: Option<&str>,
    metadata: &[(&'static str, &'static str)],
) -> Result<(), Status> {
    let channel = Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = Request::new(body.to_vec());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = path.parse::<http::uri::PathAndQuery>().unwrap();
    let mut stream = client.server_streaming(request, path, Raw).await?.into_inner();
    stream.message().await.map(drop)
}

/// A request that names the account and its source wherever it can.
fn request(method: &MethodDescriptor, account: &str, source: &str) -> Vec<u8> {
    let mut message = DynamicMessage::new(method.input());
    let of_account = ["GetAccount", "RotateExternalId", "CreateAccountToken"].contains(&method.name());
    let name = match method.name() {
        "RevokeAccountToken" => format!("{account}/tokens/{}", uuid::Uuid::new_v4()),
        _ if of_account => account.to_owned(),
        _ => source.to_owned(),
    };
    let under_account = [
        "ListAccountTokens",
        "ListAuditEntries",
        "AddDeletedSubjects",
        "RemoveDeletedSubjects",
        "CheckDeletedSubjects",
        "GetSetupDocuments",
        "CreateSource",
        "ListSources",
    ];
    let parent = if under_account.contains(&method.name()) { account } else { source };
    for (field, value) in [("name", name.as_str()), ("parent", parent)] {
        if message.descriptor().get_field_by_name(field).is_some() {
            message.set_field_by_name(field, Value::String(value.to_owned()));
        }
    }
    if method.name() == "UpdateSource" {
        let field = message.descriptor().get_field_by_name("source").unwrap();
        let mut sent = DynamicMessage::new(field.kind().as_message().unwrap().clone());
        sent.set_field_by_name("name", Value::String(source.to_owned()));
        message.set_field_by_name("source", Value::Message(sent));
    }
    message.encode_to_vec()
}

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(api::DESCRIPTORS).unwrap();
    let services: Vec<_> = pool.services().collect();
    services.iter().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

fn whose(method: &MethodDescriptor) -> Whose {
    let found = CALLS.iter().find(|(name, _)| *name == method.name());
    found.unwrap_or_else(|| panic!("say whose {} is", method.name())).1
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_refused_to_whose_it_is_not() {
    let fixture = Fixture::start().await;
    let (own, other) = (fixture.account("own").await, fixture.account("other").await);
    let source = fixture.draft(&own).await;
    let foreign = fixture.token(&other).await;
    let looking = CreateAccountTokenRequest {
        name: own.name.clone(),
        scope: TokenScope::ReadOnly as i32,
        ..Default::default()
    };
    let looking = fixture.as_admin().create_account_token(looking).await.unwrap().into_inner().token;

    let methods = methods();
    assert_eq!(methods.len(), CALLS.len());
    for method in methods {
        let body = request(&method, &own.name, &source.name);
        let code = async |token: Option<&str>| {
            call(&fixture.address, &method, &body, token).await.err().map_or(Code::Ok, |status| status.code())
        };
        let (name, whose) = (method.name().to_owned(), whose(&method));
        for token in [None, Some(""), Some("no token of ours"), Some("Bearer")] {
            assert_eq!(code(token).await, Code::Unauthenticated, "{name} with {token:?}");
        }
        let expected = match whose {
            Admins | Workers => Code::PermissionDenied,
            Readers | Writers => Code::NotFound,
            Anyones => Code::Ok,
        };
        assert_eq!(
            code(Some(&foreign)).await,
            or_invalid(&name, expected),
            "{name} with another account's token"
        );
        if matches!(whose, Writers | Workers | Admins) {
            assert_eq!(code(Some(&looking)).await, Code::PermissionDenied, "{name} by one that looks");
        }
        if whose == Workers {
            assert_eq!(code(Some(ADMIN)).await, Code::PermissionDenied, "{name} by the admin");
            continue;
        }
        assert_eq!(code(Some(WORKER)).await, Code::PermissionDenied, "{name} by a worker");
        if matches!(whose, Readers | Anyones) {
            let found = code(Some(&looking)).await;
            let refused = [Code::Unauthenticated, Code::PermissionDenied, Code::Unimplemented];
            assert!(!refused.contains(&found), "{name} by one that looks: {found:?}");
        }
    }
}

/// A sample file is asked for by its dataset, which an empty request lacks.
fn or_invalid(name: &str, expected: Code) -> Code {
    if name == "GetSampleFile" { Code::InvalidArgument } else { expected }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_or_expired_token_is_refused() {
    let fixture = Fixture::start().await;
    let account = fixture.account("own").await;
    let made = CreateAccountTokenRequest { name: account.name.clone(), ..Default::default() };
    let made = fixture.as_admin().create_account_token(made).await.unwrap().into_inner();
    let mut client = fixture.as_holder_of(&made.token);
    let ask = || api::registry::GetAccountRequest { name: account.name.clone() };
    client.get_account(ask()).await.unwrap();
    let listed = client
        .list_account_tokens(api::registry::ListAccountTokensRequest { parent: account.name.clone() })
        .await
        .unwrap()
        .into_inner()
        .account_tokens;
    assert_eq!(listed, [made.account_token.clone().unwrap()]);
    assert!(!format!("{listed:?}").contains(&made.token));
    let revoke = api::registry::RevokeAccountTokenRequest { name: made.account_token.unwrap().name };
    fixture.as_admin().revoke_account_token(revoke).await.unwrap();
    assert_eq!(client.get_account(ask()).await.unwrap_err().code(), Code::Unauthenticated);

    let past = prost_types::Timestamp { seconds: 1, nanos: 0 };
    let past = CreateAccountTokenRequest {
        name: account.name.clone(),
        expire_time: Some(past),
        ..Default::default()
    };
    let refused = fixture.as_admin().create_account_token(past).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_the_database_has_no_token() {
    let fixture = Fixture::start().await;
    let account = fixture.account("own").await;
    let token = fixture.token(&account).await;
    fixture.as_holder_of(&token).get_caller(api::registry::GetCallerRequest {}).await.unwrap();
    assert!(fixture.database_holds(&account.external_id), "what is stored is found");
    for secret in [&token, token.trim_start_matches("cortex_"), ADMIN, WORKER] {
        assert!(!fixture.database_holds(secret));
    }
}

/// All that a service without a token answers to these requests.
async fn answers(address: &str, path: &'static str, requests: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let channel = Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let request = Request::new(tokio_stream::iter(requests));
    let mut stream = client
        .streaming(request, http::uri::PathAndQuery::from_static(path), Raw)
        .await
        .unwrap()
        .into_inner();
    let mut told = Vec::new();
    while let Some(answer) = stream.message().await.unwrap() {
        told.push(answer);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_health_and_reflection_say_the_same_whatever_accounts_there_are() {
    let fixture = Fixture::start().await;
    let told = async || {
        let services = tonic_reflection::pb::v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(
                tonic_reflection::pb::v1::server_reflection_request::MessageRequest::ListServices(
                    String::new(),
                ),
            ),
        };
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        let services = answers(&fixture.address, path, vec![services.encode_to_vec()]).await;
        let health = answers(&fixture.address, "/grpc.health.v1.Health/Check", vec![Vec::new()]).await;
        (services, health)
    };
    let (services, health) = told().await;
    assert!(!services[0].is_empty() && !health[0].is_empty());
    let account = fixture.account("own").await;
    fixture.draft(&account).await;
    assert_eq!(told().await, (services, health));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_of_ones_own_opens_nothing() {
    let fixture = Fixture::start().await;
    let (own, other) = (fixture.account("own").await, fixture.account("other").await);
    let foreign = fixture.token(&other).await;
    let method = methods().into_iter().find(|method| method.name() == "GetAccount").unwrap();
    let body = request(&method, &own.name, "");
    let trace = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    for (token, expected) in [(None, Code::Unauthenticated), (Some(foreign.as_str()), Code::NotFound)] {
        let refused = call_with(&fixture.address, &method, &body, token, &[trace]).await.unwrap_err();
        assert_eq!(refused.code(), expected);
    }
}

fn with(configure: impl FnOnce(&mut registry::Config) + Send + 'static) -> Around {
    Around { configure: Box::new(|config, _| configure(config)), ..Around::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_asks_too_often_is_told_when_to_come_again_and_others_are_served() {
    use tonic_types::StatusExt;

    let fixture = Fixture::start_around(with(|config| config.requests_per_second = 2)).await;
    let (busy, calm) = (fixture.account("busy").await, fixture.account("calm").await);
    let mut client = fixture.as_holder_of(&fixture.token(&busy).await);
    let mut other = fixture.as_holder_of(&fixture.token(&calm).await);
    let mut refused = None;
    for _ in 0..50 {
        let asked = client.get_account(api::registry::GetAccountRequest { name: busy.name.clone() }).await;
        if let Err(status) = asked {
            refused = Some(status);
            break;
        }
    }
    let refused = refused.expect("fifty calls at once are more than four");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.get_details_retry_info().unwrap().retry_delay.is_some());
    other.get_account(api::registry::GetAccountRequest { name: calm.name }).await.unwrap();
    // The operator is not held back.
    for _ in 0..10 {
        fixture
            .as_admin()
            .get_account(api::registry::GetAccountRequest { name: busy.name.clone() })
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_no_more_sources_than_its_limit() {
    let fixture = Fixture::start_around(with(|config| config.max_sources = 2)).await;
    let account = fixture.account("shop").await;
    let first = fixture.draft(&account).await;
    fixture.draft(&account).await;
    let create = || api::registry::CreateSourceRequest {
        parent: account.name.clone(),
        source: Some(crate::fixture::source()),
        ..Default::default()
    };
    let refused = fixture.as_admin().create_source(create()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("2 sources"), "{}", refused.message());
    let delete = api::registry::DeleteSourceRequest { name: first.name, ..Default::default() };
    fixture.as_admin().delete_source(delete).await.unwrap();
    fixture.as_admin().create_source(create()).await.unwrap();
}
