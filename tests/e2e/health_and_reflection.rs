//! Probes and tools find out about every service without a token.

use std::collections::BTreeSet;

use reflex_rpc::client;
use reflex_tests::{suite::Suite, web};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_reflection::pb::{v1, v1alpha};

use crate::any_rpc;

/// What every server serves beside its own.
const BESIDE: [&str; 1] = ["grpc.health.v1.Health"];

/// Returns the services of packages, as the protos have them.
fn services_of(packages: &[&str]) -> BTreeSet<String> {
    let services = any_rpc::all().into_iter().map(|method| method.parent_service().clone());
    let own = services.filter(|service| packages.contains(&service.package_name()));
    own.map(|service| service.full_name().to_owned()).collect()
}

/// Returns each server with the services that are its own.
fn servers(suite: &Suite) -> [(Channel, BTreeSet<String>); 2] {
    let channel = |url: String| client::connect(&url, &suite.environment.tasks).unwrap();
    [
        (channel(suite.leads_url()), services_of(&["reflex.leads.v1"])),
        (
            channel(suite.notifications_url()),
            services_of(&["reflex.notifications.v1", "reflex.platform.v1"]),
        ),
    ]
}

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    let answer = HealthClient::new(channel.clone()).check(request).await;
    answer
        .map(|answer| answer.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_answers_for_every_service_and_follows_readiness() {
    let suite = Suite::start().await;
    let servers = servers(&suite);
    for (channel, services) in &servers {
        assert!(!services.is_empty());
        for name in services.iter().map(String::as_str).chain(["", "liveness"]) {
            assert_eq!(health(channel, name).await, Ok(ServingStatus::Serving), "{name:?}");
        }
        assert_eq!(health(channel, "reflex.nobody.v1.NoService").await, Err(Code::NotFound));
    }
    let live = web::get(&format!("{}/livez", suite.gateway_url())).await;
    let ready = web::get(&format!("{}/readyz", suite.gateway_url())).await;
    assert_eq!((live.status, ready.status), (200, 200), "{} {}", live.text, ready.text);

    suite.services.off().await;
    for (channel, services) in &servers {
        for name in services {
            assert_eq!(health(channel, name).await, Ok(ServingStatus::NotServing), "{name}");
        }
        for name in ["", "liveness"] {
            assert_eq!(
                health(channel, name).await,
                Ok(ServingStatus::Serving),
                "the process lives"
            );
        }
    }
    let live = web::get(&format!("{}/livez", suite.gateway_url())).await;
    let ready = web::get(&format!("{}/readyz", suite.gateway_url())).await;
    assert_eq!((live.status, ready.status), (200, 503));
    suite.stop().await;
}

/// Asks for the list of services and for the file of one symbol, in one version of the protocol.
macro_rules! reflection {
    ($version:ident, $channel:expr, $symbol:expr) => {{
        use $version::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        };
        let ask = |message| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message),
        };
        let requests = [
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol($symbol.to_owned())),
        ];
        let mut client = ServerReflectionClient::new($channel.clone());
        let mut answers = client
            .server_reflection_info(tokio_stream::iter(requests))
            .await
            .unwrap()
            .into_inner();
        let mut listed = BTreeSet::new();
        let mut files = 0;
        while let Ok(Some(answer)) = answers.message().await {
            match answer.message_response {
                Some(MessageResponse::ListServicesResponse(list)) => {
                    listed = list.service.into_iter().map(|service| service.name).collect();
                }
                Some(MessageResponse::FileDescriptorResponse(found)) => files = found.file_descriptor_proto.len(),
                _ => {}
            }
        }
        (listed, files)
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_shows_each_servers_own_services() {
    let suite = Suite::start().await;
    let servers = servers(&suite);
    for (at, (channel, services)) in servers.iter().enumerate() {
        let foreign = servers[1 - at].1.first().unwrap();
        let own = services.first().unwrap();
        let expected: BTreeSet<String> = services.iter().cloned().chain(BESIDE.map(str::to_owned)).collect();
        for (listed, files) in [reflection!(v1, channel, own), reflection!(v1alpha, channel, own)] {
            assert_eq!(listed, expected);
            assert_eq!(files, 1, "{own} is described");
        }
        for (listed, files) in [
            reflection!(v1, channel, foreign),
            reflection!(v1alpha, channel, foreign),
        ] {
            assert_eq!(listed, expected);
            assert_eq!(files, 0, "{foreign} is another server's");
        }
    }
    suite.stop().await;
}
