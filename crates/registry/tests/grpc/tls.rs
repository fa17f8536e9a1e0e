//! gRPC over TLS, with certificates that are made here.

use api::client::{ClientIdentity, ClientTls, Registry, connect, connect_with};
use api::registry::{AddDeletedSubjectsRequest, GetAccountRequest, ListAccountsRequest};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use registry::{Config, RegistryError, Secret, Server, ServerTls};
use tonic::Code;

use crate::fixture::{ADMIN, Fixture};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    fn issue(&self, purpose: ExtendedKeyUsagePurpose) -> (Vec<u8>, String) {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap().pem().into_bytes(), key.serialize_pem())
    }

    fn server(&self, client_ca: Option<&Authority>) -> ServerTls {
        let (certificate, key) = self.issue(ExtendedKeyUsagePurpose::ServerAuth);
        ServerTls { certificate, key: Secret::new(key), client_ca: client_ca.map(Authority::pem) }
    }

    fn client(&self) -> Option<ClientIdentity> {
        let (certificate, key) = self.issue(ExtendedKeyUsagePurpose::ClientAuth);
        Some(ClientIdentity { certificate, key: key.into_bytes() })
    }
}

async fn asks(address: &str, tls: &ClientTls) -> Result<(), tonic::Status> {
    let mut registry = Registry::new(connect_with(address, ADMIN, tls).unwrap());
    let request = GetAccountRequest { name: "accounts/nobody".into() };
    match registry.get_account(request).await {
        Err(status) if status.code() == Code::NotFound => Ok(()),
        Err(status) => Err(status),
        Ok(_) => panic!("there is no such account"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_a_client_that_knows_the_ca_is_answered() {
    let authority = Authority::new();
    let fixture = Fixture::start_with(Some(authority.server(None))).await;
    let knowing = ClientTls { ca: Some(authority.pem()), identity: None };
    asks(&fixture.address, &knowing).await.unwrap();

    let other = ClientTls { ca: Some(Authority::new().pem()), identity: None };
    let refused = asks(&fixture.address, &other).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "an unknown CA: {refused:?}");
    assert!(format!("{refused:?}").contains("InvalidCertificate"), "{refused:?}");
    let refused = asks(&fixture.address, &ClientTls::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "the public web's CAs: {refused:?}");
    let plain = fixture.address.replace("https:", "http:");
    let refused = asks(&plain, &ClientTls::default()).await.unwrap_err();
    assert_ne!(refused.code(), Code::NotFound, "without TLS: {refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_client_ca_is_set_clients_must_show_a_certificate_of_it() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let fixture = Fixture::start_with(Some(authority.server(Some(&clients)))).await;
    let with = |identity| ClientTls { ca: Some(authority.pem()), identity };
    asks(&fixture.address, &with(clients.client())).await.unwrap();
    for (what, identity) in [("no certificate", None), ("one of another CA", authority.client())] {
        let refused = asks(&fixture.address, &with(identity)).await.unwrap_err();
        assert_ne!(refused.code(), Code::NotFound, "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn tls_that_cannot_be_used_is_refused_before_anything_is_served_or_asked() {
    let (one, other) = (Authority::new(), Authority::new());
    let mut tls = one.server(None);
    tls.key = other.server(None).key;
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config =
        Config::new(listen, Secret::new("sqlite::memory:"), Secret::new(ADMIN), Secret::new("worker"));
    config.tls = Some(tls);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let queue = tokio::task::spawn_blocking(move || queue::embedded::EmbeddedQueue::open(&path).unwrap());
    let Err(error) = Server::bind(config, std::sync::Arc::new(queue.await.unwrap())).await else {
        panic!("another's key was taken")
    };
    assert!(matches!(&error, RegistryError::Setting { name: "tls", .. }), "{error}");

    let tls = ClientTls { ca: Some(one.pem()), identity: one.client() };
    let error = connect_with("http://127.0.0.1:1", ADMIN, &tls).unwrap_err().to_string();
    assert!(error.contains("https://"), "{error}");
    let shown = format!("{tls:?} {:?} {:?}", tls.identity, one.server(None));
    assert!(!shown.contains("PRIVATE"), "{shown}");
    let tls = ClientTls {
        ca: Some(b"no PEM".to_vec()),
        identity: one.client().map(|mut identity| {
            identity.key = b"no key".to_vec();
            identity
        }),
    };
    let error = connect_with("https://127.0.0.1:1", ADMIN, &tls).unwrap_err().to_string();
    assert!(error.contains("PEM file"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_above_the_limit_is_refused_and_the_connection_lives_on() {
    let fixture = Fixture::start().await;
    let mut registry = Registry::new(connect(&fixture.address, ADMIN).unwrap());
    let request =
        AddDeletedSubjectsRequest { parent: "accounts/shop".into(), subject_ids: vec!["x".repeat(5 << 20)] };
    let refused = registry.add_deleted_subjects(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    registry.list_accounts(ListAccountsRequest::default()).await.unwrap();
}
