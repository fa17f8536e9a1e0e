//! The role itself: health, reflection, an orderly end.

use std::time::Duration;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::fixture::{Fixture, until};

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer() {
    let fixture = Fixture::start().await;
    let channel =
        tonic::transport::Endpoint::from_shared(fixture.address.clone()).unwrap().connect().await.unwrap();
    let health = HealthClient::new(channel.clone());
    until("health to say that the store answers", || {
        let mut health = health.clone();
        async move {
            let request = HealthCheckRequest { service: "cortex.registry.v1.RegistryService".into() };
            let answer = health.check(request).await;
            answer.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
        }
    })
    .await;

    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::iter([request]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(services) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = services.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"cortex.registry.v1.RegistryService".to_owned()), "{names:?}");
    assert!(names.contains(&"cortex.worker.v1.WorkerService".to_owned()), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_its_time_though_a_client_stays_connected() {
    let mut fixture = Fixture::start().await;
    fixture.account("shop").await;
    let _connected = fixture.as_admin();
    fixture.shutdown.cancel();
    let running = fixture.running.take().unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
    ended.expect("it ends in under 10 s").unwrap().unwrap();
}
